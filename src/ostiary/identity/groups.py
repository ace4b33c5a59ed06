"""Which groups of the installation somebody is in, as of now."""

from collections.abc import Iterable, Sequence

from ostiary.model.issuer import Group, Issuer, OidcIssuer, SamlIssuer
from ostiary.model.person import User, name_key

NO_GROUPS: frozenset[str] = frozenset()


class GroupBook:
    """The groups of a configuration, ready to be asked often."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self._named: dict[str, set[str]] = {}
        self._provisioned: dict[str, set[str]] = {}
        self._claimed: dict[str, dict[str, dict[str, set[str]]]] = {}
        for group in groups:
            for member in group.members:
                self._named.setdefault(name_key(member), set()).add(group.name)
            for name in group.scim:
                self._provisioned.setdefault(name_key(name), set()).add(group.name)
            for source in group.sources:
                values = self._claimed.setdefault(source.issuer, {}).setdefault(source.claim, {})
                values.setdefault(source.value, set()).add(group.name)

    def of(self, user: User, scim_groups: Iterable[str]) -> frozenset[str]:
        """Names of groups. `scim_groups` are the display names of those that SCIM put them in.

        Somebody who is not active has none. What an issuer said counts for that issuer's own people only.
        """
        if not user.active:
            return NO_GROUPS
        found = set(self._named.get(name_key(user.name), ()))
        for name in scim_groups:
            found.update(self._provisioned.get(name_key(name), ()))
        if user.issuer is not None:
            for claim, groups in self._claimed.get(user.issuer, {}).items():
                for value in user.claims.get(claim, ()):
                    found.update(groups.get(value, ()))
        return frozenset(found)


def groups_of(user: User, scim_groups: Iterable[str], groups: Sequence[Group]) -> frozenset[str]:
    """As `GroupBook.of`, for one question."""
    return GroupBook(groups).of(user, scim_groups)


def wanted_claims(issuer: Issuer, groups: Sequence[Group]) -> frozenset[str]:
    """The claims (or SAML attributes) of `issuer` that groups are made from: all that is kept of what it says."""
    return frozenset(source.claim for group in groups for source in group.sources if source.issuer == issuer.name) | (
        frozenset({issuer.groups_claim}) if isinstance(issuer, OidcIssuer)
        else frozenset({issuer.groups_attribute}) if isinstance(issuer, SamlIssuer)
        else frozenset()
    )  # fmt: skip
