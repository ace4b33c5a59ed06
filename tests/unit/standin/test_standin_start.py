"""Starting and stopping the stand-in inside one's own event loop."""

import asyncio

import pytest
from standin_client import KEY, Client

from ostiary.standin.cursor import start


def test_it_starts_on_a_free_port_and_stops() -> None:
    async def scenario() -> None:
        running, port = await start(KEY, pace_s=0.001, echo_authorization=True)
        answer = await asyncio.to_thread(Client(port).bearer, "GET", "/v1/me")
        assert answer.status == 200
        assert running.standin.echo_authorization
        await running.stop()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.to_thread(Client(port).bearer, "GET", "/v1/me")

    asyncio.run(scenario())


def test_a_busy_port_is_told() -> None:
    async def scenario() -> None:
        running, port = await start(KEY)
        with pytest.raises(OSError):
            await start(KEY, port)
        await running.stop()

    asyncio.run(scenario())


def test_stopping_cuts_a_running_stream() -> None:
    async def scenario() -> None:
        running, port = await start(KEY, pace_s=30)
        client = Client(port)
        made = (await asyncio.to_thread(client.bearer, "POST", "/v1/agents", {"prompt": {"text": "x"}})).json
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        target = f"/v1/agents/{made['agent']['id']}/runs/{made['run']['id']}/stream"
        writer.write(f"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n\r\n".encode())
        await reader.readuntil(b"CREATING")
        await asyncio.wait_for(running.stop(), 5)
        await asyncio.wait_for(reader.read(), 5)
        writer.close()

    asyncio.run(scenario())
