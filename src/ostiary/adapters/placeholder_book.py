"""The placeholders of each actor and session: in memory while they are used, sealed in the store."""

import asyncio
import hashlib
import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol
from weakref import WeakValueDictionary, ref

from ostiary.adapters.stores.sealed_placeholders import SealedMapping
from ostiary.masking.placeholders import PlaceholderNumbers, Placeholders
from ostiary.model.errors import IntegrityError
from ostiary.vault.sealing import KEY_BYTES, NONCE_BYTES, RootKey, SealContext, open_sealed, seal

MAPPINGS_MAX = 4_096
"""Mappings in memory. Beyond that those silent longest are read again from the store when they are needed."""

MAPPINGS_MAX_BYTES = 64 * 1024 * 1024
"""Values in memory."""

_LEAST_LEFT_S = 30.0
"""The store hears of a use before so little of the life it knows of is left."""

_Place = tuple[str, str]
"""An actor's key and a session's id."""


class PlaceholderStore(Protocol):
    def find(self, mapping: bytes, now: float) -> tuple[int, bytes] | None: ...

    def numbers(self, actor: bytes) -> bytes | None: ...

    def put(self, mapping: SealedMapping, now: float) -> None: ...

    def tidy(self, expiries: Sequence[tuple[bytes, float]], now: float) -> None: ...


@dataclass(slots=True)
class _Record:
    """What is known of a mapping that has not expired. `placeholders` is None when it is in the store only.

    `version` is the newest that was written, 0 before the first; `stored_until` the expiry that the store knows.
    """

    placeholders: Placeholders | None
    alive: "ref[Placeholders]"
    used_at: float
    version: int
    stored_until: float
    weight: int = 0
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)


