"""Where the browser brings the answer of a sign-in: a listener on this machine, for one answer."""

import hmac
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ostiary.model.errors import RefusedError

_PATH = "/callback"
_REQUEST_TIMEOUT_S = 10.0
_TARGET_MAX_BYTES = 8192
_POLL_S = 0.2

_PAGE = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Ostiary</title>
<style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:20vh auto;padding:0 1rem}}</style></head>
<body><h1>{title}</h1><p>{text}</p></body></html>
"""
_TAKEN = _PAGE.format(title="Back to your terminal", text="Ostiary has its answer. You can close this page.")
_NOT_OURS = _PAGE.format(title="Not expected", text="This page only takes the answer of a sign-in that has just begun.")
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Connection": "close",
}


class Loopback:
    """Listens on 127.0.0.1. `redirect_uri` is what the browser is sent back to."""

    def __init__(self) -> None:
        self._answers: queue.Queue[dict[str, str]] = queue.Queue()
        self._lock = threading.Lock()
        self._state = ""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.redirect_uri = f"http://127.0.0.1:{self._server.server_port}{_PATH}"

    def expect(self, state: str) -> None:
        """Take the answer with this state from now on."""
        self._state = state

    def wait(self, timeout_s: float) -> dict[str, str]:
        """The parameters of the first request with the expected state; every other one is turned away and changes
        nothing. Raises `RefusedError` when none comes in time."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            try:
                # In short waits, or Ctrl-C would have to wait too.
                return self._answers.get(timeout=_POLL_S)
            except queue.Empty:
                continue
        raise RefusedError(
            "Nobody signed in within five minutes.",
            "Start `ostiary login` again; with --device it works with a browser on another machine.",
        )

    def _answer_in(self, host: str, target: str) -> dict[str, str] | None:
        """The parameters, when this is the one answer that is expected."""
        parts = urlsplit(target)
        if host != f"127.0.0.1:{self._server.server_port}" or parts.path != _PATH or len(target) > _TARGET_MAX_BYTES:
            return None
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        parameters = dict(pairs)
        given = parameters.get("state", "").encode()
        with self._lock:
            if len(parameters) != len(pairs) or not hmac.compare_digest(given, self._state.encode()):
                return None
            taken, self._state = bool(self._state), ""
        return parameters if taken else None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answer_in, answers = self._answer_in, self._answers

        class Handler(BaseHTTPRequestHandler):
            timeout = _REQUEST_TIMEOUT_S
            server_version = "Ostiary"
            sys_version = ""

            def do_GET(self) -> None:
                answer = answer_in(self.headers.get("Host", ""), self.path)
                content = (_NOT_OURS if answer is None else _TAKEN).encode()
                try:
                    self.send_response(404 if answer is None else 200)
                    for name, value in _HEADERS.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)
                finally:
                    # Once it is handed over, the program may end at any moment, and the page with it.
                    if answer is not None:
                        answers.put(answer)

            def log_message(self, *_: Any) -> None:
                """Nothing: the target holds a code."""

        return Handler

    def run(self) -> None:
        self._server.serve_forever(poll_interval=_POLL_S)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def listening() -> Iterator[Loopback]:
    loopback = Loopback()
    thread = threading.Thread(target=loopback.run, daemon=True)
    thread.start()
    try:
        yield loopback
    finally:
        loopback.close()
        thread.join()
