"""What the use-cases of people, sign-ins and tokens need from outside. `app.py` decides who answers.

Methods that are not `async` may touch the disk: reads take microseconds, writes wait for the disk and are called in
worker threads. All raise `StorageUnavailableError` when they cannot.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ostiary.identity.keys import KeyBook
from ostiary.identity.saml.metadata import IdentityProviderMetadata
from ostiary.model.issuer import Issuer, OidcIssuer, SamlIssuer, WorkloadIssuer
from ostiary.model.person import OwnerCredential, ScimGroup, ServiceAccount, SignIn, User
from ostiary.model.token import TokenRecord

if TYPE_CHECKING:
    from ostiary.identity.saml.signing import SigningKey

AccessChanged = Callable[[], None]
"""Somebody may have lost access: tokens and running exchanges are looked at again, now. Called on the event loop."""


class People(Protocol):
    def get(self, user_id: str) -> User | None: ...

    def named(self, name: str) -> User | None:
        """By `name_key`, so without regard to case."""
        ...

    def of_external_id(self, external_id: str) -> list[User]: ...

    def of_subject(self, issuer: str, subject: str) -> User | None: ...

    def provisioned(self, issuer: str | None, offset: int, limit: int) -> tuple[int, list[User]]:
        """Those who sign in at `issuer`, and whom SCIM provisioned and who did not sign in yet: how many they are, and
        some of them by name."""
        ...

    def mentioning(self, text: str) -> list[User]:
        """Those whose e-mail address is, or whose document holds, this ASCII text without regard to case."""
        ...

    def documents(self, after: str, limit: int) -> list[tuple[User, Mapping[str, Any]]]:
        """As `list`, with the documents that `scim_document` tells one by one."""
        ...

    def list(self, after: str, limit: int) -> list[User]:
        """By name without regard to case, from the first name beyond `after`."""
        ...

    def add(self, user: User) -> bool:
        """False when the name or the subject is somebody else's."""
        ...

    def change(self, user: User) -> bool:
        """Store `user` with the next version, if what is stored still has `user.version`; False otherwise, or where the
        name or subject is somebody else's. Their `not_before` stays as it is."""
        ...

    def refuse_until(self, user_id: str, at: float) -> None:
        """Make their `not_before` this, unless it is later already. Their version stays."""
        ...

    def origins(self, issuer: str) -> Mapping[str | None, int]:
        """How many people of the issuer came from which provider, by `User.issuer_identifier`."""
        ...

    def of_origin(self, issuer: str, identifier: str | None) -> frozenset[str]:
        """The ids of those."""
        ...

    def remove(self, user_id: str) -> bool: ...

    def scim_groups_of(self, user_id: str) -> frozenset[str]:
        """Display names."""
        ...

    def scim_document(self, user_id: str) -> Mapping[str, Any]: ...

    def keep_scim_document(self, user_id: str, document: Mapping[str, Any]) -> None: ...


class ScimGroups(Protocol):
    def get(self, group_id: str) -> ScimGroup | None: ...

    def named(self, display_name: str) -> ScimGroup | None: ...

    def of_external_id(self, external_id: str) -> list[ScimGroup]: ...

    def of_user(self, user_id: str) -> list[tuple[str, str]]:
        """(id, display name), by display name."""
        ...

    def list(self, after: str, limit: int) -> list[ScimGroup]:
        """By display name, as `People.list`."""
        ...

    def add(self, group: ScimGroup) -> bool: ...

    def change(self, group: ScimGroup) -> bool:
        """As `People.change`; members that are no users are left out."""
        ...

    def remove(self, group_id: str) -> bool: ...


class SignIns(Protocol):
    """`handle` is the SHA-256 of a cookie's or refresh token's text."""

    def add(self, handle: bytes, sign_in: SignIn, sealed: bytes | None, bound_to: str | None) -> None:
        """`sealed` holds the identity provider's tokens, sealed for this sign-in's id."""
        ...

    def of_handle(self, handle: bytes) -> SignIn | None:
        """Ended ones too."""
        ...

    def get(self, sign_in_id: str) -> SignIn | None: ...

    def sealed(self, sign_in_id: str) -> bytes | None: ...

    def bound_to(self, sign_in_id: str) -> str | None: ...

    def rotate(self, sign_in_id: str, old_handle: bytes, new_handle: bytes, at: float) -> bool:
        """True for the one call that does it; `old_handle` is then the spent one, and the sign-in was seen."""
        ...

    def seen(self, sign_in_id: str, at: float) -> None: ...

    def authenticated(self, sign_in_id: str, handle: bytes, at: float) -> None:
        """A step-up: proved again now, with a new handle."""
        ...

    def checked(self, sign_in_id: str, at: float, sealed: bytes | None) -> None:
        """The provider confirmed them; `sealed` replaces its tokens, None keeps them."""
        ...

    def live(self, *, user_id: str | None = None, issuer: str | None = None, limit: int = 10_000) -> list[SignIn]:
        """Those that have not ended; their limits are the caller's to judge."""
        ...

    def of_user(self, user_id: str, limit: int) -> list[SignIn]:
        """The newest first, ended ones too."""
        ...

    def end(self, sign_in_id: str, at: float, why: str) -> bool:
        """True when this call ended it. Its sealed tokens are erased."""
        ...

    def drop_old(self, before: float) -> None:
        """Forget sign-ins that ended, or had to, before this."""
        ...


