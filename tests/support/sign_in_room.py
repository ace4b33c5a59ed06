"""Sign-in on real services, a real store and real providers on loopback, with a clock that tests turn.

    with oidc_provider() as provider, sign_in_room(home) as room:
        room.trust(an_issuer(provider))
        browser = room.browser()
        opened = await browser.sign_in(provider)          # through the provider, and back
        visitor = await room.sessions.visitor(opened.cookie)
"""

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import wraps
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ostiary.adapters.desk import Desk
from ostiary.adapters.identity_providers import IdentityProviderBook
from ostiary.adapters.saml_keys import StoredSamlKeys
from ostiary.adapters.sealer import Sealer
from ostiary.adapters.stores.database import Database
from ostiary.adapters.stores.one_time import OneTime
from ostiary.adapters.stores.owner_credentials import OwnerCredentials
from ostiary.adapters.stores.people import People
from ostiary.adapters.stores.sign_ins import SignIns
from ostiary.adapters.stores.sqlite import Store
from ostiary.control.caller import Caller, local_owner
from ostiary.control.services.admin_log import AdminLog
from ostiary.control.services.arrivals import Arrivals
from ostiary.control.services.callers import Callers
from ostiary.control.services.console_sessions import ConsoleSessions, Visit, Visitor
from ostiary.control.services.end_of_access import EndOfAccess
from ostiary.control.services.handles import handle_hash, new_handle
from ostiary.control.services.owner import OwnerService
from ostiary.control.services.provider_tokens import HeldTokens
from ostiary.control.services.recheck import Recheck
from ostiary.control.services.sign_in import Opened, SignInService
from ostiary.control.services.sign_in_log import SignInLog
from ostiary.identity.tokens import token_hash
from ostiary.model.actor import Actor, ActorKind
from ostiary.model.configuration import Configuration
from ostiary.model.issuer import Issuer
from ostiary.model.person import Origin, SignIn, SignInKind, User
from ostiary.model.token import TokenRecord
from ostiary.vault.sealing import RootKey, SealContext, open_sealed, seal
from support.control_room import NOW, MemoryAuditLog
from support.oidc_provider import OidcProvider
from support.providers import Turned, a_book

CONSOLE = "https://ostiary.example"
NETWORK = "192.0.2.1"


@dataclass
class Ground:
    """What the services stand on."""

    store: Store
    desk: Desk
    log: MemoryAuditLog
    owner: Caller
    root: RootKey


@dataclass
class SignInRoom:
    room: Ground
    clock: Turned
    people: People
    sign_ins: SignIns
    one_time: OneTime
    credentials: OwnerCredentials
    providers: IdentityProviderBook
    configuration: Configuration = field(default_factory=Configuration)
    console_url: str = CONSOLE
    access_changes: int = 0
    # set by sign_in_room
    callers: Callers = field(init=False)
    sessions: ConsoleSessions = field(init=False)
    arrivals: Arrivals = field(init=False)
    held: HeldTokens = field(init=False)
    end: EndOfAccess = field(init=False)
    service: SignInService = field(init=False)
    owner: OwnerService = field(init=False)
    recheck: Recheck = field(init=False)

    def trust(self, *issuers: Issuer, **more: Any) -> None:
        self.configuration = replace(self.configuration, issuers=issuers, **more)

    def browser(self, network: str = NETWORK) -> "Browser":
        return Browser(self, network)

    async def visitor(self, cookie: str | None) -> Visitor | None:
        return await self.sessions.visitor(cookie)

    def entries(self, kind: str) -> list[Mapping[str, Any]]:
        """Details of the audit entries of this kind."""
        return [entry["detail"] for entry in self.room.log.rows if entry["type"] == kind]

    def reasons(self) -> list[str]:
        return [str(detail["reason"]) for detail in self.entries("admin.sign-in.refused")]

    def user(self, name: str = "ana@example.com") -> User:
        found = self.people.named(name)
        assert found is not None
        return found

    def add_user(self, name: str, **changes: Any) -> User:
        values: dict[str, Any] = {"origin": Origin.SIGN_IN, "created_at": self.clock(), "changed_at": self.clock()}
        user = User(os.urandom(8).hex(), name, **{**values, **changes})
        assert self.people.add(user)
        return user

    def tool(self, user: User, agent: str | None = None, **changes: Any) -> SignIn:
        """A sign-in of `ostiary login`, with one gateway token that is valid."""
        now = self.clock()
        sign_in = SignIn(
            "sn_" + os.urandom(8).hex(), SignInKind.TOOL, user.id, now, now, now, agent=agent,
            **{"issuer": user.issuer, "ends_at": now + 86_400.0, **changes},
        )  # fmt: skip
        self.sign_ins.add(handle_hash(new_handle(os.urandom)), sign_in, None, None)
        self.token(user, agent, sign_in.id)
        return sign_in

    def token(self, user: User, agent: str | None = None, sign_in: str | None = None) -> str:
        kind = ActorKind.USER if agent is None else ActorKind.AGENT
        token_id = "tok_" + os.urandom(8).hex()
        actor = Actor(kind, user.name, frozenset(), token_id, self.clock() + 7200.0, agent, user_id=user.id)
        record = TokenRecord(actor, self.clock(), user.name, sign_in=sign_in)
        self.room.store.tokens.add(token_hash(os.urandom(32)), record)
        return token_id

    def has_token(self, user: User, agent: str | None = None) -> bool:
        kind = ActorKind.USER if agent is None else ActorKind.AGENT
        return self.room.store.tokens.live_of(kind, user.name, agent, self.clock())

    def is_live(self, sign_in: SignIn) -> bool:
        stored = self.sign_ins.get(sign_in.id)
        return stored is not None and stored.is_live(self.clock())


