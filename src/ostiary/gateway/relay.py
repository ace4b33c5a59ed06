"""Stages 11 and 12: the answer on its way to the tool, masked as it streams and recorded as the tool receives it."""

import asyncio
from collections.abc import Callable, Iterator

from ostiary.gateway.answer_head import CHUNKED, clean_lines, framing
from ostiary.gateway.answers import status_line
from ostiary.gateway.body_tap import BodyTap
from ostiary.gateway.cleaning import Cleaning
from ostiary.gateway.recorded_head import recorded_head
from ostiary.gateway.response_rules import UnreadableBody, judge_status, judge_type, unmaskable, unreadable
from ostiary.gateway.route import Route
from ostiary.gateway.state import Exchange, now_s
from ostiary.gateway.upstream import UpstreamConnection
from ostiary.masking.remote import is_binary
from ostiary.model.actor import Actor
from ostiary.model.errors import GatewayRefusal, MaskingFailedError, StorageUnavailableError
from ostiary.model.masking import Where
from ostiary.ports import HEAD, RESPONSE, Chronicle
from ostiary.protocols.chunked import LAST_CHUNK, encode_chunk
from ostiary.protocols.heads import ResponseHead
from ostiary.settings import Settings

_UNRECORDED = GatewayRefusal(503, "audit_unavailable", "The recording cannot be written.")
_UNKEPT = GatewayRefusal(
    503, "audit_unavailable", "What stands for the sealed values cannot be kept; they are not sent."
)
_NO_STORE = b"Cache-Control: no-store\r\nx-ostiary-exchange: "
_WRITTEN_TOGETHER_BYTES = 16 * 1024
_GATHERED_MAX_BYTES = 8 * 1024 * 1024
"""An answer whose credentials are sealed is gathered whole: what stands for them must be kept before it is sent. And so
is one that remote detectors must see."""
_FIRST_BYTES = 64 * 1024
_BODILESS = frozenset({204, 304})


