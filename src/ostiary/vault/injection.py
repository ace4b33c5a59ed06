"""Putting a Secret into a request. The only place, with the masking patterns, where its value is read.

Revealed bytes never get a name: each use is one expression, so a traceback with local variables shows none.
"""

import hmac
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence

from ostiary.model.connection import AuthForm, AuthScheme
from ostiary.model.errors import CallerError, SecretUnavailableError
from ostiary.model.secret import Secret

VALUE_MIN_BYTES = 8
VALUE_MAX_BYTES = 4096

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PERCENT = tuple(bytes([code]) if code in _UNRESERVED else b"%%%02X" % code for code in range(256))
"""RFC 3986: everything but the unreserved characters is written as a triplet."""


def _bearer(form: AuthForm, secret: Secret) -> bytes:
    return b"Authorization: Bearer %b\r\n" % secret.reveal_for_injection()


def _basic_username(form: AuthForm, secret: Secret) -> bytes:
    return b"Authorization: Basic %b\r\n" % b64encode(secret.reveal_for_injection() + b":")


def _basic_password(form: AuthForm, secret: Secret) -> bytes:
    return b"Authorization: Basic %b\r\n" % b64encode(b"%b:%b" % (form.name.encode(), secret.reveal_for_injection()))


def _header(form: AuthForm, secret: Secret) -> bytes:
    return b"%b: %b%b\r\n" % (form.name.encode(), form.prefix.encode(), secret.reveal_for_injection())


_FIELD_WRITERS: dict[AuthScheme, Callable[[AuthForm, Secret], bytes]] = {
    AuthScheme.BEARER: _bearer,
    AuthScheme.BASIC_USERNAME: _basic_username,
    AuthScheme.BASIC_PASSWORD: _basic_password,
    AuthScheme.HEADER: _header,
}


def injected_fields(forms: Sequence[AuthForm], secrets: Mapping[str, Secret], default: Secret) -> bytes:
    """Complete header lines (`Name: value CRLF`) of every form that writes a header; `b""` when none does.

    `secrets` answers the forms that name a Secret of their own, `default` all others.
    Raises `SecretUnavailableError` when a named one is missing.
    """
    return b"".join(
        _FIELD_WRITERS[form.scheme](form, _secret_of(form, secrets, default))
        for form in forms
        if form.scheme in _FIELD_WRITERS
    )


def injected_query(forms: Sequence[AuthForm], secrets: Mapping[str, Secret], default: Secret) -> bytes:
    """`name=value` pairs of the query forms, percent-encoded and joined by `&`; `b""` when there are none."""
    return b"&".join(
        percent_encoded(form.name.encode())
        + b"="
        + b"".join([_PERCENT[code] for code in _secret_of(form, secrets, default).reveal_for_injection()])
        for form in forms
        if form.scheme is AuthScheme.QUERY
    )


def injected_names(forms: Sequence[AuthForm]) -> frozenset[str]:
    """Lower-case names of the header fields the forms set; the caller's own of these must be gone before."""
    return frozenset(
        form.name.lower() if form.scheme is AuthScheme.HEADER else "authorization"
        for form in forms
        if form.scheme in _FIELD_WRITERS
    )


def check_value(value: bytes) -> None:
    """Raises `CallerError`, without the value, unless it can be injected into a header and found again.

    Allowed are 8 to 4,096 printable ASCII characters without space at either end: fewer could not be told
    from ordinary text, control characters would end the header line, and HTTP strips space around a value.
    """
    problem = value_problem(Secret("", 0, value))
    if problem is not None:
        del value  # nothing of it in a traceback that shows local variables
        raise problem


def value_problem(secret: Secret) -> CallerError | None:
    """Why this Secret cannot be used, as `check_value` would say it; None when it can."""
    if len(secret.reveal_for_injection()) < VALUE_MIN_BYTES:
        return CallerError(
            f"A secret needs at least {VALUE_MIN_BYTES} characters.",
            "A shorter one could not be told from ordinary text when it comes back.",
        )
    if len(secret.reveal_for_injection()) > VALUE_MAX_BYTES:
        return CallerError(f"A secret has at most {VALUE_MAX_BYTES} characters.", "Is this the right file?")
    if any(code < 0x20 or code > 0x7E for code in secret.reveal_for_injection()):
        return CallerError(
            "A secret may hold printable ASCII characters only.",
            "Look for a line break or another invisible character in it.",
        )
    if secret.reveal_for_injection().strip(b" ") != secret.reveal_for_injection():
        return CallerError("A secret may not begin or end with a space.", "Remove the space around it.")
    return None


def have_same_value(one: Secret, other: Secret) -> bool:
    return hmac.compare_digest(one.reveal_for_injection(), other.reveal_for_injection())


def percent_encoded(text: bytes) -> bytes:
    return b"".join([_PERCENT[code] for code in text])


def _secret_of(form: AuthForm, secrets: Mapping[str, Secret], default: Secret) -> Secret:
    if form.secret is None:
        return default
    found = secrets.get(form.secret)
    if found is None:
        raise SecretUnavailableError(
            f"The secret {form.secret!r} has no value.", f"Run `ostiary secret set {form.secret}`."
        )
    return found
