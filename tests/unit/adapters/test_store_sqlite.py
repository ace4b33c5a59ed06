"""The embedded store's file: private, durable, migrated, and failing in sentences."""

import errno
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ostiary.adapters.stores import migrations
from ostiary.adapters.stores.sqlite import Store
from ostiary.model.errors import OperatorError, StorageUnavailableError


def test_the_file_and_its_log_are_the_owners_alone(tmp_path: Path) -> None:
    os.umask(0o022)
    store = Store(tmp_path / "ostiary.db")
    store.set_meta("a", "b")
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    store.close()


def test_an_installation_keeps_its_id_and_its_facts(tmp_path: Path) -> None:
    first = Store(tmp_path / "ostiary.db")
    first.set_meta("a", "1")
    first.set_meta("a", "2")
    first.close()
    second = Store(tmp_path / "ostiary.db")
    assert (second.installation, second.meta("a"), second.meta("b")) == (first.installation, "2", None)
    assert len(second.installation) == 32
    second.close()


def test_configuration_versions_are_never_numbered_twice(tmp_path: Path) -> None:
    store = Store(tmp_path / "ostiary.db")
    assert store.configurations.current() is None
    assert store.configurations.add("one", 1.0, "me", "f") == 1
    assert store.configurations.add("two", 2.0, "me", "f") == 2
    store.configurations.take_back(2)
    assert store.configurations.add("three", 3.0, "me", "f") == 3
    current = store.configurations.current()
    assert current is not None
    assert (current.version, current.yaml) == (3, "three")
    store.close()


def test_a_new_secret_version_replaces_the_one_before(tmp_path: Path) -> None:
    store = Store(tmp_path / "ostiary.db")
    store.put_sealed_secret("key", 1, b"a", 10.0)
    store.put_sealed_secret("key", 2, b"b", 20.0)
    store.put_sealed_secret("key", 3, b"c", 30.0)
    assert store.sealed_secrets("key") == [(3, b"c", None), (2, b"b", 30.0), (1, b"a", 20.0)]
    assert store.sealed_secrets("other") == []
    with pytest.raises(StorageUnavailableError):
        store.put_sealed_secret("key", 3, b"d", 40.0)
    assert store.sealed_secrets("key")[0] == (3, b"c", None)
    store.close()


def test_what_was_written_survives_the_process(tmp_path: Path) -> None:
    program = (
        "import os,sys; from pathlib import Path; from ostiary.adapters.stores.sqlite import Store\n"
        "store = Store(Path(sys.argv[1])); store.set_meta('a', 'kept'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "ostiary.db")], check=False)
    store = Store(tmp_path / "ostiary.db")
    assert store.meta("a") == "kept"
    store.close()


def test_many_threads_may_write_and_read_at_once(tmp_path: Path) -> None:
    store = Store(tmp_path / "ostiary.db")
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for number in range(25):
                store.set_meta(f"{name}{number}", "x")
                assert store.meta(f"{name}{number}") == "x"
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    store.close()


def test_a_read_does_not_wait_for_a_write(tmp_path: Path) -> None:
    store = Store(tmp_path / "ostiary.db")
    with store._database.writing() as connection:
        connection.execute("INSERT INTO meta VALUES ('a', 'b')")
        seen: list[str | None] = []
        reader = threading.Thread(target=lambda: seen.append(store.meta("a")))
        reader.start()
        reader.join(5)
        assert seen == [None]
    assert store.meta("a") == "b"
    store.close()


@pytest.mark.parametrize("content", [b"not a database at all, but long enough" * 100, b"SQLite format 3\x00junk"])
def test_a_file_that_is_no_database_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ostiary.db").write_bytes(content)
    with pytest.raises(OperatorError, match=r"cannot be opened"):
        Store(tmp_path / "ostiary.db")
    assert (tmp_path / "ostiary.db").read_bytes() == content


def test_a_missing_directory_and_a_directory_in_the_way_are_sentences(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere" / "ostiary.db", tmp_path):
        with pytest.raises(OperatorError, match="cannot be opened"):
            Store(path)


def test_a_newer_schema_is_left_alone(tmp_path: Path) -> None:
    Store(tmp_path / "ostiary.db").close()
    with sqlite3.connect(tmp_path / "ostiary.db") as connection:
        connection.execute("PRAGMA user_version = 999")
    with pytest.raises(OperatorError, match="newer version"):
        Store(tmp_path / "ostiary.db")


def test_a_later_step_is_applied_to_an_older_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Store(tmp_path / "ostiary.db")
    first.close()
    next_number = migrations.MIGRATIONS[-1][0] + 1
    more = (*migrations.MIGRATIONS, (next_number, "CREATE TABLE more (x TEXT) STRICT;"))
    monkeypatch.setattr("ostiary.adapters.stores.database.MIGRATIONS", more)
    second = Store(tmp_path / "ostiary.db")
    assert second._database.row("PRAGMA user_version") == (next_number,)
    assert second.installation == first.installation
    second.close()


def test_a_failed_step_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(tmp_path / "ostiary.db").close()
    broken = (*migrations.MIGRATIONS, (999, "CREATE TABLE more (x TEXT) STRICT; CREATE TABLE more (x TEXT);"))
    monkeypatch.setattr("ostiary.adapters.stores.database.MIGRATIONS", broken)
    with pytest.raises(OperatorError):
        Store(tmp_path / "ostiary.db")
    monkeypatch.undo()
    Store(tmp_path / "ostiary.db").close()


def test_a_full_disk_is_a_sentence_and_recovers_by_itself(tmp_path: Path) -> None:
    store = Store(tmp_path / "ostiary.db")
    (pages,) = store._database.row("PRAGMA page_count")
    with store._database.writing() as connection:
        connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageUnavailableError, match="full"):
        store.set_meta("big", "x" * 1_000_000)
    assert store.meta("big") is None
    store.set_meta("big", "y" * 1_000_000)
    assert store.meta("big") is not None
    store.close()


def test_a_failed_flush_forgets_no_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "ostiary.db")
    store.tokens.used("t1", 1.0, "n")

    def refuse() -> sqlite3.Connection:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(store._database, "_writing_connection", refuse)
    with pytest.raises(StorageUnavailableError, match="Read-only file system"):
        store.tokens.flush()
    assert store.tokens._used == {"t1": (1.0, "n")}
    monkeypatch.undo()
    store.close()


def test_a_closed_store_fails_in_a_sentence(tmp_path: Path) -> None:
    store = Store(tmp_path / "ostiary.db")
    store.close()
    store.close()
    with pytest.raises(StorageUnavailableError):
        store.set_meta("a", "b")
    with pytest.raises(StorageUnavailableError):
        store.meta("a")
