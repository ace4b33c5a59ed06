"""One-time links for the local owner. One is valid at a time; whoever holds it makes, or replaces, the owner's
credential."""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ostiary.control.identity_ports import OneTime, OwnerCredentials, People
from ostiary.control.services.arrivals import is_usable_name
from ostiary.control.services.handles import Randomness, handle_hash, new_handle
from ostiary.model.errors import CallerError, SignInRefusedError
from ostiary.model.person import Origin, User

LINK_S = 86_400.0

_LINK = "owner-link"
_NEWEST = "owner-link-newest"
_NEWEST_KEY = hashlib.sha256(b"newest").digest()


def link_refused(reason: str) -> SignInRefusedError:
    """The same for a link that was used, is over, or never was one."""
    return SignInRefusedError(
        reason,
        "This link is not valid: a link works once, within a day, and only the newest one does.",
        "On the server, `ostiary owner link` makes a new one.",
    )


@dataclass(frozen=True, slots=True)
class OwnerLink:
    """A valid link. `name` is the owner it lets in again, None for the first one, who chooses a name."""

    name: str | None


@dataclass(frozen=True, slots=True, repr=False)
class FoundLink:
    """`user` is the owner there is, None for the first one. `id` is what the first one's user will have, and what is
    sealed on the way is sealed for. `pending` is the credential that was begun."""

    code: str
    id: str
    user: User | None
    pending: Mapping[str, Any]
    document: Mapping[str, Any]

    @property
    def link(self) -> OwnerLink:
        return OwnerLink(None if self.user is None else self.user.name)


class OwnerLinks:
    def __init__(
        self, people: People, credentials: OwnerCredentials, one_time: OneTime, randomness: Randomness
    ) -> None:
        self._people = people
        self._credentials = credentials
        self._one_time = one_time
        self._randomness = randomness
        self._making = asyncio.Lock()

    async def new(self, kind: str, now: float) -> str:
        """A code; those made before work no more. `kind` is `first`, which is good only while there is no owner, or
        `recovery`."""
        code = new_handle(self._randomness)
        async with self._making:
            await asyncio.to_thread(self._put, code, kind, now)
        return code

    def read(self, code: str, now: float, pending: str | None = None) -> FoundLink:
        """With `pending`, a credential of that kind must have been begun. Raises `SignInRefusedError`."""
        document = self._one_time.peek(_LINK, handle_hash(code), now)
        found = None if document is None else self._found(code, document, pending)
        if found is None:
            raise link_refused("link_unknown")
        return found

    async def take(self, code: str, now: float, pending: str) -> FoundLink | None:
        """The link, for exactly one caller."""
        document = await asyncio.to_thread(self._one_time.take, _LINK, handle_hash(code), now)
        return None if document is None else self._found(code, document, pending)

    async def keep(self, found: FoundLink, pending: Mapping[str, Any], now: float) -> None:
        await self._replace(found, {**found.document, "pending": pending}, now)

    async def failed(self, found: FoundLink, failures_max: int, now: float) -> None:
        """A wrong code; after `failures_max` the link is used up."""
        failures = found.document["failures"] + 1
        if failures >= failures_max:
            await asyncio.to_thread(self._one_time.take, _LINK, handle_hash(found.code), now)
        else:
            await self._replace(found, {**found.document, "failures": failures}, now)

    def checked_name(self, found: FoundLink, name: str) -> str:
        """The owner's name. Raises `CallerError` for one that a first owner cannot have."""
        if found.user is not None:
            return found.user.name
        name = name.strip()
        if not is_usable_name(name):
            raise CallerError("A name is one line of visible characters, at most 200.", "Choose another name.")
        if self._people.named(name) is not None:
            raise CallerError("Somebody has this name already.", "Choose another name.")
        return name

    async def _replace(self, found: FoundLink, document: Mapping[str, Any], now: float) -> None:
        if not await asyncio.to_thread(self._one_time.replace, _LINK, handle_hash(found.code), document, now):
            raise link_refused("link_unknown")

    def _put(self, code: str, kind: str, now: float) -> None:
        newest = self._one_time.take(_NEWEST, _NEWEST_KEY, 0.0)  # an expired one too
        if newest is not None:
            self._one_time.take(_LINK, bytes.fromhex(newest["hash"]), 0.0)
        hashed = handle_hash(code)
        document = {"kind": kind, "id": self._randomness(16).hex(), "failures": 0, "pending": {}}
        self._one_time.put(_LINK, hashed, document, now + LINK_S)
        self._one_time.put(_NEWEST, _NEWEST_KEY, {"hash": hashed.hex()}, now + LINK_S)

    def _found(self, code: str, document: Mapping[str, Any], pending: str | None) -> FoundLink | None:
        owner = self._owner()
        if document["kind"] == "first" and owner is not None:
            return None
        if pending is not None and document["pending"].get("kind") != pending:
            return None
        return FoundLink(code, document["id"], owner, document["pending"], document)

    def _owner(self) -> User | None:
        known = (self._people.get(user_id) for user_id in self._credentials.owner_ids())
        return next((user for user in known if user is not None and user.origin is Origin.LOCAL), None)
