"""Secrets: their names may be listed and their values set. Nothing here, or anywhere, reads one back."""

import asyncio
from dataclasses import dataclass

from ostiary.control.caller import Caller, Permission
from ostiary.control.declarative.values import is_secret_name
from ostiary.control.ports import SealSecret, SecretStore
from ostiary.control.services.admin_log import AdminLog
from ostiary.control.services.configuration import ConfigurationService
from ostiary.model.configuration import SecretVersion
from ostiary.model.errors import CallerError
from ostiary.vault.injection import check_value


@dataclass(frozen=True, slots=True)
class ListedSecret:
    """`versions` is empty for a secret that is kept elsewhere or has no value yet; the newest comes first."""

    name: str
    provider: str
    reference: str
    versions: tuple[SecretVersion, ...]


class SecretService:
    def __init__(
        self, store: SecretStore, configuration: ConfigurationService, seal: SealSecret, log: AdminLog
    ) -> None:
        self._store = store
        self._configuration = configuration
        self._seal = seal
        self._log = log
        self._setting = asyncio.Lock()

    async def list(self, caller: Caller) -> tuple[ListedSecret, ...]:
        caller.require(Permission.SECRETS_READ)
        return await asyncio.to_thread(self._listed)

    async def set(self, caller: Caller, name: str, value: bytes) -> int:
        """The new version's number. Raises `CallerError` for a value that cannot be injected and for a secret
        that is declared to live elsewhere."""
        caller.require(Permission.SECRETS_SET)
        if not is_secret_name(name):
            raise CallerError(
                "This cannot be the name of a secret.",
                "Use letters, digits, . _ and -, at most 63 characters.",
            )
        check_value(value)
        async with self._setting:
            declared = {listed.name: listed for listed in await asyncio.to_thread(self._listed)}
            known = declared.get(name)
            if known is not None and known.provider != "stored":
                raise CallerError(
                    f"The secret '{name}' is read from {known.provider} {known.reference}.",
                    "Set it there, or declare it with `from: stored` first.",
                )
            version = await asyncio.to_thread(self._put, name, value)
            if known is None:
                await self._configuration.declare_stored_secret(caller, name)
            else:
                await self._configuration.reload()
        self._log.write("admin.secret.set", caller, {"name": name, "version": version})
        return version

    def _listed(self) -> tuple[ListedSecret, ...]:
        stored: dict[str, list[SecretVersion]] = {}
        for version in self._store.versions():
            stored.setdefault(version.name, []).append(version)
        return tuple(
            ListedSecret(
                secret.name,
                secret.provider,
                secret.reference,
                tuple(stored.get(secret.name, ())) if secret.provider == "stored" else (),
            )
            for secret in self._configuration.current().secrets
        )

    def _put(self, name: str, value: bytes) -> int:
        newest = max((known.version for known in self._store.versions() if known.name == name), default=0)
        version = newest + 1
        self._store.put_sealed_secret(name, version, self._seal(name, version, value), self._log.now())
        return version
