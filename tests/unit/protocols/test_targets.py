"""One canonical target, or a refusal."""

import pytest

from ostiary.protocols.targets import (
    Target,
    TargetError,
    parse_target,
    query_has_token,
    redacted_target,
    without_parameters,
)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        (b"/", b"/"),
        (b"/v1/agents", b"/v1/agents"),
        (b"/v1/agents/", b"/v1/agents/"),
        (b"/v1/%61gents", b"/v1/agents"),
        (b"/v1/a%e2%82%ac", b"/v1/a%E2%82%AC"),
        (b"/v1beta/models/m:streamGenerateContent", b"/v1beta/models/m:streamGenerateContent"),
        (b"/a%20b", b"/a%20b"),
        (b"/.well-known/x", b"/.well-known/x"),
        (b"/a/..b/c", b"/a/..b/c"),
        (b"http://gate:8420/a", b"/a"),
        (b"HTTP://GATE:8420/a", b"/a"),
    ],
)
def test_canonical_path(written: bytes, canonical: bytes) -> None:
    assert parse_target(written, b"gate:8420").path == canonical


@pytest.mark.parametrize(
    "written",
    [
        b"/ok/../admin", b"/ok/%2e%2e/admin", b"/ok/%2E%2e/admin", b"/ok/.%2e/admin", b"/%252e%252e/admin", b"/a//b",
        b"//a", b"/./a", b"/a/.", b"/a/..", b"/a\\b", b"/a%5cb", b"/a%2fb", b"/a%2Fb", b"/a%00", b"/a;x", b"/a%3bx",
        b"/a%0d%0a", b"/a%09", b"/a%7f", b"/a%", b"/a%g1", b"/a%2", b"/a#b", b"/a|b", b"/a\"b", b"/a<b", b"/a^b",
        b"http://other/a", b"http://gate:8420", b"gate:8420", b"*", b"https://gate:8420@evil/a", b"//evil/a", b"a/b",
        b"/a?x=%0d%0aX", b"/a?x=%00", b"/a?x=\\", b"/a?x=#", b"/a?%zz",
    ],
)  # fmt: skip
def test_ambiguous_targets_are_refused(written: bytes) -> None:
    with pytest.raises(TargetError):
        parse_target(written, b"gate:8420")


def test_query_is_kept_as_written() -> None:
    assert parse_target(b"/a?b=c%20d&b=%61&x[]=1", b"g") == Target(b"/a", b"b=c%20d&b=%61&x[]=1")
    assert bytes(parse_target(b"/a?", b"g")) == b"/a?"


def test_values_that_speak_of_secrets_are_withheld_from_logs() -> None:
    shown = redacted_target(Target(b"/a", b"page=2&api_key=abc&X-Amz-Signature=zz&flag"))
    assert shown == "/a?page=2&api_key=[withheld]&X-Amz-Signature=[withheld]&flag"


def test_own_tokens_in_the_query_are_recognised() -> None:
    token = b"ost_u" + b"A1b2" * 12
    assert query_has_token(b"x=1&k=" + token)
    assert query_has_token(b"k=ost%5Fu" + b"A1b2" * 12)
    assert query_has_token(b"k=%6f%73%74_u" + b"A1b2" * 12)
    assert query_has_token(b"k=%256fst_u" + b"A1b2" * 12)
    assert query_has_token(b"k=ost_u" + b"%41" * 40)
    assert not query_has_token(b"cost_u=1")
    assert not query_has_token(None)


def test_parameters_are_removed_however_they_are_written() -> None:
    assert without_parameters(b"key=1&a=2&%6bey=3&KEY=4&monkey=5", frozenset({b"key"})) == b"a=2&monkey=5"
    assert without_parameters(b"key=1", frozenset({b"key"})) is None
