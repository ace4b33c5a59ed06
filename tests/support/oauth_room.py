"""The OAuth server on a real store, with people, console sessions and a clock that tests turn."""

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from ostiary.adapters.desk import Desk
from ostiary.adapters.stores.approvals import Approvals
from ostiary.adapters.stores.configurations import Configurations
from ostiary.adapters.stores.database import Database
from ostiary.adapters.stores.one_time import OneTime
from ostiary.adapters.stores.people import People
from ostiary.adapters.stores.service_accounts import ServiceAccounts
from ostiary.adapters.stores.sign_ins import SignIns
from ostiary.adapters.stores.tokens import Tokens
from ostiary.control.services.admin_log import AdminLog
from ostiary.control.services.arrivals import Arrivals
from ostiary.control.services.callers import Callers
from ostiary.control.services.configuration import ConfigurationService
from ostiary.control.services.console_sessions import Visitor
from ostiary.control.services.end_of_access import EndOfAccess
from ostiary.control.services.oauth import OAuthError, OAuthService
from ostiary.control.services.provider_tokens import HeldTokens, ProviderTokens
from ostiary.control.services.service_accounts import ServiceAccountService
from ostiary.control.services.sign_in_log import SignInLog
from ostiary.control.services.tokens import TokenService
from ostiary.identity.encoding import base64url
from ostiary.identity.pkce import challenge_of
from ostiary.identity.tokens import token_hash
from ostiary.model.actor import Actor
from ostiary.model.configuration import Configuration
from ostiary.model.permission import Assignment
from ostiary.model.person import Origin, SignIn, SignInKind, User
from ostiary.model.token import TokenScope
from support import jwts
from support.control_room import KINDS, MemoryAuditLog
from support.providers import Turned, a_book

CONSOLE = "https://ostiary.example"
GATEWAY = "https://gateway.example"
TOKEN_URL = f"{CONSOLE}/oauth/token"
REDIRECT = "http://127.0.0.1:43210/callback"
NETWORK = "192.0.2.7"
VERIFIER = "v" * 43
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
ASKED_AGAIN = ProviderTokens(refresh_token="the provider's")


@dataclass
class OAuthRoom:
    clock: Turned
    oauth: OAuthService
    service_accounts: ServiceAccountService
    token_service: TokenService
    people: People
    sign_ins: SignIns
    tokens: Tokens
    one_time: OneTime
    accounts: ServiceAccounts
    callers: Callers
    end: EndOfAccess
    log: MemoryAuditLog
    configuration: Configuration = field(default_factory=Configuration)
    revoked: list[str] = field(default_factory=list)

    def user(self, name: str, *roles: str, **more: Any) -> User:
        more.setdefault("origin", Origin.SIGN_IN)
        user = User(id=f"u_{name}", name=name, created_at=self.clock(), changed_at=self.clock(), **more)
        assert self.people.add(user)
        assignments = tuple(Assignment(role, frozenset({name})) for role in roles)
        self.configuration = replace(self.configuration, assignments=self.configuration.assignments + assignments)
        return user

    def visitor(self, user: User, *, ago_s: float = 0.0, tokens: ProviderTokens | None = ASKED_AGAIN) -> Visitor:
        """Signed in to the console, in a new browser. `tokens` are the identity provider's."""
        now = self.clock()
        sign_in = SignIn(
            f"sn_{secrets.token_hex(6)}", SignInKind.CONSOLE, user.id, now, now - ago_s, now, now + 43_200, 3600,
            issuer="corp", idp_session="idp-1", device="Firefox", network=NETWORK,
        )  # fmt: skip
        sealed = None if tokens is None else json.dumps(asdict(tokens)).encode()
        self.sign_ins.add(secrets.token_bytes(32), sign_in, sealed, None)
        return Visitor(user, sign_in, self.callers.of(user, sign_in), "csrf")

    def deactivate(self, user: User) -> None:
        stored = self.people.get(user.id)
        assert stored is not None
        assert self.people.change(replace(stored, active=False))

    async def code(self, visitor: Visitor, **parameters: str) -> str:
        """An authorization code that the visitor agreed to."""
        request = self.oauth.check(authorization(**parameters))
        return answer_of(await self.oauth.authorize(visitor, request))["code"]

    async def redeem(self, code: str, *, network: str = NETWORK, proof: str | None = None, **fields: str) -> Any:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
        return await self.token(**{**form, **fields}, network=network, proof=proof)

    async def login(self, visitor: Visitor, *, proof: str | None = None, **parameters: str) -> Any:
        return await self.redeem(await self.code(visitor, **parameters), proof=proof)

    async def refresh(self, refresh_token: str, *, proof: str | None = None, **fields: str) -> Any:
        return await self.token(grant_type="refresh_token", refresh_token=refresh_token, proof=proof, **fields)

    async def token(self, *, network: str = NETWORK, proof: str | None = None, **fields: str) -> Any:
        form = {"client_id": "ostiary-cli", **fields}
        return await self.oauth.token([(name, value) for name, value in form.items() if value], network, proof)

    async def device(self, **fields: str) -> Any:
        form = {"client_id": "ostiary-cli", "device": "build box", **fields}
        return await self.oauth.device_begin(list(form.items()), NETWORK)

    async def poll(self, begun: Mapping[str, Any], *, proof: str | None = None) -> Any:
        self.clock.now += 5
        return await self.token(grant_type=DEVICE_GRANT, device_code=begun["device_code"], proof=proof)

    def actor(self, answer: Mapping[str, Any], scope: TokenScope = TokenScope.GATEWAY) -> Actor | None:
        """Whom the gateway takes the token for."""
        actor = self.tokens.find(token_hash(answer["access_token"].encode()), scope)
        return actor if actor is not None and actor.expires_at > self.clock() else None

    def entries(self, kind: str) -> list[Mapping[str, Any]]:
        return [entry for entry in self.log.rows if entry["type"] == kind]

    def reasons(self) -> list[str]:
        return [entry["detail"]["reason"] for entry in self.entries("admin.sign-in.refused")]


