"""Commands that speak to a console elsewhere, as whoever signed in there; and those about people and machines."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ostiary.cli.commands import DONE, FAILED, NOT_REACHABLE, WRONG_USAGE
from ostiary.control.api.routes import PREFIX, ROUTES
from support.console_standin import KeptLogins, StandIn, a_login

Ostiary = Callable[..., tuple[int, str, str]]

TIME = "2026-01-31T12:00:00.000000Z"
ALICE = {
    "id": "us_1", "name": "Alice@corp.example", "display_name": "Alice\x1b[2J", "email": None, "active": True,
    "origin": "sign-in", "issuer": "corp", "external_id": None, "groups": ["engineering"], "roles": ["member"],
    "created_at": TIME, "changed_at": TIME, "seen_at": TIME,
}  # fmt: skip
SIGN_IN = {
    "id": "sn_1", "kind": "tool", "issuer": "corp", "agent": "cursor@laptop", "device": "laptop",
    "network": "192.0.2.1", "created_at": TIME, "authenticated_at": TIME, "seen_at": TIME, "ends_at": TIME,
    "ended_at": TIME, "ended_why": "signed out",
}  # fmt: skip
ACCOUNT = {
    "name": "ci", "groups": ["build"], "connections": None, "description": "", "created_at": TIME, "created_by": "root",
    "disabled_at": None,
}  # fmt: skip
KEY = {"id": "tok_1", "created_at": TIME, "expires_at": TIME, "last_used_at": None, "revoked_at": None}
TOKEN = {
    **KEY, "actor": "okta", "kind": "service", "agent": None, "groups": [], "connections": None, "scope": "scim",
    "created_at": TIME, "created_by": "root", "network": "", "sign_in": None, "bound_to": None,
}  # fmt: skip
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
ANSWERS: dict[str, Any] = {
    "GET /users": {"users": [ALICE, {**ALICE, "id": "us_2", "name": "bob", "active": False}], "after": None},
    "POST /users/us_1/deactivate": {"user": ALICE},
    "POST /users/us_1/activate": {"user": ALICE},
    "DELETE /users/us_1": {"id": "us_1", "removed": True},
    "GET /users/us_1/sign-ins": {"sign_ins": [SIGN_IN]},
    "GET /users/us_2/sign-ins": {"sign_ins": []},
    "POST /sign-ins/sn_1/end": {"id": "sn_1", "ended": True},
    "GET /service-accounts": {"service_accounts": [ACCOUNT]},
    "POST /service-accounts": {"service_account": ACCOUNT},
    "POST /service-accounts/ci/disable": {"service_account": ACCOUNT},
    "POST /service-accounts/ci/enable": {"service_account": ACCOUNT},
    "POST /service-accounts/ci/keys": {"token": "ost_s1", "id": "tok_1", "expires_at": TIME},
    "GET /service-accounts/ci/keys": {"keys": [KEY]},
    "DELETE /service-accounts/ci/keys/tok_1": {"id": "tok_1", "revoked": True},
    "POST /tokens": {"token": "ost_u1", "id": "tok_1", "expires_at": TIME, "unknown_connections": ["nowhere"]},
    "GET /tokens": {"tokens": [TOKEN]},
    "POST /identity/examine": {
        "findings": [
            {"level": "ok", "sentence": "It answers.", "next": ""},
            {"level": "fail", "sentence": "Its keys \x1b[2J are RS256 only.", "next": "Name RS256."},
        ]
    },
}


@pytest.fixture
def there(console: StandIn, kept: KeptLogins) -> StandIn:
    """Signed in at a console that answers as it should."""
    console.api = {
        f"{request.replace(' ', ' /api/v1', 1)}": (200, document) for request, document in ANSWERS.items()
    }
    kept.write(a_login(console))
    return console


@pytest.mark.parametrize(
    ("command", "request_line", "body", "shown"),
    [
        ("user list", "GET /users?after=&limit=200", None, "bob"),
        ("user show alice@CORP.example", "GET /users?after=&limit=200", None, "member"),
        ("user show us_1", "GET /users?after=&limit=200", None, "Alice‹U+001B›[2J"),
        ("user deactivate alice@corp.example", "POST /users/us_1/deactivate", {}, "is deactivated"),
        ("user activate alice@corp.example", "POST /users/us_1/activate", {}, "may sign in again"),
        ("user forget alice@corp.example", "DELETE /users/us_1", None, "is removed"),
        ("user sign-ins alice@corp.example", "GET /users/us_1/sign-ins", None, "signed out"),
        ("user sign-ins bob", "GET /users/us_2/sign-ins", None, "not signed in anywhere"),
        ("user end-sign-in sn_1", "POST /sign-ins/sn_1/end", {}, "has ended"),
        ("service list", "GET /service-accounts", None, "build"),
        (
            "service create ci --groups build,test --connection models",
            "POST /service-accounts",
            {"name": "ci", "groups": ["build", "test"], "connections": ["models"], "description": ""},
            "service key ci",
        ),
        ("service disable ci", "POST /service-accounts/ci/disable", {}, "is disabled"),
        ("service enable ci", "POST /service-accounts/ci/enable", {}, "may have keys again"),
        ("service key ci --ttl 30d", "POST /service-accounts/ci/keys", {"ttl_s": 2_592_000.0}, "ost_s1"),
        ("service keys ci", "GET /service-accounts/ci/keys", None, "tok_1"),
        ("service revoke ci tok_1", "DELETE /service-accounts/ci/keys/tok_1", None, "is revoked"),
        ("scim token", "POST /tokens", {"scope": "scim"}, "ost_u1"),
        (
            "scim token --name okta --ttl 90d",
            "POST /tokens",
            {"scope": "scim", "actor": "okta", "ttl_s": 7_776_000.0},
            "ost_u1",
        ),
        ("token list", "GET /tokens", None, "scim"),
        ("token create", "POST /tokens", {"kind": "user", "groups": []}, "ost_u1"),
        (
            "token create --actor a --agent cursor",
            "POST /tokens",
            {"kind": "agent", "groups": [], "actor": "a", "agent": "cursor"},
            "ost_u1",
        ),
    ],
)
def test_commands_ask_what_the_api_has_and_show_what_it_says(
    command: str, request_line: str, body: dict[str, Any] | None, shown: str, ostiary: Ostiary, there: StandIn
) -> None:
    code, out, _ = ostiary(*command.split())
    assert (code, shown in out) == (DONE, True), out
    assert "\x1b" not in out
    request, sent = there.api_seen[-1]
    assert (request.replace(PREFIX, "", 1), sent) == (request_line, body)
    for request, sent in there.api_seen:
        assert _is_taken(request, sent), request
    code, out, _ = ostiary(*command.split(), "--json")
    assert code == DONE
    json.loads(out)


def _is_taken(request: str, body: dict[str, Any] | None) -> bool:
    """Whether the API has this route, with these names in query and body."""
    method, _, target = request.replace(PREFIX, "", 1).partition(" ")
    path, _, query = target.partition("?")
    for route in ROUTES:
        pattern = re.sub(r"\{\w+\}", "[^/]+", route.path)
        if route.method == method and re.fullmatch(pattern, path):
            names = {pair.partition("=")[0] for pair in query.split("&") if pair}
            known = {field.name for field in route.query}
            return names <= known and set(body or ()) <= {field.name for field in route.body}
    return False


def test_a_certificate_is_sent_without_the_key_beside_it(ostiary: Ostiary, there: StandIn, tmp_path: Path) -> None:
    file = tmp_path / "client.pem"
    key = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n"
    file.write_text(key + CERTIFICATE + CERTIFICATE)
    for command in (["token", "create"], ["service", "key", "ci"]):
        assert ostiary(*command, "--certificate", str(file))[0] == DONE
        assert there.api_seen[-1][1]["certificate"] == CERTIFICATE
    file.write_text(key)
    code, _, err = ostiary("token", "create", "--certificate", str(file))
    assert (code, "holds no PEM certificate" in err) == (WRONG_USAGE, True)


def test_an_issuer_is_examined_before_it_is_saved(ostiary: Ostiary, there: StandIn, tmp_path: Path) -> None:
    file = tmp_path / "new.yaml"
    file.write_text("version: 1\n")
    code, out, _ = ostiary("doctor", "idp", "corp", "-f", str(file))
    assert code == FAILED
    assert "It answers." in out
    assert "→ Name RS256." in out
    assert "\x1b" not in out
    request, body = there.api_seen[-1]
    assert body == {"name": "corp", "yaml": "version: 1\n", "filename": str(file)}
    assert _is_taken(request, body)
    code, out, _ = ostiary("doctor", "idp", "corp", "--json")
    assert (code, json.loads(out)["ok"]) == (FAILED, False)
    assert there.api_seen[-1][1] == {"name": "corp"}


def test_pages_of_people_are_read_to_the_end(ostiary: Ostiary, there: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    def call(_method: str, path: str, _bearer: str, _body: bytes) -> tuple[int, Any]:
        if "after=&" in path:
            return 200, {"users": [ALICE], "after": "Alice@corp.example"}
        assert "after=Alice%40corp.example&" in path
        return 200, {"users": [{**ALICE, "name": "zoe"}], "after": None}

    monkeypatch.setattr(there, "call", call)
    assert [row["name"] for row in json.loads(ostiary("user", "list", "--json")[1])["users"]] == [ALICE["name"], "zoe"]
    code, _, err = ostiary("user", "show", "nobody")
    assert (code, "There is nobody called nobody." in err) == (FAILED, True)


def test_the_owners_link_is_only_made_beside_the_server(ostiary: Ostiary, there: StandIn) -> None:
    assert ostiary("owner", "link")[0] == NOT_REACHABLE
    assert ostiary("owner", "link", "--console", there.url)[0] == WRONG_USAGE
    assert there.api_seen == []


# -- which server, and as whom


def test_an_api_token_is_fetched_once_and_kept_apart_from_the_tools(
    ostiary: Ostiary, there: StandIn, kept: KeptLogins
) -> None:
    for _ in range(2):
        assert ostiary("service", "list")[0] == DONE
    assert there.refreshes == 1
    access = kept.read()[0]["access"]
    assert access["api"]["token"] == "api-token-1"
    assert access["gateway"]["token"] == "gateway-token-0"
    assert ostiary("token")[1] == "gateway-token-0\n"


def test_a_token_that_the_console_forgot_is_replaced_once(ostiary: Ostiary, there: StandIn) -> None:
    assert ostiary("service", "list")[0] == DONE
    there.forget_access = True
    assert ostiary("service", "list")[0] == DONE
    assert there.refreshes == 2
    there.ended = True
    there.forget_access = True
    code, _, err = ostiary("service", "list")
    assert (code, f"ostiary login --console {there.url}" in err) == (FAILED, True)


def test_a_step_up_says_how(ostiary: Ostiary, there: StandIn) -> None:
    problem = {"code": "step_up_required", "detail": "This needs a recent sign-in.", "next": "Elsewhere."}
    there.api["POST /api/v1/service-accounts/ci/disable"] = (403, problem)
    code, out, err = ostiary("service", "disable", "ci")
    assert (code, out) == (FAILED, "")
    assert f"Run `ostiary login --console {there.url}`, then repeat this." in err
    assert "Elsewhere" not in err
    assert json.loads(ostiary("service", "disable", "ci", "--json")[2])["error"]["code"] == "step_up_required"


def test_a_change_says_where_it_goes_unless_that_was_named(
    ostiary: Ostiary, there: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = f"Note: no server runs here; this goes to {there.url}.\n"
    assert ostiary("service", "disable", "ci")[2] == note
    assert ostiary("service", "list")[2] == ""
    assert ostiary("service", "disable", "ci", "--console", there.url)[2] == ""
    monkeypatch.setenv("OSTIARY_CONSOLE", there.url)
    assert ostiary("service", "disable", "ci")[2] == ""
    monkeypatch.setenv("OSTIARY_CONSOLE", "nonsense://x")
    assert ostiary("service", "disable", "ci")[0] == WRONG_USAGE


def test_an_unusual_home_means_the_server_there(
    ostiary: Ostiary, there: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = ostiary("service", "list", "--home", str(tmp_path))
    assert (code, f"No Ostiary is running for HOME {tmp_path}" in err) == (NOT_REACHABLE, True)
    monkeypatch.setenv("OSTIARY_CONSOLE", there.url)
    assert ostiary("service", "list", "--home", str(tmp_path))[0] == NOT_REACHABLE
    monkeypatch.setenv("OSTIARY_HOME", str(tmp_path))
    assert ostiary("service", "list")[0] == DONE


def test_a_tools_sign_in_opens_no_api(ostiary: Ostiary, console: StandIn, kept: KeptLogins) -> None:
    kept.write(a_login(console, "cursor@laptop"))
    assert ostiary("service", "list")[0] == NOT_REACHABLE
    code, _, err = ostiary("service", "list", "--console", console.url)
    assert (code, "You are not signed in" in err) == (FAILED, True)
    assert console.refreshes == 0