@dataclass
class Browser:
    """One with an attempt cookie of its own, and the console cookie it was given last."""

    room: SignInRoom
    network: str = NETWORK
    attempt: str = field(default_factory=lambda: new_handle(os.urandom))
    cookie: str | None = None

    @property
    def visit(self) -> Visit:
        return Visit(self.network, "Firefox", self.cookie)

    async def begin(self, issuer: str = "company", next_path: str = "/", step_up: bool = False) -> str:
        return await self.room.service.begin(
            issuer, self.attempt, next_path, step_up, network=self.network, cookie=self.cookie
        )

    async def finish(self, parameters: Mapping[str, str], issuer: str = "company") -> Opened:
        opened = await self.room.service.finish_oidc(issuer, self.attempt, parameters, self.visit)
        self.cookie = opened.cookie
        return opened

    async def answer(self, provider: OidcProvider, **how: Any) -> dict[str, str]:
        """What the provider sends the browser back with."""
        return parameters_of(provider.sign_in(await self.begin(**how)))

    async def sign_in(self, provider: OidcProvider, issuer: str = "company", **how: Any) -> Opened:
        return await self.finish(await self.answer(provider, issuer=issuer, **how), issuer)

    async def visitor(self) -> Visitor:
        found = await self.room.visitor(self.cookie)
        assert found is not None
        return found


def parameters_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


@contextmanager
def sign_in_room(home: Path) -> Iterator[SignInRoom]:
    clock, log = Turned(NOW), MemoryAuditLog()
    store, database = Store(home / "ostiary.db"), Database(home / "ostiary.db")
    desk = Desk(store.approvals, waiting_max=20, clock=clock, note=log.append)
    made = SignInRoom(
        Ground(store, desk, log, local_owner(os.getuid()), RootKey(b"k" * 32)), clock, People(database),
        SignIns(database), OneTime(database), OwnerCredentials(database), a_book(clock),
    )  # fmt: skip
    _furnish(made)
    try:
        yield made
    finally:
        desk.close()
        database.close()
        store.close()


def _furnish(made: SignInRoom) -> None:
    room, clock, people, sign_ins = made.room, made.clock, made.people, made.sign_ins
    log = SignInLog(AdminLog(room.log.append, clock))

    def configuration() -> Configuration:
        return made.configuration

    def access_changed() -> None:
        made.access_changes += 1

    def context(name: str) -> SealContext:
        return SealContext(room.store.installation, "identity", name, 1)

    def sealed(name: str, value: bytes) -> bytes:
        return seal(
            room.root, plaintext=value, context=context(name), data_key=os.urandom(32), nonces=os.urandom(24)
        )

    def unsealed(name: str, value: bytes) -> bytes:
        return open_sealed(room.root, value, context(name))

    made.callers = Callers(people, configuration, clock)
    made.arrivals = Arrivals(people, configuration, access_changed, log, os.urandom)
    made.held = HeldTokens(sign_ins, sealed, unsealed)
    made.end = EndOfAccess(
        people=people, sign_ins=sign_ins, tokens=room.store.tokens, desk=room.desk, access_changed=access_changed,
        log=log,
    )  # fmt: skip
    made.sessions = ConsoleSessions(
        sign_ins=sign_ins, people=people, callers=made.callers, end=made.end, held=made.held,
        configuration=configuration, clock=clock, randomness=os.urandom,
    )  # fmt: skip
    made.service = SignInService(
        providers=made.providers,
        saml_keys=StoredSamlKeys(room.store, Sealer(room.root, room.store.installation, "saml"), "Ostiary", clock),
        arrivals=made.arrivals, sign_ins=sign_ins, one_time=made.one_time,
        sessions=made.sessions, held=made.held, end=made.end, configuration=configuration,
        console_url=lambda: made.console_url, log=log, randomness=os.urandom,
    )  # fmt: skip
    made.owner = OwnerService(
        people=people, credentials=made.credentials, one_time=made.one_time, sessions=made.sessions, seal=sealed,
        unseal=unsealed, console_url=lambda: made.console_url, log=log, randomness=os.urandom, answer_s=0.0,
    )  # fmt: skip
    made.recheck = Recheck(
        providers=made.providers, people=people, arrivals=made.arrivals, sign_ins=sign_ins, one_time=made.one_time,
        sessions=made.sessions, held=made.held, end=made.end, configuration=configuration, clock=clock,
    )  # fmt: skip


def coroutine(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that is a coroutine, where the suite does not run them by itself."""

    @wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        asyncio.run(test(*arguments, **named))

    return run
