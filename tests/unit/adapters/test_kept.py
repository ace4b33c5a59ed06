"""What is fetched when needed: one fetch at a time, rarely; what there is is used on while there is nothing newer."""

import asyncio

import pytest

from ostiary.adapters.identity_providers.kept import AGAIN_S, FAILURE_S, Fetched, Kept
from ostiary.model.errors import UnreachableError


class Source:
    """Gives 1, 2, 3, … each fresh for 300 seconds and usable for 1000; fails while `down`."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.fetches = 0
        self.down = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.kept = Kept(self.fetch, lambda: self.now)

    async def fetch(self) -> Fetched[int]:
        self.fetches += 1
        await self.gate.wait()
        if self.down:
            raise UnreachableError("It does not answer.")
        return Fetched(self.fetches, self.now + 300, self.now + 1000)


async def test_it_is_fetched_once_and_again_when_it_is_old() -> None:
    source = Source()
    assert source.kept.peek() is None
    assert [await source.kept.get() for _ in range(3)] == [1, 1, 1]
    assert source.kept.peek() == 1
    source.now += 300
    assert source.kept.peek() is None
    assert await source.kept.get() == 2


async def test_those_who_ask_meanwhile_wait_for_the_one_fetch() -> None:
    source = Source()
    source.gate.clear()
    asking = [asyncio.create_task(each) for _ in range(50) for each in (source.kept.get(), source.kept.again())]
    await asyncio.sleep(0)
    source.gate.set()
    assert set(await asyncio.gather(*asking)) == {1}
    assert source.fetches == 1


async def test_leaving_does_not_stop_the_fetch_for_others() -> None:
    source = Source()
    source.gate.clear()
    first, second = asyncio.create_task(source.kept.get()), asyncio.create_task(source.kept.get())
    await asyncio.sleep(0)
    first.cancel()
    source.gate.set()
    assert await second == 1
    assert source.fetches == 1


async def test_again_fetches_once_a_minute_at_most() -> None:
    source = Source()
    assert await source.kept.get() == 1
    assert [await source.kept.again() for _ in range(1000)] == [1] * 1000
    source.now += AGAIN_S
    assert [await source.kept.again() for _ in range(1000)] == [2] * 1000
    assert source.fetches == 2


async def test_what_is_old_is_used_on_while_there_is_nothing_newer() -> None:
    source = Source()
    await source.kept.get()
    source.down = True
    source.now += 300
    assert await source.kept.get() == 1
    assert source.kept.peek() == 1, "until it is tried again"
    assert await source.kept.get() == 1
    assert source.fetches == 2
    source.now += AGAIN_S
    assert source.kept.peek() is None
    assert await source.kept.get() == 1
    assert source.fetches == 3
    source.now += 1000
    with pytest.raises(UnreachableError):
        await source.kept.get()
    source.down = False
    source.now += FAILURE_S
    assert await source.kept.get() == 5


async def test_a_failure_is_the_answer_for_a_while() -> None:
    source = Source()
    source.down = True
    for _ in range(100):
        with pytest.raises(UnreachableError):
            await source.kept.get()
    assert source.fetches == 1
    assert source.kept.peek() is None
    source.now += FAILURE_S
    source.down = False
    assert await source.kept.get() == 2


async def test_a_clock_that_is_set_back_does_not_make_us_wait() -> None:
    source = Source()
    source.down = True
    with pytest.raises(UnreachableError):
        await source.kept.get()
    source.now -= 100_000
    source.down = False
    assert await source.kept.get() == 2
