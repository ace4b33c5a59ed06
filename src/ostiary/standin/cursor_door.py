"""Who may come in, and how often: keys, sub-tokens, rate limits, and the wiring of one route."""

import base64
import binascii
import hmac
import json
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ostiary.standin.cursor_errors import JSON, ApiError, error_for
from ostiary.standin.cursor_runs import Agents
from ostiary.standin.cursor_team import Member, Team

SUB_TOKEN_LIFE_S = 3600.0

_PER_MINUTE = (
    ("/teams/filtered-usage-events", 60),
    ("/teams/user-spend-limit", 250),
    ("/teams/remove-member", 50),
    ("/teams/", 20),
    ("/settings/", 20),
    ("/organizations/", 20),
    ("/analytics/team/conversation-insights", 20),
    ("/analytics/team/", 100),
    ("/analytics/by-user/", 50),
    ("/analytics/ai-code/", 20),
    ("/bugbot/review", 30),
    ("/v1/repositories", 1),
    ("/v0/repositories", 1),
)
"""Requests a minute by the start of the path, the first that fits. `/analytics/ai-code/` counts per endpoint."""


@dataclass(slots=True)
class StandIn:
    """Everything the stand-in remembers, and how it was asked to behave.

    `echo_authorization` adds the received Authorization header to the 404 and 403 answers about agents, as several
    real APIs do; `rate_limits` turns on the documented limits; `retention_s` is how long an ended run's stream
    can still be read.
    """

    key: str
    echo_authorization: bool = False
    rate_limits: bool = False
    retention_s: float = 3600.0
    pace_s: float = 0.05
    team: Team = field(default_factory=Team)
    agents: Agents = field(init=False)
    sub_tokens: dict[str, tuple[Member, float]] = field(default_factory=dict)
    counted: dict[str, tuple[int, int]] = field(default_factory=dict)
    closing: bool = False

    def __post_init__(self) -> None:
        self.agents = Agents(self.pace_s)

    def mint_sub_token(self, member: Member) -> tuple[str, float]:
        """A token that looks like a JWT and acts as the member, and when it ends (seconds since the epoch)."""
        claims = {"sub": member.id, "jti": secrets.token_hex(8)}
        parts = (json.dumps({"alg": "HS256", "typ": "JWT"}), json.dumps(claims))
        text = ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts)
        token = f"{text}.{secrets.token_urlsafe(32)}"
        ends = time.time() + SUB_TOKEN_LIFE_S
        self.sub_tokens[token] = (member, ends)
        return token, ends

    def member_of(self, token: str) -> Member | None:
        member, ends = self.sub_tokens.get(token, (None, 0.0))
        return member if time.time() < ends else None

    def admit(self, request: Request) -> None:
        """Raises 401 or 429 in the path's own shape. Only Cloud Agents and Bugbot routes take a Bearer token."""
        path = request.url.path
        given = credential(request, bearer=path.startswith(("/v1/", "/v0/", "/bugbot/")))
        known = given is not None and hmac.compare_digest(given.encode(), self.key.encode())
        sub = given is not None and path.startswith("/v1/") and self.member_of(given) is not None
        if not known and not sub:
            raise error_for(path, 401, "Invalid API key")
        if self.rate_limits:
            self._count(path)

    def _count(self, path: str) -> None:
        prefix, most = next((entry for entry in _PER_MINUTE if path.startswith(entry[0])), ("", 0))
        if not most:
            return
        bucket = path if prefix == "/analytics/ai-code/" else prefix
        minute = int(time.time() // 60)
        began, count = self.counted.get(bucket, (minute, 0))
        count = count + 1 if began == minute else 1
        self.counted[bucket] = (minute, count)
        if count > most:
            error = error_for(path, 429, f"Rate limit of {most} requests per minute exceeded")
            error.headers["Retry-After"] = str(60 - int(time.time()) % 60)
            raise error


def credential(request: Request, *, bearer: bool) -> str | None:
    """The key of a request: a Basic user name with an empty password, or where allowed a Bearer token."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and bearer:
        return value.strip() or None
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return name if name and colon and not password else None


Answer = Response | JSON
Handler = Callable[[StandIn, Request], Awaitable[Answer]]


def route(method: str, path: str, handler: Handler) -> Route:
    """A route that checks the key, calls the handler and turns a mapping into JSON."""

    async def endpoint(request: Request) -> Response:
        standin: StandIn = request.app.state.standin
        standin.admit(request)
        answer = await handler(standin, request)
        return answer if isinstance(answer, Response) else JSONResponse(answer)

    return Route(path, endpoint, methods=[method])


async def read_json(request: Request) -> JSON:
    """The JSON object in the body; an empty body is an empty object. Raises 400 in the path's own shape."""
    raw = await request.body()
    try:
        body: Any = json.loads(raw) if raw else {}
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise error_for(request.url.path, 400, "The body must be a JSON object")
    return body


def whole_number(request: Request, name: str, default: int, most: int) -> int:
    """A query parameter from 1 to `most`. Raises 400 in the path's own shape."""
    text = request.query_params.get(name, str(default))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        raise error_for(request.url.path, 400, f"{name} must be a number from 1 to {most}")
    return int(text)


async def answer_error(request: Request, error: Exception) -> Response:
    """The error's body; with `echo_authorization` a refusal about an agent repeats the header it came with."""
    assert isinstance(error, ApiError)
    standin: StandIn = request.app.state.standin
    body = error.body
    about_agent = request.url.path.startswith(("/v1/agents/", "/v0/agents/"))
    if standin.echo_authorization and about_agent and error.status in (403, 404):
        received = request.headers.get("authorization", "")
        said = body["error"]
        body = {"error": {**said, "message": f"{said['message']} Request sent with Authorization: {received}"}}
    return JSONResponse(body, status_code=error.status, headers=error.headers)
