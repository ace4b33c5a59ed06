"""Message heads, read by a grammar stricter than RFC 9112 allows a server to be.

A head is split into lines and every line is looked up in a bounded cache of lines already judged: tools repeat most
of theirs, so a repeated head costs one dictionary look-up a line. `docs/adr/0002` has the measurements.
"""

import re
from collections.abc import Callable

from ostiary.protocols.header_rules import RequestField, ResponseField, request_field, response_field

Field = tuple[bytes, bytes, int]
"""(lower-case name, value without surrounding white space, fate)."""

_FIELD_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*((?:[!-~](?:[ -~\t]*[!-~])?)?)[ \t]*")
_RESPONSE_FIELD_LINE = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*((?:[!-~\x80-\xff](?:[ -~\t\x80-\xff]*[!-~\x80-\xff])?)?)[ \t]*"
)
_REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}) ([!-~]+) HTTP/1\.([01])")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: [ -~\t\x80-\xff]*)?")
_CONTENT_LENGTH_VALUE = re.compile(rb"[0-9]{1,18}")
"""Eighteen digits stay below 2^63, where other parsers would wrap around."""
_BARE_LINE_END = re.compile(rb"\r[^\n]|(?<!\r)\n|\x00")

# Plain numbers: comparing with members of an IntEnum costs ten times as much, and this runs for every field.
_HOST = int(RequestField.HOST)
_CONTENT_LENGTH = int(RequestField.CONTENT_LENGTH)
_TRANSFER_ENCODING = int(RequestField.TRANSFER_ENCODING)
_CONNECTION = int(RequestField.CONNECTION)
_CREDENTIAL = int(RequestField.CREDENTIAL)
_ACCEPT_ENCODING = int(RequestField.ACCEPT_ENCODING)
_CONTENT_TYPE = int(RequestField.CONTENT_TYPE)
_CONTENT_ENCODING = int(RequestField.CONTENT_ENCODING)
_EXPECT = int(RequestField.EXPECT)
_REFUSE = int(RequestField.REFUSE)
_UNSCANNED = int(ResponseField.UNSCANNED)
_JUDGED_LATER = (_CREDENTIAL, _ACCEPT_ENCODING)
_ONCE_ONLY = (_CONTENT_TYPE, _CONTENT_ENCODING)

_CACHED_LINE_BYTES = 256
_CACHED_LINES = 4096

HEAD_END = b"\r\n\r\n"


