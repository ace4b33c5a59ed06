"""The configuration in force: shown, compared with a file, and replaced all at once or not at all."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from ostiary.control.caller import Caller, Permission
from ostiary.control.declarative import Change, merge, notes, parse, plan, render
from ostiary.control.declarative.destinations import PEOPLE_KINDS, new_destinations
from ostiary.control.ports import Changed, ConfigurationStore
from ostiary.control.services.admin_log import AdminLog
from ostiary.model.configuration import Configuration, SecretReference
from ostiary.model.errors import RefusedError
from ostiary.protocols.kinds import Kind

COMPARED_AT_ONCE = 2
"""Files that are read and compared by whoever may look; further ones wait. It is work under the one lock of Python."""

DETAIL_CHANGES_MAX = 200
"""Changes named in one audit entry; of more their number is told."""


_comparing = ThreadPoolExecutor(COMPARED_AT_ONCE, "configuration")


@dataclass(frozen=True, slots=True)
class Shown:
    """`version` is 0 before anything was applied."""

    yaml: str
    version: int


@dataclass(frozen=True, slots=True)
class Planned:
    """`notes` are sentences about what may not be meant as it stands."""

    changes: tuple[Change, ...]
    version: int
    notes: tuple[str, ...] = ()


class ConfigurationService:
    def __init__(
        self,
        store: ConfigurationStore,
        kinds: Mapping[str, Kind],
        changed: Changed,
        log: AdminLog,
        has_value: Callable[[str], bool],
    ) -> None:
        """`has_value` says whether a stored secret has a value."""
        self._store = store
        self._has_value = has_value
        self._kinds = kinds
        self._changed = changed
        self._log = log
        self._applying = asyncio.Lock()
        self._known: tuple[int, Configuration] = (0, Configuration())

    def current(self) -> Configuration:
        """What is stored as in force. Raises `DeclarativeError` when this version cannot read it."""
        stored = self._store.current()
        if stored is None:
            return Configuration()
        version, configuration = self._known
        if version != stored.version:
            configuration = parse(stored.yaml, f"the stored configuration {stored.version}", self._kinds)
            self._known = (stored.version, configuration)
        return configuration

    async def show(self, caller: Caller) -> Shown:
        caller.require(Permission.CONFIGURATION_READ)
        configuration, version = await asyncio.to_thread(self._in_force)
        return Shown(render(configuration), version)

    async def plan(self, caller: Caller, yaml: str, filename: str, prune: bool) -> Planned:
        """What `apply` would change. Raises `DeclarativeError`."""
        caller.require(Permission.CONFIGURATION_READ)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(_comparing, self._planned, yaml, filename, prune)

    async def read(self, caller: Caller, yaml: str, filename: str) -> Configuration:
        """What would be in force after `apply`; nothing is changed. Raises `DeclarativeError`."""
        caller.require(Permission.CONFIGURATION_READ)
        loop = asyncio.get_running_loop()
        _, wanted, _ = await loop.run_in_executor(_comparing, self._compare, yaml, filename, False)
        return wanted

    async def apply(self, caller: Caller, yaml: str, filename: str, prune: bool) -> Planned:
        """What was changed, and the version now in force. Raises `DeclarativeError`, or what kept the new
        configuration from coming up; then the old one is in force as before."""
        caller.require(Permission.CONFIGURATION_APPLY)
        async with self._applying:
            changes, wanted, version = await asyncio.to_thread(self._compare, yaml, filename, prune)
            if changes:
                await asyncio.to_thread(self._check_reach, caller, changes, wanted)
                version = await self._put_in_force(caller, wanted, filename)
                self._log.write(
                    "admin.configuration.apply",
                    caller,
                    {
                        "version": version,
                        "filename": filename,
                        "prune": prune,
                        "changes": len(changes),
                        "plan": [
                            f"{change.action} {change.kind} {change.name}" for change in changes[:DETAIL_CHANGES_MAX]
                        ],
                    },
                )
            return Planned(changes, version, await asyncio.to_thread(notes, wanted, self._log.now()))

    def _check_reach(self, caller: Caller, changes: tuple[Change, ...], wanted: Configuration) -> None:
        """Whether the caller may make these changes and not only some. Raises `RefusedError`."""
        people = [f"{change.kind} {change.name}" for change in changes if change.kind in PEOPLE_KINDS]
        if people and not caller.may(Permission.IDENTITY_APPLY):
            raise RefusedError(
                f"Changing {people[0]} needs the permission '{Permission.IDENTITY_APPLY}'.",
                "Leave out groups and identity, or ask an owner of this installation.",
            )
        if not caller.may(Permission.DESTINATIONS_APPLY):
            for sentence in new_destinations(self.current(), wanted, self._has_value):
                raise RefusedError(
                    f"{sentence} That needs the permission '{Permission.DESTINATIONS_APPLY}'.",
                    "Ask an owner of this installation, or use a new secret that is not set yet.",
                )

    async def declare_stored_secret(self, caller: Caller, name: str) -> None:
        """Make `name` a stored secret of the configuration, unless it is a secret already."""
        async with self._applying:
            configuration = await asyncio.to_thread(self.current)
            if any(secret.name == name for secret in configuration.secrets):
                return
            secrets = (*configuration.secrets, SecretReference(name, "stored"))
            await self._put_in_force(caller, replace(configuration, secrets=secrets), "secret set")

    async def reload(self) -> None:
        """Put in force again what is stored; for what changed beside the file, such as a secret's value."""
        async with self._applying:
            await self._changed()

    def _in_force(self) -> tuple[Configuration, int]:
        stored = self._store.current()
        return self.current(), 0 if stored is None else stored.version

    def _planned(self, yaml: str, filename: str, prune: bool) -> Planned:
        changes, wanted, version = self._compare(yaml, filename, prune)
        return Planned(changes, version, notes(wanted, self._log.now()))

    def _compare(self, yaml: str, filename: str, prune: bool) -> tuple[tuple[Change, ...], Configuration, int]:
        old, version = self._in_force()
        # With --prune nothing of the old configuration will be there to refer to.
        wanted = parse(yaml, filename, self._kinds, existing=None if prune else old)
        return plan(old, wanted, prune), merge(old, wanted, prune), version

    async def _put_in_force(self, caller: Caller, wanted: Configuration, filename: str) -> int:
        version = await asyncio.to_thread(self._store.add, render(wanted), self._log.now(), caller.label, filename)
        try:
            await self._changed()
        except BaseException:
            await asyncio.shield(self._take_back(version))
            raise
        return version

    async def _take_back(self, version: int) -> None:
        await asyncio.to_thread(self._store.take_back, version)
        await self._changed()
