"""A disk that is full, read-only or gone, files taken away, and processes killed: nothing durable is lost, and nothing
is accepted that is not durable."""

import asyncio
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from chronicle_house import index_of, intent, lines, make, opened, outcome, run, until, verdict

from ostiary.adapters.chronicle import Chronicle, health, log_writer, publisher, recorder
from ostiary.adapters.chronicle import chronicle as chronicle_module
from ostiary.adapters.chronicle.files import GrowingFile
from ostiary.model.errors import IntegrityError, OperatorError, OstiaryError, StorageUnavailableError


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (health, log_writer, publisher, recorder):
        monkeypatch.setattr(module, "RETRY_S", 0.02)


class Disk:
    """Takes nothing more while it is full: a small file system of its own, or a limit on this process's files."""

    def __init__(self, path: Path, *, mounted: bool) -> None:
        self.home = path / "home"
        self._path = path
        self._filler = path / "filler"
        self._mounted = mounted and mount("-t", "tmpfs", "-o", "size=2m", "tmpfs", str(path))

    def full(self) -> None:
        if not self._mounted:
            limit_files(1)
            return
        with suppress(OSError), self._filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))

    def works(self) -> None:
        if self._mounted:
            self._filler.unlink(missing_ok=True)
        else:
            limit_files(None)

    def close(self) -> None:
        self.works()
        if self._mounted:
            subprocess.run(["umount", "-l", str(self._path)], capture_output=True, check=True)


