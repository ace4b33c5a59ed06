"""A console that only signs in tools and answers for its API: for tests of the command line."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

DEVICE_CODE = "device-code"


@dataclass
class StandIn:
    """What it saw, and switches for what it does wrong. Refresh tokens rotate, and a spent one ends everything."""

    url: str = ""
    life_s: int = 900
    metadata: dict[str, Any] = field(default_factory=dict)
    """Changes to what it publishes."""
    issuer_in_answer: str | None = ""
    """None leaves it out, "" is the right one."""
    state_in_answer: str | None = None
    error_in_answer: str = ""
    pending: int = 0
    """Polls before the device is confirmed."""
    device_error: str = ""
    status: int = 0
    """Instead of every answer of the token endpoint."""
    ended: bool = False
    api: dict[str, tuple[int, Any]] = field(default_factory=dict)
    """`METHOD /path` → status and document."""
    forget_access: bool = False
    """Once: the next API token is not known."""
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    api_seen: list[tuple[str, Any]] = field(default_factory=list)
    refreshes: int = 0
    revoked: list[str] = field(default_factory=list)
    refresh_token: str = ""
    _issued: int = 0
    _challenges: dict[str, dict[str, str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def well_known(self) -> dict[str, Any]:
        published = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/oauth/authorize",
            "token_endpoint": f"{self.url}/oauth/token",
            "device_authorization_endpoint": f"{self.url}/oauth/device-authorization",
            "revocation_endpoint": f"{self.url}/oauth/revoke",
            "authorization_response_iss_parameter_supported": True,
        }
        return {name: value for name, value in (published | self.metadata).items() if value is not None}

    def authorize(self, asked: dict[str, str]) -> str:
        """Where the browser is sent: as if somebody had agreed."""
        self.seen.append(("authorize", asked))
        code = f"code-{len(self._challenges)}"
        self._challenges[code] = asked
        answer = {"state": asked["state"] if self.state_in_answer is None else self.state_in_answer}
        answer |= {"error": self.error_in_answer} if self.error_in_answer else {"code": code}
        if self.issuer_in_answer is not None:
            answer["iss"] = self.issuer_in_answer or self.url
        return f"{asked['redirect_uri']}?{urlencode(answer)}"

    def token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        self.seen.append(("token", form))
        if self.status:
            return self.status, {"error": "temporarily_unavailable"}
        with self._lock:
            match form["grant_type"]:
                case "authorization_code":
                    return self._for_code(form)
                case "refresh_token":
                    return self._for_refresh_token(form)
                case _:
                    return self._for_device(form)

    def _for_code(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        asked = self._challenges.pop(form["code"], {})
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        right = asked.get("code_challenge") == challenge and asked["redirect_uri"] == form["redirect_uri"]
        return self._issue("gateway") if right else (400, {"error": "invalid_grant"})

    def _for_refresh_token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        self.refreshes += 1
        if form["refresh_token"] != self.refresh_token:
            self.ended = True
        if self.ended:
            return 400, {"error": "invalid_grant"}
        return self._issue(form.get("scope", "gateway"))

    def _for_device(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if self.pending:
            self.pending -= 1
            return 400, {"error": "authorization_pending"}
        if self.device_error or form["device_code"] != DEVICE_CODE:
            return 400, {"error": self.device_error or "invalid_grant"}
        return self._issue("gateway")

    def _issue(self, scope: str) -> tuple[int, dict[str, Any]]:
        self._issued += 1
        self.refresh_token = f"refresh-{self._issued}"
        return 200, {
            "access_token": f"{scope}-token-{self._issued}",
            "token_type": "Bearer",
            "expires_in": self.life_s,
            "scope": scope,
            "user": "alice",
            "refresh_token": self.refresh_token,
        }

    def device(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        self.seen.append(("device", form))
        return 200, {
            "device_code": DEVICE_CODE,
            "user_code": "WDJB-MJHT",
            "verification_uri": f"{self.url}/device",
            "expires_in": 600,
            "interval": 1,
        }

    def call(self, method: str, path: str, bearer: str, body: bytes) -> tuple[int, Any]:
        self.api_seen.append((f"{method} {path}", json.loads(body) if body else None))
        if not bearer.startswith("Bearer api-token-") or self.forget_access:
            self.forget_access = False
            return 401, {"code": "sign_in_required", "detail": "This needs a sign-in."}
        return self.api.get(f"{method} {path.partition('?')[0]}", (404, {"code": "not_found", "detail": "No such."}))


def _handler(console: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self, status: int, document: Any, **headers: str) -> None:
            content = json.dumps(document).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _any(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            form = dict(parse_qsl(body.decode()))
            match f"{self.command} {parts.path}":
                case "GET /.well-known/oauth-authorization-server":
                    self._answer(200, console.well_known())
                case "GET /oauth/authorize":
                    self._answer(303, {}, Location=console.authorize(dict(parse_qsl(parts.query))))
                case "POST /oauth/token":
                    self._answer(*console.token(form))
                case "POST /oauth/device-authorization":
                    self._answer(*console.device(form))
                case "GET /sign-in":
                    query = dict(parse_qsl(parts.query))
                    console.seen.append(("sign-in", query))
                    self._answer(303, {}, Location=query["next"])
                case "POST /redirecting":
                    self._answer(307, {}, Location=f"{console.url}/oauth/token")
                case "POST /oauth/revoke":
                    console.revoked.append(form["token"])
                    self._answer(200, {})
                case _ if parts.path.startswith("/api/v1/"):
                    bearer = self.headers.get("Authorization", "")
                    self._answer(*console.call(self.command, self.path, bearer, body))
                case _:
                    self._answer(404, {})

        do_GET = do_POST = do_PUT = do_DELETE = _any

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    return Handler


@contextmanager
def console_standin() -> Iterator[StandIn]:
    console = StandIn()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(console))
    console.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield console
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class KeptLogins:
    """The login file, as a test writes and reads it."""

    def __init__(self, person: Path) -> None:
        self.path = person / ".config" / "ostiary" / "logins.json"

    def write(self, *logins: dict[str, Any]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.parent.chmod(0o700)
        self.path.write_text(json.dumps({"version": 1, "logins": logins}))
        self.path.chmod(0o600)

    def read(self) -> list[dict[str, Any]]:
        logins: list[dict[str, Any]] = json.loads(self.path.read_text())["logins"]
        return logins


def a_login(console: StandIn | None = None, agent: str = "", *, left_s: float = 800.0, **more: Any) -> dict[str, Any]:
    """A sign-in whose gateway token lives 900 s, of which `left_s` are left."""
    url = console.url if console else "https://ostiary.example"
    if console and not console.refresh_token:
        console.refresh_token = "refresh-0"
    now = time.time()
    access = {"token": "gateway-token-0", "received_at": now + left_s - 900, "expires_at": now + left_s}
    return {
        "console": url,
        "agent": agent,
        "user": "alice",
        "signed_in_at": now,
        "gateway": "",
        "endpoints": {"token": f"{url}/oauth/token", "revocation": f"{url}/oauth/revoke"},
        "refresh_token": "refresh-0",
        "access": {"gateway": access},
        **more,
    }
