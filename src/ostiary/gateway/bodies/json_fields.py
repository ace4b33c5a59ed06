"""Finding the JSON members that masking rules name, in a text that comes in pieces."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ostiary.masking.fields import FieldPaths
from ostiary.model.errors import MaskingFailedError
from ostiary.protocols.json_text import blanked, decode_string, view

VALUE_MAX_BYTES = 1024 * 1024
KEY_MAX_BYTES = 4096
"""No longer key, as written, is compared with the names of fields."""
DEPTH_MAX = 1000
"""Below so many levels members are known by their key alone."""

_SPACE = b" \t\r\n"
_KELVIN = "\u212a".encode()
_TOKEN = re.compile(rb'"[^"]*+(?:"[ \t\r\n]*+(?P<colon>:)?)?|[{}\[\],]')
_STRING_TOKEN = re.compile(rb'"[^"]*+(?:"[ \t\r\n]*+(?P<colon>:)?)?')
_NEXT = re.compile(rb"[^ \t\r\n]")
_NESTING = re.compile(rb'"[^"]*+"?|[{}\[\]]')
_SCALAR_END = re.compile(rb'[,}\]"\r\n]')
_OTHER_KEY = b'"\0"'
"""Stands for a key that is too long to be one of those looked for."""
_TOO_DEEP = ("",) * (DEPTH_MAX + 1)
"""A path that no pointer is."""


class Run(NamedTuple):
    """A stretch of the text: the value of the field with this number, or anything else when it is None."""

    field: int | None
    raw: bytes
    path: tuple[str, ...] = ()


class FieldCutter:
    """Cuts the values of matched members out of the text. With bare names only, it reads closely only where one of
    them occurs; with pointers it follows every bracket."""

    __slots__ = ("_deeper", "_due", "_fields", "_follows", "_long", "_names", "_steps", "_tail", "_token", "_value")

    def __init__(self, fields: FieldPaths, path: Sequence[str] = ()) -> None:
        """`path` leads to where the text begins."""
        self._fields = fields
        self._follows = fields.needs_path
        self._names = _names(fields)
        self._token = _TOKEN if self._follows else _STRING_TOKEN
        self._steps: list[str | int] = [*path]  # the key, or the index, in each object or list that is open
        self._deeper = 0
        self._due: int | None = None  # the next value is this field
        self._value: _Value | None = None
        self._tail = b""  # a string that may be a key: it has gone out, and is read again with what follows
        self._long = False  # in a string that is too long to be one

    def cut(self, raw: bytes, flat: bytes) -> Iterator[Run]:
        """The runs of a piece that ends between escapes; `flat` is its `blanked` text."""
        out = 0  # so much of `raw` has gone out before
        if self._long:
            quote = flat.find(b'"')
            if quote < 0:
                yield Run(None, raw)
                return
            yield Run(None, raw[: quote + 1])
            raw, flat = raw[quote + 1 :], flat[quote + 1 :]
            self._long = False
            self._tail = _OTHER_KEY
        piece = raw
        if self._tail:
            out = len(self._tail)
            raw, flat = self._tail + raw, blanked(self._tail) + flat
            self._tail = b""
        if self._due is None and self._value is None and not self._may_be_in(raw):
            self._pass_by(raw, flat)
            yield Run(None, piece)
            return
        yield from self._read(raw, flat, out, piece)

    def finish(self) -> Iterator[Run]:
        """The value that the end of the text cut off."""
        value, self._value = self._value, None
        if value is not None:
            yield from value.runs()

    def _may_be_in(self, raw: bytes) -> bool:
        if self._names is None:
            return True
        seen = view(raw)
        lower = seen.lower()
        return any(name in lower for name in self._names) or _KELVIN in seen

    def _pass_by(self, raw: bytes, flat: bytes) -> None:
        """Only remember a string that the end cuts off."""
        if flat.count(b'"') % 2:
            self._keep(raw[flat.rfind(b'"') :], closed=False)

    def _keep(self, string: bytes, closed: bool) -> None:
        if len(string) <= KEY_MAX_BYTES:
            self._tail = string
        elif closed:
            self._tail = _OTHER_KEY
        else:
            self._long = True

    def _read(self, raw: bytes, flat: bytes, out: int, piece: bytes) -> Iterator[Run]:
        """`piece` is what of `raw` lies behind `out`."""
        at = 0
        while True:
            if self._value is None and self._due is not None:
                begin = _NEXT.search(flat, at)
                if begin is None:
                    break
                number, self._due = self._due, None
                at = begin.start()
                if raw[at] not in b"]},:":
                    self._value = _Value(number, self._path_to_here())
                    if out < at:
                        yield Run(None, raw[out:at])
            if self._value is not None:
                end = self._value.take(raw, flat, at)
                if end < 0:
                    return
                yield from self._value.runs()
                self._value = None
                at = out = end
            token = self._token.search(flat, at)
            if token is None:
                break
            at = token.end()
            sign = flat[token.start()]
            if sign != 0x22:
                self._step(sign)
            elif token["colon"] is not None:
                self._due = self._key(raw[token.start() + 1 : flat.index(b'"', token.start() + 1)])
            elif at == len(flat):
                # Cut off, or only followed by space: what comes next tells whether it is a key.
                closing = flat.find(b'"', token.start() + 1)
                self._keep(raw[token.start() : closing + 1 if closing >= 0 else at], closed=closing >= 0)
        if out < len(raw):
            yield Run(None, raw[out:] if len(raw) - out < len(piece) else piece)

    def _key(self, written: bytes) -> int | None:
        key = decode_string(written).decode(errors="replace") if len(written) < KEY_MAX_BYTES else "\0"
        if not self._follows:
            return self._fields.match((key,))
        if self._deeper or not self._steps:
            return self._fields.match((*_TOO_DEEP, key))
        self._steps[-1] = key
        return self._fields.match(self._path_to_here())

    def _path_to_here(self) -> tuple[str, ...]:
        return tuple(map(str, self._steps))

    def _step(self, sign: int) -> None:
        """Follow a bracket or comma; a value that is due may be an element of a list."""
        steps = self._steps
        if sign == 0x2C:  # comma
            if not self._deeper and steps and isinstance(steps[-1], int):
                steps[-1] += 1
                self._due = self._fields.match(self._path_to_here())
        elif sign in b"}]":
            if self._deeper:
                self._deeper -= 1
            elif steps:
                steps.pop()
        elif self._deeper or len(steps) >= DEPTH_MAX:
            self._deeper += 1
        elif sign == 0x5B:
            steps.append(0)
            self._due = self._fields.match(self._path_to_here())
        else:
            steps.append("")


class _Value:
    """A value on its way: gathered until it is whole."""

    __slots__ = ("_bytes", "_depth", "_field", "_in_string", "_kind", "_path", "_pieces")

    def __init__(self, field: int, path: tuple[str, ...]) -> None:
        self._field = field
        self._path = path
        self._kind = -1  # its first byte
        self._pieces: list[bytes] = []
        self._bytes = 0
        self._depth = 0
        self._in_string = False

    def take(self, raw: bytes, flat: bytes, at: int) -> int:
        """Where the value ends, or -1 when it goes on. Raises `MaskingFailedError` when it is too large."""
        begin = at
        if self._kind < 0:
            self._kind = flat[at]
            self._in_string = self._kind == 0x22
            at += self._in_string
        end = self._end(flat, at)
        self._pieces.append(raw[begin:end] if end >= 0 else raw[begin:])
        self._bytes += len(self._pieces[-1])
        if self._bytes > VALUE_MAX_BYTES:
            raise MaskingFailedError("A value that a masking rule names is larger than 1 MiB.")
        return end

    def _end(self, flat: bytes, at: int) -> int:
        if self._kind not in b'"{[':
            end = _SCALAR_END.search(flat, at)
            return -1 if end is None else end.start()
        if self._in_string:
            quote = flat.find(b'"', at)
            if quote < 0:
                return -1
            self._in_string = False
            at = quote + 1
            if self._kind == 0x22:
                return at
        for token in _NESTING.finditer(flat, at):
            sign = token[0]
            if sign in (b"{", b"["):
                self._depth += 1
            elif sign in (b"}", b"]"):
                self._depth -= 1
                if self._depth == 0:
                    return token.end()
            else:
                self._in_string = len(sign) == 1 or not sign.endswith(b'"')
        return -1

    def runs(self) -> Iterator[Run]:
        """The value, and the space behind it when it is a number or word. A null is no value."""
        raw = b"".join(self._pieces)
        value = raw if self._kind in b'"{[' else raw.rstrip(_SPACE)
        yield Run(None if value == b"null" else self._field, value, self._path)
        if len(value) < len(raw):
            yield Run(None, raw[len(value) :])


def _names(fields: FieldPaths) -> tuple[bytes, ...] | None:
    """What to look for in lower-case text; None when every key has to be looked at."""
    spellings = fields.spellings
    if fields.needs_path or spellings is None or not all(name.isascii() for name in spellings):
        return None
    return tuple(name.encode() for name in spellings)
