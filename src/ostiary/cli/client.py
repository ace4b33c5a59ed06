"""The control API of a running server, and the way to it over HOME/admin.sock."""

import http.client
import json
import os
import socket
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from ostiary.model.errors import OstiaryError, UnreachableError

_UNIX_PATH_MAX_BYTES = 107
ANSWER_TIMEOUT_S = 60.0


class ApiRefusal(OstiaryError):
    """The server understood and said no; sentence and next step are the server's own."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        detail = problem.get("detail") or problem.get("title") or f"The server answered with status {status}."
        super().__init__(str(detail), str(problem.get("next") or ""))
        self.status = status
        self.code = str(problem.get("code") or "refused")
        self.problem = dict(problem)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        with _short_path(self._path) as path:
            self.sock.connect(path)


@contextmanager
def _short_path(path: Path) -> Iterator[str]:
    """A name for the socket that fits into `sockaddr_un`, also when HOME is a long path."""
    if len(os.fsencode(path)) <= _UNIX_PATH_MAX_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class Api(ABC):
    """Every method returns the decoded JSON answer (None for an empty one).

    Raises `UnreachableError` when no server answers and `ApiRefusal` when it says no.
    """

    def get(self, *segments: str, **query: object) -> Any:
        return self._call("GET", segments, query=query)

    def post(self, *segments: str, body: Mapping[str, Any] | None = None) -> Any:
        return self._call("POST", segments, body=body or {})

    def put(self, *segments: str, body: Mapping[str, Any]) -> Any:
        return self._call("PUT", segments, body=body)

    def delete(self, *segments: str) -> Any:
        return self._call("DELETE", segments)

    def _call(
        self,
        method: str,
        segments: tuple[str, ...],
        query: Mapping[str, object] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        path = "/api/v1/" + "/".join(quote(segment, safe="") for segment in segments)
        present = {name: value for name, value in (query or {}).items() if value is not None}
        if present:
            path += "?" + urlencode(present)
        headers = {"Accept": "application/json"}
        payload = None
        if body is not None:
            payload = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        try:
            return _decoded(*self._exchange(method, path, payload, headers))
        except ApiRefusal as refusal:
            raise self._advised(refusal) from None

    def _advised(self, refusal: ApiRefusal) -> ApiRefusal:
        """With advice that fits the way the API was reached."""
        return refusal

    @abstractmethod
    def _exchange(self, method: str, path: str, payload: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        """Status and content of the answer."""


class AdminClient(Api):
    """The server of a HOME on this machine; its own user and root may do everything there."""

    def __init__(self, home: Path, home_option: str = "") -> None:
        """`home_option` is what the advice adds to `ostiary serve`: `--home DIR` for an unusual HOME."""
        self._home = home
        self._start_command = f"ostiary serve{home_option}"

    def _exchange(self, method: str, path: str, payload: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        connection = _UnixConnection(self._home / "admin.sock", ANSWER_TIMEOUT_S)
        try:
            connection.request(method, path, body=payload, headers={**headers, "Connection": "close"})
            answer = connection.getresponse()
            content = answer.read()
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            raise UnreachableError(
                f"No Ostiary is running for HOME {self._home}.", f"Start it with `{self._start_command}`."
            ) from None
        except PermissionError:
            raise UnreachableError(
                f"The running Ostiary's socket in {self._home} belongs to another user.",
                "Run this command as the user who runs `ostiary serve`, or as root.",
            ) from None
        except TimeoutError:
            raise UnreachableError(
                f"The Ostiary of HOME {self._home} did not answer within {ANSWER_TIMEOUT_S:.0f} seconds.",
                "Look at its log, and run `ostiary doctor`.",
            ) from None
        except (OSError, http.client.HTTPException):
            raise UnreachableError(
                f"The Ostiary of HOME {self._home} broke off before it answered.",
                "It may be stopping or restarting: try again, then look at its log.",
            ) from None
        finally:
            connection.close()
        return answer.status, content


def _decoded(status: int, content: bytes) -> Any:
    try:
        value = json.loads(content) if content else None
    except ValueError:
        value = None
        status = max(status, 500)
    if status < 400:
        return value
    raise ApiRefusal(status, value if isinstance(value, dict) else {})
