"""What the browser takes to the identity provider."""

import zlib
from base64 import b64decode
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.x509 import load_der_x509_certificate
from lxml import etree

from ostiary.identity.saml.request import authn_redirect
from ostiary.identity.saml.signing import SigningKey, certified, from_bytes, to_bytes
from support import saml_idp as idp
from support.saml_idp import NOW


def redirect(**changes: Any) -> str:
    arguments: dict[str, Any] = {
        "request_id": idp.REQUEST,
        "acs_url": idp.ACS,
        "sp_entity_id": idp.SP,
        "relay_state": "state &=",
        "issued_at": NOW + 0.9,
        "force_authn": False,
    }
    metadata = changes.pop("metadata", idp.metadata())
    return authn_redirect(metadata, **{**arguments, **changes})


def request_of(url: str) -> Any:
    query = dict(parse_qsl(urlsplit(url).query, strict_parsing=True))
    return etree.fromstring(zlib.decompress(b64decode(query["SAMLRequest"], validate=True), -15))


def test_the_request_says_who_asks_and_where_to_answer() -> None:
    url = redirect()
    assert url.startswith("https://idp.example/sso?SAMLRequest=")
    assert dict(parse_qsl(urlsplit(url).query)).keys() == {"SAMLRequest", "RelayState"}
    assert dict(parse_qsl(urlsplit(url).query))["RelayState"] == "state &="
    root = request_of(url)
    assert root.tag == f"{{{idp.SAMLP}}}AuthnRequest"
    assert dict(root.attrib) == {
        "ID": idp.REQUEST,
        "Version": "2.0",
        "IssueInstant": "2027-01-15T08:00:00Z",
        "Destination": "https://idp.example/sso",
        "ProtocolBinding": "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST",
        "AssertionConsumerServiceURL": idp.ACS,
    }
    assert [child.tag for child in root] == [f"{{{idp.SAML}}}Issuer", f"{{{idp.SAMLP}}}NameIDPolicy"]
    assert root[0].text == idp.SP


def test_a_step_up_asks_for_a_new_sign_in() -> None:
    assert request_of(redirect(force_authn=True)).get("ForceAuthn") == "true"


def test_an_address_that_has_a_query_keeps_it() -> None:
    metadata = replace(idp.metadata(), sso_redirect_url="https://idp.example/sso?tenant=1&x=<>")
    url = redirect(metadata=metadata, relay_state="")
    assert url.startswith("https://idp.example/sso?tenant=1&x=<>&SAMLRequest=")
    assert "RelayState" not in url
    assert request_of(url).get("Destination") == metadata.sso_redirect_url


def test_a_provider_that_wants_signed_requests() -> None:
    metadata = replace(idp.metadata(), wants_signed_requests=True)
    with pytest.raises(ValueError, match="there is no key"):
        redirect(metadata=metadata)
    ours = idp.pair("ours")
    url = redirect(metadata=metadata, signing=SigningKey(ours.key, ours.der))
    signed, _, value = url.partition("?")[2].partition("&Signature=")
    assert [name for name, _ in parse_qsl(signed)] == ["SAMLRequest", "RelayState", "SigAlg"]
    signature = b64decode(dict(parse_qsl(f"Signature={value}"))["Signature"])
    ours.key.public_key().verify(signature, signed.encode(), padding.PKCS1v15(), hashes.SHA256())


def test_a_provider_that_does_not_want_signed_requests_gets_none() -> None:
    ours = idp.pair("ours")
    assert "Signature" not in redirect(signing=SigningKey(ours.key, ours.der))


def test_a_key_with_its_certificate_there_and_back() -> None:
    made = certified(idp.pair("ours").key, "Ostiary", 2**70 + 1, NOW)
    again = from_bytes(to_bytes(made))
    assert again.certificate == made.certificate
    assert again.key.private_numbers() == made.key.private_numbers()
    certificate = load_der_x509_certificate(made.certificate)
    assert certificate.public_key() == made.key.public_key()
    certificate.verify_directly_issued_by(certificate)
    assert certificate.subject.rfc4514_string() == "CN=Ostiary"
    assert certificate.not_valid_before_utc.timestamp() < NOW < certificate.not_valid_after_utc.timestamp()
    assert str(made.key.private_numbers().d) not in repr(made)
    with pytest.raises(ValueError):
        from_bytes(b"something else")


@pytest.mark.parametrize("wrong", [{"request_id": "1" * 20}, {"request_id": "_short"}, {"relay_state": "x" * 81}])
def test_what_would_not_work_is_not_sent(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        redirect(**wrong)
