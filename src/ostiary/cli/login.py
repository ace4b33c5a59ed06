"""`ostiary login`, `ostiary logout` and `ostiary whoami`."""

import os
import socket
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import click

from ostiary.cli import access, browser_page, login_file, oauth_client
from ostiary.cli.agent_label import LABEL_MAX, agent_option
from ostiary.cli.invocation import Command, Invocation, console_url, pass_invocation
from ostiary.cli.loopback import listening
from ostiary.cli.server_file import local_console_url
from ostiary.cli.terminal import moment, paint, print_json, print_table, visible
from ostiary.model.errors import OstiaryError, RefusedError, UnreachableError

_BROWSER_TIMEOUT_S = 300.0


@click.command(cls=Command)
@agent_option
@click.option("--device", is_flag=True, help="Show a code to type into a browser on another machine.")
@click.option("--no-browser", is_flag=True, help="Only print the address; it must be opened on this machine.")
@pass_invocation
def login(invocation: Invocation, agent: str | None, device: bool, no_browser: bool) -> None:
    """Sign in with your organisation's identity provider, so that `ostiary token` has tokens.

    With --agent, tokens speak for you and for that tool, and open the gateway only. Without it, other commands may use
    the sign-in too.
    """
    if device and no_browser:
        raise click.UsageError("--device and --no-browser exclude each other.")
    console = invocation.console or local_console_url(invocation.home) or _asked_for_console()
    endpoints = oauth_client.discover(console)
    label, name = agent or "", _device_name()
    # Whoever signs in once more as themselves was told to, for something that takes a recent sign-in.
    before = next((old for old in access.logins() if login_file.key(old) == (console, label)), None)
    through = (lambda url: oauth_client.proving_anew(console, url)) if before and not label else _directly
    if device or not (no_browser or _has_browser()):
        issued = _with_code(endpoints, label, name, through)
    else:
        issued = _with_browser(endpoints, label, name, through, opens=not no_browser)
    kept = _kept(endpoints, console, label, issued)
    if invocation.json:
        print_json({"console": console, "agent": label or None, "user": issued.user or None})
        return
    print(f"Signed in at {console}{_as(kept)}.")
    option = f" --agent {label}" if label else ""
    print(f"Tools get their tokens with `ostiary token{option}`: see `ostiary setup TOOL` and `ostiary run -- TOOL`.")


def _directly(url: str) -> str:
    return url


def _as(login: dict[str, Any]) -> str:
    """` as alice, for cursor@laptop`, as far as it is known."""
    user, agent = login.get("user"), login["agent"]
    return f"{f' as {visible(user)}' if user else ''}{f', for {visible(agent)}' if agent else ''}"


def _asked_for_console() -> str:
    if not sys.stdin.isatty():
        raise click.UsageError("Which console? Give --console URL, or set OSTIARY_CONSOLE.")
    return console_url(str(click.prompt("Address of the console", err=True)), "The address")


def _device_name() -> str:
    """What this machine calls itself, for the confirming page."""
    name = "".join(character for character in socket.gethostname() if character.isprintable())
    return name.strip()[:LABEL_MAX]


