"""What is no end of access: tokens that expire, a provider that is down, a disk that is full. Nobody is thrown out for
it, and nothing is done by half."""

import os
import resource
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from support.access_house import AccessHouse, access_house
from support.http_server import Reply as ProviderReply
from support.installation import Refused
from support.raw_upstream import wait_until
from support.web_room import COOKIE

ACCESS_S = 2
FULL = os.environ.get("ENDURANCE_SIZE") == "full"
RECHECKED_S = 95.0
"""People are asked for once a minute at the earliest, with a tenth of spread, looked at every 15 seconds."""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[AccessHouse]:
    with access_house(tmp_path, {"OSTIARY_ACCESS_TTL_S": str(ACCESS_S)}) as house:
        house.provider.token_ttl_s = 1.0
        yield house


@contextmanager
def provider_down(house: AccessHouse) -> Iterator[None]:
    house.provider.faults |= {name: ProviderReply(503) for name in ("discovery", "keys", "token", "userinfo")}
    try:
        yield
    finally:
        house.provider.faults.clear()


@contextmanager
def full_disk(house: AccessHouse) -> Iterator[None]:
    """Every write to a regular file fails in the server."""
    assert house.server.process is not None
    pid = house.server.process.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))


@pytest.mark.timeout(400)
def test_a_stream_outlives_its_tokens_and_a_provider_that_is_down(house: AccessHouse) -> None:
    tool = house.login("ana")
    first = tool.token
    running = house.work(first)
    try:
        with provider_down(house):
            asked = house.provider.counts["token"]
            time.sleep(RECHECKED_S if FULL else ACCESS_S + 1.0)
            assert house.provider.counts["token"] > asked or not FULL, "nobody was asked"
            expired = house.ask(first)
            assert (expired.status, b"token_expired" in expired.body) == (401, True)
            assert running.flows(), "the stream died with its token"
            status, _ = tool.refresh()
            assert status == 200
            assert house.ask(tool.token).status == 200
            assert not tool.console_is_over()
        assert running.flows()
        if FULL:
            house.provider.withdraw("sub-ana")
            assert running.stream_ended_within(RECHECKED_S + 5.0), "the provider says no, and the stream goes on"
            assert tool.refresh()[1]["error"] == "invalid_grant"
            assert tool.console_is_over()
    finally:
        running.close()


@pytest.mark.parametrize("when", ["before", "on the way"])
def test_on_a_full_disk_a_sign_in_is_refused_and_nothing_of_it_stays(house: AccessHouse, when: str) -> None:
    before = house.sign_in("ana")
    with ExitStack() as stack:

        def fills() -> None:
            stack.enter_context(full_disk(house))

        if when == "before":
            fills()
            browser, page = house.arrive("ben")
        else:
            browser, page = house.arrive("ben", on_the_way=fills)
        assert page.status == 503, page.text
        assert COOKIE not in browser.cookies
        assert "Traceback" not in page.text
        assert "Try again" in page.text or "disk" in page.text, page.text
        assert before.get("/account").status == 200, "who was signed in is thrown out"
    names = [user["name"] for user in house.server.api("GET", "/users")["users"]]
    assert names == ["ana@example.com"], "half a user"
    assert wait_until(lambda: house.server.ready(), 15)
    assert house.sign_in("ben").get("/account").status == 200


def test_on_a_full_disk_a_tool_is_told_to_come_again_and_then_gets_its_token(house: AccessHouse) -> None:
    tool = house.login("ana")
    with full_disk(house):
        status, document = tool.refresh()
        assert (status, document["error"]) == (503, "temporarily_unavailable")
    assert wait_until(house.server.ready, 15)
    status, document = tool.refresh()
    assert status == 200, document
    assert house.ask(tool.token).status == 200


def test_on_a_full_disk_an_end_is_not_promised_and_comes_when_asked_again(house: AccessHouse) -> None:
    tool = house.login("ana")
    with full_disk(house):
        with pytest.raises(Refused) as refused:
            house.server.api("POST", f"/users/{tool.user_id}/deactivate")
        assert refused.value.status == 503
        assert refused.value.problem["code"]
    assert wait_until(house.server.ready, 15)
    house.server.api("POST", f"/users/{tool.user_id}/deactivate")
    assert house.ask(tool.token).status == 401
    assert tool.refresh()[1]["error"] == "invalid_grant"
