"""Sign-ins, what works once, and owners' credentials, in the embedded store."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from ostiary.adapters.stores.database import Database
from ostiary.adapters.stores.one_time import OneTime
from ostiary.adapters.stores.owner_credentials import OwnerCredentials
from ostiary.adapters.stores.people import People
from ostiary.adapters.stores.sign_ins import SignIns
from ostiary.model.errors import StorageUnavailableError
from ostiary.model.person import Origin, OwnerCredential, SignIn, SignInKind, User

ADA = User("u1", "ada", Origin.SIGN_IN, 1.0, 1.0, issuer="corp", subject="s-1")
BROWSER = SignIn(
    "si_1", SignInKind.CONSOLE, "u1", created_at=10.0, authenticated_at=9.0, seen_at=10.0, ends_at=100.0, idle_s=20.0,
    issuer="corp", idp_session="sid", device="Firefox", network="192.0.2.1",
)  # fmt: skip
TOOL = replace(BROWSER, id="si_2", kind=SignInKind.TOOL, created_at=11.0, agent="cursor@laptop", idle_s=None)
KEY = OwnerCredential("oc_1", "u1", "totp", b"sealed", counter=5, failures=0, created_at=1.0, used_at=None)
ONE, TWO, THREE = (bytes([number]) * 32 for number in (1, 2, 3))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "ostiary.db")
    assert People(database).add(ADA)
    yield database
    database.close()


@pytest.fixture
def sign_ins(database: Database) -> SignIns:
    sign_ins = SignIns(database)
    sign_ins.add(ONE, BROWSER, b"tokens", None)
    sign_ins.add(TWO, TOOL, None, "jkt:key")
    return sign_ins


def test_a_sign_in_is_found_by_its_handle_and_its_id(sign_ins: SignIns) -> None:
    assert sign_ins.of_handle(ONE) == sign_ins.get("si_1") == BROWSER
    assert sign_ins.of_handle(TWO) == TOOL
    assert sign_ins.of_handle(THREE) is sign_ins.get("si_3") is None
    assert (sign_ins.sealed("si_1"), sign_ins.sealed("si_2"), sign_ins.sealed("si_3")) == (b"tokens", None, None)
    assert (sign_ins.bound_to("si_1"), sign_ins.bound_to("si_2"), sign_ins.bound_to("si_3")) == (None, "jkt:key", None)


def test_a_handle_is_rotated_once_and_then_known_as_spent(sign_ins: SignIns) -> None:
    assert sign_ins.rotate("si_2", TWO, THREE, 30.0)
    assert not sign_ins.rotate("si_2", TWO, bytes(32), 31.0)
    assert sign_ins.of_handle(TWO) is None
    assert sign_ins.of_handle(THREE) == replace(TOOL, seen_at=30.0)
    assert sign_ins.of_handle(TWO) is None


def test_of_callers_that_rotate_at_once_one_does(sign_ins: SignIns) -> None:
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda number: sign_ins.rotate("si_2", TWO, bytes([number]) * 32, 30.0), range(10, 18)))
    assert done.count(True) == 1


def test_a_handle_belongs_to_one_sign_in(sign_ins: SignIns) -> None:
    with pytest.raises(StorageUnavailableError):
        sign_ins.add(ONE, replace(BROWSER, id="si_3"), None, None)


def test_a_step_up_moves_the_proof_and_the_handle(sign_ins: SignIns) -> None:
    sign_ins.authenticated("si_1", THREE, 50.0)
    assert sign_ins.of_handle(ONE) is None
    assert sign_ins.of_handle(THREE) == replace(BROWSER, authenticated_at=50.0)


def test_seen_never_goes_back(sign_ins: SignIns) -> None:
    sign_ins.seen("si_1", 40.0)
    sign_ins.seen("si_1", 30.0)
    assert sign_ins.get("si_1") == replace(BROWSER, seen_at=40.0)


def test_a_check_keeps_or_replaces_the_providers_tokens(sign_ins: SignIns) -> None:
    sign_ins.checked("si_1", 40.0, None)
    assert sign_ins.sealed("si_1") == b"tokens"
    sign_ins.checked("si_1", 41.0, b"newer")
    assert sign_ins.sealed("si_1") == b"newer"
    assert sign_ins.get("si_1") == replace(BROWSER, checked_at=41.0)


def test_an_ended_sign_in_is_remembered_without_tokens_and_never_comes_back(sign_ins: SignIns) -> None:
    assert sign_ins.end("si_1", 60.0, "signed out")
    assert not sign_ins.end("si_1", 61.0, "again")
    sign_ins.checked("si_1", 62.0, b"late")
    sign_ins.authenticated("si_1", THREE, 62.0)
    assert not sign_ins.rotate("si_1", ONE, THREE, 62.0)
    assert sign_ins.of_handle(ONE) == replace(BROWSER, ended_at=60.0, ended_why="signed out")
    assert sign_ins.sealed("si_1") is None


def test_the_living_are_listed_by_person_and_issuer_the_newest_first(sign_ins: SignIns) -> None:
    local = replace(BROWSER, id="si_3", issuer=None, created_at=12.0)
    sign_ins.add(THREE, local, None, None)
    assert sign_ins.live() == sign_ins.live(user_id="u1") == [local, TOOL, BROWSER]
    assert sign_ins.live(issuer="corp") == [TOOL, BROWSER]
    assert sign_ins.live(user_id="u2") == sign_ins.live(issuer="other") == []
    assert sign_ins.live(limit=1) == [local]
    sign_ins.end("si_2", 60.0, "ended")
    assert sign_ins.live(issuer="corp") == [BROWSER]
    assert [sign_in.id for sign_in in sign_ins.of_user("u1", 10)] == ["si_3", "si_2", "si_1"]


def test_old_ones_are_forgotten(sign_ins: SignIns) -> None:
    sign_ins.end("si_2", 60.0, "ended")
    sign_ins.drop_old(60.0)
    assert sign_ins.get("si_2") is not None
    sign_ins.drop_old(61.0)
    assert sign_ins.get("si_2") is None
    assert sign_ins.get("si_1") is not None
    sign_ins.drop_old(101.0)
    assert sign_ins.get("si_1") is None


def test_sign_ins_go_with_their_person(database: Database, sign_ins: SignIns) -> None:
    People(database).remove("u1")
    assert sign_ins.get("si_1") is None


@pytest.fixture
def one_time(database: Database) -> OneTime:
    one_time = OneTime(database)
    assert one_time.put("code", ONE, {"for": "ada"}, 100.0)
    return one_time


def test_what_was_put_is_taken_once(one_time: OneTime) -> None:
    assert one_time.peek("code", ONE, 50.0) == {"for": "ada"}
    assert one_time.take("code", ONE, 50.0) == {"for": "ada"}
    assert one_time.take("code", ONE, 50.0) is one_time.peek("code", ONE, 50.0) is None


def test_of_callers_that_take_at_once_one_gets_it(one_time: OneTime) -> None:
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda _: one_time.take("code", ONE, 50.0), range(8)))
    assert [document for document in taken if document is not None] == [{"for": "ada"}]


def test_a_purpose_opens_nothing_of_another(one_time: OneTime) -> None:
    assert one_time.take("link", ONE, 50.0) is None
    assert one_time.put("link", ONE, {}, 100.0)


def test_nothing_is_taken_when_its_time_is_over(one_time: OneTime) -> None:
    assert one_time.take("code", ONE, 100.0) is one_time.peek("code", ONE, 100.0) is None
    assert not one_time.replace("code", ONE, {}, 100.0)


def test_the_first_use_of_an_id_is_told_from_the_second(one_time: OneTime) -> None:
    assert not one_time.put("code", ONE, {"for": "eve"}, 200.0)
    assert one_time.peek("code", ONE, 50.0) == {"for": "ada"}
    assert one_time.peek("code", ONE, 150.0) is None


def test_a_document_changes_and_its_time_stays(one_time: OneTime) -> None:
    assert one_time.replace("code", ONE, {"for": "ada", "tries": 1}, 50.0)
    assert not one_time.replace("code", TWO, {}, 50.0)
    assert one_time.peek("code", ONE, 50.0) == {"for": "ada", "tries": 1}
    assert one_time.peek("code", ONE, 100.0) is None


def test_what_expired_goes(one_time: OneTime) -> None:
    assert one_time.put("code", TWO, {}, 200.0)
    one_time.drop_expired(150.0)
    assert one_time.put("code", ONE, {}, 200.0)
    assert not one_time.put("code", TWO, {}, 200.0)


@pytest.fixture
def credentials(database: Database) -> OwnerCredentials:
    credentials = OwnerCredentials(database)
    assert credentials.owner_ids() == []
    credentials.add(KEY)
    return credentials


def test_credentials_are_found_by_owner_and_id(credentials: OwnerCredentials) -> None:
    assert credentials.of_user("u1") == [KEY]
    assert credentials.get("oc_1") == KEY
    assert credentials.of_user("u2") == []
    assert credentials.get("oc_2") is None
    assert credentials.owner_ids() == ["u1"]
    credentials.remove("oc_1")
    assert credentials.owner_ids() == []


def test_a_counter_moves_forward_only_and_forgets_failures(credentials: OwnerCredentials) -> None:
    assert (credentials.failed("oc_1"), credentials.failed("oc_1"), credentials.failed("oc_2")) == (1, 2, 0)
    assert not credentials.used("oc_1", 5, 20.0)
    assert credentials.used("oc_1", 6, 20.0)
    assert not credentials.used("oc_1", 6, 20.0)
    assert credentials.get("oc_1") == replace(KEY, counter=6, used_at=20.0)


def test_a_passkey_without_a_counter_stays_at_zero(credentials: OwnerCredentials) -> None:
    credentials.add(replace(KEY, id="oc_2", kind="passkey", counter=0))
    assert credentials.used("oc_2", 0, 20.0)
    assert credentials.used("oc_2", 0, 21.0)
    assert credentials.used("oc_2", 1, 22.0)
    assert not credentials.used("oc_2", 0, 23.0)


def test_a_code_step_of_zero_is_used_once_all_the_same(credentials: OwnerCredentials) -> None:
    credentials.add(replace(KEY, id="oc_3", counter=0))
    assert not credentials.used("oc_3", 0, 20.0)


def test_credentials_go_with_their_owner(database: Database, credentials: OwnerCredentials) -> None:
    People(database).remove("u1")
    assert credentials.owner_ids() == []
