"""Recordings in segments: read back, checked against the log, erased."""

import json
from pathlib import Path

import pytest
from chronicle_house import index_of, intent, lines, opened, outcome, run, until, verdict

from ostiary.adapters.chronicle import chronicle as chronicle_module
from ostiary.adapters.chronicle import segments
from ostiary.model.errors import IntegrityError, NotFoundError, StorageUnavailableError
from ostiary.ports import Frame

SECRET_WORD = b"unmistakable-words-of-a-prompt"
FRAMES: list[Frame] = [
    (0, 2, b"GET /v1/models HTTP/1.1\r\n\r\n"),
    (70, 3, b"HTTP/1.1 200 OK\r\n\r\n"),
    (80, 1, SECRET_WORD),
]


def segment_files(home: Path) -> list[Path]:
    return sorted((home / "recordings").glob("segment-*.rec"))


def test_a_recording_comes_back_and_the_disk_shows_nothing_of_it(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path) as chronicle:
            await chronicle.intend(intent("e1"))
            chronicle.conclude("e1", FRAMES, outcome("e1"))
            await until(lambda: chronicle.size == 3)
            index = index_of(chronicle)
            assert index.read_recording("e1") == FRAMES
            recorded = index.exchange("e1")["outcome"]["recording"]
            assert recorded["parts"] == 1
            assert recorded["bytes"] == sum(len(frame[2]) for frame in FRAMES)
            assert chronicle.backlog_bytes == 0

    run(scene())
    assert not any(SECRET_WORD in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_parts_of_long_exchanges_interleave_and_outlive_segments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 4000)

    async def scene() -> None:
        async with opened(tmp_path) as chronicle:
            for name in ("e1", "e2"):
                await chronicle.intend(intent(name))
            for number in range(30):
                for name in ("e1", "e2"):
                    chronicle.record(name, [(number, 1, f"{name}:{number};".encode() * 20)])
                if number % 7 == 0:
                    await until(lambda: chronicle.backlog_bytes == 0)
            chronicle.conclude("e1", [], outcome("e1"))
            chronicle.conclude("e2", [(99, 1, b"end")], outcome("e2", "cut"))
            await until(lambda: chronicle.size == 5)
            index = index_of(chronicle)
            assert len(segment_files(tmp_path)) > 2
            assert [frame[0] for frame in index.read_recording("e1")] == list(range(30))
            assert index.read_recording("e2")[-1] == (99, 1, b"end")
            assert index.exchange("e1")["outcome"]["recording"]["parts"] == 30
            assert [index.exchange(name)["state"] for name in ("e1", "e2")] == ["complete", "cut"]

    run(scene())
    assert verdict(tmp_path).whole


def test_a_running_recording_can_be_read_so_far_and_after_a_restart(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path) as chronicle:
            await chronicle.intend(intent("e1"))
            chronicle.record("e1", FRAMES[:2])
            await until(lambda: chronicle.backlog_bytes == 0)
            assert index_of(chronicle).read_recording("e1") == FRAMES[:2]
        async with opened(tmp_path) as chronicle:
            assert index_of(chronicle).read_recording("e1") == FRAMES[:2]
            assert index_of(chronicle).exchange("e1")["state"] == "outcome unknown"

    run(scene())


def test_an_exchange_without_frames_has_no_recording(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path) as chronicle:
            await chronicle.intend(intent("e1"))
            chronicle.conclude("e1", [], outcome("e1"))
            await until(lambda: chronicle.size == 3)
            assert index_of(chronicle).exchange("e1")["outcome"]["recording"] == {"bytes": 0, "parts": 0, "root": None}
            with pytest.raises(NotFoundError):
                index_of(chronicle).read_recording("e1")
            with pytest.raises(NotFoundError):
                index_of(chronicle).erase_recording("e1")
        assert segment_files(tmp_path) == []

    run(scene())


def test_an_erased_recording_is_gone_for_good_and_the_log_still_verifies(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path) as chronicle:
            for name in ("e1", "e2"):
                await chronicle.intend(intent(name))
                chronicle.record(name, FRAMES)
                chronicle.conclude(name, FRAMES, outcome(name))
            await until(lambda: chronicle.size == 5)
            index = index_of(chronicle)
            before = segment_files(tmp_path)[0].read_bytes()
            assert index.erase_recording("e1") == 2
            after = segment_files(tmp_path)[0].read_bytes()
            assert len(after) == len(before)
            assert sum(old != new for old, new in zip(before, after, strict=True)) > 200
            with pytest.raises(NotFoundError, match="erased"):
                index.read_recording("e1")
            assert index.read_recording("e2") == FRAMES * 2
            index.close()
            (tmp_path / "index.db").unlink()
            with pytest.raises(NotFoundError, match="erased"):
                index_of(chronicle).read_recording("e1")

    run(scene())
    assert verdict(tmp_path).whole


@pytest.mark.parametrize("at", [0, 30, 90, 120, 200, -1])
def test_a_changed_segment_is_noticed(tmp_path: Path, at: int) -> None:
    async def scene() -> None:
        async with opened(tmp_path) as chronicle:
            await chronicle.intend(intent("e1"))
            chronicle.conclude("e1", FRAMES, outcome("e1"))
            await until(lambda: chronicle.size == 3)
            path = segment_files(tmp_path)[0]
            data = bytearray(path.read_bytes())
            data[at] ^= 1
            path.write_bytes(data)
            with pytest.raises((IntegrityError, NotFoundError)):
                index_of(chronicle).read_recording("e1")

    run(scene())


def test_parts_that_were_cut_off_the_end_are_missed(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path) as chronicle:
            await chronicle.intend(intent("e1"))
            chronicle.record("e1", FRAMES)
            chronicle.conclude("e1", FRAMES, outcome("e1"))
            await until(lambda: chronicle.size == 3)
            path = segment_files(tmp_path)[0]
            path.write_bytes(path.read_bytes()[:-1])
            with pytest.raises(IntegrityError):
                index_of(chronicle).read_recording("e1")
            path.unlink()
            with pytest.raises(IntegrityError):
                index_of(chronicle).read_recording("e1")

    run(scene())


def test_frames_that_cannot_be_written_end_nobody_elses_recording(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path) as chronicle:
            chronicle.conclude("bad", [(-1, 1, b"x")], outcome("bad"))
            chronicle.conclude("worse", FRAMES, {**outcome("worse"), "detail": object()})
            chronicle.conclude("good", FRAMES, outcome("good"))
            await until(lambda: chronicle.size == 4)
            assert chronicle.backlog_bytes == 0
            assert chronicle.healthy

    run(scene())
    bad, worse, good = (json.loads(line) for line in lines(tmp_path)[1:4])
    assert bad["recording"]["parts"] == 0
    assert (worse["exchange"], worse["unwritable"], worse["recording"]["parts"]) == ("worse", True, 1)
    assert good["recording"]["parts"] == 1


def test_memory_is_bounded_when_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chronicle_module, "UNWRITTEN_MAX_BYTES", 1000)

    async def scene() -> None:
        async with opened(tmp_path) as chronicle:
            with pytest.raises(StorageUnavailableError):
                chronicle.record("e1", [(0, 1, bytes(1001))])
            chronicle.record("e1", [(0, 1, bytes(900))])
            await until(lambda: chronicle.backlog_bytes == 0)

    run(scene())
