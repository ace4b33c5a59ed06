"""Messages of SAML checked by what their provider publishes, and once more where it publishes something else by now."""

from collections.abc import Awaitable, Callable

from ostiary.control.identity_ports import IdentityProviders
from ostiary.identity.saml.assertion import Assertion
from ostiary.identity.saml.metadata import IdentityProviderMetadata
from ostiary.model.errors import SignInRefusedError
from ostiary.model.issuer import SamlIssuer


async def by_metadata(
    providers: IdentityProviders, issuer: SamlIssuer, check: Callable[[IdentityProviderMetadata], Awaitable[Assertion]]
) -> Assertion:
    """What `check` says. A signature by no key of the metadata may be one by a key that is newer than what was
    fetched: then it is fetched again, at most once a minute. Raises what `check` raises."""
    metadata = await providers.saml(issuer)
    try:
        return await check(metadata)
    except SignInRefusedError as refused:
        if refused.reason != "signature":
            raise
        newer = await providers.saml(issuer, again=True)
        if newer.certificates == metadata.certificates:
            raise
    return await check(newer)
