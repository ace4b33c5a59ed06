"""Machines that prove who they are with a token of their own platform: CI jobs, pods, SPIFFE workloads."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import re2

from ostiary.identity.claims import (
    VALUE_MAX,
    bound_to,
    check_audience,
    check_issuer,
    check_times,
    lookup,
    must_text,
    text_of,
    texts_of,
)
from ostiary.identity.jwt import JwtError, verify
from ostiary.identity.keys import KeyBook
from ostiary.model.issuer import ClaimCondition, WorkloadIssuer, WorkloadRule

TYPES = ("", "jwt", "jose", "at+jwt")
"""Header types of tokens to take: those of a logout or of a proof of possession are none of them."""

_SPIFFE_ID = re.compile(r"spiffe://[a-z0-9._-]{1,255}(?:/[A-Za-z0-9._-]+)+")
_SUBJECT_MAX = 2048
"""A SPIFFE ID may be that long."""


@dataclass(frozen=True, slots=True)
class WorkloadIdentity:
    """`expires_at` is the token's own end. `connections` and `bound_to` as in `Actor`. `rule` is the one that held."""

    service: str
    groups: frozenset[str]
    connections: frozenset[str] | None
    subject: str
    expires_at: float
    jti: str | None
    bound_to: str | None
    rule: WorkloadRule


def workload_of(token: str, keys: KeyBook, issuer: WorkloadIssuer, now: float) -> WorkloadIdentity:
    """Whose token it is. Raises `JwtError`, `UnknownKeyError` among them."""
    return service_of(issuer, verify(token, keys, issuer.algorithms, TYPES), now)


def service_of(issuer: WorkloadIssuer, claims: Mapping[str, object], now: float) -> WorkloadIdentity:
    """Who a token is whose signature was verified with `TYPES` and the issuer's algorithms. Raises `JwtError` when it
    is somebody else's, not for us, over, too long-lived, nobody's by the rules, or two services' at once."""
    check_issuer(claims, issuer.issuer)
    check_audience(claims, issuer.audience)
    times = check_times(claims, now, lifetime_max_s=issuer.lifetime_max_s)
    if "events" in claims:
        raise JwtError("logout_token")
    subject = must_text(claims, "sub", _SUBJECT_MAX)
    if issuer.preset == "spiffe" and _SPIFFE_ID.fullmatch(subject) is None:
        raise JwtError("sub_malformed")
    rule = _rule_of(issuer, claims)
    return WorkloadIdentity(
        service=rule.service,
        groups=frozenset(rule.groups),
        connections=None if rule.connections is None else frozenset(rule.connections),
        subject=subject,
        expires_at=times.expires_at,
        jti=text_of(claims, "jti"),
        bound_to=bound_to(claims),
        rule=rule,
    )


def holds(condition: ClaimCondition, claims: Mapping[str, object]) -> bool:
    """Whether one of the claim's values is one of the condition's. A claim that is absent has none."""
    values = [text for text in texts_of(lookup(claims, condition.claim)) if len(text) <= VALUE_MAX]
    return any(matches(pattern, text) for pattern in condition.values for text in values)


def matches(pattern: str, text: str) -> bool:
    """Whether `text` is `pattern`, letter by letter and whole.

    `*` stands for one or more characters without a slash, so that `acme/*` is every repository of acme and nothing
    below one; `**` for one or more characters with slashes. Control characters are never among them. There is no
    escape: no platform has a star in what it tells of a job.
    """
    start = pattern.find("*")
    if start < 0:
        return text == pattern
    return text.startswith(pattern[:start]) and _compiled(pattern).fullmatch(text) is not None


def _rule_of(issuer: WorkloadIssuer, claims: Mapping[str, object]) -> WorkloadRule:
    """The first of the rules that hold, which all have to mean the same service."""
    holding = [
        rule for rule in issuer.accepts
        if rule.conditions and all(holds(condition, claims) for condition in rule.conditions)
    ]  # fmt: skip
    if not holding:
        raise JwtError("no_workload_rule")
    if len({rule.service for rule in holding}) > 1:
        raise JwtError("workload_ambiguous")
    return holding[0]


@lru_cache(maxsize=1000)
def _compiled(pattern: str) -> "re2._Regexp":
    """RE2 takes linear time whatever the stars."""
    parts = re.split(r"(\*+)", pattern)
    stars = {"": "", "*": r"[^/\x00-\x1f\x7f]+"}
    return re2.compile(
        "".join(
            re2.escape(part) if index % 2 == 0 else stars.get(part, r"[^\x00-\x1f\x7f]+")
            for index, part in enumerate(parts)
        )
    )
