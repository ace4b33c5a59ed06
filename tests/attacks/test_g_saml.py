"""G17: an answer of a SAML identity provider with one thing wrong is refused, for that reason."""

import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from lxml import etree

from ostiary.identity.saml.assertion import Assertion
from ostiary.identity.saml.instants import format_instant
from ostiary.identity.saml.refusals import REASONS
from ostiary.identity.saml.response import check_bare_assertion, check_response
from ostiary.model.errors import SignInRefusedError
from support import saml_idp as idp
from support.saml_idp import NOW, Words

XSLT = "http://www.w3.org/TR/1999/REC-xslt-19991116"
XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"
BASE64 = f"{idp.DS}base64"
C14N_WITH_COMMENTS = f"{idp.EXCLUSIVE}WithComments"
INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"


def check_encoded(encoded: str, *by: idp.Pair, now: float = NOW, request_id: str = idp.REQUEST) -> Assertion:
    return check_response(
        encoded,
        metadata=idp.metadata(*by),
        sp_entity_id=idp.SP,
        acs_url=idp.ACS,
        request_id=request_id,
        now=now,
    )


def reason_of(call: Callable[[], object]) -> str:
    with pytest.raises(SignInRefusedError) as caught:
        call()
    assert caught.value.reason in REASONS
    for value in ("ann@", "eve@", "example.com", "_assertion", "_request"):
        assert value not in str(caught.value)
    return caught.value.reason


def refused(document: Any, *by: idp.Pair, now: float = NOW) -> str:
    return reason_of(lambda: check_encoded(idp.post(document), *by, now=now))


def restriction(*audiences: str) -> str:
    inside = "".join(f"<saml:Audience>{audience}</saml:Audience>" for audience in audiences)
    return f"<saml:AudienceRestriction>{inside}</saml:AudienceRestriction>"


def conditions(inside: str) -> str:
    return f'<saml:Conditions NotOnOrAfter="{format_instant(NOW + 300)}">{inside}</saml:Conditions>'


OURS = restriction(idp.SP)
OTHER = "https://other.example/"

