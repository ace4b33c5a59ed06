"""Whatever answers `identity_ports.ServiceAccounts` behaves like this."""

from dataclasses import replace
from typing import Any

import pytest

from ostiary.adapters.stores.service_accounts import ServiceAccounts
from ostiary.model.person import ServiceAccount

NIGHTLY = ServiceAccount("nightly", 100.0, "anna", frozenset({"ci", "ops"}), frozenset({"cursor"}), "Nightly jobs")


@pytest.fixture
def accounts(store: Any) -> ServiceAccounts:
    return ServiceAccounts(store._database)


def test_an_account_is_found_as_it_was_added(accounts: ServiceAccounts) -> None:
    plain = ServiceAccount("plain", 100.0, "anna")
    assert accounts.add(NIGHTLY)
    assert accounts.add(plain)
    assert accounts.get("nightly") == NIGHTLY
    assert accounts.list() == [NIGHTLY, plain]
    assert accounts.get("other") is None


def test_a_name_is_one_account_without_regard_to_case(accounts: ServiceAccounts) -> None:
    assert accounts.add(NIGHTLY)
    assert not accounts.add(replace(NIGHTLY, name="NIGHTLY", description="another"))
    assert accounts.get("Nightly") == NIGHTLY


def test_a_changed_account_is_kept_and_an_unknown_one_is_not(accounts: ServiceAccounts) -> None:
    changed = replace(NIGHTLY, disabled_at=200.0, connections=None)
    assert not accounts.change(changed)
    accounts.add(NIGHTLY)
    assert accounts.change(changed)
    assert accounts.get("nightly") == changed
