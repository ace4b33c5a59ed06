"""Stage 11 for one answer's body: out of its codings, then without the injected secret, then by the rules, and last the
values put back that a request had placeholders for."""

from collections.abc import Iterator

from ostiary.gateway.bodies import Body
from ostiary.gateway.bodies.choosing import may_be_event_stream
from ostiary.gateway.masks import RouteMasks, masker_for_channels
from ostiary.gateway.response_rules import body_decoder, may_stream_events
from ostiary.gateway.state import Exchange
from ostiary.gateway.unwrapping import Unwrapper, looks_plain
from ostiary.masking.engine import Masker
from ostiary.masking.injected import InjectedSecretMatcher, InjectedSecretStream
from ostiary.masking.placeholders import PlaceholderRestorer
from ostiary.model.finding import Finding
from ostiary.model.masking import Action
from ostiary.protocols.codings import Decoder
from ostiary.protocols.heads import ResponseHead


class Cleaning:
    """Feed what `pieces` gives to `clean`. `gathers`: nothing may be sent before all of it was seen."""

    __slots__ = (
        "_armed",
        "_body",
        "_decoder",
        "_head",
        "_plain",
        "_ratio_max",
        "_restoring",
        "_sniffed",
        "_stream",
        "_unwrapper",
        "gathers",
        "masker",
    )

    def __init__(self, exchange: Exchange, head: ResponseHead, ratio_max: int) -> None:
        """Raises `UnreadableBody` for a coding that is not supported, `MaskingFailedError` for a type that is blocked
        or cannot be masked."""
        armed = self._armed = exchange.armed
        masks, route, placeholders = exchange.masks, exchange.route, exchange.placeholders
        self._head = head
        self._ratio_max = ratio_max
        self._decoder: Decoder | None = body_decoder(head, ratio_max) if head.content_encoding else None
        self._plain: bool | None = None
        self._unwrapper: Unwrapper | None = None
        self._stream: InjectedSecretStream | None = None
        self._body: Body | None = None
        self._restoring: Body | None = None
        self._sniffed: tuple[RouteMasks, InjectedSecretMatcher] | None = None
        self.masker: Masker | None = None
        self.gathers = False
        if route is None:
            return
        injected = armed.guardian.matcher if armed is not None else None
        if masks.response is not None:
            self.masker = masks.masker(
                masks.response, injected=injected, operation=exchange.operation, placeholders=placeholders
            )
            self._body = route.masks.body(self.masker, head.content_type, masks.response.blocks_archives)
            self.gathers = masks.gathers
        elif injected is not None and may_stream_events(head.content_type):
            self.masker = masker_for_channels(injected)
            self._body = route.masks.body(self.masker, head.content_type)
        elif injected is not None:
            self._sniffed = (route.masks, injected)
        if placeholders is not None and not placeholders.is_empty:
            self._restoring = route.masks.body(PlaceholderRestorer(placeholders), head.content_type)

    @property
    def decodes(self) -> bool:
        return self._decoder is not None

    def is_plain(self, first_byte: bytes) -> bool:
        """Whether a body that begins so has nothing around it, declared or hidden, that must be taken off."""
        return self._decoder is None and (not self._is_looked_at or looks_plain(first_byte))

    @property
    def _is_looked_at(self) -> bool:
        """Whether anything must not be in the body, so that no coding may hide it."""
        return self._armed is not None or self._body is not None

    # -- out of its codings

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """The body's own bytes, lazily. Raises `UnreadableBody` on the way."""
        if self._plain is None:
            self._plain = self.is_plain(data[:1])
        if self._plain:
            return iter((data,))
        armed = self._armed
        if not self._is_looked_at:
            return self._decoder.feed(data) if self._decoder is not None else iter((data,))
        if self._unwrapper is None:
            self._unwrapper = Unwrapper(
                self._decoder,
                self._head.content_type,
                self._ratio_max,
                (lambda: armed.guardian.matcher.stream("archive")) if armed is not None else None,
            )
        return self._unwrapper.feed(data)

    def _pieces_rest(self) -> bytes:
        if self._unwrapper is not None:
            return self._unwrapper.finish()
        return self._decoder.finish() if self._decoder is not None else b""

    # -- without what must not be seen

    def clean_whole(self, body: bytes) -> bytes:
        """A plain body that is all there. Raises `MaskingFailedError`."""
        if self._armed is not None and self._armed.guardian.matcher.candidate(body, 0)[0] >= 0:
            return self.clean(body) + self.rest()
        self._begin(body)
        return self._body.feed(body) + self._body.finish() if self._body is not None else body

    def clean(self, piece: bytes) -> bytes:
        """Raises `MaskingFailedError`."""
        if not piece:
            return piece
        if self._sniffed is not None:
            self._begin(piece)
        if self._armed is not None:
            if self._stream is None:
                self._stream = self._armed.guardian.matcher.stream("body")
            piece = self._stream.feed(piece)
        return self._body.feed(piece) if self._body is not None and piece else piece

    def rest(self) -> bytes:
        """What is still held back, when the body is over. Raises `UnreadableBody`, `MaskingFailedError`."""
        last = self.clean(self._pieces_rest()) if not self._plain else b""
        held = self._stream.finish() if self._stream is not None else b""
        if self._body is None:
            return last + held
        return last + (self._body.feed(held) if held else b"") + self._body.finish()

    def _begin(self, first: bytes) -> None:
        """An event stream may come under the name of any type."""
        sniffed, self._sniffed = self._sniffed, None
        if sniffed is not None and may_be_event_stream(first):
            masks, injected = sniffed
            self.masker = masker_for_channels(injected)
            self._body = masks.body(self.masker, self._head.content_type)

    # -- with what was put away

    def restored(self, output: bytes) -> bytes:
        """What the tool gets of what is recorded."""
        return self._restoring.feed(output) if self._restoring is not None else output

    def restored_rest(self) -> bytes:
        return self._restoring.finish() if self._restoring is not None else b""

    # -- what was seen

    def abandon(self) -> None:
        """The body ends here, cut: the half of a secret that may be held counts as one."""
        if self._stream is not None:
            self._stream.finish()

    def findings(self) -> tuple[Finding, ...]:
        return (
            *(self._stream.findings() if self._stream is not None else ()),
            *(self.masker.findings() if self.masker is not None else ()),
        )

    def has_changed(self) -> bool:
        """Whether anything but reports was found so far."""
        return any(each.action != Action.REPORT for each in self.findings())
