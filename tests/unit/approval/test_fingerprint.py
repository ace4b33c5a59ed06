"""A fingerprint changes with every part of the request and with nothing else."""

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.approval.fingerprint import fingerprint

BASE: dict[str, Any] = {
    "actor": "user:anna",
    "agent": None,
    "connection": "cursor",
    "method": "POST",
    "target": "/v1/agents?x=1",
    "headers": [("content-type", "application/json"), ("x-a", "1")],
    "body_digest": hashlib.sha256(b"{}").digest(),
    "rule": "changes wait",
}


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("actor", "service:anna"),
        ("actor", "user:annA"),
        ("agent", ""),
        ("agent", "cursor@laptop"),
        ("connection", "cursor2"),
        ("method", "PUT"),
        ("target", "/v1/agents?x=2"),
        ("headers", [("content-type", "application/json"), ("x-a", "2")]),
        ("headers", [("content-type", "application/json")]),
        ("headers", [("content-type", "application/json"), ("x-a", "1"), ("x-a", "1")]),
        ("body_digest", hashlib.sha256(b"{ }").digest()),
        ("rule", "another"),
    ],
)
def test_any_other_part_gives_another_fingerprint(part: str, other: object) -> None:
    assert fingerprint(**BASE) != fingerprint(**{**BASE, part: other})


def test_case_and_order_of_header_names_have_no_meaning_but_the_order_of_one_names_values_has() -> None:
    swapped = [("X-A", "1"), ("Content-Type", "application/json")]
    assert fingerprint(**BASE) == fingerprint(**{**BASE, "headers": swapped})
    forth, back = [("a", "1"), ("a", "2")], [("a", "2"), ("a", "1")]
    assert fingerprint(**{**BASE, "headers": forth}) != fingerprint(**{**BASE, "headers": back})


def test_it_is_the_same_in_every_version() -> None:
    assert fingerprint(**BASE) == "b1197e41ff138ad2f25a89bc7a602018e077783fb423a38536388eae4ab9604a"


@given(
    st.lists(st.text(max_size=4), min_size=5, max_size=5),
    st.lists(st.text(max_size=4), min_size=5, max_size=5),
)
def test_no_two_requests_share_one(one: list[str], two: list[str]) -> None:
    names = ("actor", "connection", "method", "target", "rule")
    first = fingerprint(**{**BASE, **dict(zip(names, one, strict=True))})
    second = fingerprint(**{**BASE, **dict(zip(names, two, strict=True))})
    assert (first == second) == (one == two)
