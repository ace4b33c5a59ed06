"""The root key is made once, kept private, and a wrong one is named at start."""

import os
from pathlib import Path

import pytest

from ostiary.adapters.rootkey import load_or_create
from ostiary.adapters.stores.sqlite import Store
from ostiary.model.errors import OperatorError


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "ostiary.db")


def test_the_first_start_makes_it_and_the_next_finds_it(tmp_path: Path, store: Store) -> None:
    first = load_or_create(tmp_path, "", store)
    path = tmp_path / "root.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(bytes.fromhex(path.read_text().strip())) == 32
    assert load_or_create(tmp_path, "", store).check_value == first.check_value
    assert [entry.name for entry in tmp_path.iterdir() if "root" in entry.name] == ["root.key"]


def test_the_setting_replaces_the_file(tmp_path: Path, store: Store) -> None:
    key = load_or_create(tmp_path, "ab" * 32, store)
    assert not (tmp_path / "root.key").exists()
    assert load_or_create(tmp_path, "AB" * 32, store).check_value == key.check_value


def test_a_wrong_key_is_named_and_changes_nothing(tmp_path: Path, store: Store) -> None:
    load_or_create(tmp_path, "", store)
    before = (tmp_path / "root.key").read_bytes()
    with pytest.raises(OperatorError, match="did not seal this installation"):
        load_or_create(tmp_path, "cd" * 32, store)
    assert (tmp_path / "root.key").read_bytes() == before
    (tmp_path / "root.key").write_text("ef" * 32)
    with pytest.raises(OperatorError, match="did not seal this installation"):
        load_or_create(tmp_path, "", store)


def test_a_missing_key_of_an_installation_is_not_made_anew(tmp_path: Path, store: Store) -> None:
    load_or_create(tmp_path, "", store)
    (tmp_path / "root.key").unlink()
    with pytest.raises(OperatorError, match="missing"):
        load_or_create(tmp_path, "", store)
    assert not (tmp_path / "root.key").exists()


@pytest.mark.parametrize("content", ["", "00" * 31, "00" * 33, "not hex at all", "\xff\xfe"])
def test_a_damaged_file_is_refused_and_not_replaced(tmp_path: Path, store: Store, content: str) -> None:
    path = tmp_path / "root.key"
    path.write_text(content, encoding="latin-1")
    path.chmod(0o600)
    with pytest.raises(OperatorError, match="root key"):
        load_or_create(tmp_path, "", store)
    assert path.read_text(encoding="latin-1") == content


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, store: Store, mode: int) -> None:
    load_or_create(tmp_path, "", store)
    (tmp_path / "root.key").chmod(mode)
    with pytest.raises(OperatorError, match="chmod 600"):
        load_or_create(tmp_path, "", store)


def test_what_is_no_file_is_refused(tmp_path: Path, store: Store) -> None:
    (tmp_path / "root.key").mkdir(mode=0o700)
    with pytest.raises(OperatorError, match="not a file"):
        load_or_create(tmp_path, "", store)


def test_a_home_without_room_for_it_is_named(tmp_path: Path, store: Store) -> None:
    with pytest.raises(OperatorError, match="cannot be used"):
        load_or_create(tmp_path / "none", "", store)


def test_a_file_of_another_user_is_refused(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    load_or_create(tmp_path, "", store)
    if os.geteuid() == 0:
        os.chown(tmp_path / "root.key", 12345, 12345)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(OperatorError, match="not a file of this user"):
        load_or_create(tmp_path, "", store)


@pytest.mark.parametrize("text", ["ab", "zz" * 32, "ab" * 33])
def test_a_malformed_setting_is_refused_without_repeating_it(tmp_path: Path, store: Store, text: str) -> None:
    with pytest.raises(OperatorError) as caught:
        load_or_create(tmp_path, text, store)
    assert text not in str(caught.value)
