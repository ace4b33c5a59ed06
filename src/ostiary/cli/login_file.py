"""`logins.json`: what `ostiary login` keeps, for whom only the user may read it.

This and `quick_token` are all that a cached `ostiary token` loads, so they import nothing that takes long: no click, no
dataclasses, no pathlib.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Login = dict[str, Any]
    """`console` and `agent` ("" for none) are its key. `access` holds scope → token, received_at, expires_at; times are
    seconds since the epoch."""

VERSION = 1
_FRESH_LEFT_S = 60.0
_FRESH_LEFT_OF_LIFE = 0.2
_LOCK_POLL_S = 0.02


class LoginFileError(Exception):
    """The file cannot be used: `sentence`, and what to do in `next_step`."""

    def __init__(self, sentence: str, next_step: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.next_step = next_step


def folder() -> str:
    """`$XDG_CONFIG_HOME/ostiary`, or `~/.config/ostiary`."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(os.path.expanduser("~"), ".config")
    return os.path.join(base, "ostiary")


def path() -> str:
    return os.path.join(folder(), "logins.json")


def read() -> list[Login]:
    """The logins, the latest sign-in first; none when there is no file. Raises `LoginFileError`."""
    file = path()
    try:
        # A pipe in its place would wait for somebody to write.
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LoginFileError(
            f"{file} cannot be read: {error.strerror}.", "See to it that it is a file of yours."
        ) from None
    try:
        _check_private(file, os.fstat(descriptor))
        _check_folder()
        with os.fdopen(os.dup(descriptor), "rb") as stream:
            return _parsed(file, stream.read())
    finally:
        os.close(descriptor)


def _parsed(file: str, content: bytes) -> list[Login]:
    try:
        document = json.loads(content)
        logins: list[Login] = document["logins"] if document["version"] == VERSION else []
        if document["version"] != VERSION or not all(_is_login(login) for login in logins):
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise LoginFileError(
            f"{file} is not what `ostiary login` writes.", "Remove it and sign in again with `ostiary login`."
        ) from None
    return sorted(logins, key=_signed_in_at, reverse=True)


def _is_login(login: object) -> bool:
    if not isinstance(login, dict):
        return False
    cached = login["access"].values()
    texts = [login["console"], login["agent"], login["refresh_token"], *(each["token"] for each in cached)]
    times = [login["signed_in_at"], *(each[name] for each in cached for name in ("received_at", "expires_at"))]
    own = (login["endpoints"]["token"], login["endpoints"]["revocation"] or f"{login['console']}/")
    return (
        all(isinstance(text, str) for text in texts)
        and all(isinstance(at, int | float) for at in times)
        and all(url.startswith(f"{login['console']}/") for url in own)
    )


def _signed_in_at(login: Login) -> float:
    return float(login["signed_in_at"])


