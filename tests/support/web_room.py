"""A console on real services and a real store, served on loopback, and browsers that visit it."""

import asyncio
import http.client
import os
import re
import threading
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

from ostiary.adapters.saml_keys import StoredSamlKeys
from ostiary.adapters.sealer import Sealer
from ostiary.adapters.stores.database import Database
from ostiary.adapters.stores.one_time import OneTime
from ostiary.adapters.stores.owner_credentials import OwnerCredentials
from ostiary.adapters.stores.people import People
from ostiary.adapters.stores.service_accounts import ServiceAccounts
from ostiary.adapters.stores.sign_ins import SignIns
from ostiary.control.services.admin_log import AdminLog
from ostiary.control.services.arrivals import Arrivals
from ostiary.control.services.callers import Callers
from ostiary.control.services.console_sessions import ConsoleSessions, Proof, Visit
from ostiary.control.services.end_of_access import EndOfAccess
from ostiary.control.services.oauth import OAuthService
from ostiary.control.services.owner import OwnerService
from ostiary.control.services.provider_tokens import HeldTokens
from ostiary.control.services.sign_in import SignInService
from ostiary.control.services.sign_in_log import SignInLog
from ostiary.control.socket import serve_tcp
from ostiary.control.web.application import create_console
from ostiary.control.web.console import WebServices
from ostiary.model.configuration import Configuration
from ostiary.model.permission import Assignment
from ostiary.model.person import Origin, User
from ostiary.vault.sealing import SealContext, open_sealed, seal
from support.control_room import NOW, Room, control_room
from support.providers import Turned, a_book

Result = TypeVar("Result")

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
COOKIE = "__Host-ostiary"
ATTEMPT = "__Host-ostiary-attempt"


