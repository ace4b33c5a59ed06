"""Placeholders kept: durable, sealed, the same for all who use them, and gone with their session."""

import asyncio
import gc
import sys
from pathlib import Path

import pytest

from ostiary.adapters import placeholder_book as module
from ostiary.adapters.placeholder_book import PlaceholderBook
from ostiary.adapters.stores.sealed_placeholders import NUMBERS_KEPT_S, SealedMapping, SealedPlaceholders
from ostiary.adapters.stores.sqlite import Store
from ostiary.masking.placeholders import Placeholders
from ostiary.model.errors import IntegrityError, StorageUnavailableError
from ostiary.vault.sealing import RootKey

LIFE_S = 1800.0
ADA = b"ada.lovelace@example.org"
ANNA = ("user:anna:", "se_1")
BEN = ("user:ben:", "se_1")


class House:
    def __init__(self, home: Path) -> None:
        self.now = 1_000_000.0
        self.home = home
        self.store = Store(home / "ostiary.db")
        self.book = self.another_book()

    def another_book(self, root: bytes = bytes(range(32))) -> PlaceholderBook:
        """As after a restart."""
        return PlaceholderBook(self.store.placeholders, RootKey(root), "house", LIFE_S, lambda: self.now)

    async def give(self, place: tuple[str, str], value: bytes, detector: str = "email") -> str:
        mapping = await self.book.open(*place)
        placeholder = mapping.placeholder_for(detector, value)
        await self.book.keep(*place, mapping)
        return placeholder.decode()

    async def value(self, place: tuple[str, str], placeholder: str) -> bytes | None:
        return (await self.book.open(*place)).value_of(placeholder.encode())

    def rows(self, columns: str = "*", table: str = "placeholders") -> list[tuple[object, ...]]:
        return self.store._database.rows(f"SELECT {columns} FROM {table}")

    def change(self, sql: str, *parameters: object) -> None:
        with self.store._database.writing() as connection:
            connection.execute(sql, parameters)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


class SlowStore:
    """The real table behind a door that opens when the test says so, and may be stuck once."""

    def __init__(self, inner: SealedPlaceholders) -> None:
        self.inner = inner
        self.puts = 0
        self.fail = False
        self.gate = asyncio.Event()
        self.loop = asyncio.get_running_loop()

    def find(self, mapping: bytes, now: float) -> tuple[int, bytes] | None:
        return self.inner.find(mapping, now)

    def numbers(self, actor: bytes) -> bytes | None:
        return self.inner.numbers(actor)

    def put(self, mapping: SealedMapping, now: float) -> None:
        self.puts += 1
        asyncio.run_coroutine_threadsafe(self.gate.wait(), self.loop).result()
        if self.fail:
            raise StorageUnavailableError("The disk is full.")
        self.inner.put(mapping, now)

    def tidy(self, expiries: list[tuple[bytes, float]], now: float) -> None:  # type: ignore[override]
        self.inner.tidy(expiries, now)


# -- one mapping for all


async def test_all_who_open_a_session_have_the_same_mapping(house: House) -> None:
    assert house.book.peek(*ANNA) is None
    mapping = await house.book.open(*ANNA)
    assert mapping.is_empty
    assert await house.book.open(*ANNA) is mapping
    assert house.book.peek(*ANNA) is mapping
    assert house.rows() == [], "nothing is written for a session that masks nothing"


async def test_actors_and_sessions_know_nothing_of_each_other(house: House) -> None:
    placeholder = await house.give(ANNA, ADA)
    for place in (BEN, ("user:anna:", "se_2"), ("user:anna:x", "se_1"), ("user:anna", ":se_1")):
        assert await house.value(place, placeholder) is None


async def test_what_is_kept_survives_the_process(house: House) -> None:
    assert await house.give(ANNA, ADA) == "‹email:1›"
    assert await house.give(ANNA, b"key-1", "secrets") == "‹secrets:1›"
    house.book = house.another_book()
    assert await house.value(ANNA, "‹email:1›") == ADA
    assert await house.give(ANNA, ADA) == "‹email:1›"
    assert await house.give(ANNA, b"b@example.org") == "‹email:2›"