WRONG_WORDS: dict[str, tuple[dict[str, Any], str]] = {
    "issuer of the assertion": ({"issuer": "https://evil.example/"}, "issuer"),
    "issuer with white space": ({"issuer": f" {idp.ENTITY}"}, "issuer"),
    "issuer that is a prefix": ({"issuer": idp.ENTITY[:-1]}, "issuer"),
    "issuer of another format": ({"issuer_attributes": ' Format="urn:other"'}, "issuer"),
    "issuer of the response": ({"response_issuer": "https://evil.example/"}, "issuer"),
    "version of the assertion": ({"version": "1.1"}, "version"),
    "version of the response": ({"response_version": None}, "version"),
    "destination": ({"destination": f"{idp.ACS}/"}, "destination"),
    "destination is empty": ({"destination": ""}, "destination"),
    "unsolicited": ({"answers": None, "confirmation_answers": None}, "unsolicited"),
    "answer to another request": ({"answers": "_request-of-somebody-else"}, "in_response_to"),
    "confirmation for another request": ({"confirmation_answers": "_request-of-somebody-else"}, "in_response_to"),
    "confirmation for no request": ({"confirmation_answers": None}, "in_response_to"),
    "status": ({"status": "urn:oasis:names:tc:SAML:2.0:status:Responder"}, "status"),
    "recipient": ({"recipient": "https://other.example/acs"}, "recipient"),
    "no recipient": ({"recipient": None}, "recipient"),
    "recipient in another case": ({"recipient": idp.ACS.upper()}, "recipient"),
    "confirmation without an end": ({"confirmation_ends": None}, "time"),
    "confirmation is over": ({"confirmation_ends": format_instant(NOW - 61)}, "expired"),
    "confirmation with a start": ({"confirmation_starts": format_instant(NOW - 9)}, "confirmation"),
    "confirmation by holding a key": (
        {"method": "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"},
        "confirmation",
    ),
    "no confirmation": ({"confirmation_xml": ""}, "confirmation"),
    "confirmation without data": (
        {"confirmation_xml": f'<saml:SubjectConfirmation Method="{idp.BEARER}"/>'},
        "confirmation",
    ),
    "expired": ({"ends": format_instant(NOW - 61)}, "expired"),
    "not yet valid": ({"starts": format_instant(NOW + 61)}, "not_yet_valid"),
    "issued in the future": ({"issue_instant": format_instant(NOW + 3600)}, "not_yet_valid"),
    "signed in in the future": ({"authn_instant": format_instant(NOW + 3600)}, "not_yet_valid"),
    "valid for years": (
        {"ends": format_instant(NOW + 1e9), "confirmation_ends": format_instant(NOW + 1e9)},
        "lifetime",
    ),
    "a time without zone": ({"ends": "2027-01-15T08:05:00"}, "time"),
    "a time with another zone": ({"starts": "2027-01-15T08:05:00+14:00"}, "time"),
    "a time that is none": ({"ends": "9999-99-99T99:99:99Z"}, "time"),
    "a time in other digits": ({"ends": "２０２７-01-15T08:05:00Z"}, "time"),
    "no time of issue": ({"issue_instant": None}, "time"),
    "no conditions": ({"conditions_xml": ""}, "conditions"),
    "two conditions": ({"conditions_xml": conditions(OURS) * 2}, "shape"),
    "no audience": ({"audiences_xml": ""}, "audience"),
    "wrong audience": ({"audiences_xml": restriction(OTHER)}, "audience"),
    "audience with white space": ({"audiences_xml": restriction(f"\n{idp.SP}\n")}, "audience"),
    "audience that begins like ours": ({"audiences_xml": restriction(f"{idp.SP}.evil.example")}, "audience"),
    "one of two restrictions": ({"audiences_xml": OURS + restriction(OTHER)}, "audience"),
    "an empty restriction": ({"audiences_xml": OURS + restriction()}, "audience"),
    "audience of the token endpoint": ({"audiences_xml": restriction(idp.TOKEN_URL)}, "audience"),
    "unknown condition": ({"conditions_xml": conditions(OURS + "<saml:Condition/>")}, "unknown_condition"),
    "condition of another namespace": (
        {"conditions_xml": conditions(OURS + "<only-on-mondays/>")},
        "unknown_condition",
    ),
    "no statement of a sign-in": ({"authn_xml": ""}, "authn_statement"),
    "session is over": ({"session_ends": format_instant(NOW)}, "session_over"),
    "no name": ({"name_xml": " "}, "name_id"),
    "empty name": ({"name": ""}, "name_id"),
    "name with white space": ({"name": "ann@example.com "}, "name_id"),
    "name with a line": ({"name": "ann@example.com&#10;eve"}, "name_id"),
    "name with an element": ({"name": "ann@example.com<x/>.evil"}, "shape"),
    "name that turns its direction": ({"name": "ann\u202e@example.com"}, "name_id"),
    "two names": ({"name_xml": "<saml:NameID>ann</saml:NameID><saml:NameID>eve</saml:NameID>"}, "name_id"),
    "name of another provider": (
        {
            "name_xml": f'<saml:NameID Format="{idp.PERSISTENT}" NameQualifier="https://evil.example/">a</saml:NameID>',
        },
        "name_qualifier",
    ),
    "name for another service": (
        {"name_xml": f'<saml:NameID Format="{idp.PERSISTENT}" SPNameQualifier="{OTHER}">a</saml:NameID>'},
        "name_qualifier",
    ),
    "encrypted name": ({"name_xml": "<saml:EncryptedID/>"}, "encrypted"),
    "encrypted attribute": ({"attributes_xml": "<saml:EncryptedAttribute/>"}, "encrypted"),
    "attribute without a name": ({"attributes_xml": "<saml:Attribute/>"}, "shape"),
    "part of another namespace": ({"advice_xml": "<x/>"}, "shape"),
    "the same ID twice": ({"assertion_id": "_same", "response_id": "_same"}, "id"),
    "the same ID in another case": ({"assertion_attributes": ' Id="_response-1"'}, "id"),
    "xml:id": ({"assertion_attributes": ' xml:id="_other"'}, "id"),
    "ID of another namespace": ({"response_attributes": ' xmlns:x="urn:x" x:ID="_other"'}, "id"),
    "ID that is no name": ({"assertion_id": "xpointer(/)"}, "id"),
    "ID with white space": ({"assertion_id": "_a b"}, "id"),
    "empty ID": ({"assertion_id": ""}, "id"),
}


