"""Secrets from where they live: the embedded store, the environment or a file; cached for a bounded time."""

import asyncio
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ostiary.model.configuration import SecretReference
from ostiary.model.errors import SecretUnavailableError
from ostiary.model.secret import Secret
from ostiary.ports import OpenedSecret
from ostiary.settings import Settings
from ostiary.vault.injection import VALUE_MAX_BYTES, have_same_value, value_problem
from ostiary.vault.sealing import KEY_BYTES, NONCE_BYTES, RootKey, SealContext, open_sealed, seal


class SealedSecrets(Protocol):
    def sealed_secrets(self, name: str) -> list[tuple[int, bytes, float | None]]:
        """(version, sealed bytes, when it was replaced), the newest first."""
        ...


_Former = tuple[Secret, float]
"""A secret that was replaced, and when."""


@dataclass(slots=True)
class _Kept:
    """What was fetched last. `former` are the values this process itself saw being replaced, newest first: the store
    remembers replaced versions, the environment and files do not."""

    opened: OpenedSecret
    former: list[_Former]
    fetched_at: float


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
        self._fetching: dict[str, asyncio.Lock] = {}

    def declare(self, references: Iterable[SecretReference]) -> None:
        """The secrets of the configuration in force. Everything is fetched anew on its next use."""
        self._references = {reference.name: reference for reference in references}
        for name in tuple(self._kept):
            if name in self._references:
                self._kept[name].fetched_at = float("-inf")
            else:
                del self._kept[name]
                self._fetching.pop(name, None)

    def peek(self, name: str) -> OpenedSecret | None:
        kept = self._kept.get(name)
        if kept is None or self._clock() - kept.fetched_at > self._cache_s:
            return None
        return kept.opened

    async def open(self, name: str) -> OpenedSecret:
        """Those who ask while a secret is being fetched wait for that one fetch. A failure is not remembered."""
        reference = self._references.get(name)
        if reference is None:
            raise SecretUnavailableError(f"There is no secret `{name}` in the configuration.")
        async with self._fetching.setdefault(name, asyncio.Lock()):
            fresh = self.peek(name)
            if fresh is not None:
                return fresh
            current, replaced = await asyncio.to_thread(self._fetch, reference)
            return self._keep(name, current, replaced)

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

    def _fetch(self, reference: SecretReference) -> tuple[Secret, tuple[Secret, ...]]:
        """The current secret, and those of its former versions that its provider remembers and that are in grace."""
        if reference.provider == "stored":
            return self._fetch_stored(reference.name)
        kept = self._kept.get(reference.name)
        # The environment and files number nothing: a changed value gets the next number here.
        version = 1 if kept is None else kept.opened.current.version + 1
        return _checked(Secret(reference.name, version, _READERS[reference.provider](reference))), ()

    def _fetch_stored(self, name: str) -> tuple[Secret, tuple[Secret, ...]]:
        now = self._clock()
        rows = self._store.sealed_secrets(name)
        if not rows or rows[0][2] is not None:
            raise SecretUnavailableError(
                f"The secret `{name}` has no value yet.", f"Set it with `ostiary secret set {name}`."
            )
        current, *replaced = [
            Secret(name, version, open_sealed(self._root_key, sealed, self._context(name, version)))
            for version, sealed, replaced_at in rows
            if replaced_at is None or now - replaced_at < self._grace_s
        ]
        return current, tuple(replaced)

    def _keep(self, name: str, current: Secret, replaced: tuple[Secret, ...]) -> OpenedSecret:
        now = self._clock()
        kept = self._kept.get(name)
        former: list[_Former] = []
        if kept is not None:
            former = kept.former
            if have_same_value(kept.opened.current, current):
                current = kept.opened.current
            else:
                former = [(kept.opened.current, now), *former]
        former = [(secret, at) for secret, at in former if now - at < self._grace_s]
        masked = _distinct((current, *replaced, *(secret for secret, _ in former)))
        if kept is not None and _are_the_same(kept.opened.masked, masked):
            kept.former, kept.fetched_at = former, now
            return kept.opened
        opened = OpenedSecret(current, masked)
        self._kept[name] = _Kept(opened, former, now)
        return opened


def _distinct(secrets: Iterable[Secret]) -> tuple[Secret, ...]:
    kept: list[Secret] = []
    for secret in secrets:
        if not any(have_same_value(secret, known) for known in kept):
            kept.append(secret)
    return tuple(kept)


def _are_the_same(one: tuple[Secret, ...], other: tuple[Secret, ...]) -> bool:
    return len(one) == len(other) and all(map(have_same_value, one, other))


def _checked(secret: Secret) -> Secret:
    problem = value_problem(secret)
    if problem is not None:
        raise SecretUnavailableError(
            f"The secret `{secret.name}` cannot be used: {problem.sentence}", problem.next_step
        )
    return secret


def _from_environment(reference: SecretReference) -> bytes:
    value = os.environb.get(os.fsencode(reference.reference))
    if not value:
        raise SecretUnavailableError(
            f"The environment variable {reference.reference} of secret `{reference.name}` is not set.",
            "Set it where `ostiary serve` is started, and start it again.",
        )
    return value


def _from_file(reference: SecretReference) -> bytes:
    """The file's content without the line end that editors and `echo` leave behind."""
    path = Path(reference.reference)
    try:
        with path.open("rb") as file:
            return file.read(VALUE_MAX_BYTES + 3).removesuffix(b"\n").removesuffix(b"\r")
    except OSError as error:
        raise SecretUnavailableError(
            f"The file {path} of secret `{reference.name}` cannot be read: {error.strerror}.",
            "Mend the path or its permissions.",
        ) from None


_READERS: dict[str, Callable[[SecretReference], bytes]] = {"env": _from_environment, "file": _from_file}
