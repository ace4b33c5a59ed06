"""C. Where a request comes from: only a trusted proxy may say so, and only as much as it saw itself."""

import http.client
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest

from support.installation import Installation, running
from support.raw_client import RawClient, request
from support.raw_upstream import RawUpstream, wait_until

CLIENT, OTHER = "203.0.113.7", "2001:db8:2::7"
PER_MINUTE = 5
UNKNOWN = "Authorization: Bearer unknown"


@pytest.fixture(scope="module")
def upstream() -> Iterator[RawUpstream]:
    upstream = RawUpstream()
    yield upstream
    upstream.close()


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory, upstream: RawUpstream) -> Iterator[Installation]:
    """Trusts us, who connect to it, as one of two proxies in a row."""
    home = tmp_path_factory.mktemp("behind") / "home"
    environment = {
        "OSTIARY_TRUSTED_PROXIES": "127.0.0.1, 10.8.0.0/16",
        "OSTIARY_TOKEN_FAILURES_PER_MINUTE": str(PER_MINUTE),
    }
    with running(home, environment) as server:
        yield furnished(server, upstream)


@pytest.fixture(scope="module")
def before_all(tmp_path_factory: pytest.TempPathFactory, upstream: RawUpstream) -> Iterator[Installation]:
    """Trusts another proxy, and nobody who connects here."""
    home = tmp_path_factory.mktemp("before") / "home"
    environment = {"OSTIARY_TRUSTED_PROXIES": "192.0.2.1", "OSTIARY_TOKEN_FAILURES_PER_MINUTE": str(PER_MINUTE)}
    with running(home, environment) as server:
        yield furnished(server, upstream)


def furnished(server: Installation, upstream: RawUpstream) -> Installation:
    far = {"name": "far", "kind": "http", "upstream": f"http://127.0.0.1:{upstream.port}", "allow_private": True}
    server.apply({"connections": [far], "rules": [{"name": "all may", "on": ["far"], "effect": "allow"}]})
    return server


def recorded(server: Installation, after: int, kind: str, count: int = 1) -> list[Any]:
    """The entries of that type, once there are as many; refusals are written a moment later."""
    found: list[Any] = []

    def are_there() -> bool:
        found[:] = [entry for entry in server.entries(after) if entry["type"] == kind]
        return len(found) >= count

    wait_until(are_there)
    return found


def client_of(server: Installation, *fields: str) -> str:
    """Whom the log names as the client of one request."""
    after = server.last_index()
    with RawClient(server.gateway_port) as client:
        client.send(request("GET", "/far/one", [f"Authorization: Bearer {server.token('ana')}", *fields]))
        assert client.reply().status == 200
    (entry,) = recorded(server, after, "exchange.intent")
    return str(entry["client"])


def network_of_sign_in(server: Installation, *forwarded: str) -> str:
    """The network that the console writes down for an assertion that it refuses; ten times a minute."""
    after = server.last_index()
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "e30.e30.e30"}
    body = urllib.parse.urlencode(form).encode()
    connection = http.client.HTTPConnection("127.0.0.1", server.console_port, timeout=10)
    connection.putrequest("POST", "/oauth/token")
    for line in forwarded:
        connection.putheader("X-Forwarded-For", line)
    connection.putheader("Content-Type", "application/x-www-form-urlencoded")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    assert connection.getresponse().status == 400
    connection.close()
    (entry,) = recorded(server, after, "admin.sign-in.refused")
    return str(entry["detail"]["network"])


CHAINS: dict[str, tuple[list[str], str]] = {
    "nothing": ([], "127.0.0.1"),
    "the client": ([CLIENT], CLIENT),
    "with its port": ([f"{CLIENT}:4711"], CLIENT),
    "of IPv6": ([f"[{OTHER}]:4711"], OTHER),
    "over two proxies": ([f"{CLIENT}, 10.8.1.1"], CLIENT),
    "over two proxies, a line each": ([CLIENT, "10.8.1.1"], CLIENT),
    "a forged address before it": ([f"198.51.100.1, {CLIENT}"], CLIENT),
    "a forged line before it": (["198.51.100.1", CLIENT], CLIENT),
    "a forged proxy before it": ([f"198.51.100.1, 127.0.0.1, {CLIENT}"], CLIENT),
    "garbage before it": ([f'for="_x", ;;, {CLIENT}'], CLIENT),
    "very much before it": ([", ".join(["198.51.100.1"] * 500) + f", {CLIENT}"], CLIENT),
    "garbage in its place": ([f"{CLIENT}, unknown"], "127.0.0.1"),
    "nothing in its place": ([f"{CLIENT},"], "127.0.0.1"),
    "a number in its place": (["3405803783"], "127.0.0.1"),
    "an interface in its place": (["fe80::7%eth0"], "127.0.0.1"),
    "proxies alone": (["10.8.1.1, 10.8.1.2"], "127.0.0.1"),
    "proxies without end": ([CLIENT + ", 10.8.1.1" * 100], "127.0.0.1"),
}