class PlaceholderBook:
    """Implements `ports.PlaceholderBook`. For the event loop; what waits for the disk runs in a worker thread. The
    mappings it gives may be used in any thread.

    All who use a mapping at the same time have the same object, whatever was forgotten meanwhile: two that grow apart
    would give one placeholder to two values.
    """

    def __init__(
        self,
        store: PlaceholderStore,
        root_key: RootKey,
        installation: str,
        life_s: float,
        clock: Callable[[], float],
    ) -> None:
        """A mapping is forgotten when it was not used for `life_s` seconds and no exchange holds it."""
        self._store = store
        self._root_key = root_key
        self._installation = installation
        self._life_s = life_s
        self._clock = clock
        self._records: OrderedDict[_Place, _Record] = OrderedDict()
        """In order of last use."""
        self._numbers: WeakValueDictionary[str, PlaceholderNumbers] = WeakValueDictionary()
        self._in_memory = 0
        self._weight = 0

    def peek(self, actor_key: str, session: str) -> Placeholders | None:
        """The mapping if it is in memory. None does not say that there is none."""
        place = (actor_key, session)
        record = self._records.get(place)
        if record is None:
            return None
        now = self._clock()
        if now - record.used_at > self._life_s and not self._is_in_use(place, record):
            return None
        placeholders = record.placeholders or record.alive()
        if placeholders is not None:
            record.used_at = now
            self._records.move_to_end(place)
        return placeholders

    async def open(self, actor_key: str, session: str) -> Placeholders:
        """The mapping, an empty one where there is none. Raises `IntegrityError` and `StorageUnavailableError`."""
        place = (actor_key, session)
        placeholders = self.peek(actor_key, session)
        if placeholders is not None:
            return placeholders
        record = self._records.get(place)
        placeholders, version = self._read(place, 0 if record is None else record.version)
        self._add(place, placeholders, version, 0.0 if record is None else record.stored_until)
        return placeholders

    async def keep(self, actor_key: str, session: str, placeholders: Placeholders) -> None:
        """Returns when all values there are now are durable. Raises `StorageUnavailableError`."""
        if not placeholders.changed:
            return
        place = (actor_key, session)
        record = self._records.get(place) or self._add(place, placeholders, 0, 0.0)
        async with record.writing:  # whoever waited here mostly finds the work done
            await self._write(place, record, placeholders)

    async def drop_expired(self) -> None:
        """Forget what was not used for too long, and see that what is used stays. Raises `StorageUnavailableError`."""
        now = self._clock()
        for place, record in list(self._records.items()):
            if now - record.used_at <= self._life_s:
                break
            self._is_in_use(place, record)
        due = now + max(self._life_s / 2, _LEAST_LEFT_S)
        refreshed = [
            (place, record)
            for place, record in self._records.items()
            if record.version and record.stored_until <= due and record.stored_until < record.used_at + self._life_s
        ]
        expiries = [(_mapping_id(place), record.used_at + self._life_s) for place, record in refreshed]
        await asyncio.to_thread(self._store.tidy, expiries, now)
        for (_, record), (_, expires_at) in zip(refreshed, expiries, strict=True):
            record.stored_until = max(expires_at, record.stored_until)

    # -- in memory

    def _is_in_use(self, place: _Place, record: _Record) -> bool:
        """Whether a running exchange holds this expired mapping; it then lives on. Otherwise it is forgotten."""
        self._let_go(record)
        placeholders = record.alive()
        if placeholders is None:
            del self._records[place]
            return False
        record.used_at = self._clock()
        self._hold(record, placeholders)
        self._records.move_to_end(place)
        return True

    def _add(self, place: _Place, placeholders: Placeholders, version: int, stored_until: float) -> _Record:
        record = _Record(None, ref(placeholders), self._clock(), version, stored_until)
        self._records[place] = record
        self._records.move_to_end(place)
        self._hold(record, placeholders)
        if self._in_memory > MAPPINGS_MAX or self._weight > MAPPINGS_MAX_BYTES:
            self._make_room(record)
        return record

    def _make_room(self, but: _Record) -> None:
        """Down to three quarters, those silent longest first; not those whose values are not in the store yet."""
        for record in self._records.values():
            if self._in_memory <= MAPPINGS_MAX * 3 / 4 and self._weight <= MAPPINGS_MAX_BYTES * 3 / 4:
                break
            if record is not but and record.placeholders is not None and not record.placeholders.changed:
                self._let_go(record)

    def _hold(self, record: _Record, placeholders: Placeholders) -> None:
        record.placeholders = placeholders
        self._in_memory += 1
        self._weigh(record)

    def _let_go(self, record: _Record) -> None:
        if record.placeholders is not None:
            record.placeholders = None
            self._in_memory -= 1
            self._weight -= record.weight
            record.weight = 0

    def _weigh(self, record: _Record) -> None:
        if record.placeholders is not None:
            self._weight += record.placeholders.bytes_held - record.weight
            record.weight = record.placeholders.bytes_held

    # -- in the store

    def _read(self, place: _Place, version_least: int) -> tuple[Placeholders, int]:
        """What the store holds, with its version. Reads take microseconds."""
        numbers = self._numbers_of(place[0])
        row = self._store.find(_mapping_id(place), self._clock())
        version, sealed = row or (0, b"")
        if version < version_least:
            raise _altered()
        if row is None:
            return Placeholders(numbers), 0
        plaintext = open_sealed(self._root_key, sealed, self._context(place, version))
        try:
            return Placeholders.from_bytes(plaintext, numbers), version
        except ValueError:
            raise _altered() from None

    async def _write(self, place: _Place, record: _Record, placeholders: Placeholders) -> None:
        if not placeholders.changed:
            return
        count, now = placeholders.count, self._clock()
        version, expires_at = placeholders.numbers.total, now + self._life_s
        plaintext, numbers = placeholders.to_bytes(), placeholders.numbers.to_bytes()

        def put() -> None:
            sealed = seal(
                self._root_key,
                plaintext=plaintext,
                context=self._context(place, version),
                data_key=os.urandom(KEY_BYTES),
                nonces=os.urandom(2 * NONCE_BYTES),
            )
            mapping = SealedMapping(_mapping_id(place), version, sealed, expires_at, _actor_id(place[0]), numbers)
            self._store.put(mapping, now)

        await asyncio.to_thread(put)
        placeholders.was_kept(count)
        record.version, record.stored_until = version, expires_at
        self._weigh(record)

    def _context(self, place: _Place, version: int) -> SealContext:
        return SealContext(self._installation, "placeholders", _mapping_id(place).hex(), version)

    def _numbers_of(self, actor_key: str) -> PlaceholderNumbers:
        numbers = self._numbers.get(actor_key)
        if numbers is None:
            stored = self._store.numbers(_actor_id(actor_key))
            try:
                numbers = (
                    PlaceholderNumbers(Lock()) if stored is None else PlaceholderNumbers.from_bytes(stored, Lock())
                )
            except ValueError:
                raise _altered() from None
            self._numbers[actor_key] = numbers
        return numbers


def _actor_id(actor_key: str) -> bytes:
    return hashlib.sha256(b"ostiary placeholders of an actor\0" + actor_key.encode()).digest()


def _mapping_id(place: _Place) -> bytes:
    actor_key, session = place
    return hashlib.sha256(_actor_id(actor_key) + session.encode()).digest()


def _altered() -> IntegrityError:
    return IntegrityError(
        "The stored placeholders of a session are not what was written.",
        "The database was changed or replaced while Ostiary ran; begin a new session in the tool.",
    )
