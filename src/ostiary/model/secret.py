"""An upstream credential that cannot be printed, copied, compared or stored by accident."""

from typing import Final, NoReturn

_REFUSAL: Final = "a Secret has no text, bytes, copy, comparison, hash or serial form"


class Secret:
    """Holds the bytes of a credential. Only `vault.injection` and the masking patterns read them, in the one
    expression that uses them.

    `version` starts at 1 and grows with every rotation. `repr` shows name and version; everything else that
    would turn the object into text, bytes, a key of a mapping or a stored form raises `TypeError`.
    """

    __slots__ = ("_value", "name", "version")

    name: Final[str]
    version: Final[int]
    _value: Final[bytes]

    def __init__(self, name: str, version: int, value: bytes) -> None:
        self.name = name
        self.version = version
        self._value = value

    def reveal_for_injection(self) -> bytes:
        """The credential itself. Use the result inside one expression; never give it a name."""
        return self._value

    def __repr__(self) -> str:
        return f"<Secret {self.name!r} v{self.version}>"

    def __str__(self) -> NoReturn:
        raise TypeError(_REFUSAL)

    def __format__(self, format_spec: str) -> NoReturn:
        raise TypeError(_REFUSAL)

    def __bytes__(self) -> NoReturn:
        raise TypeError(_REFUSAL)

    def __iter__(self) -> NoReturn:
        raise TypeError(_REFUSAL)

    def __len__(self) -> NoReturn:
        raise TypeError(_REFUSAL)

    def __bool__(self) -> NoReturn:
        # Truth would otherwise ask __len__; `if secret:` is a mistake for `is not None` either way.
        raise TypeError(_REFUSAL)

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError(_REFUSAL)

    def __hash__(self) -> NoReturn:
        raise TypeError(_REFUSAL)

    def __reduce__(self) -> NoReturn:
        raise TypeError(_REFUSAL)

    def __getstate__(self) -> NoReturn:
        raise TypeError(_REFUSAL)

    def __copy__(self) -> NoReturn:
        raise TypeError(_REFUSAL)

    def __deepcopy__(self, memo: object) -> NoReturn:
        raise TypeError(_REFUSAL)