class HeadError(Exception):
    """The head is not one message beyond doubt. `status` is the answer it deserves; `str()` a fixed sentence."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status


class LineCache:
    """Judged lines by their bytes; forgets everything when full. Never holds a credential."""

    __slots__ = ("_judge", "_lines", "_uncached", "get")

    def __init__(self, judge: Callable[[bytes], Field], uncached: int) -> None:
        """`uncached` is the fate whose lines are judged every time."""
        self._judge = judge
        self._uncached = uncached
        self._lines: dict[bytes, Field] = {}
        self.get = self._lines.get

    def drop(self, line: bytes) -> None:
        self._lines.pop(line, None)

    def put(self, line: bytes, field: Field) -> None:
        self._lines[line] = field

    def read(self, line: bytes) -> Field:
        """The judged field of a line that is not cached yet. Raises `HeadError`."""
        field = self._judge(line)
        if len(line) <= _CACHED_LINE_BYTES and field[2] != self._uncached:
            if len(self._lines) >= _CACHED_LINES:
                self._lines.clear()
            self._lines[line] = field
        return field


def _judge_request_line(line: bytes) -> Field:
    match = _FIELD_LINE.fullmatch(line)
    if match is None:
        raise HeadError("A header field is malformed.")
    name = match[1].lower()
    return name, match[2], int(request_field(name))


def _judge_unscanned_line(line: bytes) -> Field:
    match = _RESPONSE_FIELD_LINE.fullmatch(line)
    if match is None:
        raise HeadError("A header field of the upstream is malformed.")
    name = match[1].lower()
    return name, match[2], int(response_field(name))


def _judge_response_line(line: bytes) -> Field:
    name, value, fate = _judge_unscanned_line(line)
    return name, value, fate or _UNSCANNED


def request_line_cache() -> LineCache:
    return LineCache(_judge_request_line, _CREDENTIAL)


class ResponseLines(LineCache):
    """Judged lines of answers. Lines that may be forwarded begin as UNSCANNED: once they were searched for the secret
    and found clean, `settle` lets them pass. One cache belongs to one set of secrets."""

    __slots__ = ("clean",)

    def __init__(self, scanned: bool) -> None:
        """`scanned` is False where there is no secret to look for."""
        super().__init__(_judge_response_line if scanned else _judge_unscanned_line, -1)
        self.clean: set[bytes] = set()

    def forget(self, line: bytes) -> None:
        """The line holds the secret: it is not kept here."""
        self.drop(line)

    def settle(self, line: bytes) -> None:
        """The line holds no secret."""
        field = self.get(line)
        if field is not None and field[2] == _UNSCANNED:
            self.put(line, (field[0], field[1], 0))
        if len(line) > _CACHED_LINE_BYTES:
            return
        if len(self.clean) >= _CACHED_LINES:
            self.clean.clear()
        self.clean.add(line)


class RequestHead:
    """One request head, not to be changed once it was read.

    `lines` are the field lines that may go upstream as they stand; `special` the others that matter. `content_length`
    is None without a Content-Length; `chunked` says the body is in chunked coding.
    """

    __slots__ = (
        "chunked",
        "content_length",
        "expects_continue",
        "fields",
        "keep_alive",
        "lines",
        "method",
        "special",
        "target",
        "version_minor",
    )

    def __init__(self, method: bytes, target: bytes, version_minor: int) -> None:
        self.method = method
        self.target = target
        self.version_minor = version_minor
        self.fields: list[Field] = []
        self.lines: list[bytes] = []
        self.special: list[Field] = []
        self.content_length: int | None = None
        self.chunked = False
        self.expects_continue = False
        self.keep_alive = version_minor == 1

    def first(self, name: bytes) -> bytes | None:
        """The value of the first field of that lower-case name."""
        for field in self.fields:
            if field[0] == name:
                return field[1]
        return None

    def values(self, fate: RequestField) -> list[bytes]:
        return [field[1] for field in self.special if field[2] == fate]


_LENGTH_LINE = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: ([0-9]{1,18})(?=\r\n|\Z)")


def without_length(block: bytes) -> tuple[bytes, int | None]:
    """A head without its first Content-Length line, and that length: what stays the same when a tool asks again.

    Only a plain line counts. Whatever else a head says of its length stays in it, and is judged with it.
    """
    match = _LENGTH_LINE.search(block)
    if match is None:
        return block, None
    return block[: match.start()] + block[match.end() :], int(match[1])


def looks_broken(partial: bytes, searched: int = 0) -> bool:
    """True when an unfinished head can never become a good one: bare line ends, NUL, no method at the start.
    The first `searched` bytes were looked at before."""
    if searched:
        return _BARE_LINE_END.search(partial, max(0, searched - 2)) is not None
    return _BARE_LINE_END.search(partial) is not None or not (
        partial[:1].isalpha() or partial[:1] in b"!#$%&'*+-.^_`|~"
    )


def parse_request_head(block: bytes, cache: LineCache, headers_max: int, target_max_bytes: int) -> RequestHead:
    """Read a head without its final empty line. Raises `HeadError` for anything two servers could read differently."""
    lines = block.split(b"\r\n")
    match = _REQUEST_LINE.fullmatch(lines[0])
    if match is None:
        raise HeadError("The request line is malformed.")
    method, target, minor = match.groups()
    if len(target) > target_max_bytes:
        raise HeadError("The request target is too long.", 414)
    if len(lines) - 1 > headers_max:
        raise HeadError("The request has too many header fields.", 431)
    head = RequestHead(method, target, 1 if minor == b"1" else 0)
    get, read, fields, forward, special = cache.get, cache.read, head.fields, head.lines, head.special
    for index in range(1, len(lines)):
        line = lines[index]
        field = get(line) or read(line)
        fields.append(field)
        fate = field[2]
        if not fate:
            forward.append(line)
        elif fate != 1:
            special.append(field)
    _frame_request(head)
    return head


def _frame_request(head: RequestHead) -> None:
    hosts = 0
    singles = 0
    for name, value, fate in head.special:
        if fate in _JUDGED_LATER:
            continue
        if fate == _HOST:
            hosts += 1
        elif fate == _CONNECTION:
            if value != b"keep-alive" or head.version_minor == 0:
                _apply_connection(head, value)
        elif fate == _CONTENT_LENGTH:
            if head.content_length is not None or _CONTENT_LENGTH_VALUE.fullmatch(value) is None:
                raise HeadError("Content-Length is not one plain number.")
            head.content_length = int(value)
        elif fate in _ONCE_ONLY:
            bit = 1 << fate
            if singles & bit:
                raise HeadError(f"{name.decode()} is there twice.")
            singles |= bit
        elif fate == _TRANSFER_ENCODING:
            if head.chunked or value.lower() != b"chunked" or head.version_minor == 0:
                raise HeadError("Transfer-Encoding is something other than one `chunked`.")
            head.chunked = True
        elif fate == _EXPECT:
            head.expects_continue = head.version_minor == 1 and value.lower() == b"100-continue"
        elif fate == _REFUSE:
            raise HeadError(f"{name.decode()} is not accepted here.")
    if hosts != 1:
        raise HeadError("Exactly one Host field is needed.")
    if head.chunked and head.content_length is not None:
        raise HeadError("Content-Length and Transfer-Encoding together.")


def _apply_connection(head: RequestHead, value: bytes) -> None:
    """`close` and `keep-alive` are ours to honour; every other named field is hop-by-hop and goes no further."""
    for option in value.lower().split(b","):
        token = option.strip(b" \t")
        if token == b"close":
            head.keep_alive = False
        elif token == b"keep-alive":
            head.keep_alive = head.keep_alive or head.version_minor == 0
        elif token:
            prefix = token + b":"
            head.lines = [line for line in head.lines if not line.lower().startswith(prefix)]


class ResponseHead:
    """One response head. `content_length` is None when the body is chunked or ends with the connection."""

    __slots__ = (
        "chunked",
        "content_encoding",
        "content_length",
        "content_type",
        "etag",
        "hop_by_hop",
        "keep_alive",
        "keep_alive_s",
        "lines",
        "status",
        "unscanned",
    )

    def __init__(self, status: int, keep_alive: bool) -> None:
        self.status = status
        self.keep_alive = keep_alive
        self.keep_alive_s: float | None = None
        self.lines: list[bytes] = []
        self.hop_by_hop: list[bytes] = []
        self.unscanned: list[bytes] = []
        self.content_length: int | None = None
        self.chunked = False
        self.content_encoding = b""
        self.content_type = b""
        self.etag = b""


def parse_response_head(block: bytes, cache: ResponseLines, headers_max: int) -> ResponseHead:
    """Read a head without its final empty line. Raises `HeadError`. `lines` are those that may go to the tool, once
    those of them that are also in `unscanned` were searched for the secret."""
    lines = block.split(b"\r\n")
    match = _STATUS_LINE.fullmatch(lines[0])
    if match is None:
        raise HeadError("The status line is malformed.")
    if len(lines) - 1 > headers_max:
        raise HeadError("The answer has too many header fields.")
    head = ResponseHead(int(match[2]), match[1] == b"1")
    get, read, forward = cache.get, cache.read, head.lines
    for index in range(1, len(lines)):
        line = lines[index]
        field = get(line) or read(line)
        fate = field[2]
        if not fate:
            forward.append(line)
        elif fate == _UNSCANNED:
            forward.append(line)
            head.unscanned.append(line)
        elif fate != 1:
            _RESPONSE_READERS[fate](head, field[1], line)
    if head.chunked and (head.content_length is not None or match[1] == b"0"):
        raise HeadError("Transfer-Encoding beside Content-Length or on HTTP/1.0.")
    for name in head.hop_by_hop:
        prefix = name + b":"
        head.lines = [line for line in head.lines if not line.lower().startswith(prefix)]
    return head


def _read_length(head: ResponseHead, value: bytes, _line: bytes) -> None:
    if head.content_length is not None or _CONTENT_LENGTH_VALUE.fullmatch(value) is None:
        raise HeadError("Content-Length is not one plain number.")
    head.content_length = int(value)


def _read_coding(head: ResponseHead, value: bytes, _line: bytes) -> None:
    if head.chunked or value.lower() != b"chunked":
        raise HeadError("Transfer-Encoding is something other than one `chunked`.")
    head.chunked = True


def _read_connection(head: ResponseHead, value: bytes, _line: bytes) -> None:
    if value == b"keep-alive":
        return
    for option in value.lower().split(b","):
        token = option.strip(b" \t")
        if token == b"close":
            head.keep_alive = False
        elif token and token != b"keep-alive":
            head.hop_by_hop.append(token)


def _read_content_encoding(head: ResponseHead, value: bytes, _line: bytes) -> None:
    head.content_encoding = head.content_encoding + b"," + value if head.content_encoding else value


def _read_content_type(head: ResponseHead, value: bytes, line: bytes) -> None:
    if head.content_type:
        raise HeadError("Content-Type is there twice.")
    head.content_type = value
    head.lines.append(line)
    head.unscanned.append(line)


def _read_keep_alive(head: ResponseHead, value: bytes, _line: bytes) -> None:
    timeout = re.search(rb"timeout=([0-9]{1,6})", value)
    if timeout is not None:
        head.keep_alive_s = float(timeout[1])


def _read_etag(head: ResponseHead, value: bytes, _line: bytes) -> None:
    head.etag = value


_RESPONSE_READERS: dict[int, Callable[[ResponseHead, bytes, bytes], None]] = {
    int(ResponseField.CONTENT_LENGTH): _read_length,
    int(ResponseField.TRANSFER_ENCODING): _read_coding,
    int(ResponseField.CONNECTION): _read_connection,
    int(ResponseField.CONTENT_ENCODING): _read_content_encoding,
    int(ResponseField.CONTENT_TYPE): _read_content_type,
    int(ResponseField.KEEP_ALIVE): _read_keep_alive,
    int(ResponseField.ETAG): _read_etag,
}
