"""The issuers that may say who somebody is: are they configured right?"""

import asyncio
from collections.abc import Callable

from ostiary.control.caller import Caller, Permission
from ostiary.control.identity_ports import People
from ostiary.control.services.configuration import ConfigurationService
from ostiary.control.services.provider_checks.origins import origin_findings
from ostiary.control.services.provider_doctor import ExaminedProviders, Finding, examine
from ostiary.identity.standing import saml_identifier
from ostiary.model.configuration import Configuration
from ostiary.model.errors import NotFoundError, OstiaryError
from ostiary.model.issuer import Issuer, OidcIssuer, WorkloadIssuer


class IdentityService:
    def __init__(
        self,
        configuration: ConfigurationService,
        providers: ExaminedProviders,
        console_url: Callable[[], str],
        clock: Callable[[], float],
        people: People,
    ) -> None:
        self._configuration = configuration
        self._providers = providers
        self._console_url = console_url
        self._clock = clock
        self._people = people

    async def examine(self, caller: Caller, name: str, yaml: str | None, filename: str) -> list[Finding]:
        """What is right and wrong with an issuer: the one in force, or the one of that name in a file that is not
        applied yet, whose client secret is then not tried. Raises `NotFoundError` and `DeclarativeError`."""
        if yaml is None:
            caller.require(Permission.CONFIGURATION_READ)
            configuration = await asyncio.to_thread(self._configuration.current)
        else:
            # It has this server ask an address that the file names.
            caller.require(Permission.CONFIGURATION_APPLY)
            configuration = await self._configuration.read(caller, yaml, filename)
        issuer = next((issuer for issuer in configuration.issuers if issuer.name == name), None)
        if issuer is None:
            raise NotFoundError("There is no such issuer.", _names(configuration))
        found = await examine(issuer, self._providers, self._console_url(), self._clock(), with_secret=yaml is None)
        return [*found, *await self._of_people(issuer)]

    async def _of_people(self, issuer: Issuer) -> list[Finding]:
        if isinstance(issuer, WorkloadIssuer):
            return []
        origins = await asyncio.to_thread(self._people.origins, issuer.name)
        try:
            identifier = (
                issuer.issuer
                if isinstance(issuer, OidcIssuer)
                else saml_identifier((await self._providers.saml(issuer)).entity_id)
            )
        except OstiaryError:
            return []  # said already
        return list(origin_findings(issuer.name, identifier, origins))


def _names(configuration: Configuration) -> str:
    names = ", ".join(issuer.name for issuer in configuration.issuers)
    return f"There are: {names}." if names else "None is configured: write it under `identity: issuers:`."
