"""One HTTP/1.1 request on a connection of its own, and the whole answer within bounds."""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

import httptools

from ostiary.model.connection import Upstream
from ostiary.model.errors import OperatorError, UnreachableError
from ostiary.ports import Dialler

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

_READ_BYTES = 64 * 1024


class Answer(NamedTuple):
    """`headers` are by lower-case name; a field that comes several times is joined with commas."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """The content type in lower case without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class HttpCall:
    """Calls to one server. Redirects are not followed, no cookie is kept, no compression is asked for."""

    def __init__(self, dial: Dialler, server: Upstream, *, allow_private: bool, ca_file: str | None) -> None:
        self._dial = dial
        self._server = server
        self._allow_private = allow_private
        self._ca_file = ca_file

    async def __call__(
        self,
        method: str,
        target: str,
        body: bytes | None,
        answer_max_bytes: int,
        *,
        deadline_s: float | None = None,
        content_type: str = JSON,
        accept: str = JSON,
        fields: bytes = b"",
    ) -> Answer:
        """The answer to `method target`, whatever its status. `fields` are further header lines, each complete with its
        CRLF. Raises `OperatorError` with a sentence for whatever goes wrong; without a `deadline_s` the caller measures
        time."""
        request = self._request(method, target, body, content_type, accept, fields)
        try:
            async with asyncio.timeout(deadline_s):
                return await self._ask(request, answer_max_bytes)
        except TimeoutError:
            raise UnreachableError(f"It does not answer within {deadline_s:g} seconds.") from None

    async def _ask(self, request: bytes, answer_max_bytes: int) -> Answer:
        reader, writer = await self._dial(self._server, allow_private=self._allow_private, ca_file=self._ca_file)
        try:
            writer.write(request)
            await writer.drain()
            return await _answer(reader, answer_max_bytes)
        except (OSError, httptools.HttpParserError, UnicodeDecodeError):
            raise UnreachableError("It does not answer in HTTP.") from None
        finally:
            writer.transport.abort()

    def _request(
        self, method: str, target: str, body: bytes | None, content_type: str, accept: str, fields: bytes
    ) -> bytes:
        lines = [
            f"{method} {self._server.base_path}{target} HTTP/1.1",
            f"Host: {self._server.authority}",
            f"Accept: {accept}",
            "Accept-Encoding: identity",
            "User-Agent: ostiary",
            "Connection: close",
        ]
        if body is not None:
            lines += [f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, ""]).encode("ascii") + fields + b"\r\n" + (body or b"")


class _Taken:
    """What the parser tells of the answer."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.pieces: list[bytes] = []
        self.has_head = False
        self.is_complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.has_head:
            return  # a trailer
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        self.has_head = True

    def on_body(self, data: bytes) -> None:
        self.pieces.append(data)

    def on_message_complete(self) -> None:
        self.is_complete = True

    @property
    def ends_with_the_connection(self) -> bool:
        return self.has_head and not {"content-length", "transfer-encoding"} & self.headers.keys()


async def _answer(reader: asyncio.StreamReader, answer_max_bytes: int) -> Answer:
    taken = _Taken()
    parser = httptools.HttpResponseParser(taken)
    read = 0
    while not taken.is_complete:
        data = await reader.read(_READ_BYTES)
        if not data:
            break
        read += len(data)
        if read > answer_max_bytes:
            raise OperatorError(f"Its answer is larger than {answer_max_bytes:,} bytes.")
        parser.feed_data(data)
    if not taken.is_complete and not taken.ends_with_the_connection:
        raise UnreachableError("It closes the connection in the middle of its answer.")
    return Answer(parser.get_status_code(), taken.headers, b"".join(taken.pieces))
