"""What a request does, in its Kind's own words."""

from dataclasses import dataclass
from enum import StrEnum

from ostiary.model.connection import AuthForm


class Class(StrEnum):
    READ = "read"
    WRITE = "write"
    SETTINGS = "settings"
    MODEL_SETTINGS = "model-settings"
    SPEND = "spend"
    CREDENTIAL = "credential"
    IRREVERSIBLE = "irreversible"


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of a Kind.

    `secret_fields` are dotted paths into the JSON request body, `credential_fields` into the JSON response body;
    `*` stands for every key or element (`mcpServers.*.headers.*`). They are never recorded.
    `auth` overrides the Kind's auth form. `stream` names the framing of a streamed answer (`sse`, `ndjson`, `csv`).
    `answer_status` is set for operations the gateway answers itself with that status and never forwards.
    """

    name: str
    classes: frozenset[Class]
    method: str
    path: str
    secret_fields: tuple[str, ...] = ()
    credential_fields: tuple[str, ...] = ()
    auth: tuple[AuthForm, ...] = ()
    stream: str | None = None
    answer_status: int | None = None
    summary: str = ""


UNKNOWN_OPERATION = Operation(name="", classes=frozenset(), method="", path="")
"""No row of the Kind matches; no rule can match it by name or class."""