@pytest.mark.parametrize("what", ["assertion", "both"])
@pytest.mark.parametrize("name", WRONG_WORDS)
def test_G17_one_thing_wrong_in_what_is_signed(name: str, what: str) -> None:
    changes, reason = WRONG_WORDS[name]
    assert refused(idp.signed_response(Words(**changes), what=what)) == reason


HOW: dict[str, tuple[dict[str, Any], str]] = {
    "SHA-1 signature": ({"hash_name": "sha1"}, "signature_algorithm"),
    "SHA-1 digest": ({"digest": "sha1"}, "signature_algorithm"),
    "MD5 signature": ({"hash_name": "md5"}, "signature_algorithm"),
    "MD5 digest": ({"digest": "md5"}, "signature_algorithm"),
    "HMAC with the certificate as its key": ({"hmac_key": idp.pair().der}, "signature_algorithm"),
    "HMAC with an empty key": ({"hmac_key": b""}, "signature_algorithm"),
    "no algorithm": ({"method": ""}, "signature_algorithm"),
    "none": ({"method": "none"}, "signature_algorithm"),
    "ECDSA that is RSA": ({"method": f"{idp.MORE}ecdsa-sha256"}, "signature"),
    "another hash than said": ({"method": f"{idp.MORE}rsa-sha512"}, "signature"),
    "XSLT": ({"transforms": (idp.ENVELOPED, XSLT)}, "signature_algorithm"),
    "XPath": ({"transforms": (idp.ENVELOPED, XPATH)}, "signature_algorithm"),
    "base64": ({"transforms": (idp.ENVELOPED, BASE64)}, "signature_algorithm"),
    "a third transform": ({"transforms": (idp.ENVELOPED, XPATH, idp.EXCLUSIVE)}, "signature_shape"),
    "not enveloped": ({"transforms": (idp.EXCLUSIVE,)}, "signature_shape"),
    "not canonical": ({"transforms": (idp.ENVELOPED,)}, "signature_shape"),
    "twice enveloped": ({"transforms": (idp.ENVELOPED, idp.ENVELOPED)}, "signature_algorithm"),
    "with comments": ({"transforms": (idp.ENVELOPED, C14N_WITH_COMMENTS)}, "signature_algorithm"),
    "inclusive": ({"transforms": (idp.ENVELOPED, INCLUSIVE)}, "signature_algorithm"),
    "SignedInfo with comments": ({"canonicalization": C14N_WITH_COMMENTS}, "signature_algorithm"),
    "no reference": ({"references": 0}, "signature_shape"),
    "two references": ({"references": 2}, "signature_shape"),
    "reference to everything": ({"uri": ""}, "signature_shape"),
    "reference to nothing": ({"uri": "#"}, "signature_shape"),
    "reference to another element": ({"uri": "#_other"}, "signature_shape"),
    "reference by XPointer": ({"uri": "#xpointer(/)"}, "signature_shape"),
    "reference by two signs": ({"uri": "##_assertion-1"}, "signature_shape"),
    "reference to elsewhere": ({"uri": "https://evil.example/assertion.xml"}, "signature_shape"),
    "digest of nothing": ({"digest_value": b64decode("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")}, "signature"),
    "no digest": ({"digest_value": b""}, "signature_shape"),
    "at the end": ({"at": 5}, "signature_shape"),
    "before the issuer": ({"at": 0}, "signature_shape"),
    "many prefixes": ({"prefixes": [f"n{number}" for number in range(17)]}, "signature_shape"),
}


