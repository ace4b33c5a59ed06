"""Questions about the log, answered from a file that can be thrown away."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
from chronicle_house import ROOT_KEY, index_of, intent, opened, outcome, run, until

from ostiary.adapters.chronicle import Chronicle, ExchangeIndex
from ostiary.adapters.chronicle import index as index_module
from ostiary.model.errors import NotFoundError


async def fill(chronicle: Chronicle) -> None:
    """Six exchanges of three sessions: s0, s1, s2, s0, s1, s2; e4 and e5 have no outcome."""
    for number in range(6):
        actor, connection = ("ana", "bo", "ana")[number % 3], ("openai", "openai", "cursor")[number % 3]
        await chronicle.intend(intent(f"e{number}", f"s{number % 3}", actor, connection))
        if number < 4:
            chronicle.conclude(f"e{number}", [(0, 1, b"x")], outcome(f"e{number}"))
            await until(lambda number=number: chronicle.size == 3 + 2 * number)  # type: ignore[misc]
    chronicle.note({**intent("r1", "s9", "bo", "openai"), "type": "exchange.refused", "status": 403, "code": "no_rule"})
    await until(lambda: chronicle.size == 12)


def test_sessions_come_newest_first_in_pages_and_by_filter(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path) as chronicle:
            await fill(chronicle)
            index = index_of(chronicle)
            rows, following = index.sessions(limit=3)
            assert [row["id"] for row in rows] == ["s9", "s2", "s1"]
            assert (rows[1]["exchanges"], rows[1]["actor"], rows[1]["connection"]) == (2, "ana", "cursor")
            rest, end = index.sessions(limit=3, cursor=following)
            assert ([row["id"] for row in rest], end) == (["s0"], None)
            assert [row["id"] for row in index.sessions(actor="bo")[0]] == ["s9", "s1"]
            assert [row["id"] for row in index.sessions(actor="ana", connection="openai")[0]] == ["s0"]
            assert index.sessions(actor="nobody") == ([], None)

    run(scene())


def test_a_session_shows_its_exchanges_with_their_state(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path) as chronicle:
            await fill(chronicle)
            index = index_of(chronicle)
            assert [(row["id"], row["state"]) for row in index.session("s1")["exchanges"]] == [
                ("e1", "complete"),
                ("e4", "running"),
            ]
            refused = index.exchange("r1")
            assert (refused["state"], refused["code"], refused["status"]) == ("refused", "no_rule", 403)
            assert refused["refused"]["type"] == "exchange.refused"
            for question in (index.session, index.exchange, index.read_recording, index.erase_recording):
                with pytest.raises(NotFoundError):
                    question("unknown")

        async with opened(tmp_path) as chronicle:  # whatever ran when the process ended has no known outcome
            assert index_of(chronicle).exchange("e4")["state"] == "outcome unknown"

    run(scene())


def test_entries_by_number_from_both_ends_and_over_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "MARK_EVERY", 4)

    async def scene() -> None:
        async with opened(tmp_path, audit_segment_bytes=1500) as chronicle:
            for number in range(30):
                await chronicle.intend(intent(f"e{number}"))
            index = index_of(chronicle)
            assert [row["index"] for row in index.entries(after=7, limit=5)] == [7, 8, 9, 10, 11]
            assert index.entries(after=7, limit=1)[0]["entry"]["exchange"] == "e6"
            assert [row["index"] for row in index.entries(after=-3)] == [28, 29, 30]
            assert index.entries(after=31) == []
            assert index.entry(0)["type"] == "log.opened"
            with pytest.raises(NotFoundError):
                index.entry(31)

    run(scene())


def test_an_index_that_is_lost_damaged_or_of_another_log_is_made_again(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path / "other") as chronicle:
            await chronicle.intend(intent("foreign", "s-foreign"))
            index = index_of(chronicle)
            index.refresh()
            index.close()
        async with opened(tmp_path / "home") as chronicle:
            await fill(chronicle)
            path = tmp_path / "home" / "index.db"
            expected = None
            for content in (None, b"", b"not a database" * 100, (tmp_path / "other" / "index.db").read_bytes()):
                path.unlink(missing_ok=True)
                if content is not None:
                    path.write_bytes(content)
                index = index_of(chronicle)
                found = index.sessions()
                expected = expected or found
                assert found == expected
                index.rebuild()
                assert index.sessions() == expected
                index.close()

    run(scene())


def test_reading_in_steps_gives_the_same_index(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path) as chronicle:
            await fill(chronicle)
            index = index_of(chronicle)
            steps = 1
            while index.refresh(2):
                steps += 1
            assert steps == 6
            assert index.session("s0")["count"] == 2

    run(scene())


def test_the_index_follows_a_quiet_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "QUIET_S", 0.02)

    async def scene() -> None:
        async with opened(tmp_path) as chronicle:
            index = index_of(chronicle)
            following = asyncio.create_task(index.follow())
            await fill(chronicle)
            await until(lambda: index._read == 12)
            chronicle.note(intent("late"))
            await until(lambda: index._read == 13)
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following

    run(scene())


def test_a_stopped_log_can_be_read_without_its_writer(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path) as chronicle:
            await fill(chronicle)
        index = ExchangeIndex(tmp_path, ROOT_KEY, "test")
        assert index.exchange("e4")["state"] == "outcome unknown"
        assert index.read_recording("e0") == [(0, 1, b"x")]
        assert not await index.wait_for_more(12, 0.0)
        assert len(index.entries(limit=100)) == 12

    run(scene())
