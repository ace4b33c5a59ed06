"""From what an identity provider says of somebody to the user they are."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from ostiary.control.declarative.values import is_plain_name
from ostiary.control.identity_ports import AccessChanged, People
from ostiary.control.reserved_names import is_reserved_name
from ostiary.control.services.handles import Randomness
from ostiary.control.services.sign_in_log import SignInLog
from ostiary.identity.standing import is_familiar
from ostiary.model.configuration import Configuration
from ostiary.model.errors import SignInRefusedError
from ostiary.model.issuer import Issuer
from ostiary.model.person import Origin, Profile, User

NAME_MAX_CHARACTERS = 200

_TRIES = 4


class Arrivals:
    def __init__(
        self,
        people: People,
        configuration: Callable[[], Configuration],
        access_changed: AccessChanged,
        log: SignInLog,
        randomness: Randomness,
    ) -> None:
        self._people = people
        self._configuration = configuration
        self._access_changed = access_changed
        self._log = log
        self._randomness = randomness

    def known(self, issuer: str, subject: str) -> User | None:
        return self._people.of_subject(issuer, subject)

    def is_still_of(self, user_id: str, issuer: Issuer) -> bool:
        """Whether this is the provider that they came from."""
        user = self._people.get(user_id)
        return user is not None and user.issuer == issuer.name and is_familiar(issuer, user.issuer_identifier)

    async def user_of(self, profile: Profile, *, by_token: bool = False) -> User:
        """The user whom this issuer calls by this subject, with what it says of them now. At the first time they are
        the one that SCIM provisioned for this issuer under that name, or a new one; never one of another issuer, and
        never found by an e-mail address (G10). A known user keeps their name, whatever the provider calls them now:
        rules, approvals and the audit log know them by it. `by_token` is for what a token says that may have been made
        before they were removed: where SCIM provisions the issuer's people, nobody is new by it.

        Raises `SignInRefusedError`: `inactive`, `name_unusable`, `name_taken` by somebody else, `not_provisioned`, or
        `issuer_changed` where the user came from another provider that had this issuer's name.
        """
        for _ in range(_TRIES):  # somebody else may change the same user at the same time
            known = self._people.of_subject(profile.issuer, profile.subject)
            if known is not None:
                arrived = await self._known(known, profile)
            else:
                arrived = await self._first_time(profile, by_token)
            if arrived is not None:
                return arrived
        raise SignInRefusedError("changed_meanwhile")

    async def seen_again(self, user: User, profile: Profile) -> User:
        """What the issuer says now of a user who is signed in; groups that changed take effect at once.
        Raises `SignInRefusedError` when it speaks of somebody else, or they are inactive."""
        if (user.issuer, user.subject) != (profile.issuer, profile.subject):
            raise SignInRefusedError("another_subject")
        for _ in range(_TRIES):
            known = self._people.get(user.id)
            if known is None:
                raise SignInRefusedError("inactive")
            check_origin(known, profile)
            if known.active and not _differs(known, profile):
                return known
            changed = await self._known(known, profile)
            if changed is not None:
                return changed
        raise SignInRefusedError("changed_meanwhile")

    async def _known(self, user: User, profile: Profile) -> User | None:
        check_origin(user, profile)
        if not user.active:
            raise SignInRefusedError("inactive")
        stored = await self._change(user, self._described(user, profile))
        if stored is not None and dict(user.claims) != dict(stored.claims):
            self._log.changed("admin.user.change", stored, {"issuer": profile.issuer, "changed": ["claims"]})
            self._access_changed()
        return stored

    async def _first_time(self, profile: Profile, by_token: bool) -> User | None:
        if not is_usable_name(profile.name):
            raise SignInRefusedError("name_unusable")
        same = self._people.named(profile.name)
        if same is None:
            scim = self._configuration().scim
            if by_token and scim is not None and scim.issuer == profile.issuer:
                raise SignInRefusedError("not_provisioned")
            return await self._new(profile)
        if not self._is_provisioned_for(profile.issuer, same):
            raise SignInRefusedError("name_taken")
        if not same.active:
            raise SignInRefusedError("inactive")
        linked = replace(self._described(same, profile), issuer=profile.issuer, subject=profile.subject)
        stored = await self._change(same, linked)
        if stored is not None:
            self._log.changed("admin.user.change", stored, {"issuer": profile.issuer, "changed": ["subject", "claims"]})
            self._access_changed()
        return stored

    async def _new(self, profile: Profile) -> User | None:
        now = self._log.now()
        user = User(
            id=self._randomness(16).hex(),
            name=profile.name,
            origin=Origin.SIGN_IN,
            created_at=now,
            changed_at=now,
            display_name=profile.display_name,
            email=profile.email,
            issuer=profile.issuer,
            subject=profile.subject,
            issuer_identifier=profile.issuer_identifier,
            claims=dict(profile.claims),
            seen_at=now,
        )
        if not await asyncio.to_thread(self._people.add, user):
            return None
        self._log.changed("admin.user.add", user, {"issuer": profile.issuer, "origin": user.origin.value})
        return user

    def _is_provisioned_for(self, issuer: str, user: User) -> bool:
        scim = self._configuration().scim
        is_free = user.origin is Origin.SCIM and user.subject is None and user.issuer in (None, issuer)
        return is_free and scim is not None and scim.issuer == issuer

    def _described(self, user: User, profile: Profile) -> User:
        now = self._log.now()
        changed_at = now if _differs(user, profile) else user.changed_at
        identifier = user.issuer_identifier or profile.issuer_identifier
        display_name, email = _words(user, profile)
        return replace(
            user,
            display_name=display_name,
            email=email,
            claims=dict(profile.claims),
            seen_at=now,
            changed_at=changed_at,
            issuer_identifier=identifier,
        )

    async def _change(self, user: User, changed: User) -> User | None:
        done = await asyncio.to_thread(self._people.change, changed)
        return replace(changed, version=user.version + 1) if done else None


def check_origin(user: User, profile: Profile) -> None:
    """Raises `SignInRefusedError` where the same subject is somebody else: at another provider, which was given the
    issuer's name since."""
    if user.issuer_identifier is not None and user.issuer_identifier != profile.issuer_identifier:
        raise SignInRefusedError("issuer_changed")


def is_usable_name(name: str) -> bool:
    """Whether a person may be called so: one line of visible characters, and nothing the audit log calls others by."""
    return is_plain_name(name, NAME_MAX_CHARACTERS) and not is_reserved_name(name)


def _differs(user: User, profile: Profile) -> bool:
    if user.issuer_identifier is None and profile.issuer_identifier is not None:
        return True
    if dict(user.claims) != dict(profile.claims):
        return True
    return (user.display_name, user.email) != _words(user, profile)


def _words(user: User, profile: Profile) -> tuple[str, str | None]:
    """Display name and e-mail address. What SCIM says of the person it provisioned counts more than what their sign-in
    does, which says what SCIM leaves out."""
    if user.origin is Origin.SCIM:
        return user.display_name or profile.display_name, user.email or profile.email
    return profile.display_name or user.display_name, profile.email
