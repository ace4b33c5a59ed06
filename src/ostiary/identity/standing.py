"""Whether somebody is still somebody here: active, and known from the provider that their issuer's name stands for."""

from collections.abc import Sequence
from typing import TypeGuard

from ostiary.model.issuer import Issuer, OidcIssuer, SamlIssuer
from ostiary.model.person import User

_SAML = "saml "
"""So that an entity ID, which may be any text, is never the issuer URL of an OpenID provider."""


def saml_identifier(entity_id: str) -> str:
    return _SAML + entity_id


def is_somebody(user: User | None, issuers: Sequence[Issuer]) -> TypeGuard[User]:
    """Active, and vouched for by one of `issuers`. Who is not, may do nothing and holds nothing that opens anything."""
    return user is not None and user.active and is_vouched_for(user, issuers)


def is_vouched_for(user: User, issuers: Sequence[Issuer]) -> bool:
    """Whether their issuer is among `issuers` and is the provider they came from. A local owner needs none, nor does
    somebody whom a directory provisioned and who never signed in."""
    return user.issuer is None or any(
        issuer.name == user.issuer and is_familiar(issuer, user.issuer_identifier) for issuer in issuers
    )


def is_familiar(issuer: Issuer, identifier: str | None) -> bool:
    """Whether whoever came from the provider `identifier` may have come from `issuer`. None, of people whom earlier
    versions let in, is taken for its own. Which SAML provider it is tells only its metadata, at the next sign-in."""
    match issuer:
        case OidcIssuer():
            return identifier is None or identifier == issuer.issuer
        case SamlIssuer():
            return identifier is None or identifier.startswith(_SAML)
        case _:
            return False  # machines' issuers have no people


def is_issued_in_time(user: User, issued_at: float) -> bool:
    """Whether a token of their issuer was made after everything of theirs ended at last; 0 where it does not say."""
    return user.not_before is None or issued_at > user.not_before
