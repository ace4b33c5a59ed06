"""A recording as text: what was said, by whom, and when."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ostiary.cli.terminal import duration, moment, paint, visible

_REALTIME_STEP_MAX_S = 3600.0


def print_recording(exchange: Mapping[str, Any], frames: Sequence[Mapping[str, Any]], realtime: bool) -> None:
    """One exchange's frames, each under a line with its time; all text escaped.

    `frames` are those of `GET /recordings/{exchange}`: `at_us`, `direction`, `head`, and `text` or `base64`.
    """
    name = visible(exchange["exchange"])
    request = visible(f"{exchange.get('method', '')} {exchange.get('target', '')}")
    began_at = moment(exchange.get("time"))
    print(paint(f"━━ {name}  {began_at}  {request}", "bold"))
    if not frames:
        print(paint("    nothing was recorded: it was refused, or its outcome is unknown", "dim"))
    began, before = time.monotonic(), None
    for frame in frames:
        at_us = int(frame["at_us"])
        if realtime:
            _wait_until(began + at_us / 1_000_000)
        from_tool = frame["direction"] == "request"
        heading = f"{'→' if from_tool else '←'} +{duration(at_us)}{'' if frame.get('head') else '  body'}"
        if heading != before:
            print(paint(heading, "blue" if from_tool else "green"), flush=realtime)
        before = heading
        print(_indented(_text_of(frame)), flush=realtime)
    print()


def _text_of(frame: Mapping[str, Any]) -> str:
    text = frame.get("text")
    if isinstance(text, str):
        return visible(text.replace("\r\n", "\n"), keep_lines=True)
    encoded = frame.get("base64")
    count = len(encoded) * 3 // 4 - encoded[-2:].count("=") if isinstance(encoded, str) else 0
    return f"‹{count} bytes that are not text; --json has them in base64›"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.rstrip("\n").split("\n"))


def _wait_until(deadline: float) -> None:
    rest = deadline - time.monotonic()
    if rest > 0:
        time.sleep(min(rest, _REALTIME_STEP_MAX_S))
