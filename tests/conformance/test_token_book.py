"""Whatever answers `ports.TokenBook` behaves like this."""

import hashlib
from typing import Any

import pytest

from ostiary.model.actor import Actor, ActorKind
from ostiary.model.token import TokenRecord, TokenScope
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


def added(
    store: Any, token_id: str, sign_in: str | None = None, scope: TokenScope = TokenScope.GATEWAY, **rest: Any
) -> None:
    made = TokenRecord(record(token_id, **rest).actor, 100.0, "me", scope=scope, sign_in=sign_in)
    store.tokens.add(hash_of(token_id), made)


def person(**rest: Any) -> dict[str, Any]:
    return {"kind": ActorKind.USER, "agent": None, "connections": None, "groups": frozenset(), **rest}


@pytest.mark.parametrize("scope", list(TokenScope))
def test_a_token_is_found_for_its_own_scope_only(store: Any, scope: TokenScope) -> None:
    added(store, "t1", scope=scope, **person(user_id="u1", bound_to="jkt:abc"))
    found = {wanted for wanted in TokenScope if store.tokens.find(hash_of("t1"), wanted) is not None}
    assert found == {scope}
    assert (store.tokens.find(hash_of("t1")) is not None) is (scope is TokenScope.GATEWAY)


def test_what_a_token_is_bound_to_and_lives_with_is_kept(store: Any) -> None:
    added(store, "t1", "s1", TokenScope.API, **person(user_id="u1", bound_to="jkt:abc"))
    listed = store.tokens.get("t1")
    assert (listed.scope, listed.sign_in, listed.actor.user_id, listed.actor.bound_to) == (
        TokenScope.API, "s1", "u1", "jkt:abc",
    )  # fmt: skip
    assert store.tokens.of_hash(hash_of("t1")) == listed == store.tokens.live(hash_of("t1"), TokenScope.API, 200.0)
    assert store.tokens.live(hash_of("t1"), TokenScope.API, 200.5) is None
    assert store.tokens.live(hash_of("t1"), TokenScope.GATEWAY, 200.0) is None
    store.tokens.revoke("t1", 150.0)
    assert store.tokens.live(hash_of("t1"), TokenScope.API, 200.0) is None


def test_a_person_owns_what_was_made_for_their_user_or_by_hand_for_their_name(store: Any) -> None:
    added(store, "mine", **person(user_id="u1"))
    added(store, "agents", user_id="u1")
    added(store, "by hand", **person(name="ANNA"))
    added(store, "somebody's", **person(user_id="u2", name="bob"))
    added(store, "a namesake's", **person(user_id="u3"))
    added(store, "a service's", kind=ActorKind.SERVICE, agent=None)
    own = store.tokens.of_actor("u1", frozenset({"anna", "anna@example.com"}))
    assert {listed.id for listed in own} == {"mine", "agents", "by hand"}
    assert store.tokens.of_actor(None, frozenset()) == []
    assert {listed.id for listed in store.tokens.of_service("anna")} == {"a service's"}


def test_one_name_in_two_spellings_is_one_person(store: Any) -> None:
    added(store, "t1", **person(name="ÜMİT Öz"))
    added(store, "t2", **person(name="ümi̇t öz"))
    assert {listed.id for listed in store.tokens.of_actor(None, frozenset({"Ümi̇t öz"}))} == {"t1", "t2"}
    assert {revoked.id for revoked in store.tokens.revoke_all(150.0, actor="Ümi̇t öz")} == {"t1", "t2"}


def test_expired_tokens_of_sign_ins_are_left_out_and_dropped(store: Any) -> None:
    added(store, "old", "s1", **person(expires_at=150.0))
    added(store, "live", "s1", **person())
    added(store, "by hand", **person(expires_at=150.0))
    assert {listed.id for listed in store.tokens.newest(10, 160.0)} == {"live", "by hand"}
    assert {listed.id for listed in store.tokens.newest(10)} == {"old", "live", "by hand"}
    store.tokens.drop_old(140.0)
    assert {listed.id for listed in store.tokens.newest(10)} == {"old", "live", "by hand"}
    store.tokens.drop_old(160.0)
    assert {listed.id for listed in store.tokens.newest(10)} == {"live", "by hand"}


def test_expired_tokens_that_their_holder_was_given_by_a_grant_are_left_out_and_dropped(store: Any) -> None:
    for token_id, expires_at in (("old", 150.0), ("live", 200.0)):
        job = Actor(ActorKind.SERVICE, "ci", frozenset(), token_id, expires_at)
        store.tokens.add(hash_of(token_id), TokenRecord(job, 100.0, "ci"))
    assert {listed.id for listed in store.tokens.newest(10, 160.0)} == {"live"}
    store.tokens.drop_old(160.0)
    assert {listed.id for listed in store.tokens.newest(10)} == {"live"}


@pytest.mark.parametrize(
    ("whose", "ended"),
    [
        ({"actor": "Anna"}, {"user", "agent"}),
        ({"sign_in": "s1"}, {"agent"}),
        ({"service": "anna"}, {"service"}),
        ({"connection": "cursor"}, {"agent"}),
        ({"connection": "curs"}, set()),
        ({"actor": "nobody"}, set()),
        ({}, set()),
    ],
)
def test_all_tokens_of_somebody_end_at_once(store: Any, whose: dict[str, str], ended: set[str]) -> None:
    added(store, "user", **person())
    added(store, "agent", "s1")
    added(store, "expired", "s1", expires_at=120.0)
    added(store, "service", kind=ActorKind.SERVICE, agent=None, connections=None)
    added(store, "scim", scope=TokenScope.SCIM, kind=ActorKind.SERVICE, agent=None, connections=None)
    assert {revoked.id for revoked in store.tokens.revoke_all(150.0, **whose)} == ended
    assert {each for each in ("user", "agent", "service") if store.tokens.find(hash_of(each)) is None} == ended
    assert store.tokens.revoke_all(160.0, **whose) == []


def test_whether_an_actor_has_another_live_token(store: Any) -> None:
    added(store, "t1")
    added(store, "t2", scope=TokenScope.API, **person())
    tokens = store.tokens
    assert tokens.live_of(ActorKind.AGENT, "Anna", "cursor@laptop", 150.0)
    assert not tokens.live_of(ActorKind.AGENT, "anna", "other", 150.0)
    assert not tokens.live_of(ActorKind.USER, "anna", None, 150.0), "an API token asks for nothing"
    assert not tokens.live_of(ActorKind.AGENT, "anna", "cursor@laptop", 201.0)
