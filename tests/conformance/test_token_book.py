"""Whatever answers `ports.TokenBook` behaves like this."""

import hashlib
from typing import Any

from ostiary.model.actor import Actor, ActorKind
from ostiary.model.token import TokenRecord
from ostiary.ports import TokenBook


def hash_of(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def record(token_id: str = "t1", **rest: Any) -> TokenRecord:
    values: dict[str, Any] = {
        "kind": ActorKind.AGENT,
        "name": "anna",
        "groups": frozenset({"eng", "ops"}),
        "token_id": token_id,
        "expires_at": 200.5,
        "agent": "cursor@laptop",
        "connections": frozenset({"cursor"}),
    }
    return TokenRecord(Actor(**{**values, **rest}), created_at=100.0, created_by="local owner (uid 0)")


def test_a_token_is_found_as_it_was_added_and_no_other_is(store: Any) -> None:
    book: TokenBook = store.tokens
    store.tokens.add(hash_of("one"), record())
    store.tokens.add(
        hash_of("two"), record("t2", agent=None, kind=ActorKind.USER, connections=None, groups=frozenset())
    )
    assert book.find(hash_of("one")) == record().actor
    found = book.find(hash_of("two"))
    assert found is not None
    assert (found.connections, found.groups, found.agent) == (None, frozenset(), None)
    assert book.find(hash_of("three")) is None
    assert book.find(b"") is None


def test_a_revoked_token_is_not_found_and_is_revoked_once(store: Any) -> None:
    store.tokens.add(hash_of("one"), record())
    assert [store.tokens.revoke("t1", 150.0), store.tokens.revoke("t1", 160.0)] == [True, False]
    assert store.tokens.revoke("t9", 150.0) is False
    assert store.tokens.find(hash_of("one")) is None
    assert store.tokens.get("t1").revoked_at == 150.0


def test_an_expired_token_is_found_because_its_expiry_is_the_callers_to_judge(store: Any) -> None:
    store.tokens.add(hash_of("one"), record(expires_at=1.0))
    assert store.tokens.find(hash_of("one")).expires_at == 1.0


def test_the_last_use_is_written_late_and_is_the_latest(store: Any) -> None:
    store.tokens.add(hash_of("one"), record())
    store.tokens.used("t1", 120.0, "10.0.0.1")
    store.tokens.used("t1", 130.0, "10.0.0.2")
    store.tokens.used("t-unknown", 130.0, "10.0.0.2")
    store.tokens.flush()
    store.tokens.flush()
    listed = store.tokens.get("t1")
    assert (listed.last_used_at, listed.network) == (130.0, "10.0.0.2")


def test_the_newest_come_first(store: Any) -> None:
    for number in range(5):
        made = TokenRecord(record(f"t{number}").actor, created_at=float(number), created_by="me")
        store.tokens.add(hash_of(str(number)), made)
    assert [listed.id for listed in store.tokens.newest(3)] == ["t4", "t3", "t2"]
