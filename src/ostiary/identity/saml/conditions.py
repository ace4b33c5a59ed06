"""What an assertion must say to be believed here and now.

saml-core-2.0-os section 2, saml-profiles-2.0-os section 4.1, RFC 7522 section 3.
"""

from collections import Counter
from dataclasses import dataclass

from lxml import etree

from ostiary.identity.saml import names
from ostiary.identity.saml.assertion import Assertion
from ostiary.identity.saml.documents import DocumentError, only, text_of
from ostiary.identity.saml.instants import parse_instant
from ostiary.identity.saml.response import LIFETIME_MAX_S, SKEW_S

_KNOWN_CONDITIONS = frozenset(
    names.assertion(name) for name in ("AudienceRestriction", "OneTimeUse", "ProxyRestriction")
)
_KNOWN_PARTS = frozenset(
    names.assertion(name)
    for name in (
        "Issuer",
        "Subject",
        "Conditions",
        "Advice",
        "Statement",
        "AuthnStatement",
        "AuthzDecisionStatement",
        "AttributeStatement",
    )
)


@dataclass(frozen=True, slots=True)
class Expected:
    """`recipient` is our address that the assertion must be for. `request_id` None: it must answer no request."""

    issuer: str
    audiences: frozenset[str]
    entity_id: str
    recipient: str
    request_id: str | None
    now: float


def checked_assertion(assertion: "etree._Element", expected: Expected) -> Assertion:
    """Of an element whose signature holds. Raises `DocumentError`."""
    if any(part.tag not in _KNOWN_PARTS for part in assertion):
        raise DocumentError("shape")
    if assertion.get("Version") != "2.0":
        raise DocumentError("version")
    identifier = assertion.get("ID")
    if not identifier:
        raise DocumentError("id")
    issuer = checked_issuer(assertion, expected)
    issued_at = _time(assertion, "IssueInstant")
    if issued_at > expected.now + SKEW_S:
        raise DocumentError("not_yet_valid")
    subject = only(assertion, names.assertion("Subject"))
    name_id = _name_id(subject, expected)
    ends = _confirmed_until(subject, expected)
    ends = min(ends, _conditions_until(assertion, expected, ends))
    if ends - issued_at > LIFETIME_MAX_S:
        raise DocumentError("lifetime")
    statement = _authn_statement(assertion, expected)
    attributes, friendly_names = _attributes(assertion)
    return Assertion(
        id=identifier,
        issuer=issuer,
        name_id=text_of(name_id),
        name_id_format=name_id.get("Format", ""),
        attributes=attributes,
        session_index=None if statement is None else statement.get("SessionIndex"),
        session_ends_at=None if statement is None else _optional_time(statement, "SessionNotOnOrAfter"),
        issued_at=issued_at,
        authenticated_at=issued_at if statement is None else _time(statement, "AuthnInstant"),
        expires_at=ends + SKEW_S,
        friendly_names=friendly_names,
    )


def checked_issuer(element: "etree._Element", expected: Expected) -> str:
    """Of a response or an assertion. Raises `DocumentError`."""
    issuer = only(element, names.assertion("Issuer"))
    if text_of(issuer) != expected.issuer or issuer.get("Format", names.ENTITY) != names.ENTITY:
        raise DocumentError("issuer")
    return expected.issuer


def _name_id(subject: "etree._Element", expected: Expected) -> "etree._Element":
    found = subject.findall(names.assertion("NameID"))
    if len(found) != 1:
        raise DocumentError("name_id")
    name_id = found[0]
    text = text_of(name_id)
    form = name_id.get("Format", "")
    if not text or text != text.strip() or not text.isprintable() or len(text) > 1024:
        raise DocumentError("name_id")
    if not form.isprintable() or " " in form:
        raise DocumentError("name_id")
    # Only these names are meant within the bounds of their qualifiers.
    if form == names.PERSISTENT and (
        name_id.get("NameQualifier", expected.issuer) != expected.issuer
        or name_id.get("SPNameQualifier", expected.entity_id) != expected.entity_id
    ):
        raise DocumentError("name_qualifier")
    return name_id


