"""Which groups of the installation somebody is in, as of now."""

from collections.abc import Iterable, Mapping, Sequence

from ostiary.model.issuer import Group, Issuer, OidcIssuer, SamlIssuer
from ostiary.model.person import User, name_key

NO_GROUPS: frozenset[str] = frozenset()


def groups_of(user: User, scim_groups: Iterable[str], groups: Sequence[Group]) -> frozenset[str]:
    """Names of groups. `scim_groups` are the display names of those that SCIM put them in.

    Somebody who is not active has none. What an issuer said counts for that issuer's own people only.
    """
    if not user.active:
        return NO_GROUPS
    key = name_key(user.name)
    provisioned = {name_key(name) for name in scim_groups}
    return frozenset(
        group.name
        for group in groups
        if any(name_key(member) == key for member in group.members)
        or any(name_key(name) in provisioned for name in group.scim)
        or is_source_of(group, user.issuer, user.claims)
    )


def groups_of_claims(issuer: str, claims: Mapping[str, Sequence[str]], groups: Sequence[Group]) -> frozenset[str]:
    """The groups that claims alone give, for a token of `issuer` whose person was never seen."""
    return frozenset(group.name for group in groups if is_source_of(group, issuer, claims))


def is_source_of(group: Group, issuer: str | None, claims: Mapping[str, Sequence[str]]) -> bool:
    return issuer is not None and any(
        source.issuer == issuer and source.value in claims.get(source.claim, ()) for source in group.sources
    )


def wanted_claims(issuer: Issuer, groups: Sequence[Group]) -> frozenset[str]:
    """The claims (or SAML attributes) of `issuer` that groups are made from: all that is kept of what it says."""
    return frozenset(source.claim for group in groups for source in group.sources if source.issuer == issuer.name) | (
        frozenset({issuer.groups_claim}) if isinstance(issuer, OidcIssuer)
        else frozenset({issuer.groups_attribute}) if isinstance(issuer, SamlIssuer)
        else frozenset()
    )  # fmt: skip