@pytest.mark.parametrize("name", HOW)
def test_G17_signed_in_another_way_than_SAML_does(name: str) -> None:
    how, reason = HOW[name]
    assert refused(idp.signed_response(**how)) == reason


@pytest.mark.parametrize("what", ["assertion", "response", "both"])
def test_G17_a_key_that_the_metadata_does_not_name(what: str) -> None:
    attacker = idp.pair("attacker")
    assert refused(idp.signed_response(what=what, by=attacker)) == "signature"
    assert refused(idp.signed_response(what=what, by=attacker, key_info=idp.pair().der)) == "signature"


def test_G17_a_certificate_that_looks_like_the_providers() -> None:
    """The same names and dates, another key."""
    assert refused(idp.signed_response(by=idp.pair("idp", "p256"))) == "signature"


def test_G17_a_weak_key_of_the_metadata() -> None:
    weak = idp.pair("weak", "rsa1024")
    assert refused(idp.signed_response(by=weak), weak) == "signature"


def test_G17_unsigned_and_stripped() -> None:
    assert refused(idp.signed_response(what="neither")) == "unsigned"
    for what in ("assertion", "response"):
        root = idp.signed_response(what=what)
        for signature in list(root.iter(f"{{{idp.DS}}}Signature")):
            signature.getparent().remove(signature)
        assert refused(root) == "unsigned"


@pytest.mark.parametrize("part", ["SignedInfo", "SignatureValue", "Reference", "DigestValue", "SignatureMethod"])
def test_G17_a_part_of_the_signature_is_missing_or_empty(part: str) -> None:
    for empty in (False, True):
        root = idp.signed_response()
        element = next(root.iter(f"{{{idp.DS}}}{part}"))
        if empty:
            element.clear()
        else:
            element.getparent().remove(element)
        assert refused(root) in ("signature_shape", "signature_algorithm")


def test_G17_a_signature_of_another_namespace_is_none() -> None:
    text = etree.tostring(idp.signed_response()).replace(idp.DS.encode(), b"http://www.w3.org/2000/09/xmldsig2#")
    assert refused(text) == "signature_shape"


@pytest.mark.parametrize("namespace", [idp.SAML, idp.SAMLP])
def test_G17_SAML_of_another_namespace_is_none(namespace: str) -> None:
    text = etree.tostring(idp.signed_response()).replace(namespace.encode(), b"urn:oasis:names:tc:SAML:1.0:x")
    assert refused(text) in ("shape", "several_assertions")


def test_G17_other_documents_and_no_assertion() -> None:
    assert refused(idp.sign(idp.assertion(Words()))) == "shape"
    root = idp.signed_response(what="neither")
    root.remove(root[-1])
    assert refused(root) == "no_assertion"
    encrypted = etree.SubElement(root, f"{{{idp.SAML}}}EncryptedAssertion")
    assert encrypted is not None
    with pytest.raises(SignInRefusedError, match="encrypts its assertions") as caught:
        check_encoded(idp.post(idp.sign(root)))
    assert caught.value.reason == "encrypted"


def test_G17_two_assertions_that_are_both_signed() -> None:
    first, second = idp.assertion(Words()), idp.assertion(Words(assertion_id="_assertion-2", name="eve@example.com"))
    assert refused(idp.response(Words(), idp.sign(first), idp.sign(second))) == "several_assertions"


def honest() -> str:
    return etree.tostring(idp.signed_response(what="both")).decode()


DOCTYPES = {
    "empty": "<!DOCTYPE samlp:Response>",
    "internal": '<!DOCTYPE samlp:Response [<!ENTITY x "y">]>',
    "external": '<!DOCTYPE samlp:Response SYSTEM "http://127.0.0.1:9/evil.dtd">',
    "public": '<!DOCTYPE samlp:Response PUBLIC "-//E//E" "http://127.0.0.1:9/evil.dtd">',
    "XXE": '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    "parameter entity": '<!DOCTYPE r [<!ENTITY % x SYSTEM "http://127.0.0.1:9/evil.dtd"> %x;]>',
    "default attribute": '<!DOCTYPE r [<!ATTLIST saml:Assertion ID CDATA "_evil">]>',
    "CVE-2025-25292": f'<!DOCTYPE r [<!ATTLIST Signature xmlns CDATA #FIXED "{idp.DS}" xmlns CDATA "block">]>',
    "CVE-2025-23369": '<!DOCTYPE r [<!ENTITY idViaEntity "_assertion-1"><!ENTITY BypassIDUniqueness "&#x50;">]>',
    "billion laughs": "<!DOCTYPE r [<!ENTITY a0 'ha'>"
    + "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 10))
    + "]>",
}