@dataclass(frozen=True)
class Page:
    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        values = self.all(name)
        return values[0] if values else None

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]

    @property
    def text(self) -> str:
        return self.body.decode()

    def field(self, name: str) -> str:
        """The value of the page's first hidden field of that name."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.text)
        assert found is not None, self.text
        return found.group(1)


@dataclass
class Browser:
    """Keeps cookies and follows nothing. What it sends with a form is what a browser sends from a page of ours."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    agent: str = FIREFOX

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, **headers: str) -> Page:
        return self.send("GET", path, headers=_named(headers))

    def post(
        self, path: str, fields: Mapping[str, str] | Sequence[tuple[str, str]] | bytes, **headers: str | None
    ) -> Page:
        body = fields if isinstance(fields, bytes) else urlencode(fields).encode()
        usual: dict[str, str | None] = {
            "content-type": "application/x-www-form-urlencoded",
            "origin": self.origin,
            "sec-fetch-site": "same-origin",
        }
        sent = {name: value for name, value in {**usual, **_named(headers)}.items() if value is not None}
        return self.send("POST", path, body, sent)

    def send(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Page:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        given = {"user-agent": self.agent, **(headers or {})}
        if self.cookies and "cookie" not in given:
            given["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        try:
            connection.request(method, path, body, given)
            answer = connection.getresponse()
            page = Page(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()
        for cookie in page.all("set-cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies.pop(name, None)
            if value:
                self.cookies[name] = value
        return page

    def form(self, page_path: str, path: str, fields: Mapping[str, str], **headers: str | None) -> Page:
        """Send `fields` with the token of the page at `page_path`."""
        return self.post(path, {"csrf": self.get(page_path).field("csrf"), **fields}, **headers)


def _named(headers: Mapping[str, Any]) -> dict[str, Any]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass
class WebRoom:
    room: Room
    web: WebServices
    people: People
    loop: asyncio.AbstractEventLoop
    clock: Turned
    configuration: Configuration = field(default_factory=Configuration)
    port: int = 0
    console_url: str = ""
    access_changes: int = 0

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def browser(self) -> Browser:
        return Browser(self.port)

    def user(self, name: str, *roles: str, **more: Any) -> User:
        more.setdefault("origin", Origin.SIGN_IN)
        user = User(id=f"u_{name}", name=name, created_at=NOW, changed_at=NOW, **more)
        assert self.people.add(user)
        assignments = tuple(Assignment(role, frozenset({name})) for role in roles)
        self.configuration = replace(self.configuration, assignments=self.configuration.assignments + assignments)
        return user

    def signed_in(self, user: User, *, ago_s: float = 0.0, network: str = "192.0.2.7") -> Browser:
        visit = Visit(network, "Firefox on Linux")
        cookie = self.run(self.web.sessions.open(user, Proof(self.clock() - ago_s), visit))
        return Browser(self.port, {COOKIE: cookie})

    def entries(self, kind: str) -> list[Mapping[str, Any]]:
        return [entry for entry in self.room.log.rows if entry["type"] == kind]


@contextmanager
def web_room(home: Path, *, allowed_hosts: str = "", console_url: str = "") -> Iterator[WebRoom]:
    with control_room(home) as room, _running_loop() as loop:
        database = Database(home / "ostiary.db")
        web = _web_room(room, database, loop)
        app = create_console(web.web, console_url=lambda: console_url or web.url(), allowed_hosts=allowed_hosts)
        serving = web.run(serve_tcp(app, "127.0.0.1", 0))
        web.port = serving.port
        try:
            yield web
        finally:
            web.run(serving.close())
            database.close()


def _web_room(room: Room, database: Database, loop: asyncio.AbstractEventLoop) -> WebRoom:
    clock = Turned(NOW)
    people, sign_ins, one_time = People(database), SignIns(database), OneTime(database)
    admin = AdminLog(room.log.append, clock)
    log, providers = SignInLog(admin), a_book(clock)
    made: list[WebRoom] = []

    def configuration() -> Configuration:
        return made[0].configuration

    def console_url() -> str:
        return made[0].console_url or made[0].url()

    def access_changed() -> None:
        made[0].access_changes += 1

    def sealed(name: str, value: bytes) -> bytes:
        return seal(
            room.root, plaintext=value, context=SealContext(room.store.installation, "identity", name, 1),
            data_key=os.urandom(32), nonces=os.urandom(24),
        )  # fmt: skip

    def unsealed(name: str, value: bytes) -> bytes:
        return open_sealed(room.root, value, SealContext(room.store.installation, "identity", name, 1))

    callers = Callers(people, configuration, clock)
    arrivals = Arrivals(people, configuration, access_changed, log, os.urandom)
    held = HeldTokens(sign_ins, sealed, unsealed)
    end = EndOfAccess(
        people=people, sign_ins=sign_ins, tokens=room.store.tokens, desk=room.desk, access_changed=access_changed,
        log=log,
    )  # fmt: skip
    sessions = ConsoleSessions(
        sign_ins=sign_ins, people=people, callers=callers, end=end, held=held, configuration=configuration,
        clock=clock, randomness=os.urandom,
    )  # fmt: skip
    sign_in = SignInService(
        providers=providers,
        saml_keys=StoredSamlKeys(room.store, Sealer(room.root, room.store.installation, "saml"), "Ostiary", clock),
        arrivals=arrivals, sign_ins=sign_ins, one_time=one_time, sessions=sessions, held=held,
        end=end, configuration=configuration, console_url=console_url, log=log, randomness=os.urandom,
    )  # fmt: skip
    owner = OwnerService(
        people=people, credentials=OwnerCredentials(database), one_time=one_time, sessions=sessions,
        seal=sealed, unseal=unsealed, console_url=console_url, log=log, randomness=os.urandom,
        answer_s=0.0,
    )  # fmt: skip
    oauth = OAuthService(
        people=people, sign_ins=sign_ins, one_time=one_time, tokens=room.store.tokens,
        token_service=room.services.tokens, accounts=ServiceAccounts(database), providers=providers,
        arrivals=arrivals, callers=callers, end=end, held=held, configuration=configuration, console_url=console_url,
        gateway_url=lambda: "http://127.0.0.1:8420", access_ttl_s=900.0, randomness=os.urandom, log=admin,
        sign_in_log=log,
    )  # fmt: skip
    web = WebServices(room.services, callers, sessions, sign_in, owner, oauth, configuration)
    made.append(WebRoom(room, web, people, loop, clock))
    return made[0]


@contextmanager
def _running_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def query_of(url: str) -> str:
    return urlsplit(url).query