class OneTime(Protocol):
    """Things that work once and not for long: login attempts, codes, links, ids of assertions already used.
    `hash` is the SHA-256 of what the other side holds."""

    def put(self, purpose: str, hash: bytes, document: Mapping[str, Any], expires_at: float) -> bool:
        """False when there is one already, expired or not: so this also tells the first use of an id."""
        ...

    def peek(self, purpose: str, hash: bytes, now: float) -> Mapping[str, Any] | None: ...

    def replace(self, purpose: str, hash: bytes, document: Mapping[str, Any], now: float) -> bool:
        """Change what is there and has not expired; its time stays."""
        ...

    def take(self, purpose: str, hash: bytes, now: float) -> Mapping[str, Any] | None:
        """What was put, for exactly one caller, and only before it expires."""
        ...

    def keep_newest(self, purpose: str, most: int) -> int:
        """Drop what expires first beyond `most`; how many that were."""
        ...

    def drop_expired(self, now: float) -> None: ...


class ServiceAccounts(Protocol):
    def get(self, name: str) -> ServiceAccount | None: ...

    def list(self) -> list[ServiceAccount]: ...

    def add(self, account: ServiceAccount) -> bool: ...

    def change(self, account: ServiceAccount) -> bool: ...


class OwnerCredentials(Protocol):
    def owner_ids(self) -> list[str]:
        """The users who have a credential, the first one first."""
        ...

    def get(self, credential_id: str) -> OwnerCredential | None: ...

    def of_user(self, user_id: str) -> list[OwnerCredential]: ...

    def add(self, credential: OwnerCredential) -> None: ...

    def used(self, credential_id: str, counter: int, at: float) -> bool:
        """True for the one call that moves the counter forward; failures are forgotten. A passkey without a counter
        (0) stays at 0."""
        ...

    def failed(self, credential_id: str) -> int:
        """The failures now."""
        ...

    def remove(self, credential_id: str) -> None: ...


class TokensOfActors(Protocol):
    """Tokens by whose they are; a part of the token store."""

    def revoke_all(
        self, at: float, *, actor: str | None = None, sign_in: str | None = None, service: str | None = None,
        connection: str | None = None, user_id: str | None = None,
    ) -> list[TokenRecord]:
        """Revoke every live token of the person (with their agents), of the sign-in, of the service account, or that
        names the connection; `user_id` leaves out those made by hand for the person's name. Returns those that were
        live."""
        ...  # fmt: skip


class IdentityProviders(Protocol):
    """The issuers of the configuration over HTTP, cached. Everything raises `UnreachableError` when the provider does
    not answer, and `OperatorError` when what it answers makes no sense; sentences hold nothing of an answer's body."""

    def put_in_force(self, issuers: Sequence[Issuer]) -> None: ...

    async def metadata(self, issuer: OidcIssuer | WorkloadIssuer) -> Mapping[str, Any]:
        """The discovery document, checked: its `issuer` is ours, its endpoints are https (or loopback http)."""
        ...

    async def keys(self, issuer: OidcIssuer | WorkloadIssuer, kid: str | None) -> KeyBook:
        """The provider's keys. An unknown `kid` fetches them again, at most once a minute whatever is asked (G06)."""
        ...

    def known_keys(self, issuer: OidcIssuer | WorkloadIssuer) -> KeyBook | None:
        """What is cached, at once."""
        ...

    async def token(self, issuer: OidcIssuer, form: Mapping[str, str]) -> Mapping[str, Any]:
        """The token endpoint's answer; the client authenticates itself. Raises `ProviderRefusedError` with its error
        code (RFC 6749 section 5.2) when it says no."""
        ...

    async def userinfo(self, issuer: OidcIssuer, access_token: str) -> Mapping[str, Any]: ...

    async def saml(self, issuer: SamlIssuer, again: bool = False) -> IdentityProviderMetadata:
        """With `again` it is fetched again, at most once a minute whatever is asked; what was there stays where the
        provider does not answer."""
        ...


class SamlKeys(Protocol):
    async def signing(self) -> "SigningKey":
        """The installation's own key for signed SAML requests, one for all providers; it is made when it is first asked
        for. Raises `IntegrityError` when what is kept cannot be opened."""
        ...


SealTokens = Callable[[str, bytes], bytes]
"""(id of the sign-in or credential, value) → sealed bytes."""

OpenTokens = Callable[[str, bytes], bytes]
"""(id, sealed bytes) → value. Raises `IntegrityError`."""