async def test_a_number_never_means_two_things_for_one_actor(house: House) -> None:
    assert await house.give(ANNA, ADA) == "‹email:1›"
    assert await house.give(BEN, ADA) == "‹email:1›"
    assert await house.give(("user:anna:", "se_2"), b"b@example.org") == "‹email:2›"
    house.book = house.another_book()
    assert await house.give(("user:anna:", "se_3"), b"c@example.org") == "‹email:3›"
    house.now += LIFE_S + 1
    await house.book.drop_expired()
    assert await house.give(ANNA, b"d@example.org") == "‹email:4›"
    assert await house.value(ANNA, "‹email:1›") is None
    house.now += NUMBERS_KEPT_S
    house.book = house.another_book()
    await house.book.drop_expired()
    assert await house.give(ANNA, b"e@example.org") == "‹email:1›"


async def test_threads_that_mask_large_bodies_at_once_get_one_number_per_value(house: House) -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        mappings = [await house.book.open("user:anna:", f"se_{number % 2}") for number in range(4)]
        values = [b"%d@example.org" % number for number in range(400)]

        def work(mapping: Placeholders, values: list[bytes]) -> dict[bytes, bytes]:
            return {value: mapping.placeholder_for("email", value) for value in values}

        given = await asyncio.gather(
            *(asyncio.to_thread(work, mapping, values[:: (-1) ** at]) for at, mapping in enumerate(mappings)),
            *(house.book.keep("user:anna:", f"se_{number % 2}", mappings[number]) for number in range(2)),
        )
    finally:
        sys.setswitchinterval(before)
    assert given[0] == given[2]
    assert given[1] == given[3]
    assert len({*given[0].values(), *given[1].values()}) == 800
    for mapping, pairs in zip(mappings, given[:4], strict=True):
        assert all(mapping.value_of(placeholder) == value for value, placeholder in pairs.items())


# -- durable before anything goes on


async def test_keep_returns_when_everything_is_durable_also_for_those_who_come_meanwhile(house: House) -> None:
    store = SlowStore(house.store.placeholders)
    book = PlaceholderBook(store, RootKey(bytes(32)), "house", LIFE_S, lambda: house.now)
    mapping = await book.open(*ANNA)
    mapping.placeholder_for("email", ADA)
    first = asyncio.create_task(book.keep(*ANNA, mapping))
    await asyncio.sleep(0.02)
    same = asyncio.create_task(book.keep(*ANNA, mapping))
    mapping.placeholder_for("email", b"b@example.org")
    more = asyncio.create_task(book.keep(*ANNA, mapping))
    await asyncio.sleep(0.02)
    assert not any(task.done() for task in (first, same, more))
    store.gate.set()
    await asyncio.gather(first, same, more)
    assert store.puts == 2
    assert not mapping.changed
    await book.keep(*ANNA, mapping)
    assert store.puts == 2


async def test_a_failed_keep_is_told_and_the_next_one_tries_again(house: House) -> None:
    store = SlowStore(house.store.placeholders)
    store.gate.set()
    store.fail = True
    book = PlaceholderBook(store, RootKey(bytes(32)), "house", LIFE_S, lambda: house.now)
    mapping = await book.open(*ANNA)
    mapping.placeholder_for("email", ADA)
    with pytest.raises(StorageUnavailableError):
        await book.keep(*ANNA, mapping)
    assert mapping.changed
    store.fail = False
    await book.keep(*ANNA, mapping)
    assert not mapping.changed
    assert len(house.rows()) == 1


async def test_a_keep_that_was_given_up_cannot_undo_a_later_one(house: House) -> None:
    store = SlowStore(house.store.placeholders)
    book = PlaceholderBook(store, RootKey(bytes(range(32))), "house", LIFE_S, lambda: house.now)
    mapping = await book.open(*ANNA)
    mapping.placeholder_for("email", ADA)
    early = house.store.placeholders
    first = asyncio.create_task(book.keep(*ANNA, mapping))
    await asyncio.sleep(0.02)
    first.cancel()
    mapping.placeholder_for("email", b"b@example.org")
    book._store = early
    await book.keep(*ANNA, mapping)
    store.gate.set()
    await asyncio.sleep(0.05)
    assert await house.value(ANNA, "‹email:2›") == b"b@example.org"
    assert house.rows("version") == [(2,)]


