"""Asking a provider over HTTP: every failure becomes a sentence that names the provider and what was asked of it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import orjson

from ostiary.adapters.http_call import FORM, JSON, Answer, HttpCall
from ostiary.adapters.identity_providers.endpoints import Endpoint, read_endpoint
from ostiary.identity.encoding import is_too_deep
from ostiary.model.errors import OperatorError, UnreachableError
from ostiary.model.issuer import Issuer
from ostiary.ports import Dialler

DEADLINE_S = 10.0
ANSWER_MAX_BYTES = 1024 * 1024

DISCOVERY = "discovery document"
KEY_SET = "key set"
TOKEN_ENDPOINT = "token endpoint"  # noqa: S105 - what is asked
USERINFO = "userinfo endpoint"
REVOCATION = "revocation endpoint"
SAML_METADATA = "SAML metadata"


class ProviderCall:
    """Calls to whatever addresses one issuer names: each is judged and dialled as the issuer's settings say."""

    def __init__(self, issuer: Issuer, dial: Dialler) -> None:
        self._issuer = issuer
        self._dial = dial

    async def get(self, what: str, url: object, *, accept: str = JSON, fields: bytes = b"") -> Answer:
        with self.naming(what):
            return await self._call(read_endpoint(url), "GET", None, accept, fields)

    async def post(self, what: str, url: object, form: bytes, *, fields: bytes = b"") -> Answer:
        with self.naming(what):
            return await self._call(read_endpoint(url), "POST", form, JSON, fields)

    async def _call(self, to: Endpoint, method: str, body: bytes | None, accept: str, fields: bytes) -> Answer:
        call = HttpCall(self._dial, to.server, allow_private=self._issuer.allow_private, ca_file=self._issuer.ca_file)
        return await call(
            method, to.target, body, ANSWER_MAX_BYTES,
            deadline_s=DEADLINE_S, content_type=FORM, accept=accept, fields=fields,
        )  # fmt: skip

    @contextmanager
    def naming(self, what: str) -> Iterator[None]:
        """Failures within name the provider and `what` was asked of it."""
        name = self._issuer.name
        try:
            yield
        except UnreachableError as failure:
            raise UnreachableError(
                f"The {what} of the identity provider `{name}` cannot be had. {failure.sentence}",
                failure.next_step or f"Try again in a moment; `ostiary doctor idp {name}` says more.",
            ) from None
        except OperatorError as failure:
            raise OperatorError(
                f"The {what} of the identity provider `{name}` makes no sense. {failure.sentence}",
                failure.next_step or f"Run `ostiary doctor idp {name}`, and compare its address with the provider's.",
            ) from None


def must_be_ok(answer: Answer) -> None:
    """Raises `UnreachableError` for a status that may be another in a moment, else `OperatorError`."""
    status = answer.status
    if status == 200:
        return
    if status >= 500 or status == 429:
        raise UnreachableError(f"It answers with HTTP {status}.")
    if 300 <= status < 400:
        raise OperatorError(
            f"It answers with HTTP {status}, a redirect.", "Redirects are not followed: give the address it leads to."
        )
    raise OperatorError(f"It answers with HTTP {status}.")


def json_object(body: bytes) -> Mapping[str, Any]:
    """Raises `OperatorError`."""
    try:
        document: object = orjson.loads(body)
    except ValueError:
        raise OperatorError("It is not JSON.") from None
    if not isinstance(document, dict):
        raise OperatorError("It is not a JSON object.")
    if is_too_deep(body):
        raise OperatorError("Its JSON is nested too deeply.")
    return document


def freshness_s(answer: Answer, ordinary_s: float, least_s: float, most_s: float) -> float:
    """How long the answer may be used by its Cache-Control, within bounds; `ordinary_s` when it does not say."""
    directives = [each.strip().lower() for each in answer.headers.get("cache-control", "").split(",")]
    if "no-store" in directives or "no-cache" in directives:
        return least_s
    for directive in directives:
        name, _, value = directive.partition("=")
        text = value.strip().strip('"')
        if name.strip() == "max-age" and text.isascii() and text.isdigit() and len(text) <= 10:
            return min(max(float(text), least_s), most_s)
    return ordinary_s


Clock = Callable[[], float]
