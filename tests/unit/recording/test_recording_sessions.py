from itertools import count

import pytest

from ostiary.recording import sessions
from ostiary.recording.sessions import SessionBook


@pytest.fixture
def book() -> SessionBook:
    numbers = count(1)
    return SessionBook(lambda: f"s{next(numbers)}", 1800.0)


def test_exchanges_belong_together_until_half_an_hour_of_silence(book: SessionBook) -> None:
    times = [0.0, 1700.0, 3400.0, 5200.0, 7000.1]
    assert [book.session_for("ana", "openai", None, now) for now in times] == ["s1", "s1", "s1", "s1", "s2"]


def test_the_tools_own_session_outlives_any_silence(book: SessionBook) -> None:
    assert book.session_for("ana", "openai", "t1", 0.0) == "s1"
    assert book.session_for("ana", "openai", "t2", 1.0) == "s2"
    assert book.session_for("ana", "openai", None, 2.0) == "s3"
    assert book.session_for("ana", "openai", "t1", 90_000.0) == "s1"


def test_actors_and_connections_share_nothing(book: SessionBook) -> None:
    places = [("ana", "openai", "t"), ("bo", "openai", "t"), ("ana", "cursor", "t")]
    assert len({book.session_for(*place, 0.0) for place in places}) == 3


def test_memory_is_bounded(book: SessionBook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "SESSIONS_MAX", 10)
    first = book.session_for("ana", "openai", "t0", 0.0)
    for number in range(1, 100):
        book.session_for("ana", "openai", f"t{number}", float(number))
        assert book.session_for("ana", "openai", "t0", float(number)) == first  # in use: not forgotten
    assert len(book) <= 10
    book.session_for("ana", "openai", "late", 10_000.0)
    assert len(book) == 1
