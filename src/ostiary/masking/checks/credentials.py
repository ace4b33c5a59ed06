"""Checks for credentials: generated at random, or a placeholder, a name, a path, an expression?

All are pure and look at no more than the value and what stands in front of it. How much is asked depends on the shape:
a vendor's own prefix is believed unless the rest is filler, `password = "…"` must not be a placeholder, and what merely
follows `token:` must look generated.
"""

import base64
import binascii
import re
from collections import Counter
from collections.abc import Callable, Mapping

from ostiary.masking.checks.randomness import (
    has_digit,
    has_letter,
    is_counting,
    is_hex,
    is_uuid,
    is_varied,
    is_wordy,
    word_bits,
)

Check = Callable[[bytes, bytes], int]

_TELLING_BYTES = 4
"""So many bytes of a vendor's prefix do not count when a value is looked through for filler."""
_GENERATED_BYTES = 12
_SURELY_GENERATED_BYTES = 16
_GENERATED_HEX_BYTES = 16
_PASSWORD_BYTES = 8

_FILLER = re.compile(rb"([^0-9A-Za-z]|[xX])\1{4}|0{10}|\.\.\.")
_FILLER_BYTES = b"xX0*.#"
_TEMPLATE = re.compile(
    rb"\$\{[\w.:?/-]*\}?|\{\{[\s\w.|:'\"()-]*\}\}|^\{[\w.!:]*\}|\{[A-Za-z_][\w.!:]*\}|\{\}|\{\d\}|^<|<[\w .:/-]{2,}>|"
    rb"^\$[({A-Za-z_0-9]|%\([a-z_]+\)|^%[sdrv]$|^%[A-Za-z_]+%$|^@[A-Za-z_]+@$|^[*.]+$|\xe2\x80|\*{3}|\.\.\.|"
    rb"\[[A-Z_ -]{3,}\]"
)
_PLACEHOLDER = re.compile(
    rb"(?i)your|example|sample|place.?holder|change.?(?:me|it|this)|replace|redact|mask|dummy|fake|insert|foo|"
    rb"bar(?:$|[^a-z])|baz|lorem|todo|fixme|hidden|removed|here|goes|none|null|undefined|invalid|unknown|required|"
    rb"optional|bogus|xxx"
)
_WEAK = re.compile(
    rb"(?i)my[_.-]?(?:api|pass|key|client|access)|secret|token|passwor[dt]|passwd|passw0rd|p4ssw|p@ssw|passphrase|"
    rb"pass[_.-]?code|api[_.-]?key|access[_.-]?key|credential|abcd|qwerty|asdf|1234|4321|deadbeef|expired|default|wrong|"
    rb"correct|test|demo|mock|stub|string|value|letmein|admin|user|guest|anonymous|encrypt|sha\d|md5"
)
_PATH = re.compile(
    rb"(?i)[a-z]://|^\.{1,2}/|^~/|^/[a-z][\w.-]*(?:/[\w.:-]+)*/?$|^[a-z]:\\|^\\\\|^--?[a-z-]+$|^[\w.-]+\.(?:com|org|net)$"
)
_CALL = re.compile(rb"^[\w.:>-]+\([\w, .'\"]*\)$|^[\w.]+\[[\w'\"-]*\]|\(\)|^=>|^[=,;)][\w .]*$")
_SOURCE = re.compile(
    rb"(?i)[(){}\[\]|]|^[$@&*~!^]|^(?:self|this|os|process|env|settings?|config|conf|request|req|res|response|ctx|args|"
    rb"opts|options|params|props|state|data|file|secrets?|vars?|local|global|module|system|import|await|new|return)[.:]"
)
_DOTTED = re.compile(rb"[A-Za-z_]\w*(?:(?:\.|::|->|\?\.)[A-Za-z_]\w*)+")
_DATE = re.compile(rb"(?:19|20)\d\d-\d\d-\d\d(?:[T ].*)?")
_NAME = re.compile(rb"[A-Za-z_]+(?:[_.-][A-Za-z0-9]+)*\d{0,2}|[A-Z0-9]+(?:_[A-Z0-9]+)+")
_LOWER = re.compile(rb"[a-z]")
_UPPER = re.compile(rb"[A-Z]")
_SYMBOL = re.compile(rb"[^0-9A-Za-z_.:/ -]")
_REST = re.compile(rb"[&;,?#][A-Za-z_][\w.-]{0,40}[=:].*$|[.,;:)]+$", re.DOTALL)
_KEY = re.compile(rb"([A-Za-z0-9_.-]+)[^A-Za-z0-9_]*$")
_TYPED_KEY = re.compile(rb"([A-Za-z0-9_.-]+)[ \t]{0,3}:[ \t]{0,2}&?[A-Za-z_][\w.<>\[\], |&']{0,24}\s?=(?![=>])[^=]*$")
_VALUE_ATTRIBUTE = re.compile(rb"([A-Za-z0-9_.-]+)\"\s+value=\"$")
_PASSWORD_KEY = re.compile(rb"(?i)pass|pwd|kennwort|contrase|senha")
_SECRET_KEY = re.compile(rb"(?i)pass|pwd|kennwort|contrase|senha|secret")
_SPACED_KEY = re.compile(rb"[\w.-] {1,8}[@bBrRuUfFL$]{0,2}\\{0,3}[\"'`]$")
_CODE_BYTES = re.compile(rb"[(){}\[\],;<>]")
_OTHER_KEY = re.compile(
    rb"(?i)(?:(?<![A-Za-z])|(?-i:(?<=[a-z0-9])(?=[A-Z])))(?:"
    rb"next|page|pagination|continuation|continue|sync|cancel(?:lation)?|csrf|xsrf|cursor|resume|skip|delta|request|"
    rb"action|partition|primary|foreign|public|shard|sort|group|cache|idempotency|mask|pad|eos|bos|unk|sep|cls|stop|start|"
    rb"end|special|parse|lex)[a-z]{0,8}[_.-]?(?:token|key)s?(?:[_.-]|$)|"
    rb"(?:ur[il]|file(?:name)?|path|dir|name|id|ids|type|kind|field|header|param|prefix|suffix|length|len|size|count|"
    rb"expir\w*|expires?_?(?:in|at)|ttl|regexp?|pattern|label|hint|message|msg|errors?|text|title|desc\w*|class|env|var|"
    rb"arn|version|policy|algorithm|alg|format|provider|endpoint|hash|hashed|digest|fingerprint|checksum|sha\d*|manager|"
    rb"store|location|ref|host|mode|scope|status|state|index|idx|enabled|required|used|changed|date|time|plural|"
    rb"ize[rd]?|izers?|ization)$"
)
_TIGHT_KEY = re.compile(
    rb"(?:^|[\s;&?|\"'])(?:-D|-e)?[A-Za-z][\w.-]{1,48}=$|>$|^[ \t]*[\w.\"'-]+:[ \t]+$|\n[ \t]*[\w.\"'-]+:[ \t]+$"
)
_ENVIRONMENT_KEY = re.compile(rb"[A-Z][A-Z0-9_]{2,}=$")
_UUID_TOKEN = re.compile(
    rb"(?i:(?:^|access|auth|api|bot|refresh|session|service|deploy|personal|private|security|app|user|x|my)[_.-]?token$)|"
    rb"[A-Z]_TOKEN$"
)
_STOCK_PASSWORDS = frozenset(
    b"pass password passwd pwd pw passw0rd secret token user username name test guest root admin postgres mysql redis "
    b"rabbitmq mongo example changeme change-me tiger x xxx xxxx p s port apikey api_key key db "
    b"host database x-oauth-basic dbpass dbpassword mypass mypassword mysecretpassword my-password my_password "
    b"mytoken mytoken1 mytoken2 my-token my_token userpass bar baz pass1 pass2 pword passwort foo foobar "
    b"some-password some_password "
    b"1234".split()
)
_JSON_HEAD = re.compile(rb"\{\"[A-Za-z0-9_]{1,12}\":")
_HEAD_BYTES = 24
_LOGIN = re.compile(rb"[^\x00-\x1f\x7f]{1,256}:[^\x00-\x1f\x7f]{1,256}")


