"""What the rules say about one request."""

from dataclasses import dataclass

from ostiary.model.rule import ApprovalTerms


@dataclass(frozen=True, slots=True)
class Allow:
    rule: str
    why: str


@dataclass(frozen=True, slots=True)
class Deny:
    """`rule` is None when no rule matched (default deny)."""

    rule: str | None
    why: str


@dataclass(frozen=True, slots=True)
class Ask:
    rule: str
    why: str
    terms: ApprovalTerms


Decision = Allow | Deny | Ask
