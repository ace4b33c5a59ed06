"""An upstream credential that cannot be printed, copied, compared or stored by accident."""

from typing import NoReturn


class Secret:
    """Holds the bytes of a credential. Only `vault.injection` reads them, in the one call that uses them.

    `version` starts at 1 and grows with every rotation. Everything that would turn the object into text, bytes or a
    key of a mapping raises `TypeError`.
    """

    __slots__ = ("_Secret__value", "name", "version")

    def __init__(self, name: str, version: int, value: bytes) -> None:
        self.name = name
        self.version = version
        self.__value = value

    def reveal_for_injection(self) -> bytes:
        """The credential itself. Use the result inside one expression; never give it a name."""
        return self.__value

    def __refuse(self, *_: object) -> NoReturn:
        raise TypeError("a Secret has no text, copy, hash or serial form")

    def __repr__(self) -> str:
        return f"<Secret {self.name!r} v{self.version}>"

    def __format__(self, _spec: str) -> str:
        return self.__refuse()

    __str__ = __bytes__ = __iter__ = __len__ = __refuse  # type: ignore[assignment]
    __reduce__ = __reduce_ex__ = __getstate__ = __copy__ = __deepcopy__ = __refuse  # type: ignore[assignment]
    __hash__ = __eq__ = __refuse  # type: ignore[assignment]