class Relay:
    """Takes the upstream's answer (a `ResponseSink`). `done` is called once, with the refusal that must be answered
    instead when nothing was sent yet, or None when the answer is out or had to be cut (`exchange.end`)."""

    _head: ResponseHead | None = None
    _cleaning: Cleaning | None = None
    _gathered: list[bytes] | None = None
    _gathered_bytes = 0
    _tap: BodyTap | None = None
    _pending: Iterator[bytes] | None = None
    _head_sent = False
    _chunked = False
    _paused = False
    _ended = False
    _over = False
    _given_up = False

    def __init__(
        self,
        exchange: Exchange,
        upstream: UpstreamConnection,
        chronicle: Chronicle,
        settings: Settings,
        loop: asyncio.AbstractEventLoop,
        done: "Callable[[Exchange, UpstreamConnection, GatewayRefusal | None], None]",
    ) -> None:
        self._exchange = exchange
        self._client = exchange.client
        self._upstream = upstream
        self._chronicle = chronicle
        self._settings = settings
        self._loop = loop
        self._done = done

    # -- what the upstream connection tells

    def on_head(self, head: ResponseHead, body: bytes, complete: bool) -> None:
        try:
            self._begin(head, body, complete)
        except Exception as failure:  # noqa: BLE001 - whatever breaks in a detector, nothing that it did not see may pass
            self._break_off(failure)

    def _begin(self, head: ResponseHead, body: bytes, complete: bool) -> None:
        exchange = self._exchange
        refusal = judge_status(head, exchange.armed is not None) or judge_type(head)
        if refusal is not None:
            self._give_up(refusal)
            return
        cleaning = self._cleaning = Cleaning(exchange, head, self._settings.decoded_ratio_max)
        self._gathered = [] if cleaning.gathers else None
        self._head = head
        exchange.status = head.status
        exchange.first_byte_us = int((now_s() - exchange.started) * 1_000_000)
        if exchange.head.method == b"HEAD" or head.status in _BODILESS:
            self._over = True
            self._send_head(None if exchange.head.method == b"HEAD" or head.status == 304 else 0, b"", b"")
            self._finish()
            return
        if not complete or not cleaning.is_plain(body[:1]):
            self._client.on_pressure = self._on_client_pressure
        if complete:
            self._relay_whole(cleaning, body)
        elif body:
            self._take(body)
        elif not cleaning.decodes and self._gathered is None:
            self._send_head(None, b"", b"")

    def on_body(self, data: bytes) -> None:
        try:
            self._take(data)
        except Exception as failure:  # noqa: BLE001 - see `on_head`
            self._break_off(failure)

    def on_end(self) -> None:
        self._ended = True
        if self._pending is None:
            try:
                self._end()
            except Exception as failure:  # noqa: BLE001 - see `on_head`
                self._break_off(failure)

    def on_failure(self, failure: GatewayRefusal) -> None:
        if not self._over:
            self._give_up(failure)

    def on_upstream_pressure(self, paused: bool) -> None:
        self._client.hold_for_upstream(paused)

    # -- a body that arrived whole

    def _relay_whole(self, cleaning: Cleaning, body: bytes) -> None:
        """Send head and body at once, with the true Content-Length of what is left after masking."""
        if cleaning.is_plain(body[:1]):
            # The usual case: nothing to decode, nothing to wait for.
            content = cleaning.clean_whole(body)
        else:
            content = b"".join([cleaning.clean(piece) for piece in cleaning.pieces(body)]) + cleaning.rest()
        self._deliver(content)

    def _deliver(self, content: bytes) -> None:
        """Send the whole body, when remote detectors have seen it and what was sealed in it is kept."""
        self._over = True
        route, actor = self._exchange.route, self._exchange.actor
        if self._gathered is None or route is None or actor is None:
            self._send_whole(content)
            return
        self._exchange.task = self._loop.create_task(self._settle_and_send(route, actor, content))

    async def _settle_and_send(self, route: Route, actor: Actor, content: bytes) -> None:
        exchange, head = self._exchange, self._head
        masker = self._cleaning.masker if self._cleaning is not None else None
        remote, refusal = exchange.masks.remote.get(Where.RESPONSE), None
        try:
            if remote is not None and masker is not None and head is not None:
                content = await remote.mask(masker, lambda reader: route.masks.body(reader, head.content_type), content)
            if exchange.placeholders is not None:
                await route.masks.book.keep(actor.key, exchange.session, exchange.placeholders)
        except MaskingFailedError as failure:
            refusal = unmaskable(failure)
        except StorageUnavailableError:
            refusal = _UNKEPT
        except asyncio.CancelledError:
            exchange.task = None
            exchange.end = "cut: client went away" if exchange.end == "complete" else exchange.end
            self._finish()
            return
        except Exception:  # noqa: BLE001 - whatever breaks in a detector, nothing that it did not see may pass
            refusal = unmaskable(MaskingFailedError("A detector failed."))
        exchange.task = None
        if refusal is None:
            try:
                self._send_whole(content)
            except Exception as failure:  # noqa: BLE001 - see `on_head`
                self._break_off(failure)
        else:
            self._over = False
            self._give_up(refusal)

    def _send_whole(self, content: bytes) -> None:
        cleaning = self._cleaning
        shown = cleaning.restored(content) + cleaning.restored_rest() if cleaning is not None else content
        self._send_head(len(shown), shown, content)
        self._finish()

    # -- a body that streams

    def _take(self, data: bytes) -> None:
        cleaning = self._cleaning
        if self._over or cleaning is None:
            return
        if self._pending is not None:
            # Only a decoder that still has output lets bytes wait here: the transport was paused meanwhile.
            pending = self._pending
            self._pending = _chained(pending, lambda: cleaning.pieces(data))
            return
        self._pump(cleaning, cleaning.pieces(data))

    def _pump(self, cleaning: Cleaning, pieces: Iterator[bytes]) -> None:
        """Mask and send pieces until they end or the client reads too slowly; then the rest waits undecoded."""
        for piece in pieces:
            output = cleaning.clean(piece)
            if output:
                self._send(cleaning, output)
            if self._over:
                return
            if self._paused:
                self._pending = pieces
                return
        self._pending = None
        if self._ended:
            self._end()

    def _send(self, cleaning: Cleaning, output: bytes) -> None:
        if self._gathered is not None:
            self._gathered.append(output)
            self._gathered_bytes += len(output)
            if self._gathered_bytes <= _GATHERED_MAX_BYTES:
                return
            output = self._ungathered()
        if not self._head_sent:
            self._send_head(None, b"", b"")
        self._write(cleaning.restored(output))
        self._record(output)

    def _ungathered(self) -> bytes:
        """All of it after all, when it is a large picture or the like, in which nobody reads. Raises
        `MaskingFailedError`."""
        gathered = b"".join(self._gathered or ())
        if self._exchange.masks.seals or not is_binary(gathered[:_FIRST_BYTES]):
            raise MaskingFailedError(
                f"An answer in which credentials are sealed, or remote detectors look, may have"
                f" {_GATHERED_MAX_BYTES:,} bytes."
            )
        self._gathered = None
        return gathered

    def _write(self, shown: bytes) -> None:
        if shown:
            self._client.write(encode_chunk(shown) if self._chunked else shown)

    def _record(self, output: bytes) -> None:
        tap = self._tap
        if tap is None:
            tap = self._tap = BodyTap(
                self._exchange,
                RESPONSE,
                self._exchange.operation.credential_fields,
                self._chronicle,
                self._settings,
                self._loop,
                self._on_recorder_pressure,
                self._head.content_type if self._head is not None else b"",
            )
        self._exchange.response_bytes += len(output)
        if not tap.take(output):
            self._give_up(_UNRECORDED)

    def _end(self) -> None:
        cleaning = self._cleaning
        if self._over or cleaning is None:
            return
        rest = cleaning.rest()
        if self._gathered is not None:
            rest = b"".join([*self._gathered, rest])
        if not self._head_sent:
            self._deliver(rest)
            return
        self._over = True
        if rest:
            self._send(cleaning, rest)
        if self._given_up:
            return
        self._write(cleaning.restored_rest())
        if self._chunked:
            self._client.write(LAST_CHUNK)
        self._finish()

    # -- heads

    def _send_head(self, length: int | None, content: bytes, recorded: bytes) -> None:
        """Write the head, with `content` behind it when `length` is known. A None length means chunked or until close,
        and for HEAD and 304 no framing at all. `recorded` is the content before values were put back."""
        exchange, head, cleaning = self._exchange, self._head, self._cleaning
        if head is None or cleaning is None:
            return
        if head.etag and head.status < 400 and not exchange.findings and not cleaning.has_changed():
            weak = head.etag if head.etag[:2] == b"W/" or not cleaning.decodes else b"W/" + head.etag
            line = b"ETag: " + weak
            head.lines.append(line)
            head.unscanned.append(line)
        lines = clean_lines(head, exchange, cleaning.masker)
        shown = status_line(head.status) + (b"\r\n".join(lines) + b"\r\n" if lines else b"")
        frame = framing(exchange, head, length, self._client.draining)
        self._chunked = frame.startswith(CHUNKED)
        self._head_sent = True
        self._client.write(
            b"%b%b%b%b\r\n%b" % (shown, _NO_STORE, exchange.id.encode("ascii"), frame, content)
            if len(content) < _WRITTEN_TOGETHER_BYTES
            else b"%b%b%b%b\r\n" % (shown, _NO_STORE, exchange.id.encode("ascii"), frame)
        )
        exchange.add_frame(RESPONSE | HEAD, recorded_head(exchange, shown))
        if content:
            if len(content) >= _WRITTEN_TOGETHER_BYTES:
                self._client.write(content)
            self._record(recorded)

    # -- pressure

    def _on_client_pressure(self, paused: bool) -> None:
        if paused:
            self._pause()
        else:
            self._resume()

    def _on_recorder_pressure(self, behind: bool) -> None:
        if behind:
            self._pause()
        elif not self._client.write_paused:
            self._resume()

    def _pause(self) -> None:
        self._paused = True
        if not self._over and not self._ended:
            self._upstream.pause_reading(True)

    def _resume(self) -> None:
        self._paused = False
        pending, self._pending = self._pending, None
        if pending is not None and self._cleaning is not None:
            try:
                self._pump(self._cleaning, pending)
            except Exception as failure:  # noqa: BLE001 - see `on_head`
                self._break_off(failure)
        if not self._paused and not self._over and not self._ended:
            self._upstream.pause_reading(False)

    # -- ends

    def _finish(self) -> None:
        exchange = self._exchange
        self._note_findings()
        self._end_tap()
        exchange.answered = True
        self._done(exchange, self._upstream, None)

    def _break_off(self, failure: Exception) -> None:
        """The answer cannot be read or made safe, or a detector or we have a defect."""
        match failure:
            case UnreadableBody():
                self._give_up(unreadable("its body, or the coding around it, does not decode."))
            case MaskingFailedError():
                self._give_up(unmaskable(failure))
            case _:
                self._give_up(unmaskable(MaskingFailedError("A detector failed.")))

    def _give_up(self, refusal: GatewayRefusal) -> None:
        """Answer with the refusal while nothing has been sent; afterwards only a cut connection tells the truth."""
        if self._given_up:
            return
        self._over = self._given_up = True
        self._pending = None
        self._drop_upstream()
        if not self._head_sent:
            self._note_findings()
            self._done(self._exchange, self._upstream, refusal)
            return
        self._exchange.end = f"cut: {refusal.code}"
        self._flush_partial()
        self._client.abort()
        self._done(self._exchange, self._upstream, None)

    def stop(self, why: str) -> None:
        """The client is gone or lost its right to the stream: nothing more is sent or read."""
        if not self._over:
            self._over = True
            self._pending = None
            self._exchange.end = why
            self._drop_upstream()
            self._flush_partial()

    def _drop_upstream(self) -> None:
        """Once the answer has ended the connection is another exchange's."""
        if not self._ended:
            self._upstream.abort()

    def _end_tap(self) -> None:
        tap, self._tap = self._tap, None  # they know each other
        if tap is not None:
            tap.finish()

    def _flush_partial(self) -> None:
        if self._cleaning is not None:
            self._cleaning.abandon()
        self._note_findings()
        self._end_tap()

    def _note_findings(self) -> None:
        cleaning, self._cleaning = self._cleaning, None
        if cleaning is not None:
            self._exchange.findings += cleaning.findings()


def _chained(first: Iterator[bytes], second: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
    yield from first
    yield from second()
