"""The request target: one canonical form, or a refusal. What is judged is byte for byte what is sent.

RFC 3986 and RFC 9112 section 3.2. Percent-encoded unreserved characters are decoded, other hex digits are made upper
case; everything that two servers could read as different paths is refused.
"""

import re
from dataclasses import dataclass

_PLAIN_PATH = re.compile(rb"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9\-._~!$&'()*+,=:@]+)+/?|/")
_PATH = re.compile(rb"(?:[A-Za-z0-9\-._~!$&'()*+,=:@/]|%[0-9A-Fa-f]{2})*")
_QUERY = re.compile(rb"(?:[A-Za-z0-9\-._~!$&'()*+,=:@/?\[\]{}|^;]|%[0-9A-Fa-f]{2})*")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_REFUSED_IN_PATH = frozenset(b"/\\%;\x00") | frozenset(range(0x20)) | {0x7F}
_REFUSED_IN_QUERY = re.compile(rb"%(?:0[0-9A-Fa-f]|1[0-9A-Fa-f]|7[Ff])")


class TargetError(Exception):
    """The target is ambiguous or malformed; `str()` is a fixed sentence."""


@dataclass(frozen=True, slots=True)
class Target:
    """`path` is canonical and starts with `/`; `query` is None without a `?`."""

    path: bytes
    query: bytes | None

    def __bytes__(self) -> bytes:
        return self.path if self.query is None else self.path + b"?" + self.query


def parse_target(target: bytes, authority: bytes) -> Target:
    """The canonical target of an origin-form request, or of an absolute form that names `authority` itself.

    Raises `TargetError`.
    """
    if target[:1] != b"/":
        target = _strip_own_authority(target, authority)
    path, mark, query = target.partition(b"?")
    if _PLAIN_PATH.fullmatch(path) is None:
        path = _canonical_path(path)
    if not mark:
        return Target(path, None)
    if _QUERY.fullmatch(query) is None:
        raise TargetError("The query has characters that must be percent-encoded.")
    if _REFUSED_IN_QUERY.search(query) is not None:
        raise TargetError("The query has encoded control characters.")
    return Target(path, query)


def _strip_own_authority(target: bytes, authority: bytes) -> bytes:
    for scheme in (b"http://", b"https://"):
        prefix = scheme + authority
        if target[: len(prefix)].lower() == prefix.lower() and target[len(prefix) : len(prefix) + 1] == b"/":
            return target[len(prefix) :]
    raise TargetError("The request target must be a path on this gateway.")


def _decode_escape(match: re.Match[bytes]) -> bytes:
    code = int(match[1], 16)
    if code in _UNRESERVED:
        return bytes((code,))
    if code in _REFUSED_IN_PATH:
        raise TargetError("The path has an encoded separator, percent or control character.")
    return b"%" + match[1].upper()


def _canonical_path(path: bytes) -> bytes:
    if _PATH.fullmatch(path) is None:
        raise TargetError("The path has characters that must be percent-encoded.")
    path = _ESCAPE.sub(_decode_escape, path)
    segments = path.split(b"/")
    if b"." in segments or b".." in segments:
        raise TargetError("The path has dot segments.")
    if b"" in segments[1:-1]:
        raise TargetError("The path has empty segments.")
    return path


_SECRET_PARAMETER = re.compile(
    r"(?i)(key|token|secret|password|passwd|pwd|auth|authorization|sig|signature|credential|code|session|jwt|sas)"
)


def redacted_target(target: Target) -> str:
    """The target for logs and entries: values of parameters whose names speak of secrets are withheld."""
    text = target.path.decode("ascii")
    if target.query is None:
        return text
    pairs = []
    for pair in target.query.decode("ascii").split("&"):
        name, mark, value = pair.partition("=")
        pairs.append(f"{name}=[withheld]" if mark and value and _SECRET_PARAMETER.search(name) else pair)
    return text + "?" + "&".join(pairs)


_TOKEN = re.compile(rb"ost_[a-z][0-9A-Za-z]{30}")


def query_has_token(query: bytes | None) -> bool:
    """True when the query carries what looks like one of our tokens, however often its letters are percent-encoded.
    A token belongs into a header only."""
    if query is None:
        return False
    for _ in range(3):
        if _TOKEN.search(query) is not None:
            return True
        decoded = _decoded(query)
        if decoded == query:
            return False
        query = decoded
    return _TOKEN.search(query) is not None


def _decoded(text: bytes) -> bytes:
    return _ESCAPE.sub(lambda match: bytes((int(match[1], 16),)), text)


def without_parameters(query: bytes | None, names: frozenset[bytes]) -> bytes | None:
    """The query without the parameters of those names (lower case), however they are written."""
    if query is None or not names:
        return query
    kept = [pair for pair in query.split(b"&") if _plain_name(pair) not in names]
    return b"&".join(kept) if kept else None


def _plain_name(pair: bytes) -> bytes:
    name = pair.partition(b"=")[0]
    return _decoded(name).replace(b"+", b" ").lower()
