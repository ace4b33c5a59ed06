"""Header fields of every answer of the console listener."""

from collections.abc import Iterable

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action {targets}; "
    "frame-ancestors 'none'; base-uri 'none'"
)

# `same-origin` instead of `no-referrer`: under the latter browsers send `Origin: null` with our own forms (Fetch,
# "append a request Origin header"), which could then not be told from a sandboxed foreign page. Neither tells other
# sites anything.
HEADERS: dict[str, str] = {
    "content-security-policy": _POLICY.format(targets="'self'"),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
    "permissions-policy": (
        "publickey-credentials-get=(self), publickey-credentials-create=(self), camera=(), microphone=(), "
        "geolocation=(), payment=(), usb=(), clipboard-read=(), browsing-topics=()"
    ),
}


def policy_with_form_target(origin: str) -> str:
    """The policy of a page whose form is answered by a redirect to `origin`: browsers hold redirects of a form against
    `form-action` too, which has no way to name an IPv6 address (CSP 3, section 2.3.1): then only the scheme is said."""
    if "[" in origin:
        origin = origin.partition("//")[0]
    return _POLICY.format(targets=f"'self' {origin}")


def missing_headers(present: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
    """Those that an answer does not set itself."""
    there = {name.lower() for name in present}
    return [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in there]