@pytest.mark.parametrize("name", DOCTYPES)
def test_G17_no_doctype_of_any_kind(name: str) -> None:
    started = time.monotonic()
    assert refused(DOCTYPES[name] + honest()) == "markup"
    assert refused('<?xml version="1.0" encoding="UTF-8"?>\n' + DOCTYPES[name] + honest()) == "markup"
    assert time.monotonic() - started < 2


def test_G17_one_document_that_two_parsers_read_in_two_ways() -> None:
    """CVE-2025-25291: quotes within a DOCTYPE, a comment and a CDATA section hide one of two messages each."""
    evil = honest().replace("ann@example.com", "eve@example.com")
    end = "</samlp:Response>"
    text = (
        "<!DOCTYPE response SYSTEM 'x\"><!--'>\n"
        + evil.removesuffix(end)
        + "<![CDATA[-->\n"
        + honest().removesuffix(end)
        + f"<!--]]>-->\n{end}"
    )
    assert refused(text) == "markup"


MARKUP = {
    "comment in a name": ("ann@example.com", "ann@example.com<!-- -->.evil.example"),
    "empty comment in a name": ("ann@example.com", "ann<!---->@example.com"),
    "comment in an attribute": (">builders<", ">build<!-- -->ers<"),
    "comment in an audience": (f">{idp.SP}<", f">{idp.SP}<!-- -->.evil<"),
    "comment in a digest": ("<ds:DigestValue>", "<ds:DigestValue><!-- AAAA -->"),
    "processing instruction in a name": ("ann@example.com", "ann@example.com<?x?>.evil.example"),
    "style sheet": ("<samlp:Response", '<?xml-stylesheet href="http://127.0.0.1:9/evil.xsl"?><samlp:Response'),
    "CDATA in a name": ("ann@example.com", "<![CDATA[ann@example.com]]>"),
    "second declaration": ("<samlp:Response", '\n<?xml version="1.0"?><?xml version="1.0"?><samlp:Response'),
    "entity in a name": ("ann@example.com", "&ann;"),
    "XInclude": (">builders<", '><xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="/etc/passwd"/><'),
}


@pytest.mark.parametrize("name", MARKUP)
def test_G17_nothing_but_elements_attributes_and_text(name: str) -> None:
    old, new = MARKUP[name]
    text = honest()
    assert old in text
    assert refused(text.replace(old, new, 1)) in ("markup", "xml", "signature")


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "ann@example.com<!---->.evil.example"},
        {
            "attributes_xml": '<saml:Attribute Name="a"><saml:AttributeValue>a<!-- -->b</saml:AttributeValue>'
            "</saml:Attribute>"
        },
        {"audiences_xml": restriction(f"{idp.SP}<!-- -->.evil.example")},
    ],
    ids=["name", "attribute", "audience"],
)
def test_G17_a_comment_that_was_there_when_it_was_signed(changes: dict[str, str]) -> None:
    """Its signature holds; what two readers make of the text is another matter."""
    assert refused(idp.signed_response(Words(**changes))) == "markup"


