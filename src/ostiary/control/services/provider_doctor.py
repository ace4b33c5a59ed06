"""Is an issuer configured right? Asked by `ostiary doctor idp NAME`, and of a plan before it is saved."""

from collections.abc import AsyncIterator

from ostiary.control.services.provider_checks.finding import ExaminedProviders, Finding, Level
from ostiary.control.services.provider_checks.oidc import oidc_findings
from ostiary.control.services.provider_checks.saml import saml_findings
from ostiary.control.services.provider_checks.workload import workload_findings
from ostiary.identity.urls import is_https_or_loopback
from ostiary.model.issuer import Issuer, OidcIssuer, SamlIssuer

__all__ = ["ExaminedProviders", "Finding", "Level", "examine"]


async def examine(
    issuer: Issuer, providers: ExaminedProviders, console_url: str, now: float, *, with_secret: bool = True
) -> list[Finding]:
    """What the provider says now, whatever is cached; the first failure explains later ones. Nothing is raised for what
    can be wrong with an issuer.

    With `with_secret` the client secret is opened and tried with a code that nobody was given. A plan goes without: its
    secrets may not be set yet.
    """
    console_url = console_url.rstrip("/")
    found = [finding async for finding in _findings(issuer, providers.apart(), console_url, now, with_secret)]
    if not isinstance(issuer, OidcIssuer | SamlIssuer) or is_https_or_loopback(console_url):
        return found
    plain = Finding(
        Level.FAIL,
        f"The console is at {console_url}, which is not https: browsers do not keep the cookies of a sign-in.",
        "Give `serve` a certificate, or name its https address as `console_url`.",
    )
    return [plain, *found]


def _findings(
    issuer: Issuer, providers: ExaminedProviders, console_url: str, now: float, with_secret: bool
) -> AsyncIterator[Finding]:
    if isinstance(issuer, OidcIssuer):
        return oidc_findings(issuer, providers, console_url, with_secret)
    if isinstance(issuer, SamlIssuer):
        return saml_findings(issuer, providers, console_url, now)
    return workload_findings(issuer, providers)
