"""Any cut of any body gives the same output, and whatever is spelled in it is gone."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ostiary.masking.injected import InjectedSecretMatcher
from ostiary.model.connection import AuthForm, AuthScheme
from ostiary.model.secret import Secret
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
}
MATCHERS = {
    name: InjectedSecretMatcher(
        [Secret(f"s{index}", 1, key) for index, key in enumerate(keys)],
        (AuthForm(AuthScheme.BASIC_USERNAME), AuthForm(AuthScheme.BASIC_PASSWORD, "me")),
    )
    for name, keys in CAST.items()
}
BUSY = settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow])


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
    matcher = MATCHERS[name]
    body = data.draw(bodies(CAST[name]))
    whole = matcher.mask(body, "body")
    edges = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    assert fed(matcher, body, edges) == whole
    assert fed(matcher, body, list(range(1, len(body)))) == whole


@BUSY
@given(st.data(), st.sampled_from(sorted(CAST)), st.text(alphabet="abk sd12&%\\#;u0-=+/\n", max_size=40))
def test_any_split_of_text_made_of_key_parts(data: st.DataObject, name: str, text: str) -> None:
    matcher, body = MATCHERS[name], text.encode()
    edges = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    assert fed(matcher, body, edges) == matcher.mask(body, "body")


@BUSY
@given(
    key=st.binary(min_size=8, max_size=90).map(lambda raw: bytes(33 + byte % 94 for byte in raw)),
    spelling=st.sampled_from(sorted(SPELLINGS)),
    around=st.tuples(st.binary(max_size=20), st.binary(max_size=20)),
    data=st.data(),
)
def test_no_key_survives_any_spelling(
    key: bytes, spelling: str, around: tuple[bytes, bytes], data: st.DataObject
) -> None:
    matcher = InjectedSecretMatcher([Secret("key", 1, key)], ())
    body = b" ".join((around[0], SPELLINGS[spelling](key), around[1]))
    edges = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=4)))
    output, findings = fed(matcher, body, edges)
    assert findings
    # Fragments of ten bytes: what stands around may complete shorter ones by chance.
    assert LeakOracle(key, 10).search("body", output) == [] or len(key) < 10
