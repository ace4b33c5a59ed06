"""Who holds a token, with what is known of them now: groups are never written into a signed-in person's token."""

from collections.abc import Sequence
from dataclasses import replace

from ostiary.adapters.stores.people import People
from ostiary.adapters.stores.tokens import Tokens
from ostiary.identity.groups import GroupBook
from ostiary.identity.standing import is_somebody
from ostiary.model.actor import Actor
from ostiary.model.configuration import Configuration
from ostiary.model.issuer import Issuer
from ostiary.model.person import User


class KnownGroups:
    """Who is somebody by the configuration in force, and the groups they are in."""

    def __init__(self, people: People) -> None:
        self._people = people
        self._groups = GroupBook(())
        self._issuers: Sequence[Issuer] = ()

    def put_in_force(self, configuration: Configuration) -> None:
        self._groups = GroupBook(configuration.groups)
        self._issuers = configuration.issuers

    def somebody(self, user: User | None) -> User | None:
        """The user, unless they are not active or their issuer is no longer configured, or is another provider now."""
        return user if is_somebody(user, self._issuers) else None

    def of(self, user: User) -> frozenset[str]:
        return self._groups.of(user, self._people.scim_groups_of(user.id))


class Actors:
    """Implements `ports.TokenBook`: the tokens made here."""

    def __init__(self, tokens: Tokens, people: People, groups: KnownGroups) -> None:
        self._tokens = tokens
        self._people = people
        self._groups = groups
        self.used = tokens.used

    def find(self, token_hash: bytes) -> Actor | None:
        actor = self._tokens.find(token_hash)
        return None if actor is None else self._as_now(actor)

    def again(self, actor: Actor) -> Actor | None:
        record = self._tokens.get(actor.token_id)
        return None if record is None or record.revoked_at is not None else self._as_now(record.actor)

    def _as_now(self, actor: Actor) -> Actor | None:
        if actor.user_id is None:
            return actor
        user = self._groups.somebody(self._people.get(actor.user_id))
        if user is None:
            return None
        return replace(actor, name=user.name, groups=self._groups.of(user))
