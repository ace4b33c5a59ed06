"""Metadata of identity providers, and our own."""

import subprocess
import sys
from base64 import b64decode

import pytest
from lxml import etree

from ostiary.identity.saml.instants import format_instant, parse_instant
from ostiary.identity.saml.metadata import IdentityProviderMetadata
from ostiary.identity.saml.request import sp_metadata
from ostiary.model.errors import OperatorError
from support import saml_idp as idp
from support.saml_idp import NOW

MD = "{urn:oasis:names:tc:SAML:2.0:metadata}"


def parse(xml: str, entity_id: str | None = None) -> IdentityProviderMetadata:
    return IdentityProviderMetadata.parse(xml.encode(), NOW, entity_id)


def several(*entities: str, attributes: str = "") -> str:
    return (
        f'<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"{attributes}>{"".join(entities)}'
        "</md:EntitiesDescriptor>"
    )


def test_what_a_provider_says_of_itself() -> None:
    old, new = idp.pair("old"), idp.pair("new", "p256")
    found = parse('<?xml version="1.0"?>\n<!-- ours -->' + idp.metadata_xml(old, new, old))
    assert found == IdentityProviderMetadata(idp.ENTITY, "https://idp.example/sso", (old.der, new.der), None, False)


def test_keys_that_are_for_encryption_or_too_weak_are_left_out() -> None:
    assert parse(idp.metadata_xml(use="")).certificates == (idp.pair().der,)
    with pytest.raises(OperatorError, match="no certificate for signing"):
        parse(idp.metadata_xml(use=' use="encryption"'))
    weak = idp.pair("weak", "rsa1024")
    assert parse(idp.metadata_xml(weak, idp.pair())).certificates == (idp.pair().der,)
    with pytest.raises(OperatorError, match="2048 bits"):
        parse(idp.metadata_xml(weak))


def test_one_of_several_providers_by_its_id() -> None:
    xml = several(idp.metadata_xml(), several(idp.metadata_xml(entity_id="urn:second")))
    assert parse(xml, "urn:second").entity_id == "urn:second"
    assert parse(several(idp.metadata_xml())).entity_id == idp.ENTITY
    with pytest.raises(OperatorError, match="several identity providers"):
        parse(xml)
    with pytest.raises(OperatorError, match="of this entity id"):
        parse(xml, "urn:third")


def test_the_earliest_end_holds() -> None:
    soon, late = NOW + 60, NOW + 3600
    xml = idp.metadata_xml(root=f' validUntil="{format_instant(late)}"', role=f' validUntil="{format_instant(soon)}"')
    assert parse(xml).valid_until == soon
    assert parse(several(xml, attributes=f' validUntil="{format_instant(NOW + 9)}"')).valid_until == NOW + 9
    with pytest.raises(OperatorError, match="is over"):
        parse(several(xml, attributes=f' validUntil="{format_instant(NOW)}"'))
    with pytest.raises(OperatorError, match="no time in UTC"):
        parse(idp.metadata_xml(root=' validUntil="tomorrow"'))


@pytest.mark.parametrize(("value", "wants"), [("true", True), ("1", True), ("false", False), ("0", False)])
def test_whether_requests_should_be_signed(value: str, wants: bool) -> None:
    assert parse(idp.metadata_xml(role=f' WantAuthnRequestsSigned="{value}"')).wants_signed_requests is wants


@pytest.mark.parametrize(
    ("xml", "sentence"),
    [
        ("", "not well-formed"),
        ("<html><body/></html>", "does not begin with EntityDescriptor"),
        ("<html><br></html>", "not well-formed"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><x/>', "DOCTYPE"),
        (idp.metadata_xml().replace("IDPSSODescriptor", "SPSSODescriptor"), "no SAML 2.0 IDPSSODescriptor"),
        (idp.metadata_xml().replace(idp.SAMLP, "urn:oasis:names:tc:SAML:1.1:protocol"), "no SAML 2.0"),
        (idp.metadata_xml(entity_id=""), "no entityID"),
        (idp.metadata_xml().replace("HTTP-Redirect", "HTTP-Artifact"), "no SingleSignOnService"),
        (idp.metadata_xml().replace("https://idp.example/sso", "http://idp.example/sso"), "not https"),
        (idp.metadata_xml().replace("https://idp.example/sso", "javascript:alert(1)"), "not https"),
        (idp.metadata_xml().replace("</ds:X509Certificate>", "!</ds:X509Certificate>"), "not base64"),
        (idp.metadata_xml().replace("</ds:X509Certificate>", "<x/></ds:X509Certificate>"), "not base64"),
        (" " * (4 * 2**20 + 1), "larger than 4 MiB"),
    ],
    ids=range(13),
)
def test_what_makes_no_sense_is_the_operators_matter(xml: str, sentence: str) -> None:
    with pytest.raises(OperatorError, match=sentence):
        parse(xml)


@pytest.mark.parametrize("signs_requests", [False, True])
def test_our_own_metadata_has_the_order_of_the_schema(signs_requests: bool) -> None:
    ours = idp.pair("ours").der
    root = etree.fromstring(sp_metadata("https://ostiary.example/?a=1&b=2", idp.ACS, ours, signs_requests))
    assert (root.tag, root.get("entityID")) == (f"{MD}EntityDescriptor", "https://ostiary.example/?a=1&b=2")
    (role,) = root
    assert role.attrib == {
        "AuthnRequestsSigned": "true" if signs_requests else "false",
        "WantAssertionsSigned": "true",
        "protocolSupportEnumeration": idp.SAMLP,
    }
    assert role[0].attrib == {"use": "signing"}
    assert b64decode("".join(role[0].itertext())) == ours
    consumer = f"{MD}AssertionConsumerService"
    assert [part.tag for part in role] == [f"{MD}KeyDescriptor", f"{MD}NameIDFormat", f"{MD}NameIDFormat", consumer]
    assert role[-1].attrib == {
        "Binding": "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST",
        "Location": idp.ACS,
        "index": "0",
        "isDefault": "true",
    }


@pytest.mark.parametrize("at", [0.0, NOW, 1_709_164_800.0])
def test_times_there_and_back(at: float) -> None:
    assert parse_instant(format_instant(at)) == at
    assert parse_instant(format_instant(at).replace("Z", ".5Z")) == at + 0.5


@pytest.mark.parametrize(
    "text", ["", "2027-01-15", "2027-01-15T08:00:00", "2027-13-01T00:00:00Z", "2027-01-15T24:00:00Z"]
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError):
        parse_instant(text)


def test_an_idle_installation_does_not_load_the_xml_libraries() -> None:
    modules = ", ".join(f"ostiary.identity.saml.{name}" for name in ("metadata", "request", "response", "profile"))
    code = f"import sys, {modules}; sys.exit('lxml' in sys.modules or 'signxml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
