"""Whether a number is a telephone number: libphonenumber's plans decide, and what is written in front."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from ostiary.masking.checks.numbering import is_given_out, is_given_out_abroad
from ostiary.masking.checks.words import Words, listed


class _Language(NamedTuple):
    words: Words
    regions: tuple[str, ...]


_ENGLISH = ("US", "GB", "AU", "IN", "ZA", "NZ", "IE", "SG")
_GERMAN = ("DE", "AT", "CH")
_EUROPE = ("FR", "IT", "ES", "NL", "BE", "PL", "SE", "PT")
_LANGUAGES = tuple(
    _Language(Words(listed(words)), regions)
    for words, regions in (
        ("rufnummer,handynummer,mobilnummer,mobiltelefon,handy,telefonnummer,durchwahl,festnetz", _GERMAN),
        ("téléphone,tél,portable,numéro", ("FR", "BE", "CH", "CA")),
        ("teléfono,móvil,movil,telefono", ("ES", "MX", "AR", "CO", "CL", "PE", "IT")),
        ("telefone,telemóvel,celular,fone", ("BR", "PT", "MX", "CO", "AR", "CL", "PE")),
        ("cellulare,cell,cellulari", ("IT", "US")),
        ("telefoon,mobiel,telefoonnummer", ("NL", "BE")),
        ("komórka,komórkowy,tel. kom", ("PL",)),
        ("puhelin,matkapuhelin,gsm,puh", ("FI", "BE", "TR", "PL", "CZ")),
        ("tlf,mobil,telefon", (*_GERMAN, "SE", "NO", "DK", "PL", "CZ", "HU", "RO", "TR")),
        ("電話,携帯,連絡先", ("JP", "TW", "HK")),
        ("电话,手机,手機,联系方式", ("CN", "TW", "HK")),
        ("전화,휴대폰,핸드폰,연락처", ("KR",)),
        ("телефон,тел.,моб", ("RU", "UA", "KZ", "BG")),
        ("τηλέφωνο,κινητό", ("GR",)),
        ("הטלפון,טלפון,נייד", ("IL",)),
        ("telepon,nomor hp", ("ID", "MY")),
        ("phone,tel,mobile,fax,whatsapp,msisdn,sms", (*_ENGLISH, *_GERMAN, *_EUROPE)),
        ("call me,call us,call,dial,contact number,contact no,text me,ring me,reach me,hotline", _ENGLISH),
    )
)
_ANY_LANGUAGE = Words(word for language in _LANGUAGES for word in language.words.words)
_STRONG = Words(
    word
    for word in _ANY_LANGUAGE.words
    if word not in ("call", "dial", "portable", "handy", "cell", "sms", "gsm", "numéro", "reach me", "fone", "hotline")
)
"""Words that other numbers do not follow."""

_NAMED_REACH = 28
"""So few bytes stand between the word and a number that is written in groups."""
_SOMETHING_ELSE_BETWEEN = re.compile(
    rb"[0-9\n]|id\b|_id|Id|hash|count|len|size|width|height|version|code|px|model|port|type|index|time|date",
    re.IGNORECASE,
)
_STRAIGHT_BETWEEN = re.compile(
    rb"(?:[ _-]?(?:number|nummer|numero|num|nbr|no|nr|home|work|phone|is|s)\b\.?){0,2}[^0-9A-Za-z\n]{0,8}",
    re.IGNORECASE,
)
"""What may stand between the word and bare digits."""
_NOT_DIGITS = re.compile(rb"[^0-9]")
_GROUP = re.compile(rb"[0-9]+(?=[^0-9]*$|[ ])")
_GROUPS_TRIED = 5
_KEY = re.compile(rb"[:=]")
_DECIMAL = re.compile(rb"\+?[0-9]+\.[0-9]+")
_NUMBER_BEFORE = re.compile(rb"[0-9][-./,:*]$|[0-9A-Za-z][-+/*]$|[0-9] $|[$#@]$")
_EXTENSION = re.compile(rb"\s?(?:x|ext\.?|extension|#)\s?[0-9]{1,6}$", re.IGNORECASE)
_NORTH_AMERICAN = re.compile(rb"(?:1[-. ])?\(?([2-9][0-9]{2})\)?[-. ]{0,2}([2-9][0-9]{2})[-. ][0-9]{4}")
_DOTTED = re.compile(rb"[0-9]\.[0-9]")
_WRITTEN = re.compile(
    rb"\(?[0-9]{1,5}\)?(?:(?:[ ]?(?:[-/()]|\xe2\x80\x93)[ ]?|[ ])[0-9]{1,10}){1,5}|[0-9]{2,5}(?:\.[0-9]{2,4}){2,4}"
)
"""A number in groups."""
_OWN_SHAPES = tuple(
    (re.compile(shape.encode()), region)
    for shape, region in (
        (r"0[67](?: [0-9]{2}){4}", "FR"),
        (r"0[1-59](?:\.[0-9]{2}){4}", "FR"),
        (r"0[67](?:\.[0-9]{2}){4}", "FR"),
        (r"0[789]0-[0-9]{4}-[0-9]{4}", "JP"),
        (r"0[1-9]-[0-9]{4}-[0-9]{4}", "JP"),
        (r"01[016-9]-[0-9]{3,4}-[0-9]{4}", "KR"),
        (r"07[0-9]{3} [0-9]{6}", "GB"),
        (r"0[12][0-9]{2,3} [0-9]{3} [0-9]{4}", "GB"),
        (r"020 [0-9]{4} [0-9]{4}", "GB"),
        (r"\(0[0-9]{2,4}\) ?[0-9]{3,4} [0-9]{4}", "GB"),
        (r"\(0[2378]\) [0-9]{4} [0-9]{4}", "AU"),
        (r"04[0-9]{2} [0-9]{3} [0-9]{3}", "AU"),
        (r"\([1-9][0-9]\) ?9?[0-9]{4}-[0-9]{4}", "BR"),
        (r"01[567][0-9][ /-][0-9]{7,8}", "DE"),
        (r"06-[0-9]{8}", "NL"),
    )
)
"""Ways of writing that nothing else has."""


def phone_international(value: bytes, before: bytes) -> int:
    """The length of the number at the beginning of `value`, which begins with +."""
    number = _EXTENSION.sub(b"", value)
    if _DECIMAL.fullmatch(number) or b"/-" in number:  # such as `+132/-16` lines
        return 0
    for end in _ends(number, 7):
        if _is_valid(number[:end], None):
            return len(value) if end == len(number) else end
    # Numbers in examples are seldom given out.
    return len(value) if _stands_right_in_front(before) and 8 <= _digit_count(number) <= 15 else 0


def phone_encoded(value: bytes, _before: bytes) -> int:
    """Behind %2B."""
    return len(value) if _is_valid(b"+" + value, None) else 0


def phone_north_american(value: bytes, before: bytes) -> int:
    """`(415) 555-2671`, `415-555-2671`, with an extension; with dots if it can be one."""
    if _NUMBER_BEFORE.search(before):
        return 0
    number = _EXTENSION.sub(b"", value)
    found = _NORTH_AMERICAN.fullmatch(number)
    if number.startswith(b"("):
        return len(value)
    if _ANY_LANGUAGE.found_in(before):
        return len(value)
    if found is None:
        return 0
    fictional = b"555" in found.groups() and not _DOTTED.search(number)
    return len(value) if fictional or _is_valid(number, "US") else 0


def phone_national(value: bytes, before: bytes) -> int:
    """A number as it is dialled at home: written in a way of its own, or behind a word for telephone."""
    if _NUMBER_BEFORE.search(before):
        return 0
    for end in _ends(value, 7):
        for shape, region in _OWN_SHAPES:
            if shape.fullmatch(value, 0, end) and _is_valid(value[:end], region):
                return end
    return phone_named(value, before)


def phone_named(value: bytes, before: bytes) -> int:
    """A number behind a word for telephone, by the plans of where that word is used."""
    if _NUMBER_BEFORE.search(before):
        return 0
    word_end = _ANY_LANGUAGE.end_in(before)
    if word_end < 0:
        return 0
    between = before[word_end:]
    if len(between) > _NAMED_REACH or _SOMETHING_ELSE_BETWEEN.search(between):
        return 0
    straight = _STRAIGHT_BETWEEN.fullmatch(between) is not None
    number = _EXTENSION.sub(b"", value)
    regions = tuple(
        dict.fromkeys(
            region for language in _LANGUAGES if language.words.found_in(before) for region in language.regions
        )
    )
    ends = [
        end for end in _ends(number, 7) if (straight if number[:end].isdigit() else _WRITTEN.fullmatch(number, 0, end))
    ]
    for end in ends:
        if any(_is_valid(number[:end], region) for region in regions):
            return len(value) if end == len(number) else end
    if _stands_right_in_front(before):
        for end in ends:
            if _digit_count(number[:end]) <= 15 and (not number[:end].isdigit() or (end >= 9 and _KEY.search(between))):
                return len(value) if end == len(number) else end
    return 0


def _stands_right_in_front(before: bytes) -> bool:
    """Whether a word for telephone does, one that other numbers do not follow. Then the way of writing is enough."""
    word_end = _STRONG.end_in(before)
    return word_end >= 0 and _STRAIGHT_BETWEEN.fullmatch(before, word_end) is not None


def _ends(value: bytes, digits_min: int) -> Iterator[int]:
    """Where a number that begins here may end: at the end, or before a space that another group follows."""
    for found in reversed(list(_GROUP.finditer(value))[-_GROUPS_TRIED:]):
        if _digit_count(value[: found.end()]) >= digits_min:
            yield found.end()


def _digit_count(text: bytes) -> int:
    return sum(48 <= byte <= 57 for byte in text)


def _is_valid(text: bytes, region: str | None) -> bool:
    digits = _NOT_DIGITS.sub(b"", text.replace(b"(0)", b"")).decode()
    return is_given_out_abroad(digits) if region is None else is_given_out(digits, region)