BYTES: dict[str, tuple[Callable[[], bytes], tuple[str, ...]]] = {
    "UTF-16": (lambda: honest().encode("utf-16"), ("character_set",)),
    "UTF-16 without a mark": (lambda: honest().encode("utf-16-le"), ("character_set",)),
    "UTF-32": (lambda: honest().encode("utf-32"), ("character_set",)),
    "UTF-7 declared": (lambda: b'<?xml version="1.0" encoding="UTF-7"?>' + honest().encode(), ("markup",)),
    "EBCDIC declared": (lambda: b'<?xml version="1.0" encoding="cp037"?>' + honest().encode(), ("markup",)),
    "Latin-1 declared": (lambda: b'<?xml version="1.0" encoding="ISO-8859-1"?>' + honest().encode(), ("markup",)),
    "XML 1.1": (lambda: b'<?xml version="1.1"?>' + honest().encode(), ("markup",)),
    "Latin-1": (lambda: honest().replace("ann@", "\xe4nn@").encode("latin-1"), ("character_set",)),
    "long form": (lambda: honest().encode().replace(b"ann@", b"\xc0\xaenn@"), ("character_set",)),
    "surrogates": (lambda: honest().encode().replace(b"ann@", b"\xed\xa0\x80@"), ("character_set",)),
    "NUL": (lambda: honest().encode().replace(b"ann@", b"ann\0@"), ("character_set",)),
    "NUL at the end": (lambda: honest().encode() + b"\0", ("character_set",)),
    "NUL by number": (lambda: honest().encode().replace(b"ann@", b"ann&#0;@"), ("xml",)),
    "byte order mark twice": (lambda: b"\xef\xbb\xbf" * 2 + honest().encode(), ("character_set",)),
    "space that XML has not": (lambda: "\u00a0".encode() + honest().encode(), ("xml",)),
    "text before": (lambda: b"x" + honest().encode(), ("xml",)),
    "text behind": (lambda: honest().encode() + b"x", ("xml",)),
    "two roots": (lambda: honest().encode() * 2, ("xml",)),
    "cut off": (lambda: honest().encode()[:-9], ("xml",)),
    "attribute twice": (
        lambda: honest().encode().replace(b' Version="2.0"', b' Version="2.0" Version="2.0"'),
        ("xml",),
    ),
    "deep": (lambda: b"<a>" * 50_000, ("too_large",)),
    "nothing": (lambda: b"", ("xml",)),
    "no XML": (lambda: b"{}", ("xml",)),
}


@pytest.mark.parametrize("name", BYTES)
def test_G17_bytes_that_are_not_plain_XML_in_UTF_8(name: str) -> None:
    make, reasons = BYTES[name]
    assert refused(make()) in reasons


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:40] + "!" + text[40:],
        lambda text: text[:40] + "\0" + text[40:],
        lambda text: text[:40] + "-_" + text[42:],
        lambda text: text[:40] + "é" + text[40:],
        lambda text: text + "=",
        lambda text: text + "AAAA",
        lambda text: text[:-1],
        lambda text: "data:;base64," + text,
        lambda text: text.replace("A", "%41", 1),
    ],
)
def test_G17_base64_with_junk(spoil: Callable[[str], str]) -> None:
    assert reason_of(lambda: check_encoded(spoil(idp.post(honest() + " ")))) in ("encoding", "xml", "character_set")


def test_G17_base64_with_another_spelling_of_its_end() -> None:
    text = next(each for each in (idp.post(honest() + " " * n) for n in range(3)) if each.endswith("=="))
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = text[:-3] + last[last.index(text[-3]) + 1] + "=="
    assert b64decode(other) == b64decode(text)
    assert reason_of(lambda: check_encoded(other)) == "encoding"