def not_filler(value: bytes, before: bytes) -> int:
    """All of it, unless it was typed to show where a credential goes: `ghp_xxxxxxxx`, `sk-ant-api03-...`."""
    return 0 if _is_filler(value, _TELLING_BYTES) else len(value)


def not_placeholder(value: bytes, before: bytes) -> int:
    """All of it, unless it is a template or a word that stands for a secret."""
    return 0 if _is_template(value) or value.lower() in _STOCK_PASSWORDS or _is_filler(value) else len(value)


def not_expression(value: bytes, before: bytes) -> int:
    """All of it, unless it is code or a path that names where the secret is."""
    return 0 if _is_source(value) else len(value)


def random(value: bytes, before: bytes) -> int:
    """All of it when it has the entropy of a generated one; words, repeats and counting do not."""
    if _is_filler(value, _TELLING_BYTES) or is_counting(value):
        return 0
    good = any(has_digit(body) and (is_varied(body) or is_uuid(body)) for body in _bodies(value))
    return len(value) if good else 0


def with_digit(value: bytes, before: bytes) -> int:
    """All of it when it is no filler and has a digit, as nearly all generated ones have and few names."""
    return len(value) if has_digit(value[_TELLING_BYTES:]) and not _is_filler(value, _TELLING_BYTES) else 0


