"""Masking JSON as it streams, one document or many: every string is looked at decoded, and what is not replaced stays
byte for byte as it was written."""

from collections.abc import Iterator

from ostiary.gateway.bodies.json_fields import FieldCutter, Run
from ostiary.gateway.bodies.json_strings import JsonStrings
from ostiary.masking.maskers import TextMasker
from ostiary.protocols.json_text import blanked, decode_string, encode_string, unfinished

_LEVELS_MAX = 16
"""So often a field is looked for within a value that was a field itself and was left as it is."""


class JsonBody:
    """A `Body` of JSON, NDJSON or anything that has strings between double quotes."""

    __slots__ = ("_carry", "_cutter", "_masker", "_place", "_strings")

    def __init__(self, masker: TextMasker, place: str = "body") -> None:
        self._masker = masker
        self._place = place
        self._strings = JsonStrings(masker, place)
        self._cutter = FieldCutter(masker.fields) if masker.fields else None
        self._carry = b""  # an escape or a character that the border cut off

    def feed(self, data: bytes) -> bytes:
        raw = self._carry + data if self._carry else data
        flat = blanked(raw)
        whole = unfinished(flat)
        self._carry = b""
        if whole < len(flat):
            self._carry = raw[whole:]
            raw, flat = raw[:whole], flat[:whole]
        return self._mask(raw, flat)

    def finish(self) -> bytes:
        carry, self._carry = self._carry, b""
        rest = self._mask(carry, carry) if carry else b""
        if self._cutter is not None:
            rest += b"".join(self._run(self._cutter.finish(), 0))
        return rest + self._strings.finish()

    def _mask(self, raw: bytes, flat: bytes) -> bytes:
        if self._cutter is None:
            return self._strings.feed(raw, flat)
        parts = list(self._run(self._cutter.cut(raw, flat), 0))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _run(self, runs: Iterator[Run], level: int) -> Iterator[bytes]:
        for run in runs:
            if run.field is None:
                yield self._strings.feed(run.raw, blanked(run.raw))
                continue
            replacement = self._masker.replace_field(run.field, _value_of(run.raw), self._place)
            if replacement is not None:
                yield self._strings.step_over()
                yield b'"%b"' % encode_string(replacement)
            elif run.raw[:1] in (b"{", b"[") and level < _LEVELS_MAX:
                inner = FieldCutter(self._masker.fields, run.path)
                yield from self._run(inner.cut(run.raw, blanked(run.raw)), level + 1)
                yield from self._run(inner.finish(), level + 1)
            else:
                yield self._strings.feed(run.raw, blanked(run.raw))


def _value_of(raw: bytes) -> bytes:
    """The decoded string, also when its end is missing; any other value as it is written."""
    if raw[:1] != b'"':
        return raw
    return decode_string(raw[1:-1] if blanked(raw).endswith(b'"') and len(raw) > 1 else raw[1:])
