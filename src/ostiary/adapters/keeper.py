"""Secrets from where they live: the embedded store, the environment or a file; cached for a bounded time."""

import asyncio
import hmac
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ostiary.model.configuration import SecretReference
from ostiary.model.errors import OstiaryError, SecretUnavailableError
from ostiary.model.secret import Secret
from ostiary.ports import OpenedSecret
from ostiary.settings import Settings
from ostiary.vault.injection import VALUE_MAX_BYTES, check_value
from ostiary.vault.sealing import KEY_BYTES, NONCE_BYTES, RootKey, SealContext, open_sealed, seal


class SealedSecrets(Protocol):
    def sealed_secrets(self, name: str) -> list[tuple[int, bytes, float | None]]:
        """(version, sealed bytes, when it was replaced), the newest first."""
        ...


@dataclass(slots=True)
class _Kept:
    """`marks` tell whether anything changed since: versions for stored secrets, digests for the others."""

    opened: OpenedSecret
    marks: tuple[object, ...]
    fetched_at: float


@dataclass(slots=True)
class _Outside:
    """What was seen of a secret that lives elsewhere: its values so far and when each was replaced."""

    mark: bytes
    secret: Secret
    replaced: list[tuple[Secret, float]] = field(default_factory=list)


class Keeper:
    """Implements `ports.SecretKeeper`. The same `OpenedSecret` object is given as long as nothing changed, so that
    whatever was built from it can be kept."""

    def __init__(
        self,
        store: SealedSecrets,
        root_key: RootKey,
        installation: str,
        settings: Settings,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._root_key = root_key
        self._installation = installation
        self._cache_s = settings.secret_cache_s
        self._grace_s = settings.secret_grace_s
        self._clock = clock
        self._references: dict[str, SecretReference] = {}
        self._kept: dict[str, _Kept] = {}
        self._outside: dict[str, _Outside] = {}
        self._fetching: dict[str, asyncio.Lock] = {}
        self._mark_key = os.urandom(32)

    def declare(self, references: Iterable[SecretReference]) -> None:
        """The secrets of the configuration in force. Everything is fetched anew on its next use."""
        self._references = {reference.name: reference for reference in references}
        for name in tuple(self._kept):
            if name in self._references:
                self._kept[name].fetched_at = float("-inf")
            else:
                del self._kept[name]

    def peek(self, name: str) -> OpenedSecret | None:
        kept = self._kept.get(name)
        if kept is None or self._clock() - kept.fetched_at > self._cache_s:
            return None
        return kept.opened

    async def open(self, name: str) -> OpenedSecret:
        async with self._fetching.setdefault(name, asyncio.Lock()):
            fresh = self.peek(name)
            if fresh is not None:
                return fresh
            reference = self._references.get(name)
            if reference is None:
                raise SecretUnavailableError(f"There is no secret `{name}` in the configuration.")
            marks, secrets = await asyncio.to_thread(self._fetch, reference)
            kept = self._kept.get(name)
            if kept is not None and kept.marks == marks:
                kept.fetched_at = self._clock()
                return kept.opened
            opened = OpenedSecret(secrets[0], secrets)
            self._kept[name] = _Kept(opened, marks, self._clock())
            return opened

    def seal(self, name: str, version: int, value: bytes) -> bytes:
        """`value` sealed for the store, for exactly this name and version."""
        return seal(
            self._root_key,
            plaintext=value,
            context=self._context(name, version),
            data_key=os.urandom(KEY_BYTES),
            nonces=os.urandom(2 * NONCE_BYTES),
        )

    def _context(self, name: str, version: int) -> SealContext:
        return SealContext(self._installation, "secret", name, version)

    def _fetch(self, reference: SecretReference) -> tuple[tuple[object, ...], tuple[Secret, ...]]:
        """What tells this state from another, and the current secret with those still masked."""
        if reference.provider == "stored":
            return self._fetch_stored(reference.name)
        return self._fetch_outside(reference)

    def _fetch_stored(self, name: str) -> tuple[tuple[object, ...], tuple[Secret, ...]]:
        now = self._clock()
        rows = [row for row in self._store.sealed_secrets(name) if row[2] is None or now - row[2] < self._grace_s]
        if not rows or rows[0][2] is not None:
            raise SecretUnavailableError(
                f"The secret `{name}` has no value yet.", f"Set it with `ostiary secret set {name}`."
            )
        versions = tuple(version for version, _, _ in rows)
        return versions, tuple(
            Secret(name, version, open_sealed(self._root_key, sealed, self._context(name, version)))
            for version, sealed, _ in rows
        )

    def _fetch_outside(self, reference: SecretReference) -> tuple[tuple[object, ...], tuple[Secret, ...]]:
        name, now = reference.name, self._clock()
        seen = self._outside.get(name)
        secret = Secret(name, 1 if seen is None else seen.secret.version + 1, _read(reference))
        mark = hmac.digest(self._mark_key, secret.reveal_for_injection(), "sha256")
        if seen is None:
            seen = self._outside[name] = _Outside(mark, secret)
        elif seen.mark != mark:
            seen.replaced.append((seen.secret, now))
            seen.mark, seen.secret = mark, secret
        seen.replaced = [(old, at) for old, at in seen.replaced if now - at < self._grace_s]
        secrets = (seen.secret, *(old for old, _ in seen.replaced))
        return (seen.mark, *(old.version for old, _ in seen.replaced)), secrets


def _read(reference: SecretReference) -> bytes:
    """The value, checked. Raises `SecretUnavailableError` without it."""
    try:
        value = _READERS[reference.provider](reference)
        check_value(value)
    except SecretUnavailableError:
        raise
    except OstiaryError as error:
        raise SecretUnavailableError(
            f"The secret `{reference.name}` cannot be used: {error.sentence}", error.next_step
        ) from None
    return value


def _from_environment(reference: SecretReference) -> bytes:
    value = os.environb.get(reference.reference.encode())
    if not value:
        raise SecretUnavailableError(
            f"The environment variable {reference.reference} of secret `{reference.name}` is not set.",
            "Set it where `ostiary serve` is started, and start it again.",
        )
    return value


def _from_file(reference: SecretReference) -> bytes:
    path = Path(reference.reference)
    try:
        with path.open("rb") as file:
            value = file.read(VALUE_MAX_BYTES + 3)
    except OSError as error:
        raise SecretUnavailableError(
            f"The file {path} of secret `{reference.name}` cannot be read: {error.strerror}.",
            "Mend the path or its permissions.",
        ) from None
    return value.removesuffix(b"\n").removesuffix(b"\r")


_READERS: dict[str, Callable[[SecretReference], bytes]] = {"env": _from_environment, "file": _from_file}