def mixed(value: bytes, before: bytes) -> int:
    """All of it when it is random over letters and digits, and neither a digest in hexadecimal nor words."""
    good = random(value, before) and has_letter(value) and not is_hex(value) and not is_wordy(value)
    return len(value) if good else 0


def bare_token(value: bytes, before: bytes) -> int:
    """What looks generated, less the punctuation behind it."""
    value = _REST.sub(b"", value)
    return len(value) if not _is_template(value) and not _is_dotted_name(value) and _looks_generated(value) else 0


def quoted_secret(value: bytes, before: bytes) -> int:
    """A value in quotes: as a password nearly anything but placeholders, code and words; else what looks generated."""
    key = _key_of(before)
    if _OTHER_KEY.search(key) or _is_template(value) or _is_code(value):
        return 0
    if _CODE_BYTES.search(value) and (_SPACED_KEY.search(before) or not _SECRET_KEY.search(key)):
        return 0
    good = _looks_generated(value, key) or (_PASSWORD_KEY.search(key) and _looks_like_password(value))
    return len(value) if good else 0


def bare_secret(value: bytes, before: bytes) -> int:
    """The same without quotes, where most of what follows is code; up to what belongs to the text again."""
    ended_by = value[-1:]
    value = _REST.sub(b"", value)
    key = _key_of(before)
    if len(value) < _PASSWORD_BYTES or _OTHER_KEY.search(key) or _is_template(value) or _is_source(value):
        return 0
    if _looks_generated(value, key):
        return len(value)
    if not _PASSWORD_KEY.search(key) or not _looks_like_password(value):
        return 0
    told = _SYMBOL.search(value) or _ENVIRONMENT_KEY.search(before)
    tight = _TIGHT_KEY.search(before) and ended_by not in b",)" and not _NAME.fullmatch(value)
    return len(value) if told or tight else 0


def option_secret(value: bytes, before: bytes) -> int:
    """The same behind an option of a command."""
    value = _REST.sub(b"", value)
    if len(value) < 6 or _is_template(value) or _is_source(value):
        return 0
    good = _looks_generated(value) or (_PASSWORD_KEY.search(before[-24:]) and _looks_like_password(value))
    return len(value) if good else 0


def url_password(value: bytes, before: bytes) -> int:
    """All of it, unless it is a template, a stock word or the same as the user."""
    user = before.rpartition(b"/")[2].rpartition(b":")[0]
    worn = (
        value.lower() in _STOCK_PASSWORDS or value == user or (value.isdigit() and len(value) < 6) or _is_filler(value)
    )
    return (
        0
        if worn
        or _is_template(value)
        or value.startswith((b"$", b"%s", b"["))
        or b"]]" in value
        or (b"," in value and b":" in value)
        else len(value)
    )


def base64_login(value: bytes, before: bytes) -> int:
    """All of it when it is the base64 of `user:password`."""
    body = value.rstrip(b"=")
    if len(body) % 4 == 1:
        return 0
    try:
        login = base64.b64decode(body + b"=" * (-len(body) % 4), b"-_" if _is_url_safe(body) else None, validate=True)
        login.decode()
    except (binascii.Error, UnicodeDecodeError):
        return 0
    return len(value) if _LOGIN.fullmatch(login) else 0


def jwt(value: bytes, before: bytes) -> int:
    """All of it when its header is that of a signed token."""
    return len(value) if b'"alg"' in _first_segment(value) else 0


