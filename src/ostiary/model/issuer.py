"""Who may say who somebody is: the company's identity providers, and issuers of workload tokens."""

from dataclasses import dataclass
from enum import StrEnum


class GroupsFrom(StrEnum):
    """Where an OpenID provider tells a person's groups."""

    ID_TOKEN = "id-token"  # noqa: S105 - a word of the configuration
    USERINFO = "userinfo"


@dataclass(frozen=True, slots=True)
class OidcIssuer:
    """An OpenID Connect provider. `issuer` is its issuer identifier, exactly; `client_secret` names a Secret, None for
    a public client. `preset` is one of `identity.presets`, or empty.

    `user_claim` names the person; `email` counts only when the provider says that it is verified, or `trust_email`
    does. `names` are globs, one of which a name must match; none take every name. Tokens of this issuer made for
    `token_audience` are accepted on the gateway, None accepts none.
    `recheck_s`: how often it is asked whether somebody who is signed in still has access.
    """

    name: str
    issuer: str
    client_id: str
    client_secret: str | None = None
    preset: str = ""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    algorithms: tuple[str, ...] = ("RS256",)
    user_claim: str = "email"
    trust_email: bool = False
    groups_claim: str = "groups"
    groups_from: GroupsFrom = GroupsFrom.ID_TOKEN
    token_audience: str | None = None
    recheck_s: float = 900.0
    names: tuple[str, ...] = ()
    allow_private: bool = False
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class SamlIssuer:
    """A SAML 2.0 identity provider, by its metadata: exactly one of URL and file. `user_attribute` None takes the
    NameID; `names` is as for `OidcIssuer`. With `grant` its assertions are taken for gateway tokens too (RFC 7522)."""

    name: str
    metadata_url: str | None = None
    metadata_file: str | None = None
    user_attribute: str | None = None
    email_attribute: str | None = None
    groups_attribute: str = "groups"
    grant: bool = False
    names: tuple[str, ...] = ()
    allow_private: bool = False
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class ClaimCondition:
    """The claim (a dotted path for members of objects) is one of `values`, or matches one of them as a glob with
    `*`."""

    claim: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WorkloadRule:
    """A token for which every condition holds is the service account `service`, in `groups`.
    `connections` None leaves those to the rules."""

    service: str
    conditions: tuple[ClaimCondition, ...]
    groups: tuple[str, ...] = ()
    connections: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class WorkloadIssuer:
    """An issuer of tokens for machines: CI jobs, pods, SPIFFE workloads. Keys come from its discovery document unless
    `keys_url` or `keys_file` (a JWK Set) is given. A token of which no rule's conditions hold is nobody's."""

    name: str
    issuer: str
    audience: str
    accepts: tuple[WorkloadRule, ...]
    preset: str = ""
    algorithms: tuple[str, ...] = ("RS256", "ES256")
    keys_url: str | None = None
    keys_file: str | None = None
    lifetime_max_s: float = 86_400.0
    allow_private: bool = False
    ca_file: str | None = None


Issuer = OidcIssuer | SamlIssuer | WorkloadIssuer


@dataclass(frozen=True, slots=True)
class GroupSource:
    """Whoever has `value` in `claim` (a claim, or a SAML attribute) at `issuer`."""

    issuer: str
    claim: str
    value: str


@dataclass(frozen=True, slots=True)
class Group:
    """A group of the installation: its members by name, by what issuers say, and by groups that SCIM provisions."""

    name: str
    sources: tuple[GroupSource, ...] = ()
    scim: tuple[str, ...] = ()
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SignInLimits:
    """Of console sessions, in seconds; `tool_absolute_s` is how long `ostiary login` lasts. Both end `unchecked_s`
    after their identity provider last confirmed them, where it can be asked no more."""

    idle_s: float = 3600.0
    absolute_s: float = 12 * 3600.0
    tool_absolute_s: float = 30 * 86_400.0
    step_up_s: float = 300.0
    unchecked_s: float = 86_400.0


@dataclass(frozen=True, slots=True)
class ScimSettings:
    """SCIM provisions the people of `issuer`: one of them and a user provisioned under the same name are one."""

    issuer: str
