"""How random a text is: by its different bytes, its entropy, its order, and how much of it could be words."""

import math
import re
from collections import Counter
from itertools import pairwise

_HEX = re.compile(rb"[0-9a-f]+|[0-9A-F]+")
_UUID = re.compile(rb"(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_DIGIT = re.compile(rb"[0-9]")
_LETTER = re.compile(rb"[A-Za-z]")
_SPOKEN_RUN = re.compile(rb"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[A-Z]")
_SHORTEST_BYTES = 8
_WORD_BITS_PER_BYTE = 0.05
_WORD_BITS_ALWAYS = 2.0
_CHANCE = 5

# For each letter how likely each next one is in the words of source code: a digit is a power of two, 5 is chance.
_FOLLOWERS = (
    b"15651251503756050767433341",
    b"74447221653733640653600051",
    b"71427216506632821547511040",
    b"63358321721523630563521130",
    b"53674541201557243776243530",
    b"62346620800523730645601040",
    b"52328256600546520664521022",
    b"81238102702342720546501030",
    b"54655550101658640566040304",
    b"71438221515222741372723321",
    b"62448344712525432474415031",
    b"73358311702622730255531050",
    b"75138210602452670253500020",
    b"61666471514324531267441020",
    b"34562440404568560755645201",
    b"71337314502622650756502040",
    b"42433222310434324452921001",
    b"72448341603354630566432040",
    b"51527326603433552367623040",
    b"61438206700432630665512051",
    b"55546440501667360767100100",
    b"82319231701232520232122010",
    b"72347326711416620663114300",
    b"54646514600442371348221441",
    b"44546432501566580476334134",
    b"71339313602333631233201143",
)
_BITS = {
    bytes((first + 97, second + 97)): row[second] - 48 - _CHANCE
    for first, row in enumerate(_FOLLOWERS)
    for second in range(26)
}


def entropy_bits(value: bytes) -> float:
    """Shannon's entropy of one byte of `value`, by how often each stands in it."""
    length = len(value)
    return -sum(count / length * math.log2(count / length) for count in Counter(value).values()) if length else 0.0


def is_uuid(value: bytes) -> bool:
    return _UUID.fullmatch(value) is not None


def is_hex(value: bytes) -> bool:
    """Whether it is hexadecimal in one case."""
    return _HEX.fullmatch(value) is not None


def has_digit(value: bytes) -> bool:
    return _DIGIT.search(value) is not None


def has_letter(value: bytes) -> bool:
    return _LETTER.search(value) is not None


def is_counting(value: bytes) -> bool:
    """Whether half of it goes up or down by one, or repeats: 0123456789, abcdef, FEDCBA, aaaa."""
    steps = [later - earlier for earlier, later in pairwise(value)]
    return max(steps.count(1), steps.count(-1), steps.count(0)) * 2 > len(steps) > 4


def is_varied(value: bytes) -> bool:
    """Whether its bytes differ as much as those of a random value of this length and alphabet."""
    length = len(value)
    if length < _SHORTEST_BYTES:
        return False
    alphabet = _alphabet_size(value)
    # A random value of n letters from an alphabet of a has about a·(1−(1−1/a)ⁿ) different ones.
    expected = alphabet * (1 - (1 - 1 / alphabet) ** length)
    return len(set(value)) >= 0.6 * expected and entropy_bits(value) >= 0.7 * math.log2(min(alphabet, length))


def word_bits(value: bytes) -> float:
    """How much likelier its letters follow each other in words than by chance, in bits; below 0 for random ones."""
    total = 0
    for run in _SPOKEN_RUN.findall(value):
        lowered = run.lower()
        total += sum(_BITS[lowered[at : at + 2]] for at in range(len(lowered) - 1))
    return total


def is_wordy(value: bytes) -> bool:
    """Whether it is rather made of words than drawn at random."""
    return word_bits(value) > _WORD_BITS_ALWAYS + _WORD_BITS_PER_BYTE * len(value)


def _alphabet_size(value: bytes) -> int:
    if value.isdigit():
        return 10
    if is_hex(value):
        return 16
    return 36 if value.islower() or value.isupper() else 62
