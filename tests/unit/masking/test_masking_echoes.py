"""A14: an answer that shows a part of the injected secret is masked, and what only looks like one is left alone."""

import json

import pytest

from ostiary.masking.injected import MARK, InjectedSecretMatcher
from ostiary.model.secret import Secret

KEYS = {
    "openai": b"sk-proj-Q4f7xB2nL9vTzR8mW1cKdE5s",
    "cursor": b"key_9f3ac07b51d24e68a9bc3d70e1f25846d7a0bb19c3e4f5d6a7089b1c2d3e4f50",
    "alphabet": b"sk-abcdefghijklmnopqrstuvwxyz",
    "without a prefix": b"Zq8Rm3Xw7Kd2Vt9Lb4Nc",
    "anthropic": b"sk-ant-api03-" + bytes(b"Kq7Zr2Xw9Lm4Vt8Nb3Pc6"[i * 5 % 21] for i in range(90)) + b"7AA",
    "with signs": b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYzEXAMPLE9key",
}
_matchers: dict[bytes, InjectedSecretMatcher] = {}


def matcher(key: bytes) -> InjectedSecretMatcher:
    if key not in _matchers:
        _matchers[key] = InjectedSecretMatcher([Secret("key", 1, key)], ())
    return _matchers[key]


def masked(key: bytes, text: bytes) -> bytes:
    """The text with its parts masked; exactly one finding tells of it."""
    output, findings = matcher(key).mask(text, "body")
    assert [(found.detector, found.place) for found in findings] == [("partial_echo", "body")], output
    return output


def vendor_prefix(key: bytes) -> bytes:
    head = key[:16]
    return head[: max(head.rfind(b"-"), head.rfind(b"_")) + 1]


FILLERS = {
    "stars": b"***", "many stars": b"*" * 20, "all stars": b"*" * 150, "dots": b"...", "two dots": b"..",
    "ellipsis": "…".encode(), "bullets": "•••".encode(), "many bullets": b"\xe2\x80\xa2" * 40,
    "small x": b"xxxx", "capital x": b"XXXXXXXX", "hashes": b"####", "lines": b"____", "hyphens": b"------",
    "mixture": b"*.*-*", "redacted": b"[redacted]", "hidden": b"<hidden>", "sentence": b"[12 characters hidden]",
    "bracketed dots": b"[...]", "our own mark": b"[masked:injected-secret]", "spaces around": b" ... ",
    "JSON ellipsis": b"\\u2026", "JSON bullets": b"\\u2022" * 30, "JSON in JSON": b"\\\\u2026",
    "JSON stars": b"\\u002a\\u002A\\u002a", "JSON brackets": b"\\u003chidden\\u003e", "HTML ellipsis": b"&hellip;",
    "HTML bullets": b"&bull;&bull;&bull;", "HTML numbers": b"&#8226;" * 8, "HTML brackets": b"&lt;hidden&gt;",
    "percent ellipsis": b"%E2%80%A6", "percent stars": b"%2A%2A%2A", "middle dots": "····".encode(),
}  # fmt: skip


@pytest.mark.parametrize("filler", FILLERS)
@pytest.mark.parametrize("kind", KEYS)
def test_beginning_filler_and_ending_are_one_mark(kind: str, filler: str) -> None:
    key = KEYS[kind]
    prefix = vendor_prefix(key) or key[:4]
    for beginning in {prefix, key[: len(prefix) + 2], key[: len(prefix) + 6], key[:3]}:
        for ending in {key[-4:], key[-3:], key[-2:], key[-9:]}:
            text = b'{"error": "Incorrect API key provided: ' + beginning + FILLERS[filler] + ending + b'. See"}'
            assert masked(key, text) == b'{"error": "Incorrect API key provided: ' + MARK + b'. See"}'


