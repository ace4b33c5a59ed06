"""Heads on their way into the recording, without what the rules for recordings look for."""

from ostiary.gateway.masks import in_recording
from ostiary.gateway.state import Exchange


def recorded_head(exchange: Exchange, head: bytes) -> bytes:
    """The head as it may be recorded, with nothing but a note of it when it cannot be masked. What a recording's mask
    finds is counted in the exchange."""
    engine = exchange.masks.recording
    if engine is None:
        return head
    masker = exchange.masks.masker(engine)
    try:
        first, *lines = head.removesuffix(b"\r\n").split(b"\r\n")
        stream = masker.stream("header")
        shown = [stream.feed(first) + stream.finish(), *engine.clean_lines(masker, lines)]
    except Exception:  # noqa: BLE001 - whatever breaks in a detector, what it did not see is not recorded
        return b"[withheld: A detector failed.]\r\n"
    finally:
        exchange.findings += in_recording(masker.findings())
    return b"\r\n".join(shown) + b"\r\n"