def _check_private(file: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise LoginFileError(f"{file} is no ordinary file.", "Remove it and sign in again with `ostiary login`.")
    if status.st_uid != os.geteuid():
        raise LoginFileError(
            f"{file} belongs to another user.", "Run this as the user who signed in, or set XDG_CONFIG_HOME."
        )
    if status.st_mode & 0o077:
        raise LoginFileError(
            f"Others may read {file}, which holds your tokens (mode {stat.S_IMODE(status.st_mode):o}).",
            f"Close it with `chmod 600 {file}`; if others use this machine, `ostiary logout --all` and sign in again.",
        )


def _check_folder() -> None:
    """Whoever may write into the folder could put another file in its place."""
    place = folder()
    status = os.stat(place)
    if status.st_uid != os.geteuid():
        raise LoginFileError(f"{place} belongs to another user.", "Make it yours, or set XDG_CONFIG_HOME.")
    if status.st_mode & 0o022:
        raise LoginFileError(f"Others may write into {place}.", f"Close it with `chmod 700 {place}`.")


def console_of_environment() -> str | None:
    """OSTIARY_CONSOLE where it is a URL: for `ostiary serve` it is an address to listen on."""
    text = os.environ.get("OSTIARY_CONSOLE", "")
    return text if "://" in text else None


def find(logins: list[Login], console: str | None = None, agent: str | None = None) -> Login | None:
    """The latest login that fits; without `agent` rather the person's own than a tool's."""
    fitting = [each for each in logins if console in (None, each["console"]) and agent in (None, each["agent"])]
    own = [each for each in fitting if not each["agent"]]
    return next(iter(own or fitting), None)


def fresh_access(login: Login, scope: str, now: float) -> dict[str, Any] | None:
    """The cached token of the scope, if enough of its life is left to be handed out."""
    cached = valid_access(login, scope, now)
    if cached is None:
        return None
    life_s = cached["expires_at"] - cached["received_at"]
    left_s = cached["expires_at"] - now
    return cached if left_s >= min(_FRESH_LEFT_S, life_s * _FRESH_LEFT_OF_LIFE) else None


def valid_access(login: Login, scope: str, now: float) -> dict[str, Any] | None:
    """The cached token of the scope, if it has not expired. A clock that was set back makes none valid."""
    cached: dict[str, Any] | None = login["access"].get(scope)
    if cached is None or not cached["received_at"] <= now < cached["expires_at"]:
        return None
    return cached


def console_from(text: str) -> str:
    """The URL of a console in one spelling: scheme, host, and the port where it is not the usual one. "" for no URL."""
    scheme, _, rest = text.strip().partition("://")
    scheme, rest = scheme.lower(), rest.rstrip("/").lower()
    if scheme not in ("http", "https") or not rest or not rest.isascii():
        return ""
    if any(character in "/?#@\\" or not "!" <= character <= "~" for character in rest):
        return ""
    return f"{scheme}://{rest.removesuffix(':443' if scheme == 'https' else ':80')}"


class locked:
    """Nobody else changes the file meanwhile. Raises `TimeoutError` when another does so for `timeout_s`."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._descriptor = -1

    def __enter__(self) -> None:
        _make_folder()
        name = os.path.join(folder(), "logins.lock")
        self._descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        deadline = time.monotonic() + self._timeout_s
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    os.close(self._descriptor)
                    raise TimeoutError from None
                time.sleep(_LOCK_POLL_S)
            else:
                return

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def _make_folder() -> None:
    place = folder()
    try:
        os.makedirs(os.path.dirname(place), mode=0o700, exist_ok=True)
        try:
            os.mkdir(place, 0o700)
        except FileExistsError:
            status = os.stat(place)
            if status.st_uid == os.geteuid() and status.st_mode & 0o077:
                os.chmod(place, 0o700)
        _check_folder()
    except OSError as error:
        raise LoginFileError(
            f"{place} cannot be used: {error.strerror}.", "Set XDG_CONFIG_HOME to a folder of yours."
        ) from None


def write(logins: list[Login]) -> None:
    """Put the logins in place of those there are, all or nothing. Only within `locked`. Raises `LoginFileError`."""
    file = path()
    fresh = f"{file}.{os.getpid()}.new"
    content = json.dumps({"version": VERSION, "logins": logins}, indent=1).encode()
    try:
        if os.path.lexists(fresh):
            # Of a process that had our number and was killed while it wrote.
            os.unlink(fresh)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(descriptor)
        os.replace(fresh, file)
        directory = os.open(folder(), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise LoginFileError(
            f"{file} cannot be written: {error.strerror}.", "Free space, or set XDG_CONFIG_HOME."
        ) from None


def put(login: Login) -> None:
    """Keep the login in place of the one with its console and agent. Only within `locked`."""
    write([login, *(other for other in read() if key(other) != key(login))])


def drop(login: Login) -> None:
    """Only within `locked`."""
    write([other for other in read() if key(other) != key(login)])


def access_document(login: Login, cached: dict[str, Any]) -> dict[str, Any]:
    """What `ostiary token --json` prints."""
    expires_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(cached["expires_at"]))
    return {
        "token": cached["token"],
        "expires_at": expires_at,
        "console": login["console"],
        "agent": login["agent"] or None,
    }


def key(login: Login) -> tuple[str, str]:
    return login["console"], login["agent"]
