"""Access tokens of a login: from the file while they are fresh, else by refreshing, once for all who ask at a time."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from shlex import quote
from typing import Any

from ostiary.cli import login_file
from ostiary.cli.login_file import LoginFileError
from ostiary.cli.terminal import visible
from ostiary.model.errors import OperatorError, OstiaryError, RefusedError, UnreachableError

_LOCK_TIMEOUT_S = 40.0
"""Somebody else is refreshing; that takes as long as a request may, and then there is a token for us too."""


@contextmanager
def own_words() -> Iterator[None]:
    """What is wrong with the login file, as the errors that the command line shows."""
    try:
        yield
    except LoginFileError as error:
        raise OperatorError(error.sentence, error.next_step) from None
    except TimeoutError:
        raise OperatorError(
            "Another `ostiary` has been busy with your sign-ins for long.",
            "Try again, and see what runs: pgrep -a ostiary",
        ) from None


@contextmanager
def changing() -> Iterator[None]:
    """Nobody else changes the logins meanwhile."""
    with own_words(), login_file.locked(_LOCK_TIMEOUT_S):
        yield


def logins() -> list[dict[str, Any]]:
    """The latest sign-in first."""
    with own_words():
        return login_file.read()


def chosen_login(console: str | None, agent: str | None) -> dict[str, Any]:
    """The latest login that fits. Raises `RefusedError` saying how to sign in."""
    every = logins()
    login = login_file.find(every, console, agent)
    if login is not None:
        return login
    others = ", ".join(f"{name_of(other)}" for other in every[:5])
    known = f" You are at {others}." if others else ""
    where = f" at {console}" if console else ""
    whom = f" for the agent {visible(agent)}" if agent else ""
    raise RefusedError(
        f"You are not signed in{where}{whom}.{known}",
        f"Sign in with `ostiary login{options(console, agent)}`.",
    )


def options(console: str | None, agent: str | None) -> str:
    """` --console URL --agent LABEL`, as far as they are given, as a shell takes them."""
    given = (("console", console), ("agent", agent))
    return "".join(f" --{name} {quote(visible(value))}" for name, value in given if value)


def name_of(login: dict[str, Any]) -> str:
    """`https://ostiary.example (cursor@laptop)`."""
    agent = login["agent"]
    return visible(f"{login['console']} ({agent})" if agent else login["console"])


def access_of(login: dict[str, Any], scope: str = "gateway") -> dict[str, Any]:
    """`token`, `received_at` and `expires_at` of an access token with enough life left; of one that is valid still when
    the console cannot be reached. Raises `RefusedError` when the sign-in is over, `UnreachableError`,
    `OperatorError`."""
    cached = login_file.fresh_access(login, scope, time.time())
    if cached is not None:
        return cached
    try:
        return _refreshed(login, scope)
    except (UnreachableError, OperatorError):
        still_valid = login_file.valid_access(login, scope, time.time())
        if still_valid is None:
            raise
        return still_valid


def confirm(login: dict[str, Any]) -> None:
    """Ask the console whether the sign-in still stands, whatever tokens of it are kept. Raises as `access_of` does."""
    _refreshed(login, "gateway", kept=login["access"].get("gateway", {}).get("token"))


def forget(login: dict[str, Any], scope: str, token: str) -> None:
    """The console did not take this token, so the next one is asked for."""
    login["access"].pop(scope, None)
    with changing():
        every = login_file.read()
        for each in every:
            if login_file.key(each) == login_file.key(login) and each["access"].get(scope, {}).get("token") == token:
                del each["access"][scope]
                login_file.write(every)


def _refreshed(login: dict[str, Any], scope: str, kept: str | None = None) -> dict[str, Any]:
    """A new access token, or one other than `kept` that somebody else got meanwhile."""
    from ostiary.cli import oauth_client

    with changing():
        current = login_file.find(login_file.read(), login["console"], login["agent"])
        if current is None:
            raise RefusedError("You have signed out meanwhile.", "Sign in again with `ostiary login`.")
        cached = login_file.fresh_access(current, scope, time.time())
        if cached is not None and (kept is None or cached["token"] != kept):
            return cached
        # Now rather than after the old refresh token is spent: whether there is a place for the new one.
        login_file.write(login_file.read())
        with _undisturbed():
            try:
                issued = oauth_client.refresh(current["endpoints"]["token"], current["refresh_token"], scope)
            except oauth_client.SignInAgainError:
                raise _signed_out(current) from None
            cached = {
                "token": issued.access_token,
                "received_at": issued.received_at,
                "expires_at": issued.expires_at,
            }
            access = {**current["access"], scope: cached}
            refresh_token = issued.refresh_token or current["refresh_token"]
            every = [
                {**each, "access": access, "refresh_token": refresh_token}
                if login_file.key(each) == login_file.key(current)
                else each
                for each in login_file.read()
            ]
            login_file.write(every)
    return cached


def _signed_out(login: dict[str, Any]) -> OstiaryError:
    return RefusedError(
        f"Your sign-in at {login['console']} has ended.",
        f"Sign in again with `ostiary login{options(login['console'], login['agent'])}`.",
    )


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Signals to end wait: a refresh token that was replaced at the console and not here would end the sign-in."""
    held = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, held)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
