"""What a declarative file says, after parsing."""

from dataclasses import dataclass

from ostiary.model.connection import Connection
from ostiary.model.detector import DetectorService
from ostiary.model.issuer import Group, Issuer, ScimSettings, SignInLimits
from ostiary.model.masking import MaskingRule
from ostiary.model.permission import Assignment, Role
from ostiary.model.rule import Rule


@dataclass(frozen=True, slots=True)
class SecretReference:
    """Where a Secret lives: `provider` is `stored`, `env` or `file`; `reference` the variable's or file's
    name (empty for `stored`, which is set with `ostiary secret set`)."""

    name: str
    provider: str
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Configuration:
    """Names are unique within each tuple; every name a connection, rule or masking rule uses exists."""

    secrets: tuple[SecretReference, ...] = ()
    connections: tuple[Connection, ...] = ()
    rules: tuple[Rule, ...] = ()
    masking: tuple[MaskingRule, ...] = ()
    detectors: tuple[DetectorService, ...] = ()
    groups: tuple[Group, ...] = ()
    issuers: tuple[Issuer, ...] = ()
    roles: tuple[Role, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    sign_in_limits: SignInLimits | None = None
    scim: ScimSettings | None = None

    @property
    def sign_in(self) -> SignInLimits:
        """What was said of them, or the defaults."""
        return self.sign_in_limits or SignInLimits()


@dataclass(frozen=True, slots=True)
class ConfigurationVersion:
    """`version` counts from 1 and is never used twice."""

    version: int
    yaml: str
    applied_at: float
    applied_by: str
    filename: str


@dataclass(frozen=True, slots=True)
class SecretVersion:
    """What may be told about a stored secret. `replaced_at` is None for the current version."""

    name: str
    version: int
    created_at: float
    replaced_at: float | None
