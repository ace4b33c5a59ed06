"""An upstream as a process of its own, for tests that kill, fill and load: `python process_upstream.py PORT LOG [PEM]`.

It appends every request's target to LOG before it answers. Paths:
`/small` answers 300 bytes · `/large?N` N bytes · `/upload` the size and digest of the body,
`/deaf` the same, but it reads nothing of the body before `/release` ·
`/events?N` N events at once · `/idle` one event, then silence ·
`/steps?N` N events, each only after `/release` was asked once more (of this process directly) ·
`/held` an answer only after `/release` · `/state` what it saw, as JSON.
`UpstreamProcess` starts one and asks it.
"""

import asyncio
import contextlib
import hashlib
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

PIECE = bytes(range(256)) * 256
SMALL = json.dumps({"sentence": "The doorkeeper asks who is there. " * 8}).encode()
EVENT_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


class UpstreamProcess:
    """Leave the context to end the process."""

    def __init__(self, directory: Path, pem: Path | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.log = directory / "upstream.log"
        self.log.touch()
        self._tls = pem is not None
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = int(probe.getsockname()[1])
        command = [sys.executable, __file__, str(self.port), str(self.log)]
        self.process = subprocess.Popen([*command, str(pem)] if pem else command)
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            time.sleep(0.02)
        raise AssertionError("the upstream did not start")

    def __enter__(self) -> "UpstreamProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def ask(self, path: str) -> Any:
        """Directly, not through the gateway."""
        context = ssl._create_unverified_context() if self._tls else None
        connection = (
            http.client.HTTPSConnection("127.0.0.1", self.port, timeout=5, context=context)
            if self._tls
            else http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        )
        try:
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def release(self) -> None:
        """Let everything that waits go one step on."""
        self.ask("/release")

    def state(self) -> dict[str, Any]:
        """`connections` ever made by the gateway, `gone` answers whose reader left, `waiting` held answers."""
        state = self.ask("/state")
        assert isinstance(state, dict)
        return state

    def targets(self) -> list[str]:
        """Of every request that came through the gateway."""
        return self.log.read_text().splitlines()


class _Counts:
    def __init__(self, log: Path) -> None:
        self.log = os.open(log, os.O_WRONLY | os.O_APPEND)
        self.seen: Counter[str] = Counter()
        self.step = asyncio.Condition()
        self.steps = 0


async def _converse(counts: _Counts, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    known = False
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            target = head.split(b" ", 2)[1].decode()
            path, _, query = target.partition("?")
            if path in {"/state", "/release"}:
                await _control(counts, path, writer)
                continue
            if not known:
                known = True
                counts.seen["connections"] += 1
            # The log line is written before anything is answered: what reached this process is always in it.
            os.write(counts.log, target.encode() + b"\n")
            if path == "/deaf":
                await _one_step(counts)
            size, digest = await _read_body(head, reader)
            # An answer may wait long: whether the reader is still there is seen by reading on.
            answer = asyncio.ensure_future(_answer(counts, path, query, size, digest, writer))
            gone = asyncio.ensure_future(reader.read(1)) if path in {"/steps", "/held", "/idle"} else None
            if gone is not None:
                await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
                if not answer.done():
                    answer.cancel()
                    counts.seen["gone"] += 1
                    return
                gone.cancel()
                await answer
                return
            await answer
    except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
        pass
    finally:
        writer.close()


async def _control(counts: _Counts, path: str, writer: asyncio.StreamWriter) -> None:
    if path == "/release":
        async with counts.step:
            counts.steps += 1
            counts.step.notify_all()
    body = json.dumps(counts.seen).encode()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    await writer.drain()


async def _read_body(head: bytes, reader: asyncio.StreamReader) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    lowered = head.lower()
    if b"\r\ntransfer-encoding: chunked\r\n" in lowered:
        while (length := int((await reader.readuntil(b"\r\n")).strip(), 16)) > 0:
            digest.update((await reader.readexactly(length + 2))[:-2])
            size += length
        await reader.readuntil(b"\r\n")
        return size, digest.hexdigest()
    _, found, rest = lowered.partition(b"\r\ncontent-length:")
    left = int(rest.split(b"\r\n", 1)[0]) if found else 0
    while left:
        data = await reader.read(min(left, 262_144))
        if not data:
            raise asyncio.IncompleteReadError(b"", left)
        digest.update(data)
        size += len(data)
        left -= len(data)
    return size, digest.hexdigest()


async def _answer(counts: _Counts, path: str, query: str, size: int, digest: str, writer: asyncio.StreamWriter) -> None:
    number = int(query.split("&")[0]) if query.split("&")[0].isdigit() else 0
    match path:
        case "/large":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n")
            writer.write(b"Content-Length: %d\r\n\r\n" % number)
            while number:
                piece = PIECE[:number]
                number -= len(piece)
                writer.write(piece)
                await writer.drain()
            return
        case "/events":
            events = b"".join(_event(position) for position in range(number))
            writer.write(EVENT_HEAD + events + b"0\r\n\r\n")
        case "/idle":
            writer.write(EVENT_HEAD + _event(0))
            await writer.drain()
            await asyncio.Event().wait()
        case "/steps":
            writer.write(EVENT_HEAD)
            for position in range(number):
                writer.write(_event(position))
                await writer.drain()
                await _one_step(counts)
            writer.write(b"0\r\n\r\n")
        case "/held":
            await _one_step(counts)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
        case _:
            body = json.dumps({"size": size, "sha256": digest}).encode() if path in {"/upload", "/deaf"} else SMALL
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
            writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    await writer.drain()


async def _one_step(counts: _Counts) -> None:
    async with counts.step:
        now = counts.steps
        counts.seen["waiting"] += 1
        try:
            await counts.step.wait_for(lambda: counts.steps > now)
        finally:
            counts.seen["waiting"] -= 1


def _event(position: int) -> bytes:
    data = b'data: {"step":%d,"text":"one more word"}\n\n' % position
    return b"%x\r\n%s\r\n" % (len(data), data)


async def _serve(port: int, log: Path, pem: str | None) -> None:
    context = None
    if pem is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
    counts = _Counts(log)
    server = await asyncio.start_server(
        lambda reader, writer: _converse(counts, reader, writer), "127.0.0.1", port, ssl=context, backlog=2048
    )
    await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None))
