"""Masking any cut of a text gives what masking the whole gives: with every built-in format, own patterns with every
action, exceptions, and the injected secret in between."""

from collections.abc import Sequence
from functools import cache

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ostiary.masking.engine import Masker, MaskingEngine, detector_names
from ostiary.masking.injected import InjectedSecretMatcher
from ostiary.masking.placeholders import Placeholders
from ostiary.model.connection import AuthForm, AuthScheme
from ostiary.model.finding import Finding
from ostiary.model.masking import Action, Exemption, MaskingRule, Where
from ostiary.model.secret import Secret
from support.examples import examples

ANYWHERE = frozenset(Where)
KEY = b"sk-live-Q4f7xB2nL9vTzR8mW1c"
OWN = (
    MaskingRule("ids", ANYWHERE, pattern="ACME-[0-9]{8}"),
    MaskingRule("digests", ANYWHERE, Action.HASH, pattern="[0-9a-f]{8,64}"),
    MaskingRule(
        "addresses", ANYWHERE, Action.PARTIAL, pattern=r"(?<![a-z.])[a-z.]{1,64}@(?:[a-z0-9-]{1,63}\.){1,4}[a-z]{2,24}"
    ),
    MaskingRule("tokens", ANYWHERE, Action.HASH, pattern=r"\beyJ[A-Za-z0-9_-]{3,600}\.eyJ[A-Za-z0-9_.-]*"),
    MaskingRule("words", ANYWHERE, words=("secret", "key", "tok-en", "große")),
    MaskingRule("seen", ANYWHERE, Action.REPORT, pattern="fo+"),
    MaskingRule(
        "logins",
        ANYWHERE,
        Action.PLACEHOLDER,
        pattern=r"""(?i)passw(?:or)?d["']?\s{0,3}[:=]\s{0,3}["']?(?P<value>[^\s"']{4,64})""",
        exemptions=(Exemption("A test value.", matching="hunter2+"),),
    ),
)  # fmt: skip
PARTS = (
    b"ACME-", b"12345678", b"1234", b"abcdef0123", b"alice.b", b"@", b"acme.com", b" ", b"\n", b"eyJabc", b".eyJ",
    b"zzz.q-q", b"secret", b"key", b"tok-en", "große".encode(), b"fooo", b"passw", b"ord", b' = "', b"hunter2", b'"',
    b"-", b"_", b"x", "é".encode(), KEY, KEY[:11], KEY[11:], b"***", KEY[-4:],
    b"ghp_", b"A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8",
    b"4242 4242 4242 4242", b"DE89 3704 0044 0532 0130 00", b"+49 30 901820", b"api_key: ", b"Zk3vQ9xT7mLp2Rw8",
    b"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\n",
    b"-----END PRIVATE KEY-----",
    b"AKIAIOSFODNN7EXAMPLE", b"ssn 078-05-1120", b"https://bob:hunter22x@db.example/",
)  # fmt: skip


@cache
def engine(built_in: bool) -> MaskingEngine:
    rules = (MaskingRule("all", ANYWHERE, detectors=detector_names()),) if built_in else OWN
    return MaskingEngine(rules, b"k" * 32)


@cache
def injected() -> InjectedSecretMatcher:
    return InjectedSecretMatcher([Secret("key", 1, KEY)], [AuthForm(AuthScheme.BEARER)])


def masker(built_in: bool) -> Masker:
    made = engine(built_in)
    exemptions = {rule.name: rule.exemptions for rule in made.rules}
    return made.masker(injected=injected(), exemptions=exemptions, substitutes=Placeholders())


def masked(pieces: Sequence[bytes], built_in: bool) -> tuple[bytes, list[Finding]]:
    mine = masker(built_in)
    stream = mine.stream("body")
    text = b"".join([stream.feed(piece) for piece in pieces]) + stream.finish()
    return text, sorted(mine.findings(), key=repr)


def cut(text: bytes, places: Sequence[int]) -> list[bytes]:
    ends = sorted({place % (len(text) + 1) for place in places} | {len(text)})
    return [text[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]


@settings(max_examples=examples(150, 1_000), deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=12), st.lists(st.integers(0, 400), max_size=12), st.booleans())
@example([b"passw", b"ord", b' = "', b"hunter2", b'"'], [3, 9], False)
@example([KEY[:11], b"***", KEY[-4:]], [11, 13], True)
def test_any_cut_of_a_text_gives_the_same_output(parts: list[bytes], places: list[int], built_in: bool) -> None:
    text = b"".join(parts)
    assert masked(cut(text, places), built_in) == masked([text], built_in)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=8), st.booleans())
def test_byte_by_byte_gives_the_same_output(parts: list[bytes], built_in: bool) -> None:
    text = b"".join(parts)
    assert masked([text[at : at + 1] for at in range(len(text))], built_in) == masked([text], built_in)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=10), st.lists(st.integers(0, 400), max_size=8), st.booleans())
def test_edits_give_what_feeding_gives(parts: list[bytes], places: list[int], built_in: bool) -> None:
    text = b"".join(parts)
    stream = masker(built_in).stream("body")
    written, out, pieces = 0, b"", cut(text, places)
    for number, piece in enumerate(pieces):
        decided, edits = stream.cut(piece, final=number == len(pieces) - 1)
        for edit in edits:
            assert written <= edit.start <= edit.end <= len(text)
            out += text[written : edit.start] + edit.replacement
            written = edit.end
        assert written <= decided
        out, written = out + text[written:decided], decided
    assert out == masked([text], built_in)[0]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=8), st.booleans())
def test_what_is_not_suspected_is_not_masked(parts: list[bytes], built_in: bool) -> None:
    text = b"".join(parts)
    mine = engine(built_in).masker(substitutes=Placeholders())
    if not mine.suspects(text):
        stream = mine.stream("body", b'"a": "')
        assert stream.feed(text) + stream.finish() == text
