"""A provider's discovery document (OpenID Connect Discovery 1.0, RFC 8414): whether it is the one we asked for."""

from collections.abc import Mapping
from typing import Any

from ostiary.adapters.identity_providers.endpoints import read_endpoint
from ostiary.model.errors import OperatorError
from ostiary.model.issuer import OidcIssuer, WorkloadIssuer

_NEEDED = {
    OidcIssuer: ("authorization_endpoint", "token_endpoint", "jwks_uri"),
    WorkloadIssuer: ("jwks_uri",),
}
_USED = (
    "authorization_endpoint",
    "token_endpoint",
    "jwks_uri",
    "userinfo_endpoint",
    "revocation_endpoint",
    "end_session_endpoint",
)


def discovery_url(issuer: OidcIssuer | WorkloadIssuer) -> str:
    """Raises `OperatorError` for an issuer identifier that is no address."""
    try:
        read_endpoint(issuer.issuer)
        if "?" in issuer.issuer:
            raise OperatorError("It has a query.")
    except OperatorError as problem:
        raise OperatorError(f"The issuer identifier cannot be asked. {problem.sentence}") from None
    return f"{issuer.issuer.removesuffix('/')}/.well-known/openid-configuration"


def checked_discovery(issuer: OidcIssuer | WorkloadIssuer, document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The document. Raises `OperatorError` when it is another issuer's, lacks an endpoint or has an unsafe one."""
    named = document.get("issuer")
    if named != issuer.issuer:
        raise OperatorError(*_why_other(issuer, named))
    for name in _NEEDED[type(issuer)]:
        if name not in document:
            raise OperatorError(f"It does not name its {name}.")
    is_secure = read_endpoint(issuer.issuer).is_secure
    for name in _USED:
        if document.get(name) is None and name not in _NEEDED[type(issuer)]:
            continue
        try:
            endpoint = read_endpoint(document[name])
        except OperatorError as problem:
            raise OperatorError(f"Its {name} cannot be used. {problem.sentence}") from None
        if is_secure and not endpoint.is_secure:
            raise OperatorError(f"Its {name} is not https, and the issuer is.")
    return document


def _why_other(issuer: OidcIssuer | WorkloadIssuer, named: object) -> tuple[str, str]:
    if isinstance(named, str) and named.rstrip("/") == issuer.issuer.rstrip("/"):
        has = "has" if named.endswith("/") else "has not"
        return (
            f"It is of an issuer that {has} a slash at its end.",
            "Write `issuer` exactly as the provider does: the last slash counts.",
        )
    if isinstance(named, str) and "{tenant" in named:
        return (
            "It is of every tenant, not of one.",
            "Write your own tenant's issuer, with its id in place of `common` or `organizations`.",
        )
    return "It is of another issuer.", "Write `issuer` exactly as the provider's discovery document does."
