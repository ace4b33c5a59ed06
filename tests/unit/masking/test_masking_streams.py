"""Streams: what is held back, what a cut leaves, long keys in stretches, two secrets at once, and no key to be read."""

import pickle
import traceback

import pytest

from ostiary.masking.injected import MARK, InjectedSecretMatcher, InjectedSecretStream
from ostiary.masking.pieces import literal
from ostiary.masking.programs import Program
from ostiary.model.errors import OperatorError
from ostiary.model.secret import Secret
from support.spellings import SPELLINGS

KEY = b"sk-proj-Q4f7xB2nL9vTzR8mW1cKdE5s"
MATCHER = InjectedSecretMatcher([Secret("key", 1, KEY)], ())
LONG_KEY = bytes(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"[i * i % 62] for i in range(300))
LONG = InjectedSecretMatcher([Secret("long", 1, LONG_KEY)], ())


def pieces_of(stream: InjectedSecretStream, *pieces: bytes) -> list[bytes]:
    return [*(stream.feed(piece) for piece in pieces), stream.finish()]


def test_text_that_cannot_become_a_key_is_not_delayed() -> None:
    stream = MATCHER.stream("body")
    for event in (b'data: {"delta": "Hello"}\n\n', b": ping\n\n", b'{"a": [1, 2]}', b"data: [DONE]\r\n\r\n"):
        assert stream.feed(event) is event
        assert stream.held_bytes == 0


def test_only_the_end_that_may_become_a_key_is_held() -> None:
    stream = MATCHER.stream("body")
    assert stream.feed(b"key is sk-pr") == b"key is "
    assert stream.held_bytes == 5
    assert stream.feed(b"etty") == b"sk-pretty"
    assert stream.findings() == ()


def test_a_key_in_single_bytes_is_one_mark() -> None:
    stream = MATCHER.stream("body")
    assert b"".join(pieces_of(stream, *(bytes([byte]) for byte in b"<" + KEY + b">"))) == b"<" + MARK + b">"
    assert [(found.length, found.count) for found in stream.findings()] == [(len(KEY), 1)]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_what_is_held_never_exceeds_the_stated_bound(spelling: str) -> None:
    stream = MATCHER.stream("body")
    most = 0
    for byte in SPELLINGS[spelling](KEY) * 2:
        stream.feed(bytes([byte]))
        most = max(most, stream.held_bytes)
    assert 0 < most <= MATCHER.hold_back_max_bytes


@pytest.mark.parametrize("length", range(1, len(KEY) + 1))
def test_half_a_key_at_the_end_is_masked_from_six_bytes_on(length: int) -> None:
    output = b"".join(pieces_of(MATCHER.stream("body"), b"text ", KEY[:length]))
    assert output == b"text " + (MARK if length >= 6 else KEY[:length])


def test_half_a_short_key_at_the_end_is_masked_from_half_on() -> None:
    short = InjectedSecretMatcher([Secret("short", 1, b"p4sswrd!")], ())
    assert short.mask(b"it is p4ss", "body")[0] == b"it is " + MARK
    assert short.mask(b"it is p4s", "body")[0] == b"it is p4s"


@pytest.mark.parametrize("spelling", ["hex", "base64 at 0", "base64 at 1", "utf-16 little", "percent lower"])
def test_a_key_cut_inside_another_encoding_is_masked(spelling: str) -> None:
    written = SPELLINGS[spelling](KEY)
    output = b"".join(pieces_of(MATCHER.stream("body"), b"! ", written[: len(written) * 2 // 3]))
    assert output.startswith(b"! ")
    assert b"m\0a\0s\0k" in output or MARK in output
    assert len(output) < 2 + 2 * len(MARK) + 4


def test_a_beginning_before_another_key_is_not_taken_for_one() -> None:
    output, _ = MATCHER.mask(b"sk-proj-" + KEY + b".", "body")
    assert output == b"sk-proj-" + MARK + b"."


def test_a_long_key_is_one_mark_and_a_stretch_of_it_is_masked_alone() -> None:
    assert LONG.mask(b"<" + LONG_KEY + b">", "body")[0] == b"<" + MARK + b">"
    masked, findings = LONG.mask(b"<" + LONG_KEY[:100] + b">", "body")
    assert masked.startswith(b"<" + MARK)
    assert len(masked) < len(MARK) + 45
    assert findings[0].count == 1


@pytest.mark.parametrize("length", [150, 185, 200, 237, 299])
def test_a_long_key_cut_off_leaves_nothing(length: int) -> None:
    assert LONG.mask(b"<" + LONG_KEY[:length], "body")[0] == b"<" + MARK


def test_of_two_secrets_the_longer_match_counts() -> None:
    both = InjectedSecretMatcher([Secret("a", 1, b"abcd1234"), Secret("b", 1, b"abcd1234-and-more")], ())
    assert both.mask(b"<abcd1234-and-more>", "body")[0] == b"<" + MARK + b">"
    assert both.mask(b"<abcd1234-and-less>", "body")[0] == b"<" + MARK + b"-and-less>"
    stream = both.stream("body")
    assert b"".join(pieces_of(stream, b"<abcd1234", b"-and", b"-more>")) == b"<" + MARK + b">"


def test_the_previous_secret_is_masked_beside_the_current_one() -> None:
    both = InjectedSecretMatcher([Secret("k", 2, b"the-current-key"), Secret("k", 1, b"the-previous-key")], ())
    masked, findings = both.mask(b"the-previous-key, the-current-key", "body")
    assert masked == MARK + b", " + MARK
    assert findings[0].count == 2


def test_keys_that_repeat_themselves() -> None:
    same = InjectedSecretMatcher([Secret("a", 1, b"aaaaaaaa")], ())
    assert same.mask(b"b" + b"a" * 8 + b"b", "body")[0] == b"b" + MARK + b"b"
    assert same.mask(b"b" + b"a" * 16 + b"b", "body")[0] == b"b" + MARK + b"b"
    assert same.mask(b"b" + b"a" * 7 + b"b", "body")[0] == b"b" + b"a" * 7 + b"b"


def test_overlapping_secrets_leave_nothing_of_either() -> None:
    both = InjectedSecretMatcher([Secret("a", 1, b"abcd1234"), Secret("b", 1, b"1234wxyz")], ())
    masked, findings = both.mask(b"<abcd1234wxyz>", "body")
    assert masked == b"<" + MARK + b">"
    assert [(found.length, found.count) for found in findings] == [(12, 1)]


def test_without_secrets_everything_passes() -> None:
    nothing = InjectedSecretMatcher([], ())
    data = b"anything at all"
    assert nothing.mask(data, "body")[0] is data
    stream = nothing.stream("body")
    assert stream.feed(data) is data
    assert stream.finish() == b""


def test_an_empty_secret_is_refused() -> None:
    with pytest.raises(OperatorError):
        InjectedSecretMatcher([Secret("empty", 1, b"")], ())


def test_the_longest_key_allowed_works() -> None:
    key = bytes(33 + (index * index * 7 + index // 90) % 94 for index in range(4096))
    matcher = InjectedSecretMatcher([Secret("longest", 1, key)], ())
    for spelling in ("plain", "hex", "base64 at 2", "percent where needed", "json", "utf-16 little"):
        masked, findings = matcher.mask(b"<" + SPELLINGS[spelling](key) + b">", "body")
        assert findings, spelling
        assert len(masked) < len(key), spelling


def test_nothing_that_was_compiled_can_be_printed_or_stored() -> None:
    program = Program([literal(KEY).full])
    for thing in (MATCHER, program, literal(KEY), MATCHER.stream("body")):
        assert b"proj" not in repr(thing).encode()
    for thing in (MATCHER, program, literal(KEY)):
        with pytest.raises(TypeError):
            pickle.dumps(thing)


def test_a_pattern_the_engine_refuses_is_not_repeated(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OperatorError) as caught:
        Program([b"(?:" + KEY])
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    shown.stack.pop(0)  # this test's own frame
    assert "proj" not in "".join(shown.format()) + str(capfd.readouterr())