# -- as long as the session lives


async def test_a_mapping_ends_with_its_session(house: House) -> None:
    await house.give(ANNA, ADA)
    house.now += LIFE_S + 1
    assert house.book.peek(*ANNA) is None
    assert await house.value(ANNA, "‹email:1›") is None
    house.book = house.another_book()
    assert await house.value(ANNA, "‹email:1›") is None, "also when the store was not swept yet"
    assert len(house.rows()) == 1
    await house.book.drop_expired()
    assert house.rows() == []


async def test_every_use_lengthens_its_life_in_the_store_too(house: House) -> None:
    await house.give(ANNA, ADA)
    for _ in range(8):
        house.now += LIFE_S / 3
        assert house.book.peek(*ANNA) is not None
        await house.book.drop_expired()
    house.now += LIFE_S / 3
    house.book = house.another_book()
    await house.book.drop_expired()
    assert await house.value(ANNA, "‹email:1›") == ADA


async def test_a_use_between_two_sweeps_is_not_forgotten(house: House) -> None:
    await house.give(ANNA, ADA)
    house.now += LIFE_S - 1
    assert house.book.peek(*ANNA) is not None
    house.now += 5
    await house.book.drop_expired()
    assert len(house.rows()) == 1
    assert await house.value(ANNA, "‹email:1›") == ADA


async def test_what_a_running_exchange_holds_lives_on(house: House) -> None:
    await house.give(ANNA, ADA)
    held = await house.book.open(*ANNA)
    house.now += 3 * LIFE_S
    await house.book.drop_expired()
    assert await house.book.open(*ANNA) is held
    held.placeholder_for("email", b"b@example.org")
    await house.book.keep(*ANNA, held)
    house.now += 3 * LIFE_S
    assert house.book.peek(*ANNA) is held
    del held
    house.now += LIFE_S + 1
    assert house.book.peek(*ANNA) is None
    await house.book.drop_expired()
    assert house.rows() == []


async def test_values_leave_memory_with_their_session(house: House) -> None:
    value = b"a-value-that-must-go-7f3a"

    def holders() -> list[Placeholders]:
        gc.collect()
        mappings = [one for one in gc.get_objects() if isinstance(one, Placeholders)]
        return [one for one in mappings if any(kept == value for kept, _ in one._values.values())]

    await house.give(ANNA, value)
    assert holders()
    house.now += LIFE_S + 1
    await house.book.drop_expired()
    assert not holders()


# -- memory


