"""Many clients at once: mixed exchanges on kept connections, each with a number of its own in its target."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

UPLOAD = b"u" * 20_000


@dataclass(slots=True)
class Outcomes:
    """Numbers of the exchanges that were answered with 200 whole, and how many were refused or cut."""

    whole: set[int] = field(default_factory=set)
    refused: int = 0
    cut: int = 0

    @property
    def tried(self) -> int:
        return len(self.whole) + self.refused + self.cut


def message(number: int, token: str, connection: str) -> bytes:
    """Exchange `number`: a small read, a 64 KiB answer, an upload, or a stream of events, in turn."""
    path = ("/small", "/large?65536", "/upload", "/events?20")[number % 4]
    joint = "&" if "?" in path else "?"
    body = UPLOAD if number % 4 == 2 else b""
    method = "POST" if body else "GET"
    head = (
        f"{method} /{connection}{path}{joint}n={number} HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def read_answer(reader: asyncio.StreamReader) -> int:
    """The status of a whole answer; raises IncompleteReadError when the connection ends first."""
    head = await reader.readuntil(b"\r\n\r\n")
    lowered = head.lower()
    _, found, rest = lowered.partition(b"\r\ncontent-length:")
    if found:
        await reader.readexactly(int(rest.split(b"\r\n", 1)[0]))
    elif b"\r\ntransfer-encoding: chunked\r\n" in lowered:
        # A chunk may end anywhere: a long answer that arrives in pieces is passed on in pieces.
        while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
            await reader.readexactly(size + 2)
        await reader.readuntil(b"\r\n")
    return int(head[9:12])


async def crowd(
    port: int, token: str, connection: str, exchanges: range, at_once: int, watch: Callable[[Outcomes], None]
) -> Outcomes:
    """The numbered exchanges, `at_once` in flight; none is sent twice. `watch` is called after each."""
    outcomes = Outcomes()
    numbers = iter(exchanges)
    await asyncio.gather(*(_member(port, token, connection, numbers, outcomes, watch) for _ in range(at_once)))
    return outcomes


async def _member(
    port: int,
    token: str,
    connection: str,
    numbers: Iterator[int],
    outcomes: Outcomes,
    watch: Callable[[Outcomes], None],
) -> None:
    link: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    while True:
        while link is None:  # the server may be on its way up again
            with contextlib.suppress(OSError):
                link = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
                break
            await asyncio.sleep(0.05)
        number = next(numbers, None)
        if number is None:
            link[1].close()
            return
        try:
            link[1].write(message(number, token, connection))
            await link[1].drain()
            status = await read_answer(link[0])
            if status == 200:
                outcomes.whole.add(number)
            else:
                outcomes.refused += 1
        except (OSError, asyncio.IncompleteReadError):
            outcomes.cut += 1
            link[1].close()
            link = None
        watch(outcomes)
