"""The two cookies: who is signed in, and which browser began to sign in."""

from collections.abc import Iterable

from starlette.requests import HTTPConnection
from starlette.responses import Response

SESSION = "__Host-ostiary"
ATTEMPT = "__Host-ostiary-attempt"

ATTEMPT_LIFE_S = 3600
_VALUE_MAX_CHARACTERS = 256
_VALUE_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")

# Both work over plain http on loopback: browsers take `Secure` cookies from there. `None` for the attempt because
# a SAML answer is a POST from the identity provider's page.
_SAME_SITE = {SESSION: "Lax", ATTEMPT: "None"}


def read_cookie(connection: HTTPConnection, name: str) -> str | None:
    """None when it is absent, when it could not be ours, or when two of that name came: one of them is somebody
    else's."""
    values = {value for found, value in _pairs(connection.headers.getlist("cookie")) if found == name}
    if len(values) != 1:
        return None
    value = values.pop()
    return value if 0 < len(value) <= _VALUE_MAX_CHARACTERS and _VALUE_CHARACTERS.issuperset(value) else None


def set_cookie(response: Response, name: str, value: str, life_s: int | None = None) -> None:
    """`life_s` None lasts as long as the browser runs."""
    if not _VALUE_CHARACTERS.issuperset(value):
        raise ValueError("not a cookie's value")
    life = "" if life_s is None else f"; Max-Age={life_s}"
    response.headers.append(
        "set-cookie", f"{name}={value}; Path=/; Secure; HttpOnly; SameSite={_SAME_SITE[name]}{life}"
    )


def drop_cookie(response: Response, name: str) -> None:
    set_cookie(response, name, "", 0)


def _pairs(headers: Iterable[str]) -> Iterable[tuple[str, str]]:
    for header in headers:
        for pair in header.split(";"):
            name, equals, value = pair.strip(" \t").partition("=")
            if equals:
                yield name, value
