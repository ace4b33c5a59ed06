"""A small HTTP/1.1 server on a free loopback port, in a thread of its own: it answers as told, one request each."""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

HEAD_LIMIT_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Received:
    """A request. `headers` are by lower-case name; `form` is the query's parameters, or the body's of a POST."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        text = self.body.decode() if self.method == "POST" else self.query
        return dict(parse_qsl(text, keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class Reply:
    """`raw` is sent as it is instead of everything else. `delay_s` passes before the first byte; with `endless` the
    body is followed by more of it until the other side leaves; `drip_s` passes between its bytes."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"
    delay_s: float = 0.0
    drip_s: float = 0.0
    endless: bool = False
    raw: bytes | None = None

    def head(self, date: str) -> bytes:
        fields = [("Content-Type", self.content_type), ("Date", date), ("Connection", "close"), *self.headers]
        if not self.endless:
            fields.append(("Content-Length", str(len(self.body))))
        lines = [f"HTTP/1.1 {self.status} Status", *(f"{name}: {value}" for name, value in fields), "", ""]
        return "\r\n".join(lines).encode()


@dataclass
class _Running:
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    ready: threading.Event = field(default_factory=threading.Event)
    port: int = 0
    server: asyncio.Server | None = None
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


class HttpServer:
    """`answer` is called in the server's thread; `date` gives the Date header of each answer."""

    def __init__(
        self, answer: Callable[[Received], Reply], date: Callable[[], str], tls: ssl.SSLContext | None = None
    ) -> None:
        self._answer = answer
        self._date = date
        self._tls = tls
        self._running = _Running()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._running.ready.wait(10)

    @property
    def port(self) -> int:
        return self._running.port

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def close(self) -> None:
        with contextlib.suppress(RuntimeError):
            self._running.loop.call_soon_threadsafe(self._running.loop.stop)
        self._thread.join(10)

    # -- in the thread

    def _run(self) -> None:
        loop = self._running.loop
        asyncio.set_event_loop(loop)
        loop.run_until_complete(self._open())
        self._running.ready.set()
        loop.run_forever()
        loop.run_until_complete(self._end())
        loop.close()

    async def _open(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=HEAD_LIMIT_BYTES, ssl=self._tls)
        self._running.server = server
        self._running.port = server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        assert self._running.server is not None
        self._running.server.close()
        for task in self._running.tasks:
            task.cancel()
        await asyncio.gather(*self._running.tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
                await _send(writer, self._answer(await _received(reader)), self._date())
        except asyncio.CancelledError:
            pass
        finally:
            self._running.tasks.discard(task)
            writer.close()


async def _received(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *fields = head[:-4].split("\r\n")
    method, target, _version = line.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in fields)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    url = urlsplit(target)
    return Received(method, url.path, url.query, headers, body)


async def _send(writer: asyncio.StreamWriter, reply: Reply, date: str) -> None:
    if reply.delay_s:
        await asyncio.sleep(reply.delay_s)
    if reply.raw is not None:
        writer.write(reply.raw)
    else:
        writer.write(reply.head(date))
        if reply.drip_s:
            for place in range(len(reply.body)):
                writer.write(reply.body[place : place + 1])
                await asyncio.sleep(reply.drip_s)
        else:
            writer.write(reply.body)
    while reply.endless:
        await writer.drain()
        writer.write(b" " * 65_536)
        await asyncio.sleep(0)
    await writer.drain()
