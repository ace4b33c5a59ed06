"""Checks for credentials: generated at random, or a placeholder, a name, a path, an expression?

All are pure and look at no more than the value and what stands in front of it. How much is asked depends on the shape:
a vendor's own prefix is believed unless the rest is filler, `password = "…"` must not be a placeholder, and what merely
follows `token:` must look generated.
"""

import base64
import binascii
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping

Check = Callable[[bytes, bytes], int]

_FILLER = re.compile(rb"([^0-9A-Za-z]|[xX])\1{4}|0{10}|\.\.\.|[<>{}]")
_PLACEHOLDER = re.compile(
    rb"(?i)your|example|sample|place.?holder|change.?(?:me|it|this)|replace|redact|mask|dummy|fake|insert|foo|bar(?:$|[^a-z])|baz|"
    rb"lorem|todo|fixme|hidden|removed|here|goes|my[_.-]?(?:api|secret|token|pass|key|client|access)|super[_.-]?secret|"
    rb"secret|token|passwor[dt]|passwd|passw0rd|p4ssw|p@ssw|passphrase|api[_.-]?key|access[_.-]?key|credential|abcdef|qwerty|asdf|"
    rb"1234|4321|deadbeef|none|null|undefined|invalid|expired|unknown|default|required|optional|wrong|correct|bogus|"
    rb"test|demo|mock|stub|string|xxx|value|hunter2|letmein|admin|user|guest|root|anonymous"
)
_TEMPLATE = re.compile(rb"[<>{}]|\$[({A-Za-z_0-9]|%\(|%[sdrv](?![0-9A-Za-z])|^%[A-Za-z_]+%$|^[*.]+$|\xe2\x80|\*{3}|\.\.\.")
_EXPRESSION = re.compile(
    rb"(?i)://|^[$@&*./~\\:=,;+-]|\(\)|\w\(|\w\[|^(?:self|this|os|process|env|settings?|config|conf|request|req|res|response|ctx|"
    rb"args|opts|options|params|props|state|data|file|secrets?|vars?|local|global|module|system|import|await|new|return)[.:]"
)
_WORD = re.compile(rb"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+|[^A-Za-z0-9]+|[A-Z]")
_VOWELLED = re.compile(rb"(?i)[bcdfghjklmnpqrstvwxz]{0,3}(?:[aeiouy]{1,3}[bcdfghjklmnpqrstvwxz]{0,4})+")
_HEX = re.compile(rb"[0-9a-f]+|[0-9A-F]+")
_UUID = re.compile(rb"(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_DIGIT = re.compile(rb"[0-9]")
_LOWER = re.compile(rb"[a-z]")
_UPPER = re.compile(rb"[A-Z]")
_SYMBOL = re.compile(rb"[^0-9A-Za-z_.:/-]")
_LETTER = re.compile(rb"[A-Za-z]")
_DIGITS_APART = re.compile(rb"[0-9]+")
_BARE_REST = re.compile(rb"[&;,?#](?:[A-Za-z_][\w.-]{0,40}[=:]|$).*$|[.,;:!?]+$", re.DOTALL)
_KEY_NAME = re.compile(rb"([A-Za-z0-9_.-]+)[^A-Za-z0-9_]*$")
_TYPED_KEY = re.compile(rb"([A-Za-z0-9_.-]+)\s{0,3}:\s{0,2}&?[A-Za-z_][\w.<>\[\], |&']{0,24}\s?=[^=]*$")
_PASSWORD_KEY = re.compile(rb"(?i)pass|pwd|kennwort|contrase|senha")
_OTHER_KEY = re.compile(
    rb"(?i)(?:next|page|pagination|continuation|continue|sync|cancel(?:lation)?|csrf|xsrf|cursor|resume|skip|delta|partition|primary|foreign|"
    rb"public|shard|sort|group|cache|idempotency|mask|pad|eos|bos|unk|sep|cls|stop|start|end|special|parse|lex)[a-z]{0,8}[_.-]?(?:token|key)s?(?:[_.-]|$)|"
    rb"(?:ur[il]|file(?:name)?|path|dir|name|id|ids|type|kind|field|header|param|prefix|suffix|length|len|size|count|expir\w*|expires?_?(?:in|at)|ttl|regexp?|"
    rb"pattern|label|hint|message|msg|errors?|text|title|desc\w*|class|env|var|arn|version|policy|algorithm|alg|format|provider|endpoint|"
    rb"hash|hashed|digest|fingerprint|checksum|sha\d*|manager|store|location|ref|host|mode|scope|status|state|index|idx|enabled|required|"
    rb"plural|ize[rd]?|izers?|ization)$"
)
_ENV_KEY = re.compile(rb"(?:^|[\s;&|])(?:export |ENV |ARG |set |-e )?[\"']?[A-Z][A-Z0-9_]{2,48}=[\"']?$")
_LOGIN_FILLER = frozenset(
    b"pass password passwd pwd pw passw0rd secret token user username name test guest root admin postgres mysql redis rabbitmq "
    b"mongo example changeme change-me pass123 password123 tiger x xxx xxxx p s port apikey api_key key db database host "
    b"x-oauth-basic dbpass dbpassword mypass mypassword mysecretpassword my-password my_password userpass hunter2 "
    b"12345 123456 1234 bar baz pass1 pass2 pword passwort foo foobar some-password some_password secret123".split()
)
_SAFE_LOGIN = re.compile(rb"[^\x00-\x1f\x7f]{1,256}:[^\x00-\x1f\x7f]{1,256}")


def entropy_bits(value: bytes) -> float:
    """Shannon's entropy of one byte of `value`, by how often each stands in it."""
    length = len(value)
    return -sum(count / length * math.log2(count / length) for count in Counter(value).values()) if length else 0.0


def not_filler(value: bytes, before: bytes) -> int:
    """All of it, unless it was typed to show where a credential goes: `ghp_xxxxxxxx`, `sk-ant-api03-...`."""
    counts = Counter(value[4:])
    worn = counts and max(counts[code] for code in b"xX0*.#") * 2 > len(value) - 4
    return 0 if worn or _FILLER.search(value) else len(value)


def not_placeholder(value: bytes, before: bytes) -> int:
    """All of it, unless it is a template or a word that stands for a secret."""
    return 0 if _is_template(value) or value.lower() in _LOGIN_FILLER or not not_filler(value, before) else len(value)


def random(value: bytes, before: bytes) -> int:
    """All of it when it has the entropy of a generated one; words, repeats and counting do not."""
    if not not_filler(value, before) or _is_counting(value):
        return 0
    body = value.rpartition(b"_")[2] if value.count(b"_") == 1 else value
    return len(value) if _is_varied(body) and _DIGIT.search(body) else 0


def mixed(value: bytes, before: bytes) -> int:
    """All of it when it is random over letters and digits, and not the hexadecimal of a digest or words."""
    if not random(value, before) or _HEX.fullmatch(value) or _wordy_share(value) > 0.6:
        return 0
    return len(value) if _LETTER.search(value) else 0


def bare_token(value: bytes, before: bytes) -> int:
    """What looks generated, less the punctuation behind it."""
    value = _BARE_REST.sub(b"", value)
    return len(value) if not _is_template(value) and _looks_generated(value) else 0


def quoted_secret(value: bytes, before: bytes) -> int:
    """A value in quotes: for a password anything but placeholders, expressions and plain words; else what is generated."""
    key = _key_of(before)
    if _OTHER_KEY.search(key) or _is_template(value) or _EXPRESSION.search(value):
        return 0
    if _looks_generated(value) or (_PASSWORD_KEY.search(key) and _looks_like_password(value)):
        return len(value)
    return 0


def bare_secret(value: bytes, before: bytes) -> int:
    """The same without quotes, where most of what follows is code; up to what belongs to the text again."""
    value = _BARE_REST.sub(b"", value)
    key = _key_of(before)
    if len(value) < 8 or _OTHER_KEY.search(key) or _is_template(value) or _EXPRESSION.search(value):
        return 0
    if _looks_generated(value):
        return len(value)
    if not _PASSWORD_KEY.search(key) or not _looks_like_password(value):
        return 0
    return len(value) if _SYMBOL.search(value) or _ENV_KEY.search(before) else 0


def option_secret(value: bytes, before: bytes) -> int:
    """The same behind an option of a command."""
    value = _BARE_REST.sub(b"", value)
    if len(value) < 6 or _is_template(value) or _EXPRESSION.search(value):
        return 0
    good = _looks_generated(value) or (_PASSWORD_KEY.search(before[-24:]) and _looks_like_password(value))
    return len(value) if good else 0


def url_password(value: bytes, before: bytes) -> int:
    """All of it, unless it is a template, a stock word or the same as the user."""
    user = before.rpartition(b"/")[2].rpartition(b":")[0]
    worn = value.lower() in _LOGIN_FILLER or value == user or _is_template(value) or value.isdigit()
    return 0 if worn or value.startswith((b"$", b"%s", b"[")) or not not_filler(b"    " + value, b"") else len(value)


def base64_login(value: bytes, before: bytes) -> int:
    """All of it when it is the base64 of `user:password`."""
    if len(value) % 4 == 1:
        return 0
    try:
        login = base64.b64decode(value.rstrip(b"=") + b"=" * (-len(value.rstrip(b"=")) % 4), b"-_", validate=True)
        text = login.decode().encode()
    except (binascii.Error, UnicodeDecodeError):
        return 0
    return len(value) if _SAFE_LOGIN.fullmatch(text) else 0


def jwt(value: bytes, before: bytes) -> int:
    """All of it when its header is that of a signed token."""
    return len(value) if b'"alg"' in _first_segment(value) else 0


def jwe(value: bytes, before: bytes) -> int:
    """All of it when its header is that of an encrypted token."""
    return len(value) if b'"enc"' in _first_segment(value) else 0


def twitter_bearer(value: bytes, before: bytes) -> int:
    """All of it when it is no run of base64 zeros in data: escapes in it, or many kinds of letters behind them."""
    body = value.lstrip(b"A")
    return len(value) if len(value) - len(body) < 28 and _is_varied(body) and (b"%" in body or len(set(body)) > 24) else 0


def _first_segment(value: bytes) -> bytes:
    head = value.partition(b".")[0]
    try:
        return base64.urlsafe_b64decode(head + b"=" * (-len(head) % 4))
    except binascii.Error:
        return b""


def _is_template(value: bytes) -> bool:
    return _TEMPLATE.search(value) is not None


def _key_of(before: bytes) -> bytes:
    """The name that is assigned to, as far as it stands in `before`."""
    found = _TYPED_KEY.search(before) or _KEY_NAME.search(before)
    return found.group(1) if found else b""


def _is_counting(value: bytes) -> bool:
    """Whether much of it goes up or down by one: 0123456789, abcdef, FEDCBA."""
    steps = [later - earlier for earlier, later in zip(value, value[1:], strict=False)]
    return max(steps.count(1), steps.count(-1), steps.count(0)) * 2 > len(steps) > 4


def _is_varied(value: bytes) -> bool:
    """Whether its bytes are as different as those of a random value of this length and alphabet."""
    length = len(value)
    if length < 8:
        return False
    alphabet = 10 if value.isdigit() else 16 if _HEX.fullmatch(value) else 36 if value.islower() or value.isupper() else 62
    # A random value of n letters from an alphabet of a has about a·(1−(1−1/a)ⁿ) different ones.
    expected = alphabet * (1 - (1 - 1 / alphabet) ** length)
    return len(set(value)) >= 0.6 * expected and entropy_bits(value) >= 0.72 * math.log2(min(alphabet, length))


def _wordy_share(value: bytes) -> float:
    """How much of it is made of what could be words: four letters or more that can be spoken."""
    words = sum(len(word) for word in _WORD.findall(value) if len(word) > 3 and _VOWELLED.fullmatch(word))
    return words / len(value)


def _looks_generated(value: bytes) -> bool:
    """Whether a value without a telling prefix was made by a machine to be secret."""
    body = value.rstrip(b"=")
    length = len(body)
    if length < 16 or not _DIGIT.search(body) or not _LETTER.search(body) or _is_counting(body):
        return False
    if not _is_varied(body) or not not_filler(b"    " + body, b""):
        return False
    if _UUID.fullmatch(body) or _HEX.fullmatch(body):
        return True
    runs = len(_DIGITS_APART.findall(body))
    if length < 40 and runs < 2 and not (_UPPER.search(body) and _LOWER.search(body)):
        return False
    return _wordy_share(body) < 0.34 and not (_PLACEHOLDER.search(body) and length < 40)


def _looks_like_password(value: bytes) -> bool:
    """Whether a person would choose it: eight or more of three kinds, and no stock word in it."""
    if not 8 <= len(value) <= 64 or _PLACEHOLDER.search(value):
        return False
    kinds = sum(kind.search(value) is not None for kind in (_DIGIT, _LOWER, _UPPER, _SYMBOL))
    if kinds < 2 or not _DIGIT.search(value) or _is_counting(value):
        return False
    return kinds > 2 or (len(set(value)) > 5 and len(_DIGITS_APART.findall(value)) > 1 and _wordy_share(value) < 0.6)


CREDENTIAL_CHECKS: Mapping[str, Check] = {
    "bare-secret": bare_secret,
    "bare-token": bare_token,
    "base64-login": base64_login,
    "jwe": jwe,
    "jwt": jwt,
    "mixed": mixed,
    "not-filler": not_filler,
    "not-placeholder": not_placeholder,
    "option-secret": option_secret,
    "quoted-secret": quoted_secret,
    "random": random,
    "twitter-bearer": twitter_bearer,
    "url-password": url_password,
}
