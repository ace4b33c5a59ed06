"""From an assertion to somebody: what they are called, and the attributes their groups are made from."""

from ostiary.identity.profiles import is_visible_line, may_name
from ostiary.identity.saml import names
from ostiary.identity.saml.assertion import Assertion
from ostiary.identity.saml.refusals import refusal
from ostiary.identity.standing import saml_identifier
from ostiary.model.issuer import SamlIssuer
from ostiary.model.person import Profile

GROUPS_OVERAGE = "http://schemas.microsoft.com/claims/groups.link"
"""Entra ID sends this in place of the groups of somebody who has more than 150."""

_DISPLAY_NAMES = (
    "displayName",
    "urn:oid:2.16.840.1.113730.3.1.241",
    "http://schemas.microsoft.com/identity/claims/displayname",
    "cn",
    "urn:oid:2.5.4.3",
)
_SHORT_FORMATS = {
    "": "unspecified",
    names.UNSPECIFIED: "unspecified",
    names.EMAIL_ADDRESS: "email",
    names.PERSISTENT: "persistent",
}
_NAME_LENGTH_MAX = 1024


def profile_of(issuer: SamlIssuer, assertion: Assertion, wanted_attributes: frozenset[str]) -> Profile:
    """Attributes are looked for by Name, then by FriendlyName; `claims` has the wanted ones and the groups.

    The subject is the NameID with its format, so that the same text of two kinds is two people. A transient NameID
    names nobody: then it is the user attribute. Their name is the user attribute or the NameID when it is one visible
    line of at most 200 characters without a colon that fits the issuer's `names`; otherwise it is made of issuer and
    subject. Raises `SignInRefusedError`.
    """
    said = assertion.name_id if issuer.user_attribute is None else _one_value(assertion, issuer.user_attribute)
    if assertion.name_id_format == names.TRANSIENT:
        if issuer.user_attribute is None:
            raise refusal("transient_name")
        subject = f"attribute {issuer.user_attribute} {said}"
    else:
        subject = f"{_SHORT_FORMATS.get(assertion.name_id_format, assertion.name_id_format)} {assertion.name_id}"
    overage = bool(assertion.values_of(GROUPS_OVERAGE))
    wanted = wanted_attributes | {issuer.groups_attribute}
    found = {attribute: assertion.values_of(attribute) for attribute in sorted(wanted)}
    if overage:
        found.pop(issuer.groups_attribute)
    return Profile(
        issuer=issuer.name,
        subject=subject,
        name=_name(issuer, said, subject),
        display_name=_display_name(assertion),
        email=_email(issuer, assertion),
        claims={attribute: values for attribute, values in found.items() if values},
        groups_missing="The identity provider sends a link in place of so many groups." if overage else "",
        issuer_identifier=saml_identifier(assertion.issuer),
    )


def _name(issuer: SamlIssuer, said: str, subject: str) -> str:
    # A colon is in the names we make; nobody may choose one that is made for somebody else.
    if is_visible_line(said) and ":" not in said and may_name(issuer.names, said):
        return said
    made = f"{issuer.name}:{subject}"
    if not is_visible_line(made):
        raise refusal("name_unusable")
    return made


def _one_value(assertion: Assertion, attribute: str) -> str:
    values = assertion.values_of(attribute)
    if len(values) != 1:
        raise refusal("user_attribute")
    value = values[0]
    if not value or value != value.strip() or not value.isprintable() or len(value) > _NAME_LENGTH_MAX:
        raise refusal("user_attribute")
    return value


def _email(issuer: SamlIssuer, assertion: Assertion) -> str | None:
    if issuer.email_attribute is not None:
        values = assertion.values_of(issuer.email_attribute)
        return values[0] if values and values[0].isprintable() and "@" in values[0] else None
    return assertion.name_id if assertion.name_id_format == names.EMAIL_ADDRESS else None


def _display_name(assertion: Assertion) -> str:
    for attribute in _DISPLAY_NAMES:
        for value in assertion.values_of(attribute):
            if value and value.isprintable() and len(value) <= _NAME_LENGTH_MAX:
                return value
    return ""
