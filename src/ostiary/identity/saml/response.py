"""Checking what comes back: the response of a sign-in, and the assertion of a grant (RFC 7522)."""

from ostiary.identity.saml.assertion import Assertion
from ostiary.identity.saml.metadata import IdentityProviderMetadata

MESSAGE_BYTES_MAX = 256 * 1024
SKEW_S = 60.0
LIFETIME_MAX_S = 86_400.0

__all__ = ["LIFETIME_MAX_S", "MESSAGE_BYTES_MAX", "SKEW_S", "Assertion", "check_bare_assertion", "check_response"]


def check_response(
    encoded: str,
    *,
    metadata: IdentityProviderMetadata,
    sp_entity_id: str,
    acs_url: str,
    request_id: str,
    now: float,
) -> Assertion:
    """The assertion of `SAMLResponse`, the answer to our request `request_id`. Raises `SignInRefusedError`; its reason
    is one of `refusals.REASONS`. The caller sees to it that the assertion's id is used once."""
    from ostiary.identity.saml.messages import Expected, read_response

    return read_response(
        encoded,
        metadata,
        Expected(metadata.entity_id, frozenset({sp_entity_id}), sp_entity_id, acs_url, request_id, now),
    )


def check_bare_assertion(
    encoded: str, *, metadata: IdentityProviderMetadata, token_url: str, sp_entity_id: str, now: float
) -> Assertion:
    """The assertion of a grant: base64url, signed itself, made for the token endpoint and in answer to no request.
    Without AuthnStatement `authenticated_at` is when it was issued. Raises `SignInRefusedError`, as
    `check_response`."""
    from ostiary.identity.saml.messages import Expected, read_assertion

    return read_assertion(
        encoded,
        metadata,
        Expected(metadata.entity_id, frozenset({sp_entity_id, token_url}), sp_entity_id, token_url, None, now),
    )
