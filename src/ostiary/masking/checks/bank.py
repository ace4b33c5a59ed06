"""Payment cards and bank accounts: issuers, lengths, check digits and how they are written in groups."""

import re
from functools import cache
from itertools import accumulate

from ostiary.masking.checks.words import Words, listed

_ISSUERS: tuple[tuple[str, str, tuple[int, ...], bool], ...] = (
    # (name, first digits, lengths, whether they tell enough to do without a word such as "card" in front)
    ("visa", "4", (16,), True),
    ("visa", "4", (13, 19), False),
    ("mastercard", "5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", (16,), True),
    ("american express", "3[47]", (15,), True),
    ("discover", "6011|64[4-9]|65", (16,), True),
    ("diners", "30[0-5]|3095|36|38|39", (14,), True),
    ("jcb", "352[89]|35[3-8]", (16,), True),
    ("jcb", "2131|1800", (15,), True),
    ("unionpay", "62|81", (16, 17, 18, 19), True),
    ("maestro", "5018|5020|5038|5893|6304|6759|676[1-3]", (16, 17, 18, 19), True),
    ("maestro", "50[1-3]|5[6-8]|6304|639|6759|676[1-3]", (12, 13, 14, 15), False),
    ("any issuer", "35|50|5[6-9]|6", (16,), False),
    ("elo, hipercard", "5067|5090|6277|6362|6363|6062", (16,), True),
    ("mir, rupay, troy, dankort, verve", "220[0-4]|60|508|82|9792|5019|5061", (16,), False),
)
_ISSUER_DIGITS = tuple((re.compile(digits.encode()), lengths, telling) for _, digits, lengths, telling in _ISSUERS)
_CARD_WORDS = Words(
    listed(
        "card,pan,cc,visa,amex,jcb,cvv,debit,credit,mastercard,maestro,discover,diners,unionpay,payment,carte,tarjeta,"
        "cartão,cartao,carta,karte,kreditkarte,kort,kaart,karta,カード,卡,카드,карт"
    )
)
_ID_BEFORE = re.compile(
    rb"(?:id|ids|Id|ID|uuid|timestamp|ts|time|nonce|hash|seed|offset|size|sequence|seq|serial|sha|commit|version)"
    rb"[\"'`\\]{0,3}\s{0,3}[:=]\s{0,3}[\"'`\\]{0,3}$"
)
_LONGER_NUMBER_BEFORE = re.compile(rb"[0-9]\.$|(?:^|[^0-9.,])0,$|[0-9A-Fa-f]-$")
"""A comma behind a number separates cells more often than it begins a fraction; behind 0 it begins one."""
_GROUP_BEFORE = re.compile(rb"(?:^|[^0-9A-Za-z])[0-9A-Fa-f]{4,5}[ \n]$")
"""Another cell of a table of numbers."""
_NEIGHBOURS_APART = 16
_DIGITS = re.compile(rb"[0-9]+")
_CARD_DIGITS = (12, 19)
_GROUPINGS = frozenset(((4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3)))
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
"""The sum of the digits of a doubled digit."""


def payment_card(value: bytes, before: bytes) -> int:
    """The length of the card's number at the beginning of `value`: in one run, or in the groups printed on cards."""
    if _LONGER_NUMBER_BEFORE.search(before):
        return 0
    runs = [found.group() for found in _DIGITS.finditer(value)]
    after = value[len(runs[0]) : len(runs[0]) + 1]
    if len(runs[0]) >= _CARD_DIGITS[0]:
        if (after == b"." and value[len(runs[0]) + 1 : len(runs[0]) + 2].isdigit()) or (
            _ID_BEFORE.search(before) and not _CARD_WORDS.found_in(before)
        ):
            return 0
        return len(runs[0]) if _is_card(runs[0], before) else 0
    return _card_in_groups(value, runs, after, before)


def _card_in_groups(value: bytes, runs: list[bytes], separator: bytes, before: bytes) -> int:
    if separator == b" " and _GROUP_BEFORE.search(before):
        return 0
    sizes = [len(run) for run in runs]
    ends = list(accumulate(sizes, lambda end, size: end + 1 + size))
    for count in range(min(len(runs), 5), 1, -1):
        end = ends[count - 1]
        if tuple(sizes[:count]) not in _GROUPINGS or value[:end] != separator.join(runs[:count]):
            continue
        if len(runs) > count + 1 and sizes[count] == sizes[count + 1] == 4:
            return 0  # a table of numbers
        if value[end : end + 1] == b"-" and separator == b"-":
            return 0
        if not _counts_up(runs[:count]) and _is_card(b"".join(runs[:count]), before):
            return end
    return 0


def _counts_up(runs: list[bytes]) -> bool:
    """Whether three groups are close neighbours, as in a table of characters' codes."""
    numbers = sorted({int(run) for run in runs})
    return any(high - low <= _NEIGHBOURS_APART for low, high in zip(numbers, numbers[2:], strict=False))


def _is_card(digits: bytes, before: bytes) -> bool:
    if len(set(digits)) < 2 or not luhn(digits):
        return False
    for first_digits, lengths, telling in _ISSUER_DIGITS:
        if len(digits) in lengths and first_digits.match(digits):
            return telling or _CARD_WORDS.found_in(before)
    return False


def luhn(digits: bytes) -> bool:
    """Whether the last digit is the check digit of those before (ISO/IEC 7812)."""
    total = 0
    for place, code in enumerate(reversed(digits)):
        digit = code - 48
        total += _DOUBLED[digit] if place % 2 else digit
    return total % 10 == 0


_IBAN_GROUP = 4


def iban(value: bytes, before: bytes) -> int:
    """The length of the account number at the beginning of `value`: as long as its country's are, in one run or in
    groups of four, and with the right check digits."""
    country = value[:2].upper()
    wanted = _iban_lengths().get(country)
    if wanted is None:
        return 0
    compact = bytearray()
    separator: bytes | None = None
    end = 0
    while end < len(value) and len(compact) < wanted:
        byte = value[end : end + 1]
        if byte.isalnum():
            compact += byte
        elif len(compact) % _IBAN_GROUP or (separator is not None and byte != separator):
            return 0
        else:
            separator = byte
        end += 1
    if len(compact) < wanted or value[end : end + 1].isalnum():
        return 0
    if separator is not None and value[:end].count(separator) != (wanted - 1) // _IBAN_GROUP:
        return 0
    return end if _iban_is_valid(compact.decode()) else 0


@cache
def _iban_lengths() -> dict[bytes, int]:
    """By country, from the registry that python-stdnum carries."""
    from stdnum.iban import _ibandb

    lengths = {}
    for first in "ABCDEFGHIJKLMNOPQRSTUVWXYZ":
        for second in "ABCDEFGHIJKLMNOPQRSTUVWXYZ":
            found = _ibandb.info(first + second)[0][1].get("bban")
            if found:
                lengths[(first + second).encode()] = 4 + sum(int(size) for size in re.findall(r"([0-9]+)!", found))
    return lengths


def _iban_is_valid(number: str) -> bool:
    from stdnum import iban as registry

    # Countries' own check digits inside are left alone: published examples have wrong ones.
    return bool(registry.is_valid(number, check_country=False))
