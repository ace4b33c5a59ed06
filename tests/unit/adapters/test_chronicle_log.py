"""The log as written, taken up again, and refused when it is not what was published."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from chronicle_house import intent, lines, make, opened, run, until, verdict

from ostiary.adapters.chronicle import Chronicle
from ostiary.adapters.chronicle.files import Places
from ostiary.adapters.chronicle.opening import open_log
from ostiary.model.errors import IntegrityError, OperatorError, StorageUnavailableError
from ostiary.settings import Settings
from ostiary.vault.sealing import RootKey


def test_a_receipt_means_that_the_entry_is_in_the_file_at_its_index(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path) as chronicle:
            futures = [chronicle.intend(intent(f"e{number}")) for number in range(200)]
            for number, future in enumerate(futures):
                receipt = await future
                assert json.loads(lines(tmp_path)[receipt.index])["exchange"] == f"e{number}"
            assert chronicle.size == 201
            assert chronicle.unwritten_bytes == 0

    run(scene())
    judged = verdict(tmp_path)
    assert (judged.whole, judged.entries, judged.signed) == (True, 201, 201)


def test_a_checkpoint_on_request_counts_everything_accepted(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path, checkpoint_interval_s=3600.0) as chronicle:
            for number in range(5):
                chronicle.note({"v": 1, "type": "admin.rule.add", "id": number})
            note = await chronicle.checkpoint()
            assert note.startswith(b"ostiary/test\n6\n")
            assert await chronicle.checkpoint() == note == chronicle.last_checkpoint
            assert verdict(tmp_path).signed == 6

    run(scene())


def test_checkpoints_follow_growth_by_themselves(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path, checkpoint_interval_s=0.02) as chronicle:
            await chronicle.intend(intent("e1"))
            await until(lambda: b"\n2\n" in chronicle.last_checkpoint)
            await chronicle.intend(intent("e2"))
            await until(lambda: b"\n3\n" in chronicle.last_checkpoint)

    run(scene())


def test_a_restart_goes_on_in_the_same_tree_over_several_files(tmp_path: Path) -> None:
    async def scene() -> None:
        for start in range(3):
            async with opened(tmp_path, audit_segment_bytes=1000) as chronicle:
                assert chronicle.first_own_index == (0 if start == 0 else 1 + start * 8)
                for number in range(8):
                    await chronicle.intend(intent(f"e{start}.{number}"))

    run(scene())
    assert len(list((tmp_path / "audit").glob("entries-*.log"))) > 3
    assert (verdict(tmp_path).whole, verdict(tmp_path).entries) == (True, 25)


def test_only_one_process_writes_a_log(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path):
            with pytest.raises(OperatorError, match="Another process"):
                make(tmp_path).start()
        async with opened(tmp_path):
            pass

    run(scene())


def test_a_home_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")

    async def scene() -> None:
        with pytest.raises(OperatorError, match="cannot be used"):
            make(tmp_path / "home").start()

    run(scene())


def test_another_root_key_opens_nothing_and_changes_nothing(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path) as chronicle:
            await chronicle.intend(intent("e1"))
        before = {path.name: path.read_bytes() for path in (tmp_path / "audit").iterdir()}
        loop = asyncio.get_running_loop()
        other = Chronicle(tmp_path, loop, Settings(), RootKey(bytes(32)), "test", lambda: 0.0)
        with pytest.raises(IntegrityError):
            other.start()
        assert {path.name: path.read_bytes() for path in (tmp_path / "audit").iterdir()} == before
        async with opened(tmp_path):  # the lock was let go
            pass

    run(scene())


def test_a_lost_signing_key_is_not_replaced_in_silence(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path) as chronicle:
            await chronicle.intend(intent("e1"))
        (tmp_path / "audit" / "signing-key").unlink()
        with pytest.raises(IntegrityError, match="signing key is missing"):
            make(tmp_path).start()

    run(scene())


def test_a_changed_signing_key_signs_on_and_the_old_checkpoints_verify(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path) as chronicle:
            await chronicle.intend(intent("e1"))
            await chronicle.checkpoint()
            new = await chronicle.rotate_signing_key()
            assert chronicle.last_checkpoint.count(b"\xe2\x80\x94") == 2  # both keys sign the change
            assert chronicle.keys_text().splitlines()[1] == new
            await chronicle.intend(intent("e2"))
            assert (await chronicle.checkpoint()).count(b"\xe2\x80\x94") == 1
        async with opened(tmp_path) as chronicle:
            await chronicle.intend(intent("e3"))

    run(scene())
    assert (verdict(tmp_path).whole, verdict(tmp_path).checkpoints) == (True, 4)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A stopped installation with 21 signed entries in several files."""

    async def scene() -> None:
        async with opened(tmp_path, audit_segment_bytes=2000) as chronicle:
            for number in range(20):
                await chronicle.intend(intent(f"e{number}"))

    run(scene())
    return tmp_path


