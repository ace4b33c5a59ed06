"""National numbers that python-stdnum does not know, or only with large tables of places."""

import re
from collections.abc import Callable
from datetime import date

_NINO = re.compile(r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z][0-9]{6}[A-D]", re.IGNORECASE)
_PROVINCES = re.compile(r"1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]")
_RESIDENT_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_SG_WEIGHTS = (2, 7, 6, 5, 4, 3, 2)
_SG_LETTERS = {
    "S": (0, "JZIHGFEDCBA"),
    "T": (4, "JZIHGFEDCBA"),
    "F": (0, "XWUTRQPNMLK"),
    "G": (4, "XWUTRQPNMLK"),
    "M": (3, "XWUTRQPNJLK"),
}
_TW_LETTERS = {letter: 10 + number for number, letter in enumerate("ABCDEFGHJKLMNPQRSTUVXYWZIO")}
_MEDICARE_WEIGHTS = (1, 3, 7, 9, 1, 3, 7, 9)


def _gb_nino(text: str) -> bool:
    return bool(_NINO.fullmatch(text.replace(" ", "").replace("-", "")))


def _cn_resident(text: str) -> bool:
    """Province, date of birth, and the check character of GB 11643 (ISO 7064 Mod 11-2)."""
    if not _PROVINCES.match(text) or not _is_date(text[6:10], text[10:12], text[12:14]):
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_RESIDENT_WEIGHTS, text[:17], strict=True))
    return "10X98765432"[total % 11] == text[17].upper()


def _kr_resident(text: str) -> bool:
    """Date of birth, and a digit for sex and century. Numbers given out since October 2020 have no check digit."""
    digits = text.replace("-", "")
    century = {"9": "18", "0": "18", "1": "19", "2": "19", "5": "19", "6": "19"}.get(digits[6], "20")
    return _is_date(century + digits[:2], digits[2:4], digits[4:6])


def _sg_nric(text: str) -> bool:
    offset, letters = _SG_LETTERS[text[0].upper()]
    total = offset + sum(weight * int(digit) for weight, digit in zip(_SG_WEIGHTS, text[1:8], strict=True))
    return letters[total % 11] == text[8].upper()


def _tw_identity(text: str) -> bool:
    number = _TW_LETTERS[text[0].upper()]
    total = number // 10 + number % 10 * 9
    total += sum(int(digit) * weight for digit, weight in zip(text[1:9], range(8, 0, -1), strict=True))
    return (total + int(text[9])) % 10 == 0


def _hk_identity(text: str) -> bool:
    letters, digits, check = re.fullmatch(r"([A-Z]{1,2})([0-9]{6})\(([0-9A])\)", text.upper()).groups()  # type: ignore[union-attr]
    values = [36, *(ord(letter) - 55 for letter in letters)][-2:] + [int(digit) for digit in digits]
    total = sum(value * weight for value, weight in zip(values, range(9, 1, -1), strict=True))
    return (total + (10 if check == "A" else int(check))) % 11 == 0


def _au_medicare(text: str) -> bool:
    digits = re.sub(r"[^0-9]", "", text)
    if len(digits) not in (10, 11) or digits[0] not in "23456":
        return False
    return sum(int(digit) * weight for digit, weight in zip(digits, _MEDICARE_WEIGHTS)) % 10 == int(digits[8])  # noqa: B905


def _ru_snils(text: str) -> bool:
    digits = re.sub(r"[^0-9]", "", text)
    if len(digits) != 11:
        return False
    total = sum(int(digit) * weight for digit, weight in zip(digits[:9], range(9, 0, -1), strict=True))
    return total % 101 % 100 == int(digits[9:])


def _my_nric(text: str) -> bool:
    digits = text.replace("-", "")
    return _is_date("20" + digits[:2], digits[2:4], digits[4:6]) and digits[6:8] not in ("00", "17", "18", "19", "20")


def _id_nik(text: str) -> bool:
    """Province and date of birth, to whose day women add 40. There is no check digit."""
    day = int(text[6:8])
    return "11" <= text[:2] <= "96" and _is_date("20" + text[10:12], text[8:10], f"{day - 40 if day > 40 else day:02}")


def _is_date(year: str, month: str, day: str) -> bool:
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        return False
    return True


IDENTITIES: dict[str, Callable[[str], bool]] = {
    "au_medicare": _au_medicare,
    "cn_resident": _cn_resident,
    "gb_nino": _gb_nino,
    "kr_resident": _kr_resident,
    "hk_identity": _hk_identity,
    "id_nik": _id_nik,
    "my_nric": _my_nric,
    "ru_snils": _ru_snils,
    "sg_nric": _sg_nric,
    "tw_identity": _tw_identity,
}
