"""One HTTP/1.1 request on a connection of its own, and the whole answer within bounds."""

import asyncio
from typing import NamedTuple

import httptools

from ostiary.model.connection import Upstream
from ostiary.model.errors import OperatorError, UnreachableError
from ostiary.ports import Dialler

_READ_BYTES = 64 * 1024


class Answer(NamedTuple):
    status: int
    body: bytes


class HttpCall:
    """Calls to one server. Redirects are not followed, no cookie is kept, no compression is asked for."""

    def __init__(self, dial: Dialler, server: Upstream, *, allow_private: bool, ca_file: str | None) -> None:
        self._dial = dial
        self._server = server
        self._allow_private = allow_private
        self._ca_file = ca_file

    async def __call__(self, method: str, target: str, body: bytes | None, answer_max_bytes: int) -> Answer:
        """The body of `method target` is JSON. Raises `OperatorError` with a sentence for whatever goes wrong but
        time, which the caller measures."""
        reader, writer = await self._dial(self._server, allow_private=self._allow_private, ca_file=self._ca_file)
        try:
            writer.write(self._request(method, target, body))
            await writer.drain()
            return await _answer(reader, answer_max_bytes)
        except (OSError, httptools.HttpParserError, UnicodeDecodeError):
            raise UnreachableError("It does not answer in HTTP.") from None
        finally:
            writer.transport.abort()

    def _request(self, method: str, target: str, body: bytes | None) -> bytes:
        lines = [
            f"{method} {self._server.base_path}{target} HTTP/1.1",
            f"Host: {self._server.authority}",
            "Accept: application/json",
            "Accept-Encoding: identity",
            "User-Agent: ostiary",
            "Connection: close",
        ]
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", ""]).encode("ascii") + (body or b"")


class _Taken:
    """What the parser tells of the answer."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.is_complete = False

    def on_body(self, data: bytes) -> None:
        self.pieces.append(data)

    def on_message_complete(self) -> None:
        self.is_complete = True


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
    if not taken.is_complete:
        raise UnreachableError("It closes the connection in the middle of its answer.")
    return Answer(parser.get_status_code(), b"".join(taken.pieces))