def authorization(**parameters: str) -> list[tuple[str, str]]:
    """A request of `ostiary login`; an empty value leaves a parameter out."""
    usual = {
        "response_type": "code",
        "client_id": "ostiary-cli",
        "redirect_uri": REDIRECT,
        "state": "state-1",
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
        **parameters,
    }
    return [(name, value) for name, value in usual.items() if value]


def answer_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, strict_parsing=True))


def proof(
    clock: Turned, name: str = "holder", *, htu: str = TOKEN_URL, htm: str = "POST", token: str = "", **changes: object
) -> str:
    """A proof that the sender holds the key `name`."""
    claims = {"htm": htm, "htu": htu, "iat": clock(), "jti": secrets.token_hex(8), **changes}
    if token:
        claims["ath"] = base64url(sha256(token.encode()).digest())
    public = {member: value for member, value in jwts.jwk(name, "P-256").items() if member != "kid"}
    return jwts.sign(
        claims, name=name, kind="P-256", alg="ES256", header={"typ": "dpop+jwt", "jwk": public, "kid": None}
    )


@contextmanager
def refused(error: str) -> Iterator[OAuthError]:
    """The block is refused with this code, and nothing that was sent is in the answer."""
    with pytest.raises(OAuthError) as caught:
        yield caught  # type: ignore[misc]
    assert caught.value.error == error, (caught.value.error, caught.value.description)


@contextmanager
def oauth_room(home: Path) -> Iterator[OAuthRoom]:
    database = Database(home / "ostiary.db")
    clock, log = Turned(jwts.NOW), MemoryAuditLog()
    people, sign_ins, one_time = People(database), SignIns(database), OneTime(database)
    tokens, accounts = Tokens(database), ServiceAccounts(database)
    admin = AdminLog(log.append, clock)
    sign_in_log = SignInLog(admin)
    made: list[OAuthRoom] = []
    desk = Desk(Approvals(database), waiting_max=20, clock=clock, note=log.append)

    def configuration() -> Configuration:
        return made[0].configuration

    async def changed() -> None:
        return None

    def access_changed() -> None:
        return None

    providers = a_book(clock)
    callers = Callers(people, configuration, clock)
    arrivals = Arrivals(people, configuration, access_changed, sign_in_log, os.urandom)
    end = EndOfAccess(
        people=people, sign_ins=sign_ins, tokens=tokens, desk=desk, access_changed=access_changed, log=sign_in_log
    )
    held = HeldTokens(sign_ins, lambda _, value: value, lambda _, sealed: sealed)
    token_service = TokenService(
        tokens,
        ConfigurationService(Configurations(database), KINDS, changed, admin, lambda _name: False),
        desk,
        ttl_s=43_200,
        ttl_max_s=30 * 86_400,
        randomness=os.urandom,
        revoked=lambda token_id: made[0].revoked.append(token_id),
        log=admin,
        accounts=accounts,
    )
    oauth = OAuthService(
        people=people,
        sign_ins=sign_ins,
        one_time=one_time,
        tokens=tokens,
        token_service=token_service,
        accounts=accounts,
        providers=providers,
        arrivals=arrivals,
        callers=callers,
        end=end,
        held=held,
        configuration=configuration,
        console_url=lambda: CONSOLE,
        gateway_url=lambda: GATEWAY,
        access_ttl_s=900.0,
        randomness=os.urandom,
        log=admin,
        sign_in_log=sign_in_log,
    )
    service_accounts = ServiceAccountService(accounts, tokens, token_service, end, randomness=os.urandom, log=admin)
    house = OAuthRoom(
        clock, oauth, service_accounts, token_service, people, sign_ins, tokens, one_time, accounts, callers, end, log
    )
    made.append(house)
    try:
        yield house
    finally:
        desk.close()
        database.close()
