"""A running installation that people sign in to with a provider, and their tools with `ostiary login`'s own steps."""

import base64
import hashlib
import html
import http.client
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from support.installation import Installation
from support.oidc_provider import OidcProvider, Person, oidc_provider
from support.raw_client import RawClient, Reply, request
from support.raw_upstream import Answer, RawUpstream, Request, Segment, wait_until
from support.web_room import COOKIE, Browser, Page

KEY = "sk-of-nobody-else-5d1c07aa93"
REDIRECT = "http://127.0.0.1:54321/callback"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
SCIM_PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
SCIM_USER = "urn:ietf:params:scim:schemas:core:2.0:User"
SCIM_GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
STREAM_S = 400
CALM = {
    "OSTIARY_CLIENT_BODY_TIMEOUT_S": "60",
    "OSTIARY_CLIENT_WRITE_TIMEOUT_S": "60",
    "OSTIARY_UPSTREAM_HEAD_TIMEOUT_S": "60",
    "OSTIARY_UPSTREAM_IDLE_TIMEOUT_S": "60",
}
"""What ends here ends because access ended."""


@dataclass
class Running:
    """A tool in the middle of its work: a stream that flows, and a request that waits for a person."""

    stream: RawClient
    held: RawClient
    held_path: str
    seen: bytearray = field(default_factory=bytearray)

    def flows(self, seconds: float = 0.5) -> bool:
        """Whether the stream goes on: something new within that time, and no end."""
        data, closed = self.stream.until_close(seconds)
        self.seen += data
        return bool(data) and not closed

    def stream_ended_within(self, seconds: float) -> bool:
        data, closed = self.stream.until_close(seconds)
        self.seen += data
        return closed

    def refusal(self, seconds: float) -> Reply:
        """What the waiting request is told."""
        return self.held.reply("POST", deadline_s=seconds)

    def close(self) -> None:
        self.stream.close()
        self.held.close()


@dataclass
class Tool:
    """Somebody's `ostiary login`. `tokens` is what /oauth/token gave last."""

    house: "AccessHouse"
    name: str
    browser: Browser
    tokens: dict[str, Any]

    @property
    def token(self) -> str:
        return str(self.tokens["access_token"])

    def refresh(self) -> tuple[int, dict[str, Any]]:
        """(status, document); new tokens are kept."""
        status, document = self.house.token_endpoint(
            grant_type="refresh_token", refresh_token=str(self.tokens["refresh_token"])
        )
        if status == 200:
            self.tokens = document
        return status, document

    def console_is_over(self) -> bool:
        return self.browser.get("/account").status == 303

    @property
    def user_id(self) -> str:
        return self.house.user_id(self.name)


