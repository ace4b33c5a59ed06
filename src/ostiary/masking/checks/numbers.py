"""Numbers of persons in the United States and Brazil."""

import re

_LONGER_BEFORE = re.compile(rb"[0-9A-Za-z][-.]$|[0-9],$")
_AREA_NEVER = frozenset((b"000", b"666"))


def us_ssn(value: bytes, before: bytes) -> int:
    """The whole value if its area, group and serial number are such as are given out (since 2011: any but a few)."""
    digits = re.sub(rb"[^0-9]", b"", value)
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    if len(digits) != 9 or area in _AREA_NEVER or area >= b"900" or group == b"00" or serial == b"0000":
        return 0
    return 0 if len(set(digits)) == 1 or _LONGER_BEFORE.search(before) else len(value)


def br_cpf(value: bytes, before: bytes) -> int:
    """The whole value if its two check digits are right."""
    from stdnum.br import cpf

    digits = re.sub(rb"[^0-9]", b"", value)
    if len(set(digits)) == 1 or _LONGER_BEFORE.search(before):
        return 0
    return len(value) if cpf.is_valid(digits.decode()) else 0
