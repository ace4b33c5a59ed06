"""The answer's head as the tool gets it: lines without what must not be seen, and framing of our own."""

from ostiary.gateway.answers import CLOSE, KEEP_ALIVE_1_0
from ostiary.gateway.route import Guardian
from ostiary.gateway.state import Exchange
from ostiary.masking.engine import Masker
from ostiary.model.finding import Finding
from ostiary.protocols.heads import ResponseHead

CHUNKED = b"\r\nTransfer-Encoding: chunked\r\n"


def clean_lines(head: ResponseHead, exchange: Exchange, masker: Masker | None) -> list[bytes]:
    """First the injected secret, then the rules. Adds to the exchange's findings. Raises `MaskingBlockedError`."""
    lines = head.lines
    if head.unscanned and exchange.armed is not None:
        lines, findings = _without_secret(head, exchange.armed.guardian)
        exchange.findings += findings
    engine = exchange.masks.response
    return engine.clean_lines(masker, lines) if masker is not None and engine is not None else lines


def _without_secret(head: ResponseHead, guardian: Guardian) -> tuple[list[bytes], tuple[Finding, ...]]:
    """A line whose very name holds the secret is dropped."""
    cleaned: dict[bytes, bytes | None] = {}
    found: tuple[Finding, ...] = ()
    for line in head.unscanned:
        if line in guardian.lines.clean:
            continue
        masked, findings = guardian.matcher.mask(line, "header")
        if not findings:
            guardian.lines.settle(line)
            continue
        guardian.lines.forget(line)
        found += findings
        name = line.partition(b":")[0]
        cleaned[line] = masked if masked.startswith(name + b":") else None
    if not cleaned:
        return head.lines, ()
    kept = (cleaned.get(line, line) for line in head.lines)
    return [line for line in kept if line is not None], found


def framing(exchange: Exchange, head: ResponseHead, length: int | None, draining: bool) -> bytes:
    """Line end of the exchange id, Content-Length or Transfer-Encoding, and Connection where it is needed. A None
    length means chunked (`CHUNKED` comes first then) or until close, and for HEAD and 304 no framing at all."""
    minor = exchange.head.version_minor
    if length is not None:
        lines = b"\r\n" if head.status == 204 else b"\r\nContent-Length: %d\r\n" % length
    elif exchange.head.method == b"HEAD" or head.status == 304:
        lines = b"\r\n"
    elif minor == 1:
        lines = CHUNKED
    else:
        exchange.keep_alive = False
        lines = b"\r\n"
    if not exchange.keep_alive or draining:
        return lines + CLOSE
    return lines if minor == 1 else lines + KEEP_ALIVE_1_0
