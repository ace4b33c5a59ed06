"""Secrets from the store, the environment and files: cached, fetched once, masked on after a rotation (A29)."""

import asyncio
from pathlib import Path

import pytest

from ostiary.adapters.keeper import Keeper
from ostiary.adapters.stores.sqlite import Store
from ostiary.model.configuration import SecretReference
from ostiary.model.errors import IntegrityError, SecretUnavailableError
from ostiary.ports import OpenedSecret
from ostiary.settings import Settings
from ostiary.vault.sealing import RootKey

SETTINGS = Settings(secret_cache_s=60.0, secret_grace_s=3600.0)


class CountingStore:
    """The real store, with a count of how often it was asked."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.asked = 0

    def sealed_secrets(self, name: str) -> list[tuple[int, bytes, float | None]]:
        self.asked += 1
        return self._store.sealed_secrets(name)


class House:
    def __init__(self, home: Path) -> None:
        self.now = 1_000_000.0
        self.store = Store(home / "ostiary.db")
        self.counting = CountingStore(self.store)
        self.keeper = self.another_keeper(RootKey(bytes(range(32))))

    def another_keeper(self, root_key: RootKey) -> Keeper:
        return Keeper(self.counting, root_key, "house", SETTINGS, lambda: self.now)

    def set(self, name: str, version: int, value: bytes) -> None:
        self.store.put_sealed_secret(name, version, self.keeper.seal(name, version, value), self.now)

    def declare(self, *references: SecretReference) -> None:
        self.keeper.declare(references)

    def open(self, name: str) -> OpenedSecret:
        return asyncio.run(self.keeper.open(name))


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def values(opened: OpenedSecret) -> list[bytes]:
    assert opened.masked[0] is opened.current
    return [secret.reveal_for_injection() for secret in opened.masked]


def test_a_stored_secret_opens_with_its_version(house: House) -> None:
    house.declare(SecretReference("key", "stored"))
    house.set("key", 1, b"first-value")
    opened = house.open("key")
    assert values(opened) == [b"first-value"]
    assert (opened.current.name, opened.current.version) == ("key", 1)


def test_peek_gives_only_what_is_fresh(house: House) -> None:
    house.declare(SecretReference("key", "stored"))
    house.set("key", 1, b"first-value")
    assert house.keeper.peek("key") is None
    opened = house.open("key")
    assert house.keeper.peek("key") is opened
    house.now += 61
    assert house.keeper.peek("key") is None


def test_the_same_object_is_given_while_nothing_changed(house: House) -> None:
    house.declare(SecretReference("key", "stored"))
    house.set("key", 1, b"first-value")
    opened = house.open("key")
    house.now += 61
    assert house.open("key") is opened
    house.declare(SecretReference("key", "stored"))
    assert house.keeper.peek("key") is None
    assert house.open("key") is opened


def test_many_who_ask_at_once_cause_one_fetch(house: House) -> None:
    house.declare(SecretReference("key", "stored"))
    house.set("key", 1, b"first-value")

    async def crowd() -> list[OpenedSecret]:
        return list(await asyncio.gather(*(house.keeper.open("key") for _ in range(50))))

    opened = asyncio.run(crowd())
    assert house.counting.asked == 1
    assert all(each is opened[0] for each in opened)


def test_the_replaced_version_is_masked_while_in_grace(house: House) -> None:
    house.declare(SecretReference("key", "stored"))
    house.set("key", 1, b"first-value")
    house.open("key")
    house.now += 100
    house.set("key", 2, b"second-value")
    opened = house.open("key")
    assert values(opened) == [b"second-value", b"first-value"]
    house.now += 3700
    assert values(house.open("key")) == [b"second-value"]


def test_the_replaced_version_is_masked_after_a_restart_too(house: House) -> None:
    house.declare(SecretReference("key", "stored"))
    house.set("key", 1, b"first-value")
    house.set("key", 2, b"second-value")
    house.keeper = house.another_keeper(RootKey(bytes(range(32))))
    house.declare(SecretReference("key", "stored"))
    assert values(house.open("key")) == [b"second-value", b"first-value"]


def test_a_file_is_read_again_and_its_former_value_masked(house: House, tmp_path: Path) -> None:
    path = tmp_path / "key.txt"
    path.write_bytes(b"first-value\n")
    house.declare(SecretReference("key", "file", str(path)))
    first = house.open("key")
    assert values(first) == [b"first-value"]
    path.write_bytes(b"second-value\r\n")
    assert house.keeper.peek("key") is first
    house.now += 61
    second = house.open("key")
    assert values(second) == [b"second-value", b"first-value"]
    assert (first.current.version, second.current.version) == (1, 2)
    house.now += 3601
    assert values(house.open("key")) == [b"second-value"]


def test_a_value_that_comes_back_is_masked_once(house: House, tmp_path: Path) -> None:
    path = tmp_path / "key"
    house.declare(SecretReference("key", "file", str(path)))
    for value in (b"first-value", b"second-value", b"first-value"):
        path.write_bytes(value)
        house.now += 61
        opened = house.open("key")
    assert values(opened) == [b"first-value", b"second-value"]


def test_the_environment(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTIARY_TEST_KEY", "from-the-environment")
    house.declare(SecretReference("key", "env", "OSTIARY_TEST_KEY"))
    assert values(house.open("key")) == [b"from-the-environment"]


def test_the_former_value_is_masked_when_the_provider_changes(house: House, tmp_path: Path) -> None:
    house.declare(SecretReference("key", "stored"))
    house.set("key", 1, b"stored-value")
    house.open("key")
    path = tmp_path / "key"
    path.write_bytes(b"file-value")
    house.declare(SecretReference("key", "file", str(path)))
    assert values(house.open("key")) == [b"file-value", b"stored-value"]


@pytest.mark.parametrize("content", [b"", b"tooshrt", b"two\nlines here", b"umlaut \xfc\xfc\xfc", b"x" * 5000])
def test_an_unusable_file_is_named_without_its_content(house: House, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    house.declare(SecretReference("key", "file", str(path)))
    with pytest.raises(SecretUnavailableError, match="`key`") as caught:
        house.open("key")
    assert content == b"" or content.decode("latin-1") not in str(caught.value)
    assert house.keeper.peek("key") is None


def test_what_is_missing_is_named(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OSTIARY_TEST_NONE", raising=False)
    house.declare(
        SecretReference("file", "file", str(tmp_path / "none")),
        SecretReference("directory", "file", str(tmp_path)),
        SecretReference("env", "env", "OSTIARY_TEST_NONE"),
        SecretReference("stored", "stored"),
    )
    for name in ("file", "directory", "env", "stored", "undeclared"):
        with pytest.raises(SecretUnavailableError, match=name):
            house.open(name)


def test_a_failure_is_not_remembered(house: House, tmp_path: Path) -> None:
    path = tmp_path / "key"
    house.declare(SecretReference("key", "file", str(path)))
    with pytest.raises(SecretUnavailableError):
        house.open("key")
    path.write_bytes(b"first-value")
    assert values(house.open("key")) == [b"first-value"]


def test_a_removed_secret_is_forgotten(house: House) -> None:
    house.declare(SecretReference("key", "stored"))
    house.set("key", 1, b"first-value")
    house.open("key")
    house.declare()
    assert house.keeper.peek("key") is None
    with pytest.raises(SecretUnavailableError):
        house.open("key")


def test_another_root_key_and_a_moved_row_open_nothing(house: House) -> None:
    house.declare(SecretReference("key", "stored"), SecretReference("moved", "stored"))
    house.set("key", 1, b"first-value")
    house.store.put_sealed_secret("moved", 1, house.store.sealed_secrets("key")[0][1], house.now)
    with pytest.raises(IntegrityError):
        house.open("moved")
    house.keeper = house.another_keeper(RootKey(bytes(32)))
    house.declare(SecretReference("key", "stored"))
    with pytest.raises(IntegrityError):
        house.open("key")
