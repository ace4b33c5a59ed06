"""A10, A11, A12: the injected secret is masked in every encoding, whole or mixed, and nothing of it remains."""

import base64

import pytest

from ostiary.masking.injected import MARK, InjectedSecretMatcher
from ostiary.model.connection import AuthForm, AuthScheme
from ostiary.model.secret import Secret
from support.oracle import LeakOracle
from support.spellings import BASE64, SPELLINGS, TEXT, mixed

KEYS = {
    "api key": b"sk-proj-Q4f7xB2nL9vTzR8mW1cKdE5s",
    "every kind of sign": b"""aZ09-._~!"#$%&'()*+,/:;<=>?@[\\]^_`{|}""",
    "regex metacharacters": b"(a|b)*[^c]{2,}\\d+$.?^",
    "ends in introducers": b"key&key%key\\key&",
    "with a space": b"two words and more",
    "short": b"p4ss/w+r",
    "long": bytes(33 + (index * 37) % 90 for index in range(150)),
}
FORMS = (AuthForm(AuthScheme.BASIC_USERNAME), AuthForm(AuthScheme.BASIC_PASSWORD, "api"))
_matchers: dict[bytes, InjectedSecretMatcher] = {}


def matcher(key: bytes) -> InjectedSecretMatcher:
    if key not in _matchers:
        _matchers[key] = InjectedSecretMatcher([Secret("key", 1, key)], FORMS)
    return _matchers[key]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("kind", KEYS)
def test_no_fragment_remains(kind: str, spelling: str) -> None:
    key = KEYS[kind]
    written = SPELLINGS[spelling](key)
    masked, findings = matcher(key).mask(b'{"message": "' + written + b'"} and so on', "body")
    assert findings, written
    assert masked.startswith(b'{"message": "')
    assert masked.endswith(b" and so on")
    assert LeakOracle(key, min(8, len(key) // 2 + 2)).search("body", masked) == []


@pytest.mark.parametrize("spelling", [name for name in TEXT if name != "html decimal without semicolon"])
def test_text_around_is_kept_and_one_mark_stands_for_it(spelling: str) -> None:
    key = KEYS["api key"]
    masked, findings = matcher(key).mask(b"key=" + SPELLINGS[spelling](key) + b"&x", "body")
    assert masked == b"key=" + MARK + b"&x"
    assert [(found.detector, found.place, found.count) for found in findings] == [("injected-secret", "body", 1)]


@pytest.mark.parametrize("seed", range(40))
def test_any_mixture_within_one_key(seed: int) -> None:
    key = KEYS["every kind of sign"]
    assert matcher(key).mask(b"<" + mixed(key, seed) + b">", "body")[0] == b"<" + MARK + b">"


@pytest.mark.parametrize("scheme", ["basic user name", "basic password"])
def test_basic_composite_and_part_are_both_masked(scheme: str) -> None:
    key = KEYS["api key"]
    composite = BASE64[scheme](key)
    masked, _ = matcher(key).mask(b"Authorization: Basic " + composite + b"\r\n", "header")
    assert masked.rstrip(b"=\r\n") == b"Authorization: Basic " + MARK
    part = base64.b64encode(b"somebody else:" + key + b":more")
    masked, findings = matcher(key).mask(part, "header")
    assert findings
    assert LeakOracle(key).search("header", masked) == []


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf16_text_stays_utf16_around_the_mark(codec: str) -> None:
    key = KEYS["api key"]
    masked, _ = matcher(key).mask(f"before {key.decode()} after".encode(codec), "body")
    assert masked.decode(codec) == f"before {MARK.decode()} after"


def test_long_keys_are_found_in_any_case_and_short_ones_as_they_are() -> None:
    long, short = KEYS["api key"], KEYS["short"]
    assert matcher(long).mask(b"x-" + long.upper() + b": 1", "header")[0] == b"x-" + MARK + b": 1"
    assert matcher(long).mask(b"x-" + long.lower() + b": 1", "header")[0] == b"x-" + MARK + b": 1"
    assert matcher(short).mask(short.upper(), "header") == (short.upper(), ())


def test_several_finds_are_counted_with_their_length() -> None:
    key = KEYS["api key"]
    masked, findings = matcher(key).mask(b"%b, %b; %b" % (key, key, key), "trailer")
    assert masked == MARK + b", " + MARK + b"; " + MARK
    assert [(found.place, found.length, found.count) for found in findings] == [("trailer", 3 * len(key), 3)]


def test_a_common_word_as_key_is_masked_literally_and_only_as_that_word() -> None:
    word = matcher(b"password")
    assert word.mask(b'{"password": "passwor", "passworx": 1}', "body")[0] == (
        b'{"' + MARK + b'": "passwor", "passworx": 1}'
    )


@pytest.mark.parametrize("kind", KEYS)
def test_clean_input_is_the_same_object(kind: str) -> None:
    data = b'{"text": "nothing to see here", "n": [1, 2, 3], "u": "\\u00e9 %41 &amp; ' + b"x" * 3000 + b'"}\n'
    masked, findings = matcher(KEYS[kind]).mask(data, "body")
    assert masked is data
    assert findings == ()


def test_near_misses_are_left_alone() -> None:
    key = KEYS["api key"]
    for near in (
        key[:10] + b"_" + key[11:],
        key[::-1],
        key[:8] + b"!" + key[9:18] + b"!",
        key.hex().encode()[:-1] + b"g",
    ):
        data = b'"' + near + b'"'
        assert matcher(key).mask(data, "body") == (data, ())
