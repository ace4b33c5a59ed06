"""JSON members that masking rules name by key or pointer."""

from collections.abc import Sequence

_ANY = "*"


class FieldPaths:
    """Members by bare key name (`ssn`, at any depth) or by JSON pointer from the top (`/user/ssn`, RFC 6901), in which
    `*` stands for any one key or index. Names are compared without regard to ASCII case: some servers read them so."""

    __slots__ = ("_names", "_pointers", "needs_path", "spellings")

    def __init__(self, fields: Sequence[str]) -> None:
        self._names: dict[str, int] = {}
        self._pointers: list[tuple[tuple[str, ...], int]] = []
        for number, field in enumerate(fields):
            if field.startswith("/"):
                steps = tuple(step.replace("~1", "/").replace("~0", "~").lower() for step in field[1:].split("/"))
                self._pointers.append((steps, number))
            else:
                self._names.setdefault(field.lower(), number)
        self.needs_path = bool(self._pointers)
        """Whether `match` looks at more than the last step."""
        self.spellings: tuple[str, ...] | None = self._last_names()
        """Lower-case keys of which one must occur where anything matches; None when any key might."""

    def __bool__(self) -> bool:
        return bool(self._names or self._pointers)

    def match(self, path: Sequence[str]) -> int | None:
        """The number of the field that this path (keys and indexes as text, outermost first) is, or None."""
        if not path:
            return None
        number = self._names.get(path[-1].lower())
        if number is not None:
            return number
        for steps, number in self._pointers:
            if len(steps) == len(path) and all(
                step in (_ANY, part.lower()) for step, part in zip(steps, path, strict=True)
            ):
                return number
        return None

    def _last_names(self) -> tuple[str, ...] | None:
        lasts = [*self._names]
        for steps, _ in self._pointers:
            named = [step for step in steps if step != _ANY and not step.isdigit()]
            if not named:
                return None
            lasts.append(named[-1])
        return tuple(dict.fromkeys(lasts))
