"""Answers that are right, in the ways identity providers give them."""

import logging
from dataclasses import replace
from typing import Any

import pytest
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.signer import XMLSigner

from ostiary.identity.saml.assertion import Assertion
from ostiary.identity.saml.instants import format_instant
from ostiary.identity.saml.response import check_bare_assertion, check_response
from ostiary.model.errors import SignInRefusedError
from support import saml_idp as idp
from support.saml_idp import NOW, Words

EXPECTED = Assertion(
    id="_assertion-1",
    issuer=idp.ENTITY,
    name_id="ann@example.com",
    name_id_format=idp.EMAIL,
    attributes={"urn:oid:0.9.2342.19200300.100.1.1": ("ann",), "groups": ("builders", "readers")},
    session_index="_session-1",
    session_ends_at=NOW + 3600,
    authenticated_at=NOW - 10,
    expires_at=NOW + 360,
    friendly_names={"uid": "urn:oid:0.9.2342.19200300.100.1.1"},
    issued_at=NOW,
)


def check(document: Any, *by: idp.Pair, now: float = NOW) -> Assertion:
    return check_response(
        idp.post(document),
        metadata=idp.metadata(*by),
        sp_entity_id=idp.SP,
        acs_url=idp.ACS,
        request_id=idp.REQUEST,
        now=now,
    )


@pytest.mark.parametrize("what", ["assertion", "response", "both"])
@pytest.mark.parametrize(
    ("kind", "hash_name"),
    [
        ("rsa2048", "sha256"),
        ("rsa2048", "sha384"),
        ("rsa2048", "sha512"),
        ("rsa3072", "sha256"),
        ("p256", "sha256"),
        ("p384", "sha384"),
        ("p521", "sha512"),
    ],
)
def test_every_accepted_signature_over_response_assertion_or_both(what: str, kind: str, hash_name: str) -> None:
    by = idp.pair("signer", kind)
    assert check(idp.signed_response(what=what, by=by, hash_name=hash_name, digest=hash_name), by) == EXPECTED


@pytest.mark.parametrize("prefixes", [["xs"], ["xs", "xsi"], ["#default", "saml"]])
def test_inclusive_namespaces_are_heeded(prefixes: list[str]) -> None:
    value = (
        '<saml:AttributeValue xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xs="urn:xs" xsi:type="xs:s">'
    )
    words = Words(
        attributes_xml=f'<saml:Attribute Name="groups">{value}builders</saml:AttributeValue></saml:Attribute>'
    )
    assert check(idp.signed_response(words, what="both", prefixes=prefixes)).attributes == {"groups": ("builders",)}