async def test_memory_holds_so_many_and_the_rest_comes_back_from_the_store(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAPPINGS_MAX", 8)
    places = [("user:anna:", f"se_{number}") for number in range(30)]
    given = {place: await house.give(place, f"{place[1]}@example.org".encode()) for place in places}
    gc.collect()
    in_memory = [place for place in places if house.book.peek(*place) is not None]
    assert len(in_memory) <= 8
    assert in_memory == places[-len(in_memory) :]
    house.now += LIFE_S / 2
    for place in places:
        assert await house.value(place, given[place]) == f"{place[1]}@example.org".encode()
    house.now += LIFE_S / 2 + 1
    await house.book.drop_expired()
    assert len(house.rows()) == 30, "their use is known in the store"


async def test_memory_is_bounded_by_size_too(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAPPINGS_MAX_BYTES", 100_000)
    for number in range(20):
        await house.give(("user:anna:", f"se_{number}"), b"x" * 20_000)
    in_memory = [number for number in range(20) if house.book.peek("user:anna:", f"se_{number}") is not None]
    assert 1 <= len(in_memory) <= 6
    assert house.book._weight == 20_000 * len(in_memory)


async def test_values_that_are_not_kept_yet_stay_in_memory(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAPPINGS_MAX", 2)
    (await house.book.open(*ANNA)).placeholder_for("email", ADA)
    for number in range(10):
        await house.book.open("user:ben:", f"se_{number}")
    assert (await house.book.open(*ANNA)).changed


async def test_a_mapping_that_is_held_is_not_opened_twice(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAPPINGS_MAX", 2)
    await house.give(ANNA, ADA)
    held = await house.book.open(*ANNA)
    for number in range(10):
        await house.give(("user:ben:", f"se_{number}"), ADA)
    assert house.book._records[ANNA].placeholders is None
    assert await house.book.open(*ANNA) is held


# -- a stolen or altered database (I05, I10)


async def test_a_stolen_database_shows_no_value_no_actor_and_no_session(house: House) -> None:
    place = ("user:anna.smith@corp.example:laptop", "se_0123456789abcdef")
    await house.give(place, ADA)
    await house.give(place, b"sk-live-9fK2mQ7xR4", "secrets")
    await house.book.drop_expired()
    house.store.close()
    stolen = b"".join(path.read_bytes() for path in house.home.iterdir())
    for value in (ADA, b"lovelace", b"sk-live", b"anna.smith", b"laptop", b"se_0123", ADA.hex().encode()):
        assert value not in stolen


async def test_rows_of_two_actors_that_were_swapped_do_not_open(house: House) -> None:
    await house.give(ANNA, ADA)
    await house.give(BEN, b"ben@example.org")
    (one, sealed_one), (two, sealed_two) = house.rows("id, sealed")
    house.change("UPDATE placeholders SET sealed = ? WHERE id = ?", sealed_two, one)
    house.change("UPDATE placeholders SET sealed = ? WHERE id = ?", sealed_one, two)
    house.book = house.another_book()
    for place in (ANNA, BEN):
        with pytest.raises(IntegrityError) as caught:
            await house.book.open(*place)
        assert b"example.org" not in str(caught.value).encode()


async def test_rows_whose_ids_were_swapped_do_not_open(house: House) -> None:
    await house.give(ANNA, ADA)
    await house.give(BEN, b"ben@example.org")
    (one,), (two,) = house.rows("id")
    for before, after in ((one, b"0" * 32), (two, one), (b"0" * 32, two)):
        house.change("UPDATE placeholders SET id = ? WHERE id = ?", after, before)
    house.book = house.another_book()
    for place in (ANNA, BEN):
        with pytest.raises(IntegrityError):
            await house.book.open(*place)


@pytest.mark.parametrize("change", ["sealed = zeroblob(200)", "version = version + 1", "sealed = substr(sealed, 2)"])
async def test_an_altered_row_does_not_open(house: House, change: str) -> None:
    await house.give(ANNA, ADA)
    house.change(f"UPDATE placeholders SET {change}")
    house.book = house.another_book()
    with pytest.raises(IntegrityError):
        await house.book.open(*ANNA)


async def test_another_root_key_or_installation_opens_nothing(house: House) -> None:
    await house.give(ANNA, ADA)
    house.book = house.another_book(bytes(32))
    with pytest.raises(IntegrityError):
        await house.book.open(*ANNA)
    house.book = PlaceholderBook(
        house.store.placeholders, RootKey(bytes(range(32))), "other", LIFE_S, lambda: house.now
    )
    with pytest.raises(IntegrityError):
        await house.book.open(*ANNA)


@pytest.mark.parametrize("how", ["older row", "no row"])
async def test_a_row_that_was_rolled_back_does_not_open(
    house: House, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(module, "MAPPINGS_MAX", 1)
    await house.give(ANNA, ADA)
    (older,) = house.rows("id, version, sealed, expires_at")
    await house.give(ANNA, b"b@example.org")
    await house.give(BEN, ADA)
    assert house.book.peek(*ANNA) is None, "it is in the store only"
    house.change("DELETE FROM placeholders WHERE id = ?", older[0])
    if how == "older row":
        house.change("INSERT INTO placeholders (id, version, sealed, expires_at) VALUES (?,?,?,?)", *older)
    with pytest.raises(IntegrityError, match="new session"):
        await house.book.open(*ANNA)


async def test_numbers_that_were_altered_are_refused(house: House) -> None:
    await house.give(ANNA, ADA)
    house.change("UPDATE placeholder_numbers SET numbers = x'7b'")
    house.book = house.another_book()
    with pytest.raises(IntegrityError):
        await house.book.open("user:anna:", "se_2")
