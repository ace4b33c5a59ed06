"""Whether something with an @ in it is an address of electronic mail, and where it ends."""

import re
from functools import cache
from importlib.resources import files

_URL_BEFORE = re.compile(rb"://[^\s/?#@'\"<>]*$")
"""The user name, or the password, of a URL."""
_REMOTE_SHELL_BEFORE = re.compile(
    rb"(?:^|[\s`'\"$(])(?:ssh|scp|sftp|rsync|mosh|ssh-copy-id)\s+(?:-[A-Za-z]+\s+(?:[^\s-]\S*\s+)?){0,4}$"
)
_NOT_PEOPLE = frozenset((b"git", b"hg", b"svn", b"this", b"super", b"return", b"break", b"continue"))
"""Accounts of code hosting, and words that Kotlin writes in front of an @label."""
_REMOTE_PATH = re.compile(rb":[^\s]*/")
_SCREEN_DENSITY = re.compile(rb"[0-9]+(?:\.[0-9]+)?x", re.IGNORECASE)
"""`icon@2x.png`"""
_FILE_ENDINGS = frozenset(b"py md rs sh pl zip mov cc ps so ai mo st java lock".split())
"""Top-level domains that are more often the ending of a file's name."""
_LOCALE_VARIANTS = frozenset(b"latin cyrillic valencia euro ijekavian iqtelif abegede".split())
"""`sr@latin.mo`"""
_WRITTEN_LARGE = frozenset((b"Com", b"Net", b"Org", b"Edu"))
_LABEL = re.compile(rb"(?:[A-Za-z0-9\x80-\xff](?:[A-Za-z0-9\x80-\xff-]{0,61}[A-Za-z0-9\x80-\xff])?)")
_ASCII_THEN_OTHER = re.compile(rb"([A-Za-z]{2,})[\x80-\xff]")
_DOMAIN_BYTES_MAX = 253


def email(value: bytes, before: bytes) -> int:
    """So many bytes of `value` are an address: it may go on into the text behind it."""
    local, at, rest = value.partition(b"@")
    if not at:
        local, at, rest = _partition_encoded(value)
    if not at or local.lower() in _NOT_PEOPLE or local.endswith(b".") or b".." in local or len(local) > 64:
        return 0
    if _URL_BEFORE.search(before) or _REMOTE_SHELL_BEFORE.search(before):
        return 0
    name, colon, path = rest.partition(b":")
    domain = _domain(name)
    if not domain or (len(domain) == len(name) and _REMOTE_PATH.match(colon + path)):
        return 0
    if not _is_plausible(local, domain.split(b".")):
        return 0
    return len(local) + len(at) + len(domain)


def _partition_encoded(value: bytes) -> tuple[bytes, bytes, bytes]:
    """The @ of a query or a form is written %40."""
    return value.partition(b"%40")


def _domain(name: bytes) -> bytes:
    """The longest beginning of `name` that is a domain name of two labels or more under a known top-level domain."""
    labels: list[bytes] = []
    for label in name.split(b"."):
        if not _LABEL.fullmatch(label):
            break
        labels.append(label)
    while len(labels) > 1:
        if _is_top_level(labels[-1]):
            return b".".join(labels)[:_DOMAIN_BYTES_MAX]
        # A script that writes no spaces goes right on behind the name.
        cut = _ASCII_THEN_OTHER.match(labels[-1])
        if cut and _is_top_level(cut.group(1)):
            return b".".join([*labels[:-1], cut.group(1)])
        labels.pop()
    return b""


def _is_top_level(label: bytes) -> bool:
    if label.isascii():
        known = label.islower() or label.isupper() or label in _WRITTEN_LARGE or label.lower().startswith(b"xn--")
        return known and (label.lower() in top_level_domains() or label.lower().startswith(b"xn--"))
    return label in top_level_domains()


def _is_plausible(local: bytes, labels: list[bytes]) -> bool:
    """What stands before the top-level domain is neither a version, a screen density nor a locale's variant."""
    first, top = labels[0], labels[-1].lower()
    if _SCREEN_DENSITY.fullmatch(first) or first.lower() in _LOCALE_VARIANTS:
        return False
    numbers = [label for label in labels[:-1] if label.isdigit()]
    if len(numbers) > 1 or (numbers and top in _FILE_ENDINGS):
        return False
    return not (top in _FILE_ENDINGS and len(labels) == 2 and len(local) < 3)


@cache
def top_level_domains() -> frozenset[bytes]:
    """The names of the list beside this module."""
    text = files("ostiary.masking.checks").joinpath("top_level_domains.txt").read_text("utf-8")
    return frozenset(name.encode() for line in text.splitlines() if not line.startswith("#") for name in line.split())