@pytest.mark.parametrize("kind", KEYS)
def test_the_whole_span_counts_once(kind: str) -> None:
    key = KEYS[kind]
    text = b"<" + key[:5] + b"***" + key[-4:] + b">, <" + key[:3] + b"..." + key[-4:]
    _, findings = matcher(key).mask(text, "header")
    assert [(found.detector, found.place, found.length, found.count) for found in findings] == [
        ("partial_echo", "header", 12 + 10, 2)
    ]


LONG_FILLERS = ["stars", "many stars", "all stars", "dots", "ellipsis", "bullets", "small x", "redacted", "hidden",
                "JSON ellipsis", "JSON bullets", "JSON in JSON", "HTML bullets", "percent stars", "our own mark",
                "spaces around"]  # fmt: skip


@pytest.mark.parametrize("filler", LONG_FILLERS)
@pytest.mark.parametrize("kind", KEYS)
def test_an_ending_behind_a_filler_is_masked(kind: str, filler: str) -> None:
    key = KEYS[kind]
    for count in (4, 6, 8, 12):
        text = b'"key": "' + FILLERS[filler] + key[-count:] + b'"'
        assert masked(key, text) == b'"key": "' + FILLERS[filler] + MARK + b'"'


@pytest.mark.parametrize("kind", KEYS)
def test_a_beginning_is_masked_whatever_follows(kind: str) -> None:
    key = KEYS[kind]
    least = max(8, len(vendor_prefix(key)) + 3)
    for count in {least, least + 1, least + 7, len(key) // 2, len(key) - 1}:
        for after in (b"\n", b'", "n": 1', b"...", b"***", b"!and more", b"~"):
            output = masked(key, b'"hint": "' + key[:count] + after)
            assert output == b'"hint": "' + MARK + after, (count, after)


@pytest.mark.parametrize("kind", KEYS)
def test_the_vendors_part_alone_is_left(kind: str) -> None:
    key = KEYS[kind]
    prefix = vendor_prefix(key)
    for count in range(1, len(prefix) + 1):
        text = b"keys begin with " + key[:count] + b", always"
        assert matcher(key).mask(text, "body") == (text, ())
    for after in (b"...", b"***", b"xxxxxxxx", b"<your key>", b"[redacted]"):
        for text in (b"use " + prefix + after + b" here", b"use " + prefix + after):
            assert matcher(key).mask(text, "body") == (text, ())


@pytest.mark.parametrize("kind", KEYS)
def test_an_ending_at_the_start_of_a_word_is_masked(kind: str) -> None:
    key = KEYS[kind]
    for count in (8, 11, min(len(key) // 2, 30)):
        for before in (b" ", b'"', b"=", b"-", b"/", b"\\n", b"\\u0022", b"%20", b"\n", b"..", "é".encode()):
            assert masked(key, b"a" + before + key[-count:] + b" z") == b"a" + before + MARK + b" z", (count, before)
        assert masked(key, key[-count:] + b" z") == MARK + b" z"
        inside = b"aQ" + key[-count:] + b" z"
        assert key[-count:].isalnum() == (matcher(key).mask(inside, "body") == (inside, ()))


@pytest.mark.parametrize("kind", KEYS)
def test_beginning_and_ending_in_separate_places(kind: str) -> None:
    key = KEYS[kind]
    count = max(8, len(vendor_prefix(key)) + 3)
    document = {"prefix": key[:count].decode(), "last4": key[-4:].decode(), "suffix": key[-4:].decode()}
    for text in (json.dumps(document).encode(), json.dumps(document, separators=(",", ":")).encode()):
        assert json.loads(masked(key, text)) == dict.fromkeys(document, MARK.decode())
    nested = json.dumps(json.dumps(document)).encode()
    assert json.loads(json.loads(masked(key, nested))) == dict.fromkeys(document, MARK.decode())
    for words in (b"the key ending in ", b"ends with '", b"last_four=", b"Last 4: ", b"key_suffix: `", b"hint: "):
        assert masked(key, words + key[-4:] + b"'.") == words + MARK + b"'."


@pytest.mark.parametrize("kind", KEYS)
def test_what_could_be_chance_is_left(kind: str) -> None:
    key = KEYS[kind]
    for text in (
        b"the word " + key[-4:] + b" alone",
        b"**" + key[-4:] + b"**",
        b"it says " + key[-7:] + b" there",
        b"hidden: ****" + key[-4:] + b"more",
        b"hidden: ****" + key[-3:] + b" end",
        b"hidden: " + key[:3] + b"****" + key[-3:] + b"more",
        b"list: " + key[:3] + b" ... then " + key[-4:],
        key[:3] + b"*" + key[-4:] + b".",
        b"the last word" + key[-4:] + b" x",
        b"." * 8 + key[5:9] + b".",
    ):
        assert matcher(key).mask(text, "body") == (text, ()), text


def test_a_whole_key_is_not_a_part() -> None:
    for key in KEYS.values():
        output, findings = matcher(key).mask(b"a " + key + b" b " + key[:3] + b"..." + key[-4:] + b" c", "body")
        assert output == b"a " + MARK + b" b " + MARK + b" c"
        assert [(found.detector, found.length, found.count) for found in findings] == [
            ("injected-secret", len(key), 1),
            ("partial_echo", 10, 1),
        ]


def test_a_whole_key_with_a_filler_in_it_is_not_a_part() -> None:
    for key in (b"Zq8Rm3Xw7Kd2Vt9Lb4--xx", b"Zq8Rm3Xw7--Vt9Lb4Nc", b"Zq8__-Rm3Xw7Vt9Lb4"):
        output, findings = matcher(key).mask(b"<" + key + b">", "body")
        assert output == b"<" + MARK + b">"
        assert [found.detector for found in findings] == ["injected-secret"]


@pytest.mark.parametrize(
    "before",
    [b"a%20", b"a\\u0022", b"a\\n", b"xxx", b"a...", b"a\\u2026", b"ends in ", b"<sk-pr**", b"<sk- ** "],
)
def test_two_cuts_anywhere_change_nothing(before: bytes) -> None:
    key = KEYS["openai"]
    for count in (4, 8):
        text = before + key[-count:] + b" z"
        whole = matcher(key).mask(text, "body")
        for first in range(len(text) + 1):
            for second in range(first, len(text) + 1):
                stream = matcher(key).stream("body")
                pieces = (text[:first], text[first:second], text[second:])
                output = b"".join([*(stream.feed(piece) for piece in pieces), stream.finish()])
                assert (output, stream.findings()) == whole, pieces


def test_escapes_before_an_ending_are_not_taken_apart() -> None:
    for escape, inside in ((b"%20", b"20"), (b"\\n", b"n"), (b"\\u0022", b"u0022"), (b"%2F", b"2F")):
        key = b"Zq8Rm3Xw7" + inside + b"Vt9Lb4Nc"
        assert masked(key, b"a" + escape + b"Vt9Lb4Nc!") == b"a" + escape + MARK + b"!"
        assert masked(key, b"a/" + inside + b"Vt9Lb4Nc!") == b"a/" + MARK + b"!"


def test_a_part_that_touches_a_whole_key_is_one_mark_of_a_whole_one() -> None:
    key = KEYS["openai"]
    output, findings = matcher(key).mask(b"<" + key[:20] + key + b">", "body")
    assert output == b"<" + MARK + b">"
    assert [(found.detector, found.length, found.count) for found in findings] == [("injected-secret", 52, 1)]


@pytest.mark.parametrize("count", [30, 64, 70, 82, 120, 150])
def test_of_a_long_key_any_beginning_is_masked_to_its_end(count: int) -> None:
    key = b"sk-proj-" + bytes(b"Kq7Zr2Xw9Lm4Vt8Nb3Pc6"[(i * i + i // 3) % 21] for i in range(156))
    assert matcher(key).mask(b"<" + key[:count] + b"!>", "body")[0] == b"<" + MARK + b"!>"
    assert matcher(key).mask(b"<" + key[-min(count, 128) :] + b"!>", "body")[0] == b"<" + MARK + b"!>"


def test_stretches_of_a_long_key_make_a_whole_one_together_only() -> None:
    long, short = KEYS["anthropic"], KEYS["openai"]
    both = InjectedSecretMatcher([Secret("k", 2, long), Secret("k", 1, short)], ())
    for text, detector in (
        (long, "injected-secret"),
        (short, "injected-secret"),
        (b"%".join([long[:-1], b"end"]), "partial_echo"),
        (long[:70], "partial_echo"),
        (long[52:], "partial_echo"),
        (long.hex().encode(), "injected-secret"),
        (b"".join(b"\\u%04x" % code for code in long), "injected-secret"),
    ):
        for pieces in ([b"<" + text + b"> "], [b"<", *(text[at : at + 1] for at in range(len(text))), b"> "]):
            stream = both.stream("body")
            output = b"".join([*(stream.feed(piece) for piece in pieces), stream.finish()])
            assert output in (b"<" + MARK + b"> ", b"<" + MARK + b"%end> ")
            assert [(found.detector, found.count) for found in stream.findings()] == [(detector, 1)], text
    assert both.detector_of(b"<" + short + b">", 1, 1 + len(short)) == "injected-secret"
    assert both.detector_of(b"<" + short[:20] + b">", 1, 21) == "partial_echo"
    assert both.detector_of(b"<" + long + b">", 1, 60) == "injected-secret"
    assert both.detector_of(b"<" + short[-20:] + b">", 1, 21) == "partial_echo"


WORDY = {
    b"correct-horse-battery-staple": (
        b"a correct horse... staple, correct-horse: a battery-staple of ***staple** and the last staple",
        b"correct-horse-batt", b"e-battery-staple",
    ),
    b"my production password 2024": (
        b"my production ...2024, my****2024, in production 2024; ending in 2024", b"my production pa", b"password 2024",
    ),
}  # fmt: skip


@pytest.mark.parametrize("key", WORDY)
def test_keys_made_of_words_leave_ordinary_text_alone(key: bytes) -> None:
    text, beginning, _ = WORDY[key]
    assert matcher(key).mask(text, "body") == (text, ())
    assert masked(key, b"it is " + beginning + b", or so") == b"it is " + MARK + b", or so"
    assert masked(key, b"it is " + key[-20:] + b", or so" if b" " not in key else b"it is " + key[3:] + b", so")


def test_short_keys_have_no_parts() -> None:
    key = b"Zq8Rm3Xw7Kd2Vt9"
    text = b"Zq8Rm3Xw7Kd2Vt, Zq8***Vt9, ****Vt9x, ...2Vt9, q8Rm3Xw7Kd2Vt9. And so on"
    assert matcher(key).mask(text, "body") == (text, ())


def test_endings_made_of_fillers_need_something_else() -> None:
    key = b"Zq8Rm3Xw7Kd2Vt9Lb4--xx"
    text = b"Zq8***xx Zq8......xx ----xx ****--xx Zq8--xx"
    assert matcher(key).mask(text, "body") == (text, ())
    assert masked(key, b"<Zq8***4--xx>") == b"<" + MARK + b">"
    assert masked(key, b"<****4--xx>") == b"<****" + MARK + b">"


def test_the_previous_key_has_parts_too() -> None:
    both = InjectedSecretMatcher([Secret("k", 2, KEYS["openai"]), Secret("k", 1, KEYS["cursor"])], ())
    text = b"old key_***4f50, new sk-proj-Q4f...E5s, ****E5sx, ...4f50"
    assert both.mask(text, "body")[0] == b"old " + MARK + b", new " + MARK + b", ****E5sx, ..." + MARK
