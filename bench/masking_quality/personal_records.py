"""Personal data: records that Faker makes up in many languages, set into sentences and JSON."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import phonenumbers
from faker import Faker

from bench.masking_quality.samples import Planted, Sample

RECORDS_PER_LOCALE = 30
SEED = 20_250_101
FAKER = "Faker"


@dataclass(frozen=True, slots=True)
class _Locale:
    name: str
    region: str
    phone_words: tuple[str, ...]
    ssn_detector: str
    """Under which detector its national number is; "" where that is not claimed to be known."""
    ssn_words: tuple[str, ...] = ()
    ssn_issued: str = ".*"
    """Faker also makes up numbers that nobody can have."""


_LOCALES = (
    _Locale("en_US", "US", ("Phone", "call me at", "tel."), "us-ssn", ("SSN", "Social Security Number")),
    _Locale(
        "en_GB", "GB", ("Phone", "Mobile", "tel"), "national-id", ("National Insurance number", "NINO"), "(?!ZZ).*"
    ),
    _Locale("de_DE", "DE", ("Telefon", "Tel.", "Handy"), "", ()),
    _Locale("fr_FR", "FR", ("Téléphone", "Tél.", "Portable"), "national-id", ("Numéro de sécurité sociale", "NIR")),
    _Locale("es_ES", "ES", ("Teléfono", "Móvil", "Tel."), "national-id", ("DNI", "NIE"), ".*[A-Z]"),
    _Locale("it_IT", "IT", ("Telefono", "Cellulare", "Tel."), "national-id", ("Codice fiscale",)),
    _Locale("nl_NL", "NL", ("Telefoon", "Mobiel", "Tel."), "national-id", ("BSN",)),
    _Locale("pl_PL", "PL", ("Telefon", "tel. kom.", "Tel"), "national-id", ("PESEL",)),
    _Locale("pt_BR", "BR", ("Telefone", "Celular", "Fone"), "br-cpf", ("CPF",)),
    _Locale("sv_SE", "SE", ("Telefon", "Mobil", "Tel"), "national-id", ("Personnummer",)),
    _Locale("fi_FI", "FI", ("Puhelin", "gsm", "Puh."), "national-id", ("Henkilötunnus", "HETU")),
    _Locale("ja_JP", "JP", ("電話", "携帯", "電話番号"), "", ()),
    _Locale("ko_KR", "KR", ("전화", "휴대폰", "연락처"), "national-id", ("주민등록번호",), "[0-9]{4}(?!00).*"),
    _Locale("pt_PT", "PT", ("Telefone", "Telemóvel", "Tel."), "", ()),
)


def personal_samples() -> list[Sample]:
    """Every record once in a sentence and once in JSON, with what must be found and what must not."""
    return [sample for locale in _LOCALES for sample in _samples(locale)]


@dataclass(frozen=True, slots=True)
class _Item:
    kind: str
    """The detector."""
    sentence: str
    key: str
    value: str
    covered: bool = True
    tag: str = ""


def _samples(locale: _Locale) -> Iterator[Sample]:
    fake = Faker(locale.name)
    fake.seed_instance(SEED)
    for number in range(RECORDS_PER_LOCALE):
        for item in (*_items(locale, fake, number), *_harmless(fake)):
            tags = (locale.name, item.tag or item.kind)
            for text in (item.sentence.format(item.value), _as_json(fake, item)):
                at = text.index(item.value)
                planted = (Planted(at, at + len(item.value), item.kind),) if item.kind else ()
                yield Sample(FAKER, text, planted, item.covered, "notes.json" if text[0] == "{" else "notes.txt", tags)


def _as_json(fake: Faker, item: _Item) -> str:
    return json.dumps(
        {"id": fake.random_int(1, 99_999), "name": fake.name(), item.key: item.value, "active": True},
        ensure_ascii=False,
    )


def _items(locale: _Locale, fake: Faker, number: int) -> Iterator[_Item]:
    """What must be found in one record."""
    end = fake.catch_phrase() if number % 2 else fake.job()
    yield _Item("email", f"{fake.first_name()} ({{}}) – {end}.", "email", fake.email())
    yield _Item("email", f"{fake.sentence()} {{}}, {fake.city()}", "contact", fake.company_email())
    yield from _phones(locale, fake, number)
    card = fake.credit_card_number()
    yield _Item(
        "payment-card", f"Card {{}}, expires {fake.credit_card_expire()}", "card_number", card, _is_issued(card)
    )
    card = next(card for card in iter(fake.credit_card_number, "") if len(card) == 16)
    issued = _is_issued(card)
    yield _Item("payment-card", f"{fake.company()}: {{}}", "pan", _in_fours(card), issued, "payment-card in groups")
    iban = fake.iban()
    yield _Item("iban", f"IBAN {{}}, {fake.name()}", "iban", iban)
    yield _Item("iban", f"{fake.company()}, {{}}.", "account", _in_fours(iban), tag="iban in groups")
    if locale.ssn_words:
        word = locale.ssn_words[number % len(locale.ssn_words)]
        ssn = fake.ssn()
        covered = re.fullmatch(locale.ssn_issued, ssn) is not None
        key = word.lower().replace(" ", "_")
        yield _Item(locale.ssn_detector, f"{fake.name()}, {word}: {{}}", key, ssn, covered, f"{word.split()[0]} number")
    yield _Item("ip-address", f"{fake.user_name()} logged in from {{}} at {fake.time()}", "ip", fake.ipv4_public())
    yield _Item("ip-address", "Accepted publickey from {} port 5022", "remote_addr", _global_ipv6(fake), tag="IPv6")


def _in_fours(text: str) -> str:
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def _is_issued(card: str) -> bool:
    """Faker also makes up cards of JCB and Maestro that begin as none does."""
    return re.match(r"35(?!2[89]|[3-8])|0", card) is None


def _phones(locale: _Locale, fake: Faker, number: int) -> Iterator[_Item]:
    """One as Faker writes it behind a word, one with the country's code."""
    written = fake.phone_number()
    word = locale.phone_words[number % len(locale.phone_words)]
    try:
        parsed = phonenumbers.parse(written, locale.region)
    except phonenumbers.NumberParseException:
        return
    given_out = phonenumbers.is_valid_number(parsed)
    key = ("phone", "mobile", "tel")[number % 3]
    yield _Item("phone", f"{fake.name()}, {word}: {{}}", key, written, given_out, "phone as written at home")
    style = (phonenumbers.PhoneNumberFormat.INTERNATIONAL, phonenumbers.PhoneNumberFormat.E164)[number % 2]
    international = phonenumbers.format_number(parsed, style)
    yield _Item("phone", f"{fake.sentence()} {{}}", "contact", international, given_out, "phone with country")


