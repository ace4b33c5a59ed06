"""Checks of a SAML identity provider."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

from ostiary.control.services.provider_checks.finding import (
    ExaminedProviders,
    Finding,
    clock_findings,
    fail,
    failed,
    ok,
    warn,
)
from ostiary.control.services.sign_in_addresses import acs_url, sp_entity_id
from ostiary.identity.saml.metadata import IdentityProviderMetadata
from ostiary.model.errors import OstiaryError
from ostiary.model.issuer import SamlIssuer

SOON_S = 30 * 86_400.0


async def saml_findings(
    issuer: SamlIssuer, providers: ExaminedProviders, console_url: str, now: float
) -> AsyncIterator[Finding]:
    try:
        metadata = await providers.saml(issuer)
    except OstiaryError as failure:
        yield failed(failure)
    else:
        yield ok(f"Its metadata can be read: {metadata.entity_id}")
        for finding in clock_findings(providers.clock_difference_s(issuer)):
            yield finding
        yield ok(f"It takes people by HTTP-Redirect, at {metadata.sso_redirect_url}")
        for finding in (*_certificates(metadata, now), *_upkeep(issuer, metadata, now)):
            yield finding
    yield ok(
        f"It posts its answers to {acs_url(console_url, issuer.name)}",
        "Register this assertion consumer service (ACS) URL at the provider.",
    )
    yield ok(
        f"This installation's own metadata is at {sp_entity_id(console_url, issuer.name)}",
        "Its address is also the entity ID, or audience, that the provider asks for.",
    )


def _certificates(metadata: IdentityProviderMetadata, now: float) -> Iterator[Finding]:
    from cryptography import x509  # memory that a server without SAML does not pay for

    ends = sorted(x509.load_der_x509_certificate(der).not_valid_after_utc.timestamp() for der in metadata.certificates)
    last = ends[-1]
    if last <= now:
        yield fail(f"Its signing certificate expired on {_day(last)}.", "Renew it at the provider.")
    elif last <= now + SOON_S:
        yield warn(
            f"Its signing certificate expires on {_day(last)}.",
            "Renew it at the provider, with both certificates in the metadata for a day.",
        )
    else:
        yield ok(f"Its signing certificate is valid until {_day(last)}.")


def _upkeep(issuer: SamlIssuer, metadata: IdentityProviderMetadata, now: float) -> Iterator[Finding]:
    if issuer.metadata_file is not None:
        yield warn(
            "Its metadata is a file: a new certificate is known only once the file is replaced.",
            "Give `metadata: {url: …}` where the provider has an address for it.",
        )
    if metadata.valid_until is not None and metadata.valid_until <= now + SOON_S and issuer.metadata_file is not None:
        yield warn(f"Its metadata is over on {_day(metadata.valid_until)}.", "Get a new file before that.")
    if metadata.wants_signed_requests:
        yield ok(
            "It wants signed requests (WantAuthnRequestsSigned), and gets them.",
            "The certificate to register at the provider is in this installation's own metadata.",
        )


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()
