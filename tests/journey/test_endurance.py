"""Large bodies, stalled readers and many idle streams take a bounded amount of memory."""

import asyncio
import hashlib
import json
import resource
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.endurance import MIB, SIZE, House, open_house
from support.process_upstream import PIECE
from support.raw_client import RawClient, request
from support.raw_upstream import wait_until

RECORDER_QUEUE = 32 * MIB
"""`recording_queue_bytes`: frames may wait that far for the disk, whatever the size of the body."""
SLACK = 16 * MIB
"""Buffers of both sides, decoder and masker, and what the allocator keeps."""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with open_house(tmp_path) as opened:
        with RawClient(opened.port) as client:  # what the first exchange loads does not count
            client.send(request("GET", "/far/large?1000000", opened.headers()))
            assert client.reply().complete
        yield opened
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Sending(threading.Thread):
    """Sends a body as fast as it is taken; `left` is what still waits."""

    def __init__(self, client: RawClient, size: int) -> None:
        super().__init__(daemon=True)
        self._client = client
        self.left = size

    def run(self) -> None:
        while self.left and self._client.send(PIECE[: self.left]):
            self.left -= min(self.left, len(PIECE))


def peak_bytes(house: House) -> int:
    """The most memory the server has ever held."""
    assert house.server.process is not None
    for line in Path(f"/proc/{house.server.process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


def settled_bytes(house: House) -> int:
    """The server's memory once it has stopped growing."""
    last = house.server.resident_bytes()
    for _ in range(40):
        time.sleep(0.5)
        now = house.server.resident_bytes()
        if now - last < MIB // 8:
            return now
        last = now
    raise AssertionError("it grows and grows")


def expected_digest(count: int) -> str:
    digest = hashlib.sha256()
    while count:
        digest.update(PIECE[:count])
        count -= min(count, len(PIECE))
    return digest.hexdigest()


def test_a_large_answer_passes_whole_with_flat_memory(house: House) -> None:
    before = peak_bytes(house)
    digest = hashlib.sha256()
    with socket.create_connection(("127.0.0.1", house.port)) as client:
        client.settimeout(30)
        client.sendall(request("GET", f"/far/large?{SIZE.body_bytes}", house.headers("Connection: close")))
        stream = client.makefile("rb")
        assert stream.readline().startswith(b"HTTP/1.1 200")
        headers = {}
        while (line := stream.readline()) != b"\r\n":
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip().lower()
        chunked = headers.get(b"transfer-encoding") == b"chunked"
        while size := int(stream.readline(), 16) if chunked else SIZE.body_bytes:
            left = size
            while left:
                data = stream.read(min(left, 262_144))
                assert data, "cut"
                digest.update(data)
                left -= len(data)
            if not chunked:
                break
            assert stream.readline() == b"\r\n"
    assert digest.hexdigest() == expected_digest(SIZE.body_bytes)
    assert peak_bytes(house) - before < RECORDER_QUEUE + SLACK


def test_a_large_upload_passes_whole_with_flat_memory(house: House) -> None:
    before = peak_bytes(house)
    head = f"POST /far/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: {SIZE.body_bytes}\r\n"
    with RawClient(house.port) as client:
        client.send((head + "\r\n".join(house.headers()) + "\r\n\r\n").encode())
        left = SIZE.body_bytes
        while left:
            assert client.send(PIECE[:left])
            left -= min(left, len(PIECE))
        answer = client.reply(deadline_s=30)
    assert answer.status == 200
    assert json.loads(answer.body) == {"size": SIZE.body_bytes, "sha256": expected_digest(SIZE.body_bytes)}
    assert peak_bytes(house) - before < RECORDER_QUEUE + SLACK


def test_an_upload_waits_for_an_upstream_that_does_not_read(house: House) -> None:
    before = house.server.resident_bytes()
    head = f"POST /far/deaf HTTP/1.1\r\nHost: localhost\r\nContent-Length: {SIZE.body_bytes}\r\n"
    with RawClient(house.port) as client:
        client.send((head + "\r\n".join(house.headers()) + "\r\n\r\n").encode())
        sending = Sending(client, SIZE.body_bytes)
        sending.start()
        assert wait_until(lambda: house.upstream.state().get("waiting") == 1)
        assert settled_bytes(house) - before < 2 * MIB
        assert sending.left > SIZE.body_bytes // 2, "somebody took the whole body"
        house.upstream.release()
        answer = client.reply(deadline_s=30)
        sending.join(10)
    assert answer.status == 200
    assert json.loads(answer.body) == {"size": SIZE.body_bytes, "sha256": expected_digest(SIZE.body_bytes)}


def test_a_stalled_reader_holds_less_than_a_mebibyte(house: House) -> None:
    readers = 20
    before = house.server.resident_bytes()
    clients = [RawClient(house.port, receive_buffer_bytes=65_536) for _ in range(readers)]
    for number, client in enumerate(clients):
        client.send(request("GET", f"/far/large?{SIZE.body_bytes}&stalled={number}", house.headers()))
    assert wait_until(lambda: len(house.upstream.targets()) == readers + 1, 10)
    assert settled_bytes(house) - before < readers * MIB
    for client in clients:
        client.close()
    with RawClient(house.port) as client:
        client.send(request("GET", "/far/small", house.headers()))
        assert client.reply().status == 200


def test_a_thousand_idle_streams_stay_open_in_little_memory(house: House) -> None:
    async def everything() -> tuple[int, int]:
        order = request("GET", "/far/idle", house.headers())
        before = house.server.resident_bytes()
        links = []
        for begin in range(0, SIZE.idle_streams, 50):
            batch = [
                await asyncio.open_connection("127.0.0.1", house.port)
                for _ in range(min(50, SIZE.idle_streams - begin))
            ]
            for _, writer in batch:
                writer.write(order)
            for reader, _ in batch:
                assert (await reader.readline()).startswith(b"HTTP/1.1 200")
                await reader.readuntil(b'"one more word"')
            links += batch
        after = house.server.resident_bytes()
        assert house.upstream.state().get("gone", 0) == 0
        for _, writer in links:
            writer.close()
        return before, after

    before, after = asyncio.run(asyncio.wait_for(everything(), SIZE.deadline_s))
    assert (after - before) / SIZE.idle_streams < 24 * 1024
    assert wait_until(lambda: house.upstream.state().get("gone", 0) == SIZE.idle_streams, 10)
    assert house.server.stop() == 0