def _confirmed_until(subject: "etree._Element", expected: Expected) -> float:
    """The end of the bearer confirmation that holds the longest. One that holds is enough."""
    ends: list[float] = []
    wrong = DocumentError("confirmation")
    for confirmation in subject.findall(names.assertion("SubjectConfirmation")):
        if confirmation.get("Method") != names.BEARER:
            continue
        try:
            ends.append(_bearer_until(confirmation, expected))
        except DocumentError as error:
            wrong = error
    if not ends:
        raise wrong
    return max(ends)


def _bearer_until(confirmation: "etree._Element", expected: Expected) -> float:
    data = confirmation.findall(names.assertion("SubjectConfirmationData"))
    if len(data) != 1:
        raise DocumentError("confirmation")
    if data[0].get("Recipient") != expected.recipient:
        raise DocumentError("recipient")
    if data[0].get("InResponseTo") != expected.request_id:
        raise DocumentError("in_response_to")
    if data[0].get("NotBefore") is not None:
        raise DocumentError("confirmation")
    ends = _time(data[0], "NotOnOrAfter")
    if expected.now >= ends + SKEW_S:
        raise DocumentError("expired")
    return ends


def _conditions_until(assertion: "etree._Element", expected: Expected, otherwise: float) -> float:
    found = assertion.findall(names.assertion("Conditions"))
    if not found:
        raise DocumentError("conditions")
    conditions = only(assertion, names.assertion("Conditions"))
    if any(condition.tag not in _KNOWN_CONDITIONS for condition in conditions):
        raise DocumentError("unknown_condition")
    starts = _optional_time(conditions, "NotBefore")
    ends = _optional_time(conditions, "NotOnOrAfter")
    if starts is not None and expected.now < starts - SKEW_S:
        raise DocumentError("not_yet_valid")
    if ends is not None and expected.now >= ends + SKEW_S:
        raise DocumentError("expired")
    restrictions = conditions.findall(names.assertion("AudienceRestriction"))
    if not restrictions:
        raise DocumentError("audience")
    for restriction in restrictions:
        audiences = {text_of(audience) for audience in restriction.findall(names.assertion("Audience"))}
        if not audiences & expected.audiences:
            raise DocumentError("audience")
    return otherwise if ends is None else ends


def _authn_statement(assertion: "etree._Element", expected: Expected) -> "etree._Element | None":
    """Checked. A grant need not have one (RFC 7522 section 3)."""
    found = assertion.findall(names.assertion("AuthnStatement"))
    if len(found) > 1 or (not found and expected.request_id is not None):
        raise DocumentError("authn_statement")
    if not found:
        return None
    if _time(found[0], "AuthnInstant") > expected.now + SKEW_S:
        raise DocumentError("not_yet_valid")
    ends = _optional_time(found[0], "SessionNotOnOrAfter")
    if ends is not None and expected.now >= ends:
        raise DocumentError("session_over")
    return found[0]


def _attributes(assertion: "etree._Element") -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """Values by Name, and Names by FriendlyName. Values that are more than text are left out."""
    values: dict[str, tuple[str, ...]] = {}
    friendly: dict[str, str] = {}
    uses: Counter[str] = Counter()
    for statement in assertion.findall(names.assertion("AttributeStatement")):
        for attribute in statement.findall(names.assertion("Attribute")):
            name = attribute.get("Name")
            if not name:
                raise DocumentError("shape")
            found = (
                text_of(value)
                for value in attribute.findall(names.assertion("AttributeValue"))
                if len(value) == 0 and value.get(_NIL) not in ("true", "1")
            )
            values[name] = values.get(name, ()) + tuple(found)
            nickname = attribute.get("FriendlyName")
            if nickname and friendly.get(nickname) != name:
                friendly[nickname] = name
                uses[nickname] += 1
    return values, {nickname: name for nickname, name in friendly.items() if uses[nickname] == 1}


def _time(element: "etree._Element", attribute: str) -> float:
    found = _optional_time(element, attribute)
    if found is None:
        raise DocumentError("time")
    return found


def _optional_time(element: "etree._Element", attribute: str) -> float | None:
    text = element.get(attribute)
    if text is None:
        return None
    try:
        return parse_instant(text)
    except ValueError:
        raise DocumentError("time") from None


_NIL = f"{{{names.SCHEMA_INSTANCE}}}nil"
