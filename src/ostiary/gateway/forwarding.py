"""Stages 9 and 10: the head that goes upstream, with the secret put in at the last moment."""

from collections.abc import Collection

from ostiary.gateway.route import Armed, Route
from ostiary.gateway.state import Exchange
from ostiary.gateway.upstream import UpstreamConnection
from ostiary.ports import Receipt
from ostiary.protocols.chunked import LAST_CHUNK, encode_chunk
from ostiary.protocols.codings import SUPPORTED
from ostiary.protocols.header_rules import RequestField
from ostiary.protocols.targets import without_parameters
from ostiary.vault.injection import injected_fields, injected_query

_SUPPORTED_CODINGS = tuple(name.encode("ascii") for name in SUPPORTED)
_ACCEPT_LINES: dict[bytes, bytes] = {}


def _accept_encoding(offered: list[bytes]) -> bytes:
    """The codings the client names that we can read, else none (A03)."""
    key = b",".join(offered)
    line = _ACCEPT_LINES.get(key)
    if line is None:
        names = {part.partition(b";")[0].strip(b" \t").lower() for part in key.split(b",") if b"q=0" not in part[-4:]}
        readable = [name for name in _SUPPORTED_CODINGS if name in names]
        line = b"Accept-Encoding: " + (b", ".join(readable) or b"identity") + b"\r\n"
        if len(_ACCEPT_LINES) < 256 and len(key) <= 256:
            _ACCEPT_LINES[key] = line
    return line


def forwarded_lines(exchange: Exchange, route: Route, armed: Armed | None) -> bytes:
    """The client's own fields that go on, without those the connection or its secret sets."""
    lines = exchange.head.lines
    replaced: Collection[bytes] = route.fixed_names
    if armed is not None and armed.replaced:
        replaced = armed.replaced | route.fixed_names
    if replaced:
        lines = [line for line in lines if line.partition(b":")[0].lower().replace(b"_", b"-") not in replaced]
    values = exchange.head.values(RequestField.CONTENT_TYPE)
    if values:
        lines = [*lines, b"Content-Type: " + values[0]]
    return b"\r\n".join(lines) + b"\r\n" if lines else b""


def request_line(exchange: Exchange, route: Route, query: bytes | None) -> bytes:
    target = exchange.target
    path = target.path if target is not None else b"/"
    suffix = b"" if query is None else b"?" + query
    return exchange.head.method + b" " + route.base_path + path + suffix + b" HTTP/1.1\r\n"


class Forwarder:
    """Writes one request to one upstream connection. `send` needs the receipt of the durable intent, so that nothing
    can be sent before it was recorded."""

    def __init__(self, exchange: Exchange, route: Route, armed: Armed | None, upstream: UpstreamConnection) -> None:
        self._exchange = exchange
        self._route = route
        self._armed = armed
        self._upstream = upstream
        self._chunked = exchange.head.chunked

    def recorded_head(self) -> bytes:
        """The head as it is sent, less what is injected."""
        target = self._exchange.target
        query = target.query if target is not None else None
        return request_line(self._exchange, self._route, query) + forwarded_lines(
            self._exchange, self._route, self._armed
        )

    def send(self, receipt: Receipt, body: bytes, complete: bool) -> None:
        """The head and the body bytes that are here already; `complete` when that is all of it."""
        exchange, route, armed = self._exchange, self._route, self._armed
        exchange.intent_index = receipt.index
        target = exchange.target
        query = target.query if target is not None else None
        if armed is not None and armed.query_names:
            query = without_parameters(query, armed.query_names)
        length = exchange.head.content_length
        framing = b""
        if complete and (body or exchange.head.has_body or length is not None):
            framing = b"Content-Length: %d\r\n" % len(body)
            self._chunked = False
        elif self._chunked:
            framing = b"Transfer-Encoding: chunked\r\n"
        elif length is not None:
            framing = b"Content-Length: %d\r\n" % length
        payload = encode_chunk(body) if self._chunked and body else body
        shared = (
            route.host_line
            + forwarded_lines(exchange, route, armed)
            + _accept_encoding(exchange.head.values(RequestField.ACCEPT_ENCODING))
            + route.fixed_lines
            + framing
        )
        if armed is None:
            self._upstream.write(request_line(exchange, route, query) + shared + b"\r\n" + payload)
        elif armed.query_names:
            self._upstream.write(
                request_line(
                    exchange,
                    route,
                    (query + b"&" if query else b"") + injected_query(armed.forms, armed.secrets, armed.default),
                )
                + shared
                + injected_fields(armed.forms, armed.secrets, armed.default)
                + b"\r\n"
                + payload
            )
        else:
            self._upstream.write(
                request_line(exchange, route, query)
                + shared
                + injected_fields(armed.forms, armed.secrets, armed.default)
                + b"\r\n"
                + payload
            )
        if complete:
            self._upstream.finish_request()

    def send_body(self, data: bytes) -> None:
        self._upstream.write(encode_chunk(data) if self._chunked else data)

    def end_body(self) -> None:
        if self._chunked:
            self._upstream.write(LAST_CHUNK)
        self._upstream.finish_request()
