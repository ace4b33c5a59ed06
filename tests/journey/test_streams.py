"""Streams, connections and their ends, seen from both sides of a running server."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.endurance import House, open_house
from support.raw_client import RawClient, request
from support.raw_upstream import wait_until


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path) as opened:
        yield opened


def test_each_paced_event_arrives_before_the_next_one_is_sent(house: House) -> None:
    with RawClient(house.port) as client:
        client.send(request("GET", "/far/steps?5", house.headers()))
        seen = b""
        for step in range(5):
            wanted = b'data: {"step":%d,"text":"one more word"}\n\n' % step
            while wanted not in seen:
                data = client.some()
                assert data, f"event {step} was held back until another one came"
                seen += data
            assert b'"step":%d' % (step + 1) not in seen
            assert wait_until(lambda: house.upstream.state()["waiting"] == 1)
            house.upstream.release()
        while not seen.endswith(b"0\r\n\r\n"):
            data = client.some()
            assert data, "the stream did not end"
            seen += data


def test_sigterm_lets_a_running_exchange_finish(house: House) -> None:
    assert house.server.process is not None
    with RawClient(house.port) as client, RawClient(house.port) as idle:
        client.send(request("GET", "/far/held", house.headers()))
        assert wait_until(lambda: house.upstream.state().get("waiting") == 1)
        house.server.process.send_signal(signal.SIGTERM)
        assert idle.until_close()[1], "an idle connection is closed at once"
        assert house.server.alive
        house.upstream.release()
        answer = client.reply()
        assert (answer.status, answer.body) == (200, b"done")
    assert house.server.process.wait(10) == 0
    house.server.start()
    held = [entry for entry in house.server.entries() if str(entry.get("target", "")).endswith("/held")]
    exchange = held[0]["exchange"]
    outcomes = [
        entry
        for entry in house.server.entries()
        if entry["type"] == "exchange.outcome" and entry["exchange"] == exchange
    ]
    assert [outcome["end"] for outcome in outcomes] == ["complete"]


def test_a_client_that_goes_away_cancels_the_upstream_within_a_second(house: House) -> None:
    client = RawClient(house.port)
    client.send(request("GET", "/far/idle", house.headers()))
    seen = b""
    while b"one more word" not in seen:
        seen += client.some()
    assert house.upstream.state().get("gone", 0) == 0
    client.close()
    assert wait_until(lambda: house.upstream.state().get("gone", 0) == 1, 1.0)

    def cut() -> bool:
        outcomes = [entry for entry in house.server.entries() if entry["type"] == "exchange.outcome"]
        return [str(entry["end"]).partition(":")[0] for entry in outcomes] == ["cut"]

    assert wait_until(cut)


def test_a_client_that_goes_away_before_the_answer_cancels_the_upstream(house: House) -> None:
    client = RawClient(house.port)
    client.send(request("GET", "/far/held", house.headers()))
    assert wait_until(lambda: house.upstream.state().get("waiting") == 1)
    client.close()
    assert wait_until(lambda: house.upstream.state().get("gone", 0) == 1, 1.0)


def test_upstream_connections_are_used_again(house: House) -> None:
    for number in range(20):
        with RawClient(house.port) as client:
            client.send(request("GET", f"/far/small?{number}", house.headers()))
            assert client.reply().status == 200
    assert house.upstream.state()["connections"] == 1


def test_one_client_connection_carries_many_exchanges(house: House) -> None:
    with RawClient(house.port) as client:
        for number in range(20):
            method = "POST" if number % 2 else "GET"
            body = b"x" * number if number % 2 else None
            client.send(request(method, f"/far/upload?{number}", house.headers(), body))
            answer = client.reply()
            assert answer.status == 200
            assert answer.json()["size"] == (number if number % 2 else 0)


def test_pipelined_requests_are_answered_in_order(house: House) -> None:
    count = 10
    with RawClient(house.port) as client:
        client.send(
            b"".join(
                request("POST", f"/far/upload?{number}", house.headers(), b"y" * number) for number in range(count)
            )
        )
        assert [client.reply().json()["size"] for _ in range(count)] == list(range(count))
    assert [target.split("?")[1] for target in house.upstream.targets()] == [str(number) for number in range(count)]


def test_exchanges_on_different_connections_do_not_wait_for_each_other(house: House) -> None:
    with RawClient(house.port) as held, RawClient(house.port) as quick:
        held.send(request("GET", "/far/held", house.headers()))
        assert wait_until(lambda: house.upstream.state().get("waiting") == 1)
        quick.send(request("GET", "/far/small", house.headers()))
        assert quick.reply().status == 200
        threading.Thread(target=house.upstream.release).start()
        assert held.reply().body == b"done"