def signed_by_signxml(element: Any) -> Any:
    signer = XMLSigner(
        signature_algorithm=SignatureMethod.RSA_SHA512,
        digest_algorithm=DigestAlgorithm.SHA384,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    alone = etree.fromstring(etree.tostring(element))
    alone.insert(1, etree.Element(f"{{{idp.DS}}}Signature", {"Id": "placeholder"}, {"ds": idp.DS}))
    by = idp.pair()
    signed = signer.sign(alone, key=by.key, cert=[by.certificate], reference_uri=f"#{element.get('ID')}")
    return etree.fromstring(etree.tostring(signed))


def test_what_another_implementation_signed() -> None:
    signed = idp.response(Words(), signed_by_signxml(idp.assertion(Words())))
    assert check(signed) == check(signed_by_signxml(signed)) == EXPECTED


def test_while_the_key_changes_both_certificates_are_good() -> None:
    old, new = idp.pair("old"), idp.pair("new", "p256")
    for by in (old, new):
        assert check(idp.signed_response(by=by), old, new) == EXPECTED
    with pytest.raises(SignInRefusedError):
        check(idp.signed_response(by=old), new)


@pytest.mark.parametrize("what", ["assertion", "response", "both"])
def test_lines_prefixes_and_byte_order_marks_do_not_matter(what: str) -> None:
    root = idp.response(Words())
    etree.indent(root)
    if what != "response":
        idp.sign(root[-1])
    if what != "assertion":
        idp.sign(root)
    text = etree.tostring(root)
    declaration = b'<?xml version="1.0" encoding="UTF-8" standalone="no"?>\r\n'
    for data in (text, declaration + text, b"\xef\xbb\xbf" + declaration + text, b"\n" + text + b"\n"):
        encoded = idp.post(data)
        wrapped = "\r\n".join(encoded[at : at + 76] for at in range(0, len(encoded), 76))
        for each in (encoded, wrapped):
            found = check_response(
                each,
                metadata=idp.metadata(),
                sp_entity_id=idp.SP,
                acs_url=idp.ACS,
                request_id=idp.REQUEST,
                now=NOW,
            )
            assert found == EXPECTED


def test_the_default_namespace_will_do() -> None:
    said = etree.tostring(idp.assertion(Words())).decode().replace("xmlns:saml=", "xmlns=").replace("saml:", "")
    signed = etree.tostring(idp.sign(etree.fromstring(said))).decode()
    around = idp.response(Words())
    around.remove(around[-1])
    text = etree.tostring(around).decode().replace("</samlp:Response>", f"{signed}</samlp:Response>")
    assert check(text) == EXPECTED


LENIENT: dict[str, dict[str, Any]] = {
    "no destination": {"destination": None},
    "no issuer of the response": {"response_issuer": None},
    "a clock that is behind": {"starts": format_instant(NOW + 59), "issue_instant": format_instant(NOW + 59)},
    "a clock that is ahead": {"ends": format_instant(NOW - 59), "confirmation_ends": format_instant(NOW - 59)},
    "fractions of seconds": {"starts": "2027-01-15T07:59:55.1234567Z"},
    "no window of the conditions": {"starts": None, "ends": None},
    "used once": {
        "conditions_xml": "<saml:Conditions><saml:OneTimeUse/><saml:ProxyRestriction Count='0'/>"
        f"{Words().audiences_xml * 2}</saml:Conditions>"
    },
    "several audiences": {
        "audiences_xml": "<saml:AudienceRestriction><saml:Audience>https://other.example/</saml:Audience>"
        f"<saml:Audience>{idp.SP}</saml:Audience></saml:AudienceRestriction>"
    },
    "one of two confirmations": {
        "confirmation_xml": f'<saml:SubjectConfirmation Method="{idp.BEARER}"><saml:SubjectConfirmationData/>'
        '</saml:SubjectConfirmation><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"/>'
        f'<saml:SubjectConfirmation Method="{idp.BEARER}"><saml:SubjectConfirmationData Recipient="{idp.ACS}"'
        f' InResponseTo="{idp.REQUEST}" NotOnOrAfter="{format_instant(NOW + 300)}"/></saml:SubjectConfirmation>'
    },
    "advice and extensions": {
        "advice_xml": "<saml:Advice><x/></saml:Advice>",
        "extensions_xml": "<samlp:Extensions><x/></samlp:Extensions>",
    },
    "issuer with its format": {"issuer_attributes": ' Format="urn:oasis:names:tc:SAML:2.0:nameid-format:entity"'},
    "qualifiers that are ours": {
        "name_xml": f'<saml:NameID Format="{idp.PERSISTENT}" NameQualifier="{idp.ENTITY}"'
        f' SPNameQualifier="{idp.SP}">x</saml:NameID>'
    },
}


@pytest.mark.parametrize("what", ["assertion", "response", "both"])
@pytest.mark.parametrize("name", LENIENT)
def test_what_providers_do_differently(name: str, what: str) -> None:
    found = check(idp.signed_response(Words(**LENIENT[name]), what=what))
    assert found.attributes == EXPECTED.attributes


def test_a_session_without_index_or_end() -> None:
    found = check(idp.signed_response(Words(session_index=None, session_ends=None)))
    assert (found.session_index, found.session_ends_at) == (None, None)


def test_attributes_that_are_more_than_text_are_left_out() -> None:
    xml = (
        '<saml:Attribute Name="a" FriendlyName="nick"><saml:AttributeValue><x/></saml:AttributeValue>'
        "<saml:AttributeValue>1</saml:AttributeValue></saml:Attribute>"
        '<saml:Attribute Name="a"><saml:AttributeValue>2</saml:AttributeValue>'
        '</saml:Attribute><saml:Attribute Name="b" FriendlyName="nick"/><saml:Attribute Name="c"><saml:AttributeValue'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"/></saml:Attribute>'
    )
    found = check(idp.signed_response(Words(attributes_xml=xml)))
    assert found.attributes == {"a": ("1", "2"), "b": (), "c": ()}
    assert found.friendly_names == {}
    assert (found.values_of("a"), found.values_of("nick"), found.values_of("z")) == (("1", "2"), (), ())


def test_the_id_is_kept_until_the_assertion_is_too_old_anyway() -> None:
    words = Words(confirmation_ends=format_instant(NOW + 200), ends=format_instant(NOW + 3600))
    found = check(idp.signed_response(words))
    assert found.expires_at == NOW + 260
    with pytest.raises(SignInRefusedError):
        check(idp.signed_response(words), now=found.expires_at)


def test_metadata_that_is_over_vouches_for_nobody() -> None:
    with pytest.raises(SignInRefusedError) as caught:
        check_response(
            idp.post(idp.signed_response()),
            metadata=replace(idp.metadata(), valid_until=NOW),
            sp_entity_id=idp.SP,
            acs_url=idp.ACS,
            request_id=idp.REQUEST,
            now=NOW,
        )
    assert caught.value.reason == "metadata_over"


@pytest.mark.parametrize("audience", [idp.SP, idp.TOKEN_URL])
@pytest.mark.parametrize("padding", ["", "="])
def test_an_assertion_for_a_gateway_token(audience: str, padding: str) -> None:
    restriction = f"<saml:AudienceRestriction><saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction>"
    encoded = idp.grant(idp.sign(idp.assertion(idp.grant_words(audiences_xml=restriction))))
    found = check_bare_assertion(
        encoded + padding * (-len(encoded) % 4),
        metadata=idp.metadata(),
        token_url=idp.TOKEN_URL,
        sp_entity_id=idp.SP,
        now=NOW,
    )
    assert found == EXPECTED


def test_an_assertion_for_a_machine_says_nothing_of_a_sign_in() -> None:
    encoded = idp.grant(idp.sign(idp.assertion(idp.grant_words(authn_xml=""))))
    found = check_bare_assertion(
        encoded, metadata=idp.metadata(), token_url=idp.TOKEN_URL, sp_entity_id=idp.SP, now=NOW
    )
    assert (found.authenticated_at, found.session_index, found.session_ends_at) == (NOW, None, None)


def test_nothing_of_an_answer_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    logging.getLogger("signxml").setLevel("DEBUG")
    check(idp.signed_response(what="both"))
    assert caplog.records == []