def jwt_base64(value: bytes, before: bytes) -> int:
    """All of it when it is the base64 of a token's first segment, which is base64 of JSON, and more."""
    try:
        token = base64.b64decode(value[: len(value) // 4 * 4], b"-_" if _is_url_safe(value) else None)
    except binascii.Error:
        return 0
    return len(value) if _JSON_HEAD.match(_first_segment(token[:_HEAD_BYTES])) else 0


def jwe(value: bytes, before: bytes) -> int:
    """All of it when its header is that of an encrypted token."""
    return len(value) if b'"enc"' in _first_segment(value) else 0


def twitter_bearer(value: bytes, before: bytes) -> int:
    """All of it when it is no run of base64 zeros in data: escapes in it, or many kinds of letters behind them."""
    body = value.lstrip(b"A")
    good = len(value) - len(body) < 28 and is_varied(body) and (b"%" in body or len(set(body)) > 24)
    return len(value) if good else 0


def _bodies(value: bytes) -> tuple[bytes, ...]:
    """The value, and what is left without a prefix that may be of another alphabet."""
    return value, value[2:], value[_TELLING_BYTES:], value[value.rfind(b"_") + 1 :], value[value.rfind(b"-") + 1 :]


def _first_segment(value: bytes) -> bytes:
    head = value.partition(b".")[0]
    try:
        return base64.urlsafe_b64decode(head + b"=" * (-len(head) % 4))
    except binascii.Error:
        return b""


def _is_url_safe(value: bytes) -> bool:
    return b"-" in value or b"_" in value


def _is_filler(value: bytes, prefix_bytes: int = 0) -> bool:
    """Whether half of it or five bytes together only fill a place."""
    body = value[prefix_bytes:]
    counts = Counter(body)
    worn = max((counts[code] for code in _FILLER_BYTES), default=0) * 2 > len(body)
    return worn or _FILLER.search(value) is not None


def _is_template(value: bytes) -> bool:
    return _TEMPLATE.search(value) is not None


def _is_dotted_name(value: bytes) -> bool:
    return _DOTTED.fullmatch(value) is not None and max(map(len, value.split(b"."))) < 24


def _is_code(value: bytes) -> bool:
    """Whether what stands in quotes is a path, an address, a date or an expression."""
    return bool(_PATH.search(value) or _CALL.search(value) or _DATE.fullmatch(value)) or _is_dotted_name(value)


def _is_source(value: bytes) -> bool:
    """The same of what stands without quotes, where code is likelier."""
    return _SOURCE.search(value) is not None or _is_code(value)


def _key_of(before: bytes) -> bytes:
    """The name that is assigned to, as far as it stands in `before`."""
    found = _VALUE_ATTRIBUTE.search(before) or _TYPED_KEY.search(before) or _KEY.search(before)
    return found.group(1) if found else b""


def _looks_generated(value: bytes, key: bytes = b"") -> bool:
    """Whether a value without a telling prefix was made by a machine to be secret."""
    body = value.rstrip(b"=")
    if len(body) < _GENERATED_BYTES or is_counting(body) or _is_filler(body):
        return False
    if is_uuid(body):
        return b"token" not in key.lower() or _UUID_TOKEN.search(key) is not None
    if not has_letter(body) or not is_varied(body):
        return False
    if is_hex(body):
        return has_digit(body) and len(body) >= _GENERATED_HEX_BYTES
    digits, cases = has_digit(body), _cases(body)
    if len(body) < _SURELY_GENERATED_BYTES and (cases < 2 or not digits or _is_stock(body)):
        return False
    if not digits:
        return cases == 2 and word_bits(body) < -len(body) / 4
    return not is_wordy(body) and not (len(body) < 24 and _is_stock(body))


def _is_stock(value: bytes) -> bool:
    """Whether there is a word in it that stands for a secret or in examples of one."""
    return bool(_PLACEHOLDER.search(value) or _WEAK.search(value))


def _cases(value: bytes) -> int:
    """How many of lower and upper case are in it."""
    return (_LOWER.search(value) is not None) + (_UPPER.search(value) is not None)


def _looks_like_password(value: bytes) -> bool:
    """Whether a person would choose it: eight bytes or more of several kinds, and no stock word in it."""
    length = len(value)
    if not _PASSWORD_BYTES <= length <= 128 or len(set(value)) < 5 or is_counting(value) or _is_filler(value):
        return False
    cases, symbol = _cases(value), _SYMBOL.search(value) is not None
    if _PLACEHOLDER.search(value) or (_WEAK.search(value) and not (symbol and has_digit(value) and cases == 2)):
        return False
    if has_digit(value):
        return cases > 0
    return cases == 2 and word_bits(value) < (length / 4 if symbol else -length / 8)


CREDENTIAL_CHECKS: Mapping[str, Check] = {
    "bare-secret": bare_secret,
    "bare-token": bare_token,
    "base64-login": base64_login,
    "jwe": jwe,
    "jwt": jwt,
    "jwt-base64": jwt_base64,
    "mixed": mixed,
    "not-expression": not_expression,
    "not-filler": not_filler,
    "not-placeholder": not_placeholder,
    "option-secret": option_secret,
    "quoted-secret": quoted_secret,
    "random": random,
    "twitter-bearer": twitter_bearer,
    "url-password": url_password,
    "with-digit": with_digit,
}