def refused(home: Path) -> IntegrityError:
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}

    async def scene() -> IntegrityError:
        with pytest.raises(IntegrityError) as raised:
            make(home).start()
        return raised.value

    error = asyncio.run(scene())
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before
    assert error.next_step
    return error


def last_file(home: Path) -> Path:
    return max((home / "audit").glob("entries-*.log"))


def test_a_log_shorter_than_its_checkpoint_is_refused_at_start(home: Path) -> None:
    *whole, _ = last_file(home).read_bytes().splitlines(keepends=True)
    last_file(home).write_bytes(b"".join(whole))
    error = refused(home)
    assert (error.index, "21" in str(error)) == (20, True)
    assert verdict(home).index == 20


def test_a_missing_file_is_refused_at_start(home: Path) -> None:
    (home / "audit" / "entries-000002.log").unlink()
    assert "entries-000002.log is missing" in str(refused(home))


def test_a_missing_last_file_is_refused_at_start(home: Path) -> None:
    last_file(home).unlink()
    assert refused(home).index is not None


def test_entries_put_back_to_an_older_copy_are_refused_at_start(tmp_path: Path) -> None:
    copy = tmp_path / "copy.log"

    async def scene() -> None:
        async with opened(tmp_path) as chronicle:
            await chronicle.intend(intent("e1"))
            await chronicle.checkpoint()
            shutil.copy(last_file(tmp_path), copy)
            await chronicle.intend(intent("e2"))

    run(scene())
    shutil.copy(copy, last_file(tmp_path))
    assert refused(tmp_path).index == 2


def test_an_edited_entry_is_refused_when_the_whole_log_is_read(home: Path) -> None:
    (home / "audit" / "frontier").unlink()
    path = home / "audit" / "entries-000001.log"
    path.write_bytes(path.read_bytes().replace(b'"e3"', b'"x3"'))
    assert refused(home).index == 4
    (home / "audit" / "hashes").unlink()
    assert "checkpoint" in str(refused(home))


@pytest.mark.parametrize("name", ["frontier", "hashes"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"\x00" * 10])
def test_what_can_be_derived_is_made_again(home: Path, name: str, content: bytes | None) -> None:
    path = home / "audit" / name
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)

    async def scene() -> None:
        async with opened(home) as chronicle:
            assert (await chronicle.intend(intent("later"))).index == 21

    run(scene())
    assert (verdict(home).whole, verdict(home).entries) == (True, 22)
    assert len((home / "audit" / "hashes").read_bytes()) == 22 * 32


def test_a_cut_checkpoint_is_cut_off(home: Path) -> None:
    path = home / "audit" / "checkpoints"
    whole = path.read_bytes()
    for cut in range(1, 60):
        path.write_bytes(whole + whole[:cut])
        opened_log = open_log(Places(home))
        opened_log.file.close()
        assert path.read_bytes() == whole


def test_an_incomplete_last_line_is_cut_off_and_the_cut_is_an_entry(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path) as chronicle:
            await chronicle.intend(intent("e1"))
        with last_file(tmp_path).open("ab") as file:
            file.write(b'{"v":1}\n{"v":1,"ty')
        async with opened(tmp_path) as chronicle:
            await chronicle.intend(intent("e2"))

    run(scene())
    recovered = json.loads(lines(tmp_path)[3])
    assert (recovered["type"], recovered["detail"]) == ("log.recovered", {"cut_bytes": 10, "unsigned_entries": 1})
    assert (verdict(tmp_path).whole, verdict(tmp_path).entries) == (True, 5)


def test_waiting_ends_when_the_log_grows_or_the_time_is_over(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path) as chronicle:
            await until(lambda: chronicle.size == 1)
            assert await chronicle.wait_for_more(0, 5.0)
            assert not await chronicle.wait_for_more(1, 0.02)
            waiting = asyncio.create_task(chronicle.wait_for_more(1, 5.0))
            await asyncio.sleep(0)
            chronicle.note({"v": 1, "type": "admin.x"})
            assert await waiting

    run(scene())


def test_after_stop_nothing_is_accepted(tmp_path: Path) -> None:
    async def scene() -> None:
        chronicle = make(tmp_path)
        chronicle.start()
        await chronicle.stop()
        await chronicle.stop()
        with pytest.raises(StorageUnavailableError):
            await chronicle.intend(intent("e1"))
        with pytest.raises(StorageUnavailableError):
            await chronicle.checkpoint()

    run(scene())
