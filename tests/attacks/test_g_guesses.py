"""G21 on the gateway: guessing tokens finds nothing, tells nothing, and is slowed down."""

import random
from collections.abc import Iterator

import pytest

from support.guessing import CLASSES, Guesser, answers_of
from support.installation import Installation, running
from support.raw_client import RawClient, request
from support.raw_upstream import RawUpstream, wait_until

PER_MINUTE = 300
GUESSES = 3_000


@pytest.fixture(scope="module")
def upstream() -> Iterator[RawUpstream]:
    upstream = RawUpstream()
    yield upstream
    upstream.close()


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory, upstream: RawUpstream) -> Iterator[Installation]:
    """Looks at every guess, however many come."""
    home = tmp_path_factory.mktemp("patient") / "home"
    with running(home, {"OSTIARY_TOKEN_FAILURES_PER_MINUTE": "1000000000"}) as server:
        furnish(server, upstream)
        yield server


@pytest.fixture
def strict(tmp_path_factory: pytest.TempPathFactory, upstream: RawUpstream) -> Iterator[Installation]:
    home = tmp_path_factory.mktemp("strict") / "home"
    with running(home, {"OSTIARY_TOKEN_FAILURES_PER_MINUTE": str(PER_MINUTE)}) as server:
        furnish(server, upstream)
        yield server


def furnish(server: Installation, upstream: RawUpstream) -> None:
    far = {"name": "far", "kind": "http", "upstream": f"http://127.0.0.1:{upstream.port}", "allow_private": True}
    server.apply({"connections": [far], "rules": [{"name": "all may", "on": ["far"], "effect": "allow"}]})


def asking(token: str) -> bytes:
    return request("GET", "/far/one", [f"Authorization: Bearer {token}"])


def test_g21_guesses_are_answered_alike_to_the_byte(patient: Installation, upstream: RawUpstream) -> None:
    guesser = Guesser(patient, random.Random(21))
    upstream.forget()
    tokens = [guesser.guess(CLASSES[number % len(CLASSES)]) for number in range(GUESSES)]
    answers = answers_of(patient.gateway_port, tokens)
    assert len(answers) == 1, answers
    (answer,) = answers
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert not upstream.requests
    assert b"ost_" not in answer


def test_g21_where_the_token_stands_makes_no_difference(patient: Installation) -> None:
    """The same sentence for a guess in each place that a token may come in."""
    guesser = Guesser(patient, random.Random(22))
    bodies = set()
    for field in ("Authorization: Bearer ", "x-api-key: ", "Authorization: DPoP "):
        with RawClient(patient.gateway_port) as client:
            client.send(request("GET", "/far/one", [field + guesser.guess("never issued")]))
            reply = client.reply()
            assert reply.status == 401
            bodies.add(reply.body)
    assert len(bodies) == 1


def test_g21_a_flood_is_told_to_wait_and_loses_its_connection_each_time(strict: Installation) -> None:
    guesser = Guesser(strict, random.Random(23))
    token = strict.token("ana")
    statuses = []
    with RawClient(strict.gateway_port) as client:
        for _ in range(PER_MINUTE):
            client.send(asking(guesser.guess("never issued")))
            statuses.append(client.reply().status)
    assert set(statuses) == {401}
    limited = 0
    for number in range(120):
        with RawClient(strict.gateway_port) as client:
            client.send(asking(guesser.guess(CLASSES[number % len(CLASSES)])))
            reply = client.reply()
            if reply.status == 429:
                limited += 1
                assert reply.closed
                assert [int(value) for value in reply.header("retry-after")] == [1]
                assert reply.json()["code"] == "limit_exceeded"
                assert b"x-should-retry" not in reply.raw
            else:
                assert reply.status == 401  # the minute goes on meanwhile
        if number % 20 == 0:  # who has a token comes in from the same address, cached or not
            with RawClient(strict.gateway_port) as client:
                client.send(asking(token), asking(strict.token(f"ben{number}")))
                assert [client.reply().status, client.reply().status] == [200, 200]
    assert limited > 60

    def codes() -> set[str]:
        return {str(entry["code"]) for entry in strict.entries() if entry["type"].startswith("exchange.refused")}

    assert wait_until(lambda: codes() == {"token_unknown", "limit_exceeded"}), codes()


def test_g21_a_flood_keeps_no_memory(patient: Installation) -> None:
    """Nothing of a refused request stays: neither its head nor the frames that it was refused in."""
    guesser = Guesser(patient, random.Random(24))
    padding = "p" * 8_000

    def flood(count: int) -> None:
        with RawClient(patient.gateway_port) as client:
            for _ in range(count):
                fields = [f"Authorization: Bearer {guesser.guess('never issued')}", f"x-padding: {padding}"]
                client.send(request("GET", "/far/one", fields))
                assert client.reply().status == 401

    flood(500)
    before = patient.settled_bytes()
    flood(GUESSES)
    assert patient.settled_bytes() - before < 8 * 1024 * 1024, "what was refused is kept"
