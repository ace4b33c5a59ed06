"""SCIM on a real store, called as an ASGI application. What ends access only takes notes."""

import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.routing import Mount

from ostiary.adapters.stores.database import Database
from ostiary.adapters.stores.people import People
from ostiary.adapters.stores.scim_groups import ScimGroups
from ostiary.control.scim import create_scim
from ostiary.control.services.admin_log import AdminLog
from ostiary.model.person import Origin, User

BASE = "https://ostiary.test/scim/v2"
TOKEN = "scim-token-of-the-tests"
NOW = 1_900_000_000.0

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

OWNER = User("0" * 32, "owner", Origin.LOCAL, NOW, NOW)
SIGNED_IN = User(
    "1" * 32, "ines@example.com", Origin.SIGN_IN, NOW, NOW, issuer="okta", subject="ines", email="i@e.example"
)
STRANGER = User("2" * 32, "sam@elsewhere.example", Origin.SIGN_IN, NOW, NOW, issuer="google", subject="sam")


class NotedEnding:
    """Who lost access and why, in order; `reconsidered` counts."""

    def __init__(self) -> None:
        self.ended: list[tuple[str, str]] = []
        self.reconsidered = 0
        self.failure: Exception | None = None

    async def of_user(self, user: User, why: str) -> None:
        if self.failure is not None:
            raise self.failure
        self.ended.append((user.name, why))

    async def reconsider(self) -> None:
        if self.failure is not None:
            raise self.failure
        self.reconsidered += 1


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class ScimHouse:
    people: People
    groups: ScimGroups
    ending: NotedEnding
    entries: list[dict[str, Any]] = field(default_factory=list)
    issuer: str | None = "okta"
    tokens: frozenset[str] = frozenset({TOKEN})
    now: float = NOW
    app: Starlette = field(default_factory=Starlette)
    base: str = BASE

    def __post_init__(self) -> None:
        numbers = itertools.count(0x1000)

        async def is_scim(token: str, _network: str) -> bool:
            return token in self.tokens

        scim = create_scim(
            self.people, self.groups, self.ending, AdminLog(self.entries.append, lambda: self.now),
            issuer=lambda: self.issuer, is_scim=is_scim, new_id=lambda: f"{next(numbers):032x}",
            base_url=lambda: self.base,
        )  # fmt: skip
        self.app.router.routes.append(Mount("/scim/v2", app=scim))

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = TOKEN,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """`path` is below /scim/v2; a `body` that is not bytes is sent as JSON."""
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        sent = {"content-type": "application/scim+json", **(headers or {})}
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        target, _, query = f"/scim/v2{path}".partition("?")
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "https",
            "path": target, "raw_path": target.encode(), "root_path": "", "server": ("ostiary.test", 443),
            "query_string": quote(query, safe="=&%+\"'").encode(), "client": ("192.0.2.1", 5),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in sent.items()],
        }  # fmt: skip
        messages: list[dict[str, Any]] = []
        pieces = iter([{"type": "http.request", "body": content, "more_body": False}])

        async def receive() -> Any:
            return next(pieces, {"type": "http.disconnect"})

        async def send(message: Any) -> None:
            messages.append(dict(message))

        await self.app(scope, receive, send)
        start = messages[0]
        found = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
        return Answer(start["status"], found, b"".join(message.get("body", b"") for message in messages[1:]))

    async def add(self, user_name: str, /, **more: Any) -> dict[str, Any]:
        """Provision somebody; the resource."""
        answer = await self.call("POST", "/Users", {"schemas": [USER], "userName": user_name, "active": True, **more})
        assert answer.status == 201, answer.body
        created: dict[str, Any] = answer.json
        return created

    async def add_group(self, name: str, *members: str) -> dict[str, Any]:
        body = {"schemas": [GROUP], "displayName": name, "members": [{"value": member} for member in members]}
        answer = await self.call("POST", "/Groups", body)
        assert answer.status == 201, answer.body
        created: dict[str, Any] = answer.json
        return created

    async def patch(self, path: str, *operations: Mapping[str, Any], **more: Any) -> Answer:
        return await self.call("PATCH", path, {"schemas": [PATCH], "Operations": list(operations)}, **more)

    def types(self) -> list[str]:
        return [entry["type"] for entry in self.entries]


@contextmanager
def scim_house(folder: Path, base: str = BASE) -> Iterator[ScimHouse]:
    database = Database(folder / "ostiary.db")
    people = People(database)
    for user in (OWNER, SIGNED_IN, STRANGER):
        assert people.add(user)
    try:
        yield ScimHouse(people, ScimGroups(database), NotedEnding(), base=base)
    finally:
        database.close()
