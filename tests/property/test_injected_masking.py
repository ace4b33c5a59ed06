"""Any cut of any body gives the same output, and whatever is spelled in it is gone."""

from functools import cache

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ostiary.masking.injected import InjectedSecretMatcher
from ostiary.model.connection import AuthForm, AuthScheme
from ostiary.model.secret import Secret
from support.examples import examples
from support.oracle import LeakOracle
from support.spellings import SPELLINGS

CAST: dict[str, tuple[bytes, ...]] = {
    "one": (b"sk-live-9fK2mQ7xR4",),
    "metacharacters": (b"a.*(b|c)+[^d]$\\w{2}",),
    "introducers at the end": (b"k&%\\k&%\\",),
    "self-similar": (b"aaaaaaaa",),
    "self-similar pairs": (b"abababab", b"babababa"),
    "prefix of another": (b"abcd1234", b"abcd1234-and-more"),
    "suffix of another": (b"and-more", b"abcd1234-and-more"),
    "current and previous": (b"key-2222-current", b"key-1111-previous"),
    "in stretches": (bytes(48 + (i * i + i // 7) % 75 for i in range(90)),),
    "vendor": (b"sk-proj-Q4f7xB2nL9vTzR8mW1cKdE5s",),
    "made of fillers": (b"x*..--xx_x9Bx*.x-..xx",),
    "periodic": (b"abA1" * 6, b"A1ab" * 5),
    "made of words": (b"the last word of a key",),
    "escapes": (b"n%20u0022\\n9Zbfr%2A\\u2026x",),
    "one ends as another begins": (b"Zq8Rm3Xw7Kd2Vt9Lb4", b"d2Vt9Lb4Zq8Rm3Xw7K"),
}


@cache
def matcher_of(name: str) -> InjectedSecretMatcher:
    return InjectedSecretMatcher(
        [Secret(f"s{index}", 1, key) for index, key in enumerate(CAST[name])],
        (AuthForm(AuthScheme.BASIC_USERNAME), AuthForm(AuthScheme.BASIC_PASSWORD, "me")),
    )


BUSY = settings(deadline=None, max_examples=examples(50, 500), suppress_health_check=[HealthCheck.too_slow])


@st.composite
def bodies(draw: st.DrawFn, keys: tuple[bytes, ...]) -> bytes:
    """Whole and cut spellings of the keys, with filling made of what spellings are made of."""
    parts = []
    for _ in range(draw(st.integers(1, 4))):
        written = SPELLINGS[draw(st.sampled_from(sorted(SPELLINGS)))](draw(st.sampled_from(keys)))
        start = draw(st.sampled_from((0, 0, 0, 1, len(written) // 2)))
        end = draw(st.sampled_from((len(written), len(written), len(written) - 1, len(written) // 2)))
        parts.append(draw(st.sampled_from((b"", b" ", b'"', b"\n\n", b"%", b"\\", b"&", b"&amp;", b"%25", b"x", b";"))))
        parts.append(written[start:end])
    parts.append(draw(st.binary(max_size=3)))
    return b"".join(parts)


FILLERS = (
    b"***", b"...", b"..", b"\xe2\x80\xa6", b"\xe2\x80\xa2" * 4, b"xxxx", b"[redacted]", b"<hidden>", b"\\u2026",
    b"\\u2022" * 3, b" ... ", b"&hellip;", b"%2A%2A%2A", b"----", b"*",
)  # fmt: skip
BETWEEN = (
    b"", b" ", b'"', b"\n", b"\\n", b"%20", b"\\u0022",
    b'","last4":"', b"ending in ", b"a", b"\\", b"%", b"%2", b"\\u00",
    b"-", b"xxx", b"x", b"...", b"*",
)  # fmt: skip


@st.composite
def echoes(draw: st.DrawFn, keys: tuple[bytes, ...]) -> bytes:
    """Beginnings, fillers and endings of the keys in any order, some of them cut."""
    parts = []
    for _ in range(draw(st.integers(1, 5))):
        key = draw(st.sampled_from(keys))
        count = draw(st.integers(1, len(key)))
        part = draw(
            st.sampled_from(
                (
                    key[:count] + draw(st.sampled_from(FILLERS)) + key[-draw(st.integers(1, 9)) :],
                    key[:count],
                    key[-count:],
                    key[count // 2 : count],
                    draw(st.sampled_from(FILLERS)) + key[-count:],
                    key,
                )
            )
        )
        parts += [draw(st.sampled_from(BETWEEN)), part[: draw(st.sampled_from((len(part), len(part), len(part) - 1)))]]
    parts.append(draw(st.sampled_from(BETWEEN)))
    return b"".join(parts)


def fed(matcher: InjectedSecretMatcher, data: bytes, edges: list[int]) -> tuple[bytes, object]:
    stream = matcher.stream("body")
    output = []
    for start, end in zip([0, *edges], [*edges, len(data)], strict=True):
        output.append(stream.feed(data[start:end]))
        assert stream.held_bytes <= matcher.hold_back_max_bytes
    output.append(stream.finish())
    return b"".join(output), stream.findings()


@BUSY
@given(st.data(), st.sampled_from(sorted(CAST)))
def test_any_split_gives_the_output_of_the_whole(data: st.DataObject, name: str) -> None:
    matcher = matcher_of(name)
    body = data.draw(bodies(CAST[name]))
    whole = matcher.mask(body, "body")
    edges = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    assert fed(matcher, body, edges) == whole
    assert fed(matcher, body, list(range(1, len(body)))) == whole


@settings(parent=BUSY, max_examples=examples(150, 2_000))
@given(st.data(), st.sampled_from(sorted(CAST)))
def test_any_split_of_partial_echoes(data: st.DataObject, name: str) -> None:
    matcher = matcher_of(name)
    body = data.draw(echoes(CAST[name]))
    whole = matcher.mask(body, "body")
    edges = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    assert fed(matcher, body, edges) == whole
    assert fed(matcher, body, list(range(1, len(body)))) == whole


@BUSY
@given(st.data(), st.sampled_from(sorted(CAST)))
def test_candidates_come_in_order_and_do_not_depend_on_what_is_covered(data: st.DataObject, name: str) -> None:
    matcher = matcher_of(name)
    body = data.draw(echoes(CAST[name]))
    spans = []
    start, end = matcher.candidate(body, 0)
    while start >= 0:
        spans.append((start, end))
        assert matcher.suspects(body)
        assert end > start
        covered = data.draw(st.integers(0, len(body)))
        found = matcher.candidate(body, start + 1, covered)
        start, end = matcher.candidate(body, start + 1)
        assert found == (start, end) or end <= covered
    assert spans == sorted(spans)


@BUSY
@given(st.data(), st.sampled_from(sorted(CAST)), st.text(alphabet="abk sd12&%\\#;u0-=+/\n", max_size=40))
def test_any_split_of_text_made_of_key_parts(data: st.DataObject, name: str, text: str) -> None:
    matcher, body = matcher_of(name), text.encode()
    edges = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    assert fed(matcher, body, edges) == matcher.mask(body, "body")


@settings(parent=BUSY, max_examples=examples(30, 300))
@given(
    key=st.binary(min_size=8, max_size=90).map(lambda raw: bytes(33 + byte % 94 for byte in raw)),
    spellings=st.lists(st.sampled_from(sorted(SPELLINGS)), min_size=4, max_size=4),
    around=st.tuples(st.binary(max_size=20), st.binary(max_size=20)),
    data=st.data(),
)
def test_no_key_survives_any_spelling(
    key: bytes, spellings: list[str], around: tuple[bytes, bytes], data: st.DataObject
) -> None:
    matcher = InjectedSecretMatcher([Secret("key", 1, key)], ())  # what takes the time
    oracle = LeakOracle(key, 10)
    for spelling in spellings:
        body = b" ".join((around[0], SPELLINGS[spelling](key), around[1]))
        edges = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=4)))
        output, findings = fed(matcher, body, edges)
        assert findings
        # Fragments of ten bytes: what stands around may complete shorter ones by chance.
        assert oracle.search("body", output) == [] or len(key) < 10


@settings(parent=BUSY, max_examples=examples(30, 300))
@given(
    key=st.binary(min_size=16, max_size=64).map(
        lambda raw: b"sk-" + bytes(b"aB3dE5gH7jK9mN1pQ4rS6tU8vW2xY0z"[byte % 31] for byte in raw)
    ),
    data=st.data(),
)
def test_beginnings_and_endings_of_random_keys_never_pass(key: bytes, data: st.DataObject) -> None:
    matcher = InjectedSecretMatcher([Secret("key", 1, key)], ())  # what takes the time
    oracle = LeakOracle(key, 8)
    for _ in range(4):
        count = data.draw(st.integers(8, len(key)))
        part = data.draw(st.sampled_from((key[:count], key[-count:])))
        body = (
            data.draw(st.sampled_from((b'{"hint":"', b"is '", b"\n\n")))
            + part
            + data.draw(st.sampled_from((b'"}', b" ", b"...")))
        )
        edges = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=4)))
        output, findings = fed(matcher, body, edges)
        assert findings
        assert oracle.search("body", output) == []