def _global_ipv6(fake: Faker) -> str:
    """Faker's IPv6 addresses are from the whole range; those of the public Internet begin with 2 or 3."""
    return f"2{fake.random_int(0, 0xFFF):03x}:{fake.ipv6().partition(':')[2]}"


def _harmless(fake: Faker) -> Iterator[_Item]:
    """What looks a little like personal data and is none."""
    makers: tuple[tuple[str, Callable[[], object]], ...] = (
        ("uuid", fake.uuid4),
        ("isbn", fake.isbn13),
        ("ean", fake.ean13),
        ("sha1", fake.sha1),
        ("md5", fake.md5),
        ("sha256", fake.sha256),
        ("date", fake.date),
        ("timestamp", fake.unix_time),
        ("iso8601", fake.iso8601),
        ("mac", fake.mac_address),
        ("version", lambda: ".".join(str(fake.random_int(0, 40)) for _ in range(4))),
        ("order", lambda: fake.bothify("??-########", letters="ABCDEFGHKLMN")),
        ("order_id", lambda: fake.numerify("############")),
        ("amount", lambda: fake.pricetag()),
        ("coordinate", fake.coordinate),
        ("postcode", fake.postcode),
        ("file", fake.file_path),
        ("user_agent", fake.user_agent),
        ("url", fake.uri),
        ("color", fake.hex_color),
        ("local", lambda: fake.ipv4_private(network=False)),
        ("serial", lambda: fake.numerify("#### ####")),
    )
    for key, make in makers:
        yield _Item("", f"{key.title()} {{}}, {fake.word()}", key, str(make()), tag=f"harmless-{key}")