def _has_browser() -> bool:
    """Whether a browser can be expected to open before the one who types."""
    if "SSH_CONNECTION" in os.environ:
        return False
    if not sys.platform.startswith("linux") or os.environ.get("BROWSER"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _with_browser(
    endpoints: oauth_client.Endpoints, agent: str, device: str, through: Callable[[str], str], *, opens: bool
) -> oauth_client.Issued:
    with listening() as loopback:
        attempt = oauth_client.begin(endpoints, loopback.redirect_uri, agent, device)
        loopback.expect(attempt.state)
        url = through(attempt.url)
        with browser_page.opened(url) if opens else nullcontext(False) as opened:
            _say("Sign in with the page that opens. If none does, open:" if opened else "Open this address to sign in:")
            _say(f"\n  {visible(url)}\n")
            answer = loopback.wait(_BROWSER_TIMEOUT_S)
    return oauth_client.finish(endpoints, attempt, answer)


def _with_code(
    endpoints: oauth_client.Endpoints, agent: str, device: str, through: Callable[[str], str]
) -> oauth_client.Issued:
    code = oauth_client.begin_device(endpoints, agent, device)
    _say(f"With a browser on any machine, open:  {visible(through(code.url))}")
    _say(f"and enter this code:  {paint(visible(code.user_code), 'bold', stream=sys.stderr)}")
    _say(f"Confirm it there only if the page names {visible(device)}. Waiting …")
    return oauth_client.await_device(endpoints, code)


def _kept(endpoints: oauth_client.Endpoints, console: str, agent: str, issued: oauth_client.Issued) -> dict[str, Any]:
    """Store the sign-in; the one that it replaces is ended at the console."""
    scope = "api" if issued.scope.split() == ["api"] else "gateway"
    fresh = {
        "console": console,
        "agent": agent,
        "user": issued.user,
        "signed_in_at": time.time(),
        "gateway": endpoints.gateway,
        "endpoints": {"token": endpoints.token, "revocation": endpoints.revocation},
        "refresh_token": issued.refresh_token,
        "access": {
            scope: {
                "token": issued.access_token,
                "received_at": issued.received_at,
                "expires_at": issued.expires_at,
            }
        },
    }
    with access.changing():
        replaced = next((old for old in login_file.read() if login_file.key(old) == login_file.key(fresh)), None)
        login_file.put(fresh)
    if replaced is not None:
        try:
            _end(replaced)
        except OstiaryError:
            _say("Note: your former sign-in from here could not be ended; it ends by itself, or in the console.")
    return fresh


def _end(login: dict[str, Any]) -> None:
    endpoint = login["endpoints"].get("revocation")
    if not endpoint or not oauth_client.revoke(endpoint, login["refresh_token"]):
        raise RefusedError(f"{login['console']} did not end the sign-in.", "End it there, on your account's page.")


@click.command(cls=Command)
@agent_option
@click.option("--all", "every", is_flag=True, help="End every sign-in from this machine's account.")
@pass_invocation
def logout(invocation: Invocation, agent: str | None, every: bool) -> None:
    """End the sign-in at the console, with all its tokens, and forget it here."""
    console = invocation.console
    chosen = access.logins() if every else _the_one(console, agent)
    untold: list[str] = []
    for login in chosen:
        with access.changing():
            # As it is now: its refresh token may have been replaced.
            current = next((kept for kept in login_file.read() if login_file.key(kept) == login_file.key(login)), None)
            if current is None:
                continue
            try:
                _end(current)
            except OstiaryError:
                untold.append(login["console"])
            login_file.drop(current)
        if not invocation.json and login["console"] not in untold:
            print(f"Signed out of {login['console']}{_as(login)}.")
    if invocation.json:
        print_json({"signed_out": [{"console": each["console"], "agent": each["agent"] or None} for each in chosen]})
    if untold:
        raise UnreachableError(
            f"Forgotten here, but not ended at {', '.join(sorted(set(untold)))}.",
            "End it there, on your account's page: until then its tokens are valid.",
        )
    if not chosen and not invocation.json:
        print("You are not signed in anywhere.")


def _the_one(console: str | None, agent: str | None) -> list[dict[str, Any]]:
    found = [
        login for login in access.logins() if console in (None, login["console"]) and agent in (None, login["agent"])
    ]
    if len(found) > 1:
        listed = ", ".join(f"{each['console']}{_as(each)}" for each in found[:5])
        raise click.UsageError(f"You have several sign-ins: {listed}. Choose with --console and --agent, or --all.")
    if not found:
        access.chosen_login(console, agent)
    return found


@click.command(cls=Command)
@agent_option
@pass_invocation
def whoami(invocation: Invocation, agent: str | None) -> None:
    """Show where you are signed in, and whether those sign-ins still stand."""
    console = invocation.console
    found = [
        login for login in access.logins() if console in (None, login["console"]) and agent in (None, login["agent"])
    ]
    if not found:
        if console is None and agent is None and (invocation.home / "admin.sock").exists():
            _show_local(invocation)
            return
        access.chosen_login(console, agent)
    rows = [
        {
            "console": login["console"],
            "user": login.get("user") or None,
            "agent": login["agent"] or None,
            "signed_in_at": moment(login["signed_in_at"]),
            "state": _state(login),
        }
        for login in found
    ]
    if invocation.json:
        print_json({"logins": rows})
    else:
        headings = ["CONSOLE", "USER", "AGENT", "SIGNED IN", "STATE"]
        print_table(headings, [list(row.values()) for row in rows])
    if all(row["state"] == "ended" for row in rows):
        raise RefusedError("Your sign-in has ended.", "Sign in again with `ostiary login`.")


def _show_local(invocation: Invocation) -> None:
    """Who one is without a sign-in, beside a server of one's own."""
    me = invocation.server.get("me")
    if invocation.json:
        print_json({"logins": [], "me": me})
    else:
        print(f"You are not signed in; commands on this machine act as the {visible(me['label'])}.")


def _state(login: dict[str, Any]) -> str:
    """A look at the console: a new token can be had, or not any more."""
    try:
        access.confirm(login)
    except UnreachableError:
        return "not reachable"
    except RefusedError:
        return "ended"
    return "signed in"
