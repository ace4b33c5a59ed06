"""Stages 9 and 10: the head that goes upstream, with the secret put in at the last moment."""

from ostiary.gateway.route import Armed, Route
from ostiary.gateway.state import Exchange
from ostiary.gateway.upstream import UpstreamConnection
from ostiary.ports import Receipt
from ostiary.protocols.chunked import encode_chunk
from ostiary.protocols.codings import SUPPORTED
from ostiary.protocols.header_rules import RequestField
from ostiary.protocols.heads import RequestHead
from ostiary.protocols.targets import redacted_target, without_parameters
from ostiary.vault.injection import injected_fields, injected_query

_SUPPORTED_CODINGS = tuple(name.encode("ascii") for name in SUPPORTED)
_ACCEPT_LINES: dict[bytes, bytes] = {}
_ACCEPT_LINES_MAX = 256
_ACCEPT_ENCODING = int(RequestField.ACCEPT_ENCODING)
_BODY_DIGESTS = frozenset({b"content-md5", b"digest", b"content-digest", b"repr-digest"})
"""They would be wrong for a body that was masked."""

_CONTENT_TYPE = int(RequestField.CONTENT_TYPE)


def accept_encoding_line(offered: bytes) -> bytes:
    """Only the codings that the client offers and we can read, else `identity` (A03)."""
    line = _ACCEPT_LINES.get(offered)
    if line is None:
        names = set()
        for part in offered.lower().split(b","):
            name, _, weight = part.replace(b" ", b"").replace(b"\t", b"").partition(b";q=")
            if weight.strip(b"0.") or not weight:
                names.add(name)
        readable = [name for name in _SUPPORTED_CODINGS if name in names]
        line = b"Accept-Encoding: " + (b", ".join(readable) or b"identity") + b"\r\n"
        if len(_ACCEPT_LINES) < _ACCEPT_LINES_MAX and len(offered) <= 256:
            _ACCEPT_LINES[offered] = line
    return line


def _own_lines(head: RequestHead, route: Route, armed: Armed | None, dropped: frozenset[bytes]) -> tuple[bytes, bytes]:
    """The client's own fields that go on, without those the connection or its secret sets, and Accept-Encoding."""
    lines = head.lines
    replaced = route.fixed_names | dropped
    if armed is not None and armed.replaced:
        replaced = armed.replaced | route.fixed_names | dropped
    if replaced:
        lines = [line for line in lines if line.partition(b":")[0].lower().replace(b"_", b"-") not in replaced]
    offered = b""
    for _name, value, fate in head.special:
        if fate == _ACCEPT_ENCODING:
            offered = value if not offered else offered + b"," + value
        elif fate == _CONTENT_TYPE and b"content-type" not in replaced:
            lines = [*lines, b"Content-Type: " + value]
    return (b"\r\n".join(lines) + b"\r\n" if lines else b""), accept_encoding_line(offered)


def _head_parts(exchange: Exchange, route: Route, armed: Armed | None) -> tuple[bytes, bytes]:
    """The head up to framing and secret as it is forwarded, and as it is recorded. A verdict keeps both."""
    judged = exchange.judged
    if exchange.body_changed:
        judged = None  # its head is not that of others
    if judged is not None and judged.forwarded and judged.armed is armed:
        return judged.forwarded, judged.recorded
    own, accept = _own_lines(exchange.head, route, armed, _BODY_DIGESTS if exchange.body_changed else frozenset())
    begin, query = _request_line(exchange, route, armed)
    first = begin + (b" HTTP/1.1\r\n" if query is None else b"?" + query + b" HTTP/1.1\r\n")
    forwarded = first + route.host_line + own + accept + route.fixed_lines
    recorded = begin + _shown_query(exchange) + b" HTTP/1.1\r\n" + own
    if judged is not None:
        judged.armed, judged.forwarded, judged.recorded = armed, forwarded, recorded
    return forwarded, recorded


def _shown_query(exchange: Exchange) -> bytes:
    """The client's query with the values withheld whose names speak of secrets, as in the log."""
    target = exchange.target
    if target is None or target.query is None:
        return b""
    return b"?" + redacted_target(target).partition("?")[2].encode("ascii")


def _request_line(exchange: Exchange, route: Route, armed: Armed | None) -> tuple[bytes, bytes | None]:
    """Method and path, and the client's query without the parameters that the secret sets."""
    target = exchange.target
    assert target is not None
    query = target.query
    if armed is not None and armed.query_names:
        query = without_parameters(query, armed.query_names)
    return exchange.head.method + b" " + route.base_path + target.path, query


def send(
    receipt: Receipt, exchange: Exchange, route: Route, upstream: UpstreamConnection, body: bytes, complete: bool
) -> tuple[bytes, bool]:
    """Write the head and the body bytes that are here already; `complete` says that this is all of it.

    The receipt of the durable intent is needed: without it nothing can be sent. Returns the head as it may be
    recorded (less what was injected), and whether the rest of the body goes in chunked coding.
    """
    assert receipt.index >= 0
    armed = exchange.armed
    forwarded, recorded = _head_parts(exchange, route, armed)
    length = exchange.content_length
    chunked = False
    framing = b""
    if complete:
        if body or length is not None or exchange.head.chunked:
            framing = b"Content-Length: %d\r\n" % len(body)
    elif exchange.head.chunked:
        chunked = True
        framing = b"Transfer-Encoding: chunked\r\n"
        body = encode_chunk(body) if body else b""
    elif length is not None:
        framing = b"Content-Length: %d\r\n" % length
    if armed is None:
        upstream.write(forwarded + framing + b"\r\n" + body)
    elif armed.query_names:
        begin, query = _request_line(exchange, route, armed)
        upstream.write(
            begin
            + (b"?" if not query else b"?" + query + b"&")
            + injected_query(armed.forms, armed.secrets, armed.default)
            + b" HTTP/1.1\r\n"
            + forwarded.partition(b"\r\n")[2]
            + framing
            + injected_fields(armed.forms, armed.secrets, armed.default)
            + b"\r\n"
            + body
        )
    else:
        upstream.write(
            forwarded + framing + injected_fields(armed.forms, armed.secrets, armed.default) + b"\r\n" + body
        )
    if complete:
        upstream.finish_request()
    return recorded, chunked