def mount(*arguments: str) -> bool:
    """Whether this was mounted; not everybody may."""
    try:
        return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def limit_files(size: int | None) -> None:
    """No file of this process grows beyond `size` bytes."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard if size is None else size, hard))


@pytest.fixture(params=["small file system", "file size limit"])
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Disk]:
    path = tmp_path / "disk"
    path.mkdir()
    disk = Disk(path, mounted=request.param == "small file system")
    yield disk
    disk.close()


async def refused_intents(chronicle: Chronicle, count: int = 40) -> int:
    """How many of `count` large intents are refused; the others are durable."""
    failed = 0
    for number in range(count):
        try:
            await chronicle.intend({**intent(f"probe{number}"), "target": "/" + "x" * 4000})
        except StorageUnavailableError:
            failed += 1
    return failed


def test_a_disk_that_takes_nothing_refuses_intents_keeps_notes_and_recovers(disk: Disk) -> None:
    async def scene() -> None:
        told: list[bool] = []
        async with opened(disk.home, checkpoint_interval_s=0.05) as chronicle:
            chronicle.on_health(told.append)
            await chronicle.intend(intent("before"))
            await chronicle.checkpoint()
            disk.full()
            assert await refused_intents(chronicle) >= 38
            assert not chronicle.healthy
            assert "log" in chronicle.reasons
            with pytest.raises(StorageUnavailableError, match="cannot be written"):
                await chronicle.intend(intent("no"))
            with pytest.raises(StorageUnavailableError):
                await chronicle.checkpoint()
            for number in range(30):
                chronicle.note({"v": 1, "type": "exchange.refused", "exchange": f"note{number}", "pad": "x" * 400})
            chronicle.conclude("before", [(0, 1, b"x" * 5000)], outcome("before"))
            await asyncio.sleep(0.1)
            assert not chronicle.healthy
            disk.works()
            await until(lambda: chronicle.healthy and chronicle.unwritten_bytes == 0 == chronicle.backlog_bytes)
            assert (await chronicle.intend(intent("after"))).index == chronicle.size - 1
            assert told == [False, True] or (told[0], told[-1]) == (False, True)
            await until(lambda: index_of(chronicle).exchange("before")["state"] == "complete")
            assert index_of(chronicle).read_recording("before") == [(0, 1, b"x" * 5000)]

    run(scene())
    kinds = [json.loads(line)["type"] for line in lines(disk.home)]
    assert kinds.count("exchange.refused") == 30
    assert kinds.count("log.resumed") >= 1
    assert not any(b'"no"' in line for line in lines(disk.home))
    assert verdict(disk.home).whole


def test_a_write_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    file = GrowingFile(tmp_path / "log")
    file.append(b"whole\n", sync=True)
    limit_files(10)
    try:
        with pytest.raises(OSError, match="too large"):  # after four bytes
            file.append(b"more than fits\n", sync=True)
        assert (tmp_path / "log").read_bytes() == b"whole\n"
    finally:
        limit_files(None)
    file.append(b"again\n", sync=True)
    file.close()
    assert (tmp_path / "log").read_bytes() == b"whole\nagain\n"


def test_a_disk_that_is_full_at_start_is_one_sentence(disk: Disk) -> None:
    async def scene() -> None:
        (disk.home / "audit").mkdir(parents=True)
        (disk.home / "recordings").mkdir()
        disk.full()
        with pytest.raises(OperatorError, match=r"cannot be (used|opened)"):
            make(disk.home).start()
        disk.works()
        async with opened(disk.home) as chronicle:
            await chronicle.intend(intent("e1"))

    run(scene())


def test_a_read_only_home_is_refused_at_start(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path):
            pass
        read_only = mount("--bind", "-o", "ro", str(tmp_path), str(tmp_path))
        if not read_only:  # mounting is not for everybody: put something in the way instead
            (tmp_path / "audit" / "lock").unlink()
            (tmp_path / "audit" / "lock").mkdir()
        try:
            with pytest.raises(OperatorError, match="cannot be used"):
                make(tmp_path).start()
        finally:
            if read_only:
                subprocess.run(["umount", str(tmp_path)], check=True)

    run(scene())


def test_a_log_that_was_moved_away_is_not_written_into_nowhere(tmp_path: Path) -> None:
    path, away = tmp_path / "audit" / "entries-000001.log", tmp_path / "away"

    async def scene() -> None:
        async with opened(tmp_path) as chronicle:
            await chronicle.intend(intent("e1"))
            path.rename(away)
            with pytest.raises(StorageUnavailableError):
                await chronicle.intend(intent("e2"))
            chronicle.note({"v": 1, "type": "admin.kept"})
            assert not chronicle.healthy
            path.write_bytes(away.read_bytes())  # a copy is not the file that is being written
            await asyncio.sleep(0.05)
            assert not chronicle.healthy
            away.rename(path)
            await until(lambda: chronicle.healthy)
            await chronicle.intend(intent("e3"))

    run(scene())
    kinds = [json.loads(line)["type"] for line in lines(tmp_path)]
    assert kinds == ["log.opened", "exchange.intent", "admin.kept", "log.resumed", "exchange.intent"]
    assert verdict(tmp_path).whole


def test_a_log_cut_while_it_is_written_is_refused_now_and_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "audit" / "entries-000001.log"

    async def scene() -> None:
        chronicle = make(tmp_path)
        chronicle.start()
        for number in range(3):
            await chronicle.intend(intent(f"e{number}"))
        await chronicle.checkpoint()
        os.truncate(path, path.stat().st_size - 10)
        with pytest.raises(StorageUnavailableError):
            await chronicle.intend(intent("e4"))
        await asyncio.sleep(0.05)
        assert not chronicle.healthy
        await chronicle.stop()
        with pytest.raises(IntegrityError):
            make(tmp_path).start()

    run(scene())
    assert (verdict(tmp_path).problem, verdict(tmp_path).index) == ("edited", 3)


def test_lines_that_somebody_else_appends_do_not_become_entries(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path) as chronicle:
            await chronicle.intend(intent("e1"))
            with (tmp_path / "audit" / "entries-000001.log").open("ab") as file:
                file.write(b'{"v":1,"type":"forged"}\n')
            with pytest.raises(StorageUnavailableError):
                await chronicle.intend(intent("e2"))
            await until(lambda: chronicle.healthy)
            await chronicle.intend(intent("e3"))

    run(scene())
    assert verdict(tmp_path).whole
    assert not any(b"forged" in line for line in lines(tmp_path))


def test_recordings_that_cannot_be_written_stop_intents_and_are_kept(tmp_path: Path) -> None:
    frames = [(0, 1, b"answer")]

    async def scene() -> None:
        async with opened(tmp_path) as chronicle:
            await chronicle.intend(intent("e1"))
            chronicle.record("e1", frames)
            await until(lambda: chronicle.backlog_bytes == 0)
            shutil.rmtree(tmp_path / "recordings")
            chronicle.conclude("e1", frames, outcome("e1"))
            await chronicle.intend(intent("e2"))
            chronicle.conclude("e2", frames, outcome("e2"))
            await until(lambda: not chronicle.healthy)
            assert list(chronicle.reasons) == ["recordings"]
            with pytest.raises(StorageUnavailableError, match="recordings"):
                await chronicle.intend(intent("e3"))
            assert chronicle.backlog_bytes > 0
            (tmp_path / "recordings").mkdir()
            await until(lambda: chronicle.healthy and chronicle.size == 5)
            assert chronicle.backlog_bytes == 0
            index = index_of(chronicle)
            assert index.read_recording("e2") == frames
            with pytest.raises(IntegrityError):  # its first part is gone with the directory
                index.read_recording("e1")

    run(scene())
    assert verdict(tmp_path).whole


def test_checkpoints_that_cannot_be_written_stop_intents_too(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path, checkpoint_interval_s=0.01) as chronicle:
            await chronicle.checkpoint()
            (tmp_path / "audit" / "checkpoints").rename(tmp_path / "away")
            await chronicle.intend(intent("e1"))
            await until(lambda: not chronicle.healthy)
            assert list(chronicle.reasons) == ["checkpoints"]
            (tmp_path / "away").rename(tmp_path / "audit" / "checkpoints")
            await until(lambda: chronicle.healthy)
            await chronicle.intend(intent("e2"))

    run(scene())
    assert verdict(tmp_path).whole


def test_notes_beyond_memory_are_counted_and_the_counts_are_an_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chronicle_module, "UNWRITTEN_MAX_BYTES", 3000)
    path, away = tmp_path / "audit" / "entries-000001.log", tmp_path / "away"

    async def scene() -> None:
        async with opened(tmp_path) as chronicle:
            await chronicle.intend(intent("e1"))
            path.rename(away)
            for _ in range(100):
                chronicle.note({"v": 1, "type": "exchange.refused", "pad": "x" * 100})
            assert chronicle.unwritten_bytes < 3300
            away.rename(path)
            await until(lambda: chronicle.unwritten_bytes == 0 and chronicle.healthy)
            chronicle.note({"v": 1, "type": "exchange.refused"})

    run(scene())
    entries = [json.loads(line) for line in lines(tmp_path)]
    kept = sum(entry["type"] == "exchange.refused" for entry in entries) - 1
    counted = next(entry for entry in entries if entry["type"] == "log.counted")
    assert counted["detail"] == {"counts": {"exchange.refused": 100 - kept}}


def test_a_defect_in_a_thread_is_heard_and_nobody_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        async with opened(tmp_path) as chronicle:
            await chronicle.intend(intent("e1"))
            monkeypatch.setattr(log_writer.LogWriter, "_commit", lambda *_: 1 / 0)
            chronicle.note({"v": 1, "type": "admin.x"})
            await until(lambda: not chronicle.healthy)
            with pytest.raises(OstiaryError):
                await chronicle.intend(intent("e2"))

    run(scene())
    monkeypatch.undo()
    assert verdict(tmp_path, unsigned_allowed=True).whole


WRITER = """
import asyncio, os, sys
sys.path[:0] = sys.argv[2:]
from pathlib import Path
from chronicle_house import intent, make, outcome
async def scene():
    chronicle = make(Path(sys.argv[1]), checkpoint_interval_s=0.01, audit_segment_bytes=20_000)
    chronicle.start()
    async def exchanges(worker):
        for number in range(1_000_000):
            name = f"{os.getpid()}.{worker}.{number}"
            receipt = await chronicle.intend(intent(name))
            os.write(1, f"{receipt.index} {name}\\n".encode())
            chronicle.conclude(name, [(0, 1, name.encode() * 30)], outcome(name))
    await asyncio.gather(*(exchanges(worker) for worker in range(8)))
asyncio.run(scene())
"""


def test_no_durable_entry_is_lost_however_often_the_process_is_killed(tmp_path: Path) -> None:
    for round_ in range(3):
        command = [sys.executable, "-c", WRITER, str(tmp_path), str(Path(__file__).parent)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            time.sleep(0.03 * round_)
            process.send_signal(signal.SIGKILL)
            reported = [first, *process.stdout.readlines()]
        entries = lines(tmp_path)
        for line in reported:
            if line.endswith(b"\n"):
                index, name = line.decode().split()
                entry = json.loads(entries[int(index)])
                assert (entry["type"], entry["exchange"]) == ("exchange.intent", name)

    async def scene() -> None:
        async with opened(tmp_path) as chronicle:
            index = index_of(chronicle)
            states = {row["state"] for row in index.session("s1")["exchanges"]}
            assert states == {"complete", "outcome unknown"}
            done = next(row["id"] for row in index.session("s1")["exchanges"] if row["state"] == "complete")
            assert index.read_recording(done) == [(0, 1, done.encode() * 30)]

    run(scene())
    assert verdict(tmp_path).whole