class AccessHouse:
    """`corp` signs people in; whoever is in its group eng, or in SCIM's group Builders, may use the connection `far`:
    reads are allowed, writes wait for a person."""

    def __init__(self, server: Installation, provider: OidcProvider, upstream: RawUpstream) -> None:
        self.server = server
        self.provider = provider
        self.upstream = upstream
        upstream.always = Answer(_answered, close=True)

    @property
    def console(self) -> int:
        return self.server.console_port

    def furnish(self, **changes: Any) -> None:
        """Apply the whole configuration; a section given in `changes` replaces the usual one."""
        issuer = {
            "issuer": self.provider.issuer,
            "client_id": self.provider.client_id,
            "client_secret": {"secret": "oidc-client"},
            "allow_private": True,
            "recheck": "60s",
        }
        far = {"name": "far", "kind": "http", "upstream": f"http://127.0.0.1:{self.upstream.port}", "secret": "far-key"}
        who = {"groups": ["engineering", "builders"], "services": ["deploy"]}
        usual = {
            "secrets": [{"name": "oidc-client", "from": "stored"}, {"name": "far-key", "from": "stored"}],
            "connections": [{**far, "auth": "bearer", "allow_private": True}],
            "groups": [
                {"name": "engineering", "from": {"issuer": "corp", "claim": "groups", "value": "eng"}},
                {"name": "builders", "from": {"scim": "Builders"}},
            ],
            "rules": [
                {"name": "reads", "who": who, "on": ["far"], "operations": ["get"], "effect": "allow"},
                {
                    "name": "writes",
                    "who": who,
                    "on": ["far"],
                    "operations": ["post"],
                    "effect": "ask",
                    "approval": {"hold": "120s"},
                },
            ],
            "identity": {"issuers": [{"name": "corp", "oidc": issuer}], "scim": {"issuer": "corp"}},
        }
        self.server.apply({**usual, **changes}, prune=True)
        self.server.set_secret("oidc-client", str(self.provider.client_secret))
        self.server.set_secret("far-key", KEY)

    # -- coming in

    def arrive(
        self, name: str, groups: Iterable[str] = ("eng",), on_the_way: Callable[[], None] = lambda: None
    ) -> tuple[Browser, Page]:
        """A browser that went to the provider as this person and came back, and the last answer it got. What happens
        `on_the_way` does so while the browser is at the provider's."""
        self.provider.person = Person(f"sub-{name}", f"{name}@example.com", name.title(), groups=tuple(groups))
        self.provider.session = f"idp-session-{name}"
        browser = Browser(self.console)
        began = browser.get("/sign-in/corp?next=%2Faccount")
        if began.status != 303:
            return browser, began
        on_the_way()
        back = urlsplit(self.provider.sign_in(began.header("location") or ""))
        return browser, browser.get(f"{back.path}?{back.query}")

    def sign_in(self, name: str, groups: Iterable[str] = ("eng",)) -> Browser:
        browser, page = self.arrive(name, groups)
        assert (page.status, COOKIE in browser.cookies) == (303, True), page.text
        assert browser.get("/account").status == 200
        return browser

    def login(self, name: str, groups: Iterable[str] = ("eng",), browser: Browser | None = None) -> Tool:
        """The steps of `ostiary login` in a browser that is signed in."""
        browser = browser or self.sign_in(name, groups)
        asked = {
            "response_type": "code",
            "client_id": "ostiary-cli",
            "redirect_uri": REDIRECT,
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "state": "s",
            "device": f"laptop of {name}",
        }
        page = browser.get("/oauth/authorize?" + urlencode(asked))
        assert page.status == 200, page.text
        agreed = browser.post("/oauth/authorize", {**_hidden(page), "decision": "allow"})
        (code,) = parse_qs(urlsplit(agreed.header("location") or "").query)["code"]
        status, tokens = self.token_endpoint(
            grant_type="authorization_code", code=code, redirect_uri=REDIRECT, code_verifier=VERIFIER
        )
        assert status == 200, tokens
        return Tool(self, name, browser, tokens)

    def token_endpoint(self, **form: str) -> tuple[int, dict[str, Any]]:
        page = Browser(self.console, agent="ostiary").post(
            "/oauth/token", {"client_id": "ostiary-cli", **form}, origin=None, sec_fetch_site=None
        )
        return page.status, json.loads(page.body)

    def user_id(self, name: str) -> str:
        users = self.server.api("GET", "/users")["users"]
        return str(next(user["id"] for user in users if user["name"] == f"{name}@example.com"))

    def scim(self, method: str, path: str, document: Mapping[str, Any] | None = None) -> Any:
        """What the company's directory says. Raises AssertionError when it is not taken."""
        token = self.__dict__.setdefault(
            "_scim_token", self.server.api("POST", "/tokens", {"actor": "directory", "scope": "scim"})["token"]
        )
        connection = http.client.HTTPConnection("127.0.0.1", self.console, timeout=10)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/scim+json"}
        try:
            body = None if document is None else json.dumps(document)
            connection.request(method, f"/scim/v2{path}", body, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        assert answer.status < 300, (answer.status, content)
        return json.loads(content) if content else None

    # -- working

    def ask(self, token: str, path: str = "/far/one") -> Reply:
        with RawClient(self.server.gateway_port) as client:
            client.send(request("GET", path, [f"Authorization: Bearer {token}"]))
            return client.reply()

    def work(self, token: str) -> Running:
        """A stream that has begun, and a write that waits for somebody's yes."""
        bearer = f"Authorization: Bearer {token}"
        stream, held = RawClient(self.server.gateway_port), RawClient(self.server.gateway_port)
        stream.send(request("GET", "/far/stream", [bearer]))
        seen = stream.some(10.0)
        assert seen.startswith(b"HTTP/1.1 200"), seen
        path = f"/held-{time.monotonic_ns()}"
        held.send(request("POST", f"/far{path}", [bearer], b"change"))
        assert wait_until(lambda: self.approval_of(path) is not None, 10.0)
        return Running(stream, held, path)

    def approval_of(self, path: str) -> str | None:
        waiting = self.server.api("GET", "/approvals", state="waiting")["approvals"]
        return next((str(each["id"]) for each in waiting if path in json.dumps(each)), None)

    def reached(self, path: str) -> bool:
        return any(path.encode() in asked.target for asked in self.upstream.requests)


def _answered(asked: Request) -> Iterator[Segment]:
    """/stream never ends by itself."""
    if not asked.target.endswith(b"/stream"):
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        return
    yield b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    for number in range(STREAM_S * 10):
        yield b"data: %d\n\n" % number
        yield 0.1


def _hidden(page: Page) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text)
    return {name: html.unescape(value) for name, value in found}


@contextmanager
def access_house(directory: Path, environment: Mapping[str, str] | None = None) -> Iterator[AccessHouse]:
    with ExitStack() as stack:
        provider = stack.enter_context(oidc_provider())
        upstream = RawUpstream()
        stack.callback(upstream.close)
        server = Installation(directory / "home", {**CALM, **(environment or {})})
        stack.callback(lambda: server.alive and server.kill())
        house = AccessHouse(server.start(), provider, upstream)
        house.furnish()
        yield house
