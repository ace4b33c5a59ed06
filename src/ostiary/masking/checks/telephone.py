"""Whether a number is a telephone number: libphonenumber's plans decide, and what is written in front."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from ostiary.masking.checks.words import Words


class _Language(NamedTuple):
    words: Words
    regions: tuple[str, ...]


_ENGLISH = ("US", "GB", "AU", "IN", "ZA", "NZ", "IE", "SG")
_GERMAN = ("DE", "AT", "CH")
_EUROPE = ("FR", "IT", "ES", "NL", "BE", "PL", "SE", "PT")
_LANGUAGES = tuple(
    _Language(Words(words.split(",")), regions)
    for words, regions in (
        ("rufnummer,handynummer,mobilnummer,mobiltelefon,handy,telefonnummer,durchwahl,festnetz", _GERMAN),
        ("téléphone,tél,portable,numéro", ("FR", "BE", "CH", "CA")),
        ("teléfono,móvil,movil,telefono", ("ES", "MX", "AR", "CO", "CL", "PE", "IT")),
        ("telefone,telemóvel,celular,fone", ("BR", "PT", "MX", "CO", "AR", "CL", "PE")),
        ("cellulare,cell,cellulari", ("IT", "US")),
        ("telefoon,mobiel,telefoonnummer", ("NL", "BE")),
        ("komórka,komórkowy,tel. kom", ("PL",)),
        ("puhelin,matkapuhelin,gsm", ("FI", "BE", "TR", "PL", "CZ")),
        ("tlf,mobil,telefon", (*_GERMAN, "SE", "NO", "DK", "PL", "CZ", "HU", "RO", "TR")),
        ("電話,携帯,連絡先", ("JP", "TW", "HK")),
        ("电话,手机,手機,联系方式", ("CN", "TW", "HK")),
        ("전화,휴대폰,핸드폰,연락처", ("KR",)),
        ("телефон,тел.,моб", ("RU", "UA", "KZ", "BG")),
        ("τηλέφωνο,κινητό", ("GR",)),
        ("הטלפון,טלפון,נייד", ("IL",)),
        ("telepon,hp", ("ID", "MY")),
        ("phone,tel,mobile,fax,whatsapp,msisdn,sms", (*_ENGLISH, *_GERMAN, *_EUROPE)),
        ("call me,call us,call,dial,contact number,contact no,text me,ring me,reach me,hotline", _ENGLISH),
    )
)
_ANY_LANGUAGE = Words(word for language in _LANGUAGES for word in language.words.words)
TELEPHONE_WORDS = _ANY_LANGUAGE.words

_NAMED_REACH = 28
"""So few bytes stand between the word and a number that is not written like a telephone number."""
_SOMETHING_ELSE_BETWEEN = re.compile(
    rb"[0-9\n]|id\b|_id|Id|hash|count|len|size|width|height|version|code|px|model|port|type|index|time|date", re.IGNORECASE
)
_NUMBER_BEFORE = re.compile(rb"[0-9]\s?[-./,:*]\s?$|[0-9A-Za-z][-+/*]$|[0-9] $|[$#@]$")
_EXTENSION = re.compile(rb"\s?(?:x|ext\.?|extension|#)\s?[0-9]{1,6}$", re.IGNORECASE)
_NORTH_AMERICAN = re.compile(rb"(?:1[-. ])?\(?([2-9][0-9]{2})\)?[-. ]{0,2}([2-9][0-9]{2})[-. ][0-9]{4}")
_DOTTED = re.compile(rb"[0-9]\.[0-9]")
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
    if _NUMBER_BEFORE.search(before):
        return 0
    for end in _ends(value, 7):
        if _is_valid(value[:end], None):
            return end
    return 0


def phone_encoded(value: bytes, before: bytes) -> int:
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
    regions = tuple(
        dict.fromkeys(
            region for language in _LANGUAGES if language.words.found_in(before) for region in language.regions
        )
    )
    for end in _ends(value, 7):
        if any(_is_valid(value[:end], region) for region in regions):
            return end
    if value.isdigit():
        return 0
    # Numbers in examples are seldom given out: the word and the way it is written must do.
    return next((end for end in _ends(value, 7) if _digit_count(value[:end]) <= 12), 0)


def _ends(value: bytes, digits_min: int) -> Iterator[int]:
    """Where a number that begins here may end: at the end, or at the end of a group of digits before it."""
    for found in reversed(list(re.finditer(rb"[0-9]+", value))[-6:]):
        if _digit_count(value[: found.end()]) >= digits_min:
            yield found.end()


def _digit_count(text: bytes) -> int:
    return sum(48 <= byte <= 57 for byte in text)


def _is_valid(text: bytes, region: str | None) -> bool:
    import phonenumbers

    try:
        number = phonenumbers.parse(text.replace(b"(0)", b"").decode(), region)
    except phonenumbers.NumberParseException:
        return False
    return bool(phonenumbers.is_valid_number(number))
