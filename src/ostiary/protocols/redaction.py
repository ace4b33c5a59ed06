"""Fields of JSON bodies that are never recorded: keys in requests, minted credentials in answers."""

import json
from collections.abc import Sequence

WITHHELD = "[withheld]"
_WHOLE_MAX_BYTES = 1024 * 1024

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def withhold_fields(document: Json, paths: Sequence[str]) -> Json:
    """A copy in which the values at the dotted paths (`*` for any key or element) are `[withheld]`."""
    for path in paths:
        document = _withhold(document, path.split("."), entered=False)
    return document


def _withhold(value: Json, steps: list[str], entered: bool = True) -> Json:
    if not steps:
        return WITHHELD if value is not None else None
    step, rest = steps[0], steps[1:]
    if isinstance(value, dict):
        # Some servers read names without regard to case, so the secret may stand under another spelling.
        return {
            key: _withhold(child, rest) if step == "*" or step.lower() == key.lower() else child
            for key, child in value.items()
        }
    if isinstance(value, list):
        # A list is stepped over when the path names a key of its elements, entered when it says `*`.
        return [_withhold(child, rest if step == "*" else steps, entered) for child in value]
    # A plain value where the path goes on: not what the Kind expects, and perhaps the secret itself.
    return WITHHELD if value is not None and entered else value


class FieldWithholder:
    """Gathers a body and gives the form of it that may be recorded. A body that is too large or not JSON is
    replaced by a sentence: what cannot be read cannot be cleaned."""

    __slots__ = ("_bytes", "_paths", "_pieces")

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = tuple(paths)
        self._pieces: list[bytes] = []
        self._bytes = 0

    def feed(self, data: bytes) -> None:
        self._bytes += len(data)
        if self._bytes <= _WHOLE_MAX_BYTES:
            self._pieces.append(data)
        else:
            self._pieces.clear()

    def finish(self) -> bytes:
        """The recordable body; the withholder is empty afterwards."""
        total, body = self._bytes, b"".join(self._pieces)
        self._pieces.clear()
        self._bytes = 0
        if not total:
            return b""
        if total > _WHOLE_MAX_BYTES:
            return f"[withheld: {total} bytes, too large to remove its secret fields]".encode("ascii")
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            return f"[withheld: {total} bytes that are not JSON]".encode("ascii")
        return json.dumps(withhold_fields(document, self._paths), separators=(",", ":"), ensure_ascii=False).encode()
