"""A run's events as server-sent events, paced, resumable, ending when the run ends."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable

from ostiary.standin.cursor_errors import JSON, agent_error
from ostiary.standin.cursor_runs import ACTIVE, Run

HEARTBEAT_S = 15.0


def resume_position(run: Run, last_event_id: str | None) -> int:
    """The index of the first event to send. Raises the API's `invalid_last_event_id`."""
    if last_event_id is None:
        return 0
    for index, step in enumerate(run.script):
        if step.id == last_event_id:
            return index + 1
    raise agent_error(400, "invalid_last_event_id", "Last-Event-ID is not an event of this run.")


def frame(event: str, data: JSON, id: str = "") -> bytes:
    head = f"id: {id}\n" if id else ""
    return f"{head}event: {event}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


async def run_events(run: Run, position: int, closing: Callable[[], bool]) -> AsyncIterator[bytes]:
    """Frames from `position` on. A cancelled run skips what it had not said; `closing` ends the stream anywhere."""
    if position == 0:
        yield frame("status", {"runId": run.id, "status": "CREATING"})
    for step in run.script[position:]:
        async for beat in _wait(run, step.after * run.pace_s, closing):
            yield beat
        if run.elapsed_s() < step.after * run.pace_s:
            break
        yield frame(step.event, step.data, step.id)
    async for beat in _wait(run, run.length_s, closing):
        yield beat
    if run.status() in ACTIVE:
        return
    status = run.status()
    outcome = run.outcome()
    usage = {key: value for key, value in run.usage().items() if key != "totalTokens"}
    yield frame("interaction_update", {"type": "turn-ended", "usage": usage})
    yield frame("status", {"runId": run.id, "status": status})
    text = outcome.pop("result")
    yield frame("result", {"runId": run.id, "status": status, "text": text, **outcome})
    yield frame("done", {})


async def _wait(run: Run, until_s: float, closing: Callable[[], bool]) -> AsyncIterator[bytes]:
    """Sleep until the run is that old or has ended, with a heartbeat where that takes long."""
    silent_s = 0.0
    while run.status() in ACTIVE and run.elapsed_s() < until_s and not closing():
        nap_s = min(0.05, max(until_s - run.elapsed_s(), 0.001))
        await asyncio.sleep(nap_s)
        silent_s += nap_s
        if silent_s >= HEARTBEAT_S:
            silent_s = 0.0
            yield frame("heartbeat", {})
