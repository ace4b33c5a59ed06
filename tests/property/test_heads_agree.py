"""What our grammar accepts, an independent parser (llhttp) reads the same way: there is nothing to smuggle with."""

import httptools
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ostiary.protocols.chunked import ChunkedDecoder, ChunkError
from ostiary.protocols.heads import HeadError, parse_request_head, request_line_cache, without_length
from support.examples import examples

CACHE = request_line_cache()

_NAMES = st.sampled_from(
    [b"Host", b"Content-Length", b"Transfer-Encoding", b"Connection", b"Accept", b"X-A", b"content_length", b"Expect"]
)
_VALUES = st.one_of(
    st.sampled_from([b"x", b"0", b"3", b"chunked", b"close", b"keep-alive, x-a", b"", b"100-continue"]),
    st.binary(max_size=12),
)
_SEPARATORS = st.sampled_from([b": ", b":", b" : ", b":\t", b"", b": \r\n "])
_ENDS = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\r\n\r\n"])
_REQUEST_LINES = st.one_of(
    st.sampled_from(
        [b"GET / HTTP/1.1", b"POST /a?b HTTP/1.1", b"GET / HTTP/1.0", b"GET  / HTTP/1.1", b"GET /\x80 HTTP/1.1"]
    ),
    st.binary(max_size=30),
)


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    lines = draw(st.lists(st.tuples(_NAMES, _SEPARATORS, _VALUES, _ENDS), max_size=6))
    text = b"".join(name + separator + value + end for name, separator, value, end in lines)
    return draw(_REQUEST_LINES) + b"\r\nHost: h\r\n" + text + b"\r\n"


class Listener:
    def __init__(self) -> None:
        self.target = b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.heads = 0

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self.heads += 1


@settings(max_examples=examples(600, 10_000), deadline=None)
@given(heads())
@example(b"GET / HTTP/1.1\r\nHost: h\r\nX-A: a\r\n b\r\n\r\n")
def test_accepted_heads_are_read_the_same_by_llhttp(wire: bytes) -> None:
    end = wire.find(b"\r\n\r\n")
    try:
        head = parse_request_head(wire[:end], CACHE, headers_max=50, target_max_bytes=1000)
    except HeadError:
        return
    if head.method not in (b"GET", b"POST"):
        return  # llhttp knows a fixed list of methods; ours are judged by the rules later
    listener = Listener()
    parser = httptools.HttpRequestParser(listener)
    parser.feed_data(wire[: end + 4])
    assert listener.heads == 1
    assert parser.get_method() == head.method
    assert listener.target == head.target
    assert listener.fields == [(name, value) for name, value, _fate in head.fields]


_CHUNK_PARTS = st.lists(
    st.one_of(
        st.sampled_from(
            [b"0\r\n\r\n", b"1\r\na\r\n", b"2;x=1\r\nab\r\n", b"A\r\n0123456789\r\n", b"0\r\nX: y\r\n\r\n"]
        ),
        st.sampled_from(
            [b"1\na\n", b"+1\r\na\r\n", b"1 \r\na\r\n", b"0x1\r\na\r\n", b"1;\r\na\r\n", b"\r\n", b"1\r\nab\r\n"]
        ),
        st.binary(max_size=6),
    ),
    max_size=6,
)


class Body:
    def __init__(self) -> None:
        self.body = b""
        self.complete = False

    def on_body(self, data: bytes) -> None:
        if not self.complete:
            self.body += data

    def on_message_complete(self) -> None:
        self.complete = True


@settings(max_examples=examples(600, 10_000), deadline=None)
@given(_CHUNK_PARTS, st.integers(0, 60))
def test_accepted_chunks_are_read_the_same_by_llhttp(parts: list[bytes], cut: int) -> None:
    wire = b"".join(parts)
    decoder = ChunkedDecoder()
    try:
        ours = decoder.feed(wire[:cut])
        if not decoder.complete:
            ours += decoder.feed(wire[cut:])
    except ChunkError:
        return
    if not decoder.complete:
        return
    listener = Body()
    parser = httptools.HttpRequestParser(listener)
    parser.feed_data(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
    try:
        parser.feed_data(wire)
    except httptools.HttpParserError:
        # Only what follows the complete body may displease it.
        assert listener.complete
    assert listener.body == ours
    assert listener.complete


@settings(max_examples=examples(600, 10_000), deadline=None)
@given(heads())
@example(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n")
@example(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n")
def test_a_head_without_its_length_is_judged_as_with_it(wire: bytes) -> None:
    """A verdict is kept under the head without Content-Length: taking it again must never accept more."""
    block = wire[: wire.find(b"\r\n\r\n")]
    key, length = without_length(block)
    try:
        whole = parse_request_head(block, CACHE, headers_max=50, target_max_bytes=1000)
    except HeadError:
        whole = None
    try:
        rest = parse_request_head(key, CACHE, headers_max=50, target_max_bytes=1000)
    except HeadError:
        rest = None
    keeps_verdict = rest is not None and rest.content_length is None and not (rest.chunked and length is not None)
    if keeps_verdict:
        assert whole is not None
        assert whole.content_length == length
        assert (whole.method, whole.target, whole.lines, whole.chunked) == (
            rest.method,
            rest.target,
            rest.lines,
            rest.chunked,
        )
