"""What a route of the API is."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ostiary.control.api.fields import Field
from ostiary.control.caller import Caller
from ostiary.control.services import Services

Handler = Callable[[Services, Caller, Mapping[str, Any]], Awaitable[Any]]

PREFIX = "/api/v1"
BODY_MAX_BYTES = 64 * 1024
CONFIGURATION_MAX_BYTES = 8 * 1024 * 1024
"""A file of 4 MiB with all its line ends and quotes escaped still fits."""


@dataclass(frozen=True, slots=True)
class Route:
    """`path` is below `PREFIX`; `name` is the OpenAPI operationId, `answer` the fields of the answer and what
    they are. `query` and `body` are strict: nothing else is taken."""

    method: str
    path: str
    name: str
    summary: str
    handler: Handler
    answer: Mapping[str, str]
    query: tuple[Field, ...] = ()
    body: tuple[Field, ...] = ()
    body_max_bytes: int = BODY_MAX_BYTES
    created: bool = False
