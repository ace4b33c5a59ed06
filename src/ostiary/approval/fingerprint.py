"""One number for exactly this request by exactly this actor under exactly this rule."""

import hashlib
from collections.abc import Iterable, Sequence

_DOMAIN = b"ostiary approval fingerprint v1"


def fingerprint(
    *,
    actor: str,
    agent: str | None,
    connection: str,
    method: str,
    target: str,
    headers: Sequence[tuple[str, str]],
    body_digest: bytes,
    rule: str,
) -> str:
    """SHA-256 (hex). `actor` is `KIND:NAME`, so that a user and a service of one name differ.

    `headers` are the judged ones; their names' case and the order among different names have no meaning.
    Every part goes in with its length, so no two different requests share an encoding.
    """
    digest = hashlib.sha256()
    parts = [
        _DOMAIN,
        *(
            text.encode("utf-8", "surrogateescape")
            for text in (actor, "" if agent is None else "agent:" + agent, connection, method, target, rule)
        ),
        body_digest,
        *_header_parts(headers),
    ]
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


def _header_parts(headers: Sequence[tuple[str, str]]) -> Iterable[bytes]:
    for name, value in sorted(((name.lower(), value) for name, value in headers), key=lambda field: field[0]):
        yield name.encode("utf-8", "surrogateescape")
        yield value.encode("utf-8", "surrogateescape")