@pytest.mark.parametrize("how", CHAINS)
def test_C11_behind_a_trusted_proxy_its_own_word_counts(behind: Installation, how: str, upstream: RawUpstream) -> None:
    lines, client = CHAINS[how]
    upstream.forget()
    assert client_of(behind, *[f"X-Forwarded-For: {line}" for line in lines]) == client
    (sent,) = upstream.requests
    assert b"orwarded" not in sent.raw and CLIENT.encode() not in sent.raw


@pytest.mark.parametrize(
    "how", ["nothing", "over two proxies, a line each", "a forged line before it", "garbage in its place"]
)
def test_C11_the_console_takes_the_same_word(behind: Installation, how: str) -> None:
    lines, client = CHAINS[how]
    assert network_of_sign_in(behind, *lines) == client


STRANGE = [CLIENT, "192.0.2.1", f"{CLIENT}, 192.0.2.1", "::1", ""]


@pytest.mark.parametrize("line", STRANGE)
def test_C11_from_anybody_else_it_is_nothing(before_all: Installation, line: str, upstream: RawUpstream) -> None:
    upstream.forget()
    assert client_of(before_all, f"X-Forwarded-For: {line}") == "127.0.0.1"
    assert b"orwarded" not in upstream.requests[0].raw
    assert network_of_sign_in(before_all, line) == "127.0.0.1"


@pytest.mark.parametrize("name", ["Forwarded", "X-Real-IP", "X-Forwarded", "X_Forwarded_For", "True-Client-IP"])
def test_C11_no_other_field_says_it(behind: Installation, name: str) -> None:
    assert client_of(behind, f"{name}: {CLIENT}") == "127.0.0.1"


def test_C11_on_one_connection_of_a_proxy_each_request_is_its_own_clients(behind: Installation) -> None:
    """Two of them are alike to the byte otherwise, and the last cannot be read."""
    token, after = behind.token("ana"), behind.last_index()
    with RawClient(behind.gateway_port) as client:
        for line in (CLIENT, OTHER, CLIENT):
            fields = [f"Authorization: Bearer {token}", f"X-Forwarded-For: {line}"]
            client.send(request("GET", "/far/one", fields))
            assert client.reply().status == 200
        client.send(request("GET", "/far/one", [f"Authorization: Bearer {token}"]))
        assert client.reply().status == 200
        client.send(request("GET", "/far/one", [f"X-Forwarded-For: {CLIENT}", "no field"]))
        assert client.reply().status == 400
    intents = [entry["client"] for entry in recorded(behind, after, "exchange.intent", 4)]
    assert intents == [CLIENT, OTHER, CLIENT, "127.0.0.1"]
    (refused,) = recorded(behind, after, "exchange.refused")
    assert refused["client"] == "127.0.0.1"


def statuses(server: Installation, lines: list[str]) -> list[int]:
    """The answers to an unknown token with each of them."""
    found = []
    for line in lines:
        with RawClient(server.gateway_port) as client:
            client.send(request("GET", "/far/one", [UNKNOWN, f"X-Forwarded-For: {line}"]))
            found.append(client.reply().status)
    return found


def test_C11_limits_are_the_clients_own_and_forging_gets_round_none(behind: Installation) -> None:
    first, second = "203.0.113.50", "203.0.113.51"
    forged = [f"198.51.100.{number}, {first}" for number in range(20)]
    assert statuses(behind, forged)[:PER_MINUTE] == [401] * PER_MINUTE
    assert 429 in statuses(behind, forged)
    assert statuses(behind, [second]) == [401]


def test_C11_a_stranger_gets_round_no_limit_by_naming_others(before_all: Installation) -> None:
    assert 429 in statuses(before_all, [f"203.0.113.{number}" for number in range(4 * PER_MINUTE)])