def test_G17_ten_megabytes_take_no_time() -> None:
    started = time.monotonic()
    assert reason_of(lambda: check_encoded("A" * 10_000_000)) == "too_large"
    assert refused(b"<a>" + b" " * (256 * 1024)) == "too_large"
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    "value",
    [
        "<saml:AttributeValue{}>x</saml:AttributeValue>".format("".join(f' a{n}="1"' for n in range(20_000))),
        "<saml:AttributeValue{}>x</saml:AttributeValue>".format("".join(f' xmlns:n{n}="u:{n}"' for n in range(8_000))),
        "<saml:AttributeValue>{}</saml:AttributeValue>".format("<b/>" * 40_000),
        "<saml:AttributeValue>{}{}</saml:AttributeValue>".format("<b>" * 200, "</b>" * 200),
        "<saml:AttributeValue>{}</saml:AttributeValue>".format("&amp;" * 40_000),
    ],
    ids=["attributes", "namespaces", "elements", "depth", "text"],
)
def test_G17_what_is_slow_to_look_at_is_bounded(value: str) -> None:
    words = Words(attributes_xml=f'<saml:Attribute Name="a">{value}</saml:Attribute>')
    root = idp.signed_response(words, digest_value=b"x" * 32)
    encoded = idp.post(root)
    started = time.monotonic()
    assert reason_of(lambda: check_encoded(encoded)) in ("too_large", "signature")
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("inside", [' xmlns:x="1"', ' xmlns:x="../1" x:y="z"'])
def test_G17_what_cannot_be_made_canonical_has_no_digest(inside: str) -> None:
    """Relative namespaces end canonicalization early; the digest of what came of it is that of nothing."""
    xml = f'<saml:Attribute Name="a"><saml:AttributeValue{inside}>x</saml:AttributeValue></saml:Attribute>'
    empty = b64decode("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
    assert refused(idp.signed_response(Words(attributes_xml=xml), digest_value=empty)) == "signature"


def test_G17_replay_shows_by_the_id() -> None:
    encoded = idp.post(honest())
    first, second = check_encoded(encoded), check_encoded(encoded, now=NOW + 30)
    assert (first.issuer, first.id) == (second.issuer, second.id) == (idp.ENTITY, "_assertion-1")
    assert first.expires_at > NOW + 300
    assert reason_of(lambda: check_encoded(encoded, now=first.expires_at)) == "expired"
    assert reason_of(lambda: check_encoded(encoded, request_id="_request-of-somebody-else")) == "in_response_to"


def check_grant(document: Any, now: float = NOW) -> Assertion:
    return check_bare_assertion(
        idp.grant(document), metadata=idp.metadata(), token_url=idp.TOKEN_URL, sp_entity_id=idp.SP, now=now
    )


GRANTS: dict[str, tuple[Words, str]] = {
    "made for a browser": (Words(), "recipient"),
    "for us, in answer to a request": (idp.grant_words(confirmation_answers=idp.REQUEST), "in_response_to"),
    "for another recipient": (idp.grant_words(recipient=OTHER), "recipient"),
    "for another audience": (idp.grant_words(audiences_xml=restriction(OTHER)), "audience"),
    "for nobody": (idp.grant_words(audiences_xml=""), "audience"),
    "of another issuer": (idp.grant_words(issuer="https://evil.example/"), "issuer"),
    "expired": (idp.grant_words(confirmation_ends=format_instant(NOW - 61)), "expired"),
    "without conditions": (idp.grant_words(conditions_xml=""), "conditions"),
    "for years": (replace(idp.grant_words(), ends=None, confirmation_ends=format_instant(NOW + 1e9)), "lifetime"),
}


@pytest.mark.parametrize("name", GRANTS)
def test_G17_a_grant_with_one_thing_wrong(name: str) -> None:
    words, reason = GRANTS[name]
    document = idp.sign(idp.assertion(words))
    assert reason_of(lambda: check_grant(document)) == reason


def test_G17_a_grant_of_another_kind() -> None:
    assert reason_of(lambda: check_grant(idp.assertion(idp.grant_words()))) == "unsigned"
    assert reason_of(lambda: check_grant(idp.signed_response(idp.grant_words(), what="both"))) == "shape"
    standard = b64encode(etree.tostring(idp.sign(idp.assertion(idp.grant_words()))) + b" >").decode()
    call = {"metadata": idp.metadata(), "token_url": idp.TOKEN_URL, "sp_entity_id": idp.SP, "now": NOW}
    for junk in (standard + "+/", "\n" + standard, standard[:9] + " " + standard[9:], "A" * 10_000_000):
        assert reason_of(lambda junk=junk: check_bare_assertion(junk, **call)) in ("encoding", "too_large")
