"""A SAML identity provider for tests: says the right thing unless told otherwise, in every way to be wrong.

It signs with lxml and cryptography alone, so that what is checked with signxml was not made by it.
"""

import datetime
import hashlib
import hmac
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.x509.oid import NameOID
from lxml import etree

from ostiary.identity.saml.instants import format_instant
from ostiary.identity.saml.metadata import IdentityProviderMetadata

NOW = 1_800_000_000.0
ENTITY = "https://idp.example/metadata"
SP = "https://ostiary.example/saml/company/metadata"
ACS = "https://ostiary.example/saml/company/acs"
TOKEN_URL = "https://ostiary.example/oauth/token"
REQUEST = "_request-0123456789abcdef"
EMAIL = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
DS = "http://www.w3.org/2000/09/xmldsig#"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
ENVELOPED = f"{DS}enveloped-signature"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
NAMES = {"saml": SAML, "samlp": SAMLP, "ds": DS}

DIGESTS = {
    "md5": f"{MORE}md5",
    "sha1": f"{DS}sha1",
    "sha256": "http://www.w3.org/2001/04/xmlenc#sha256",
    "sha384": f"{MORE}sha384",
    "sha512": "http://www.w3.org/2001/04/xmlenc#sha512",
}
_HASHES: dict[str, Any] = {
    "md5": hashes.MD5,
    "sha1": hashes.SHA1,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}


@dataclass(frozen=True)
class Pair:
    key: Any
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)


@cache
def pair(name: str = "idp", kind: str = "rsa2048") -> Pair:
    """A key and a certificate it signed itself; the same for the same name."""
    key: Any
    if kind.startswith("rsa"):
        key = rsa.generate_private_key(public_exponent=65537, key_size=int(kind[3:]))
    else:
        key = ec.generate_private_key({"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}[kind])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=365))
        .sign(key, hashes.SHA256())
    )
    return Pair(key, certificate)


def metadata(*pairs: Pair, **changes: Any) -> IdentityProviderMetadata:
    return IdentityProviderMetadata(
        entity_id=changes.pop("entity_id", ENTITY),
        sso_redirect_url="https://idp.example/sso",
        certificates=tuple(each.der for each in pairs or (pair(),)),
        **changes,
    )


def metadata_xml(
    *pairs: Pair, entity_id: str = ENTITY, root: str = "", role: str = "", use: str = ' use="signing"'
) -> str:
    keys = "".join(
        f'<md:KeyDescriptor{use}><ds:KeyInfo xmlns:ds="{DS}"><ds:X509Data><ds:X509Certificate>\n'
        f"{b64encode(each.der).decode()}\n</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        for each in pairs or (pair(),)
    )
    return (
        f'<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{entity_id}"{root}>'
        f'<md:IDPSSODescriptor protocolSupportEnumeration="{SAMLP}"{role}>{keys}'
        '<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"'
        ' Location="https://idp.example/post"/>'
        '<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"'
        ' Location="https://idp.example/sso"/></md:IDPSSODescriptor></md:EntityDescriptor>'
    )


@dataclass(frozen=True)
class Words:
    """What the provider says. None leaves an attribute or element out; `*_xml` is put in as it is."""

    name: str = "ann@example.com"
    name_format: str | None = EMAIL
    name_xml: str | None = None
    issuer: str = ENTITY
    issuer_attributes: str = ""
    version: str | None = "2.0"
    assertion_id: str = "_assertion-1"
    issue_instant: str | None = format_instant(NOW)
    method: str = BEARER
    recipient: str | None = ACS
    confirmation_ends: str | None = format_instant(NOW + 300)
    confirmation_starts: str | None = None
    confirmation_answers: str | None = REQUEST
    confirmation_xml: str | None = None
    starts: str | None = format_instant(NOW - 5)
    ends: str | None = format_instant(NOW + 300)
    audiences_xml: str = f"<saml:AudienceRestriction><saml:Audience>{SP}</saml:Audience></saml:AudienceRestriction>"
    conditions_xml: str | None = None
    authn_instant: str | None = format_instant(NOW - 10)
    session_ends: str | None = format_instant(NOW + 3600)
    session_index: str | None = "_session-1"
    authn_xml: str | None = None
    attributes_xml: str = (
        '<saml:Attribute Name="urn:oid:0.9.2342.19200300.100.1.1" FriendlyName="uid"><saml:AttributeValue>ann'
        '</saml:AttributeValue></saml:Attribute><saml:Attribute Name="groups"><saml:AttributeValue>builders'
        "</saml:AttributeValue><saml:AttributeValue>readers</saml:AttributeValue></saml:Attribute>"
    )
    advice_xml: str = ""
    assertion_attributes: str = ""

    response_id: str = "_response-1"
    response_version: str | None = "2.0"
    response_issuer: str | None = ENTITY
    destination: str | None = ACS
    answers: str | None = REQUEST
    status: str = "urn:oasis:names:tc:SAML:2.0:status:Success"
    extensions_xml: str = ""
    response_attributes: str = ""


def _attributes(**values: str | None) -> str:
    return "".join(f' {name}="{value}"' for name, value in values.items() if value is not None)


def assertion(words: Words) -> Any:
    name = words.name_xml or f"<saml:NameID{_attributes(Format=words.name_format)}>{words.name}</saml:NameID>"
    data = _attributes(
        Recipient=words.recipient,
        NotOnOrAfter=words.confirmation_ends,
        NotBefore=words.confirmation_starts,
        InResponseTo=words.confirmation_answers,
    )
    confirmation = words.confirmation_xml
    if confirmation is None:
        confirmation = (
            f'<saml:SubjectConfirmation Method="{words.method}"><saml:SubjectConfirmationData{data}/>'
            "</saml:SubjectConfirmation>"
        )
    conditions = words.conditions_xml
    if conditions is None:
        times = _attributes(NotBefore=words.starts, NotOnOrAfter=words.ends)
        conditions = f"<saml:Conditions{times}>{words.audiences_xml}</saml:Conditions>"
    authn = words.authn_xml
    if authn is None:
        facts = _attributes(
            AuthnInstant=words.authn_instant, SessionNotOnOrAfter=words.session_ends, SessionIndex=words.session_index
        )
        authn = (
            f"<saml:AuthnStatement{facts}><saml:AuthnContext><saml:AuthnContextClassRef>"
            "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef>"
            "</saml:AuthnContext></saml:AuthnStatement>"
        )
    head = _attributes(ID=words.assertion_id, Version=words.version, IssueInstant=words.issue_instant)
    return etree.fromstring(
        f'<saml:Assertion xmlns:saml="{SAML}"{head}{words.assertion_attributes}>'
        f"<saml:Issuer{words.issuer_attributes}>{words.issuer}</saml:Issuer>"
        f"<saml:Subject>{name}{confirmation}</saml:Subject>{conditions}{words.advice_xml}{authn}"
        f"<saml:AttributeStatement>{words.attributes_xml}</saml:AttributeStatement></saml:Assertion>"
    )


def response(words: Words, *assertions: Any) -> Any:
    """With the assertion that `words` says, unless given others."""
    head = _attributes(
        ID=words.response_id,
        Version=words.response_version,
        IssueInstant=words.issue_instant,
        Destination=words.destination,
        InResponseTo=words.answers,
    )
    issuer = "" if words.response_issuer is None else f"<saml:Issuer>{words.response_issuer}</saml:Issuer>"
    root = etree.fromstring(
        f'<samlp:Response xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}"{head}{words.response_attributes}>{issuer}'
        f'{words.extensions_xml}<samlp:Status><samlp:StatusCode Value="{words.status}"/></samlp:Status>'
        "</samlp:Response>"
    )
    for each in assertions or (assertion(words),):
        root.append(each)
    return root


def c14n(element: Any, algorithm: str = EXCLUSIVE, prefixes: Sequence[str] | None = None) -> bytes:
    alone = etree.fromstring(etree.tostring(element, with_tail=False))
    canonical: bytes = etree.tostring(
        alone,
        method="c14n",
        exclusive=algorithm.startswith(EXCLUSIVE),
        with_comments=algorithm.endswith("#WithComments"),
        inclusive_ns_prefixes=prefixes,
    )
    return canonical


def sign(
    element: Any,
    by: Pair | None = None,
    *,
    digest: str = "sha256",
    hash_name: str = "sha256",
    method: str | None = None,
    transforms: Sequence[str] = (ENVELOPED, EXCLUSIVE),
    transform_xml: str = "",
    canonicalization: str = EXCLUSIVE,
    uri: str | None = None,
    prefixes: Sequence[str] | None = None,
    references: int = 1,
    hmac_key: bytes | None = None,
    key_info: bytes | None = None,
    digest_value: bytes | None = None,
    at: int | None = None,
) -> Any:
    """`element` with a signature over itself, behind its issuer."""
    by = by or pair()
    inclusive = (
        f'<ec:InclusiveNamespaces xmlns:ec="{EXCLUSIVE}" PrefixList="{" ".join(prefixes)}"/>' if prefixes else ""
    )
    if digest_value is None:
        canonical = c14n(element, next((t for t in transforms if "c14n" in t), EXCLUSIVE), prefixes)
        digest_value = hashlib.new(digest, canonical).digest()
    steps = "".join(
        f'<ds:Transform Algorithm="{each}">{inclusive if "exc-c14n" in each else ""}</ds:Transform>'
        for each in transforms
    )
    reference = (
        f'<ds:Reference URI="{"#" + element.get("ID") if uri is None else uri}"><ds:Transforms>{steps}{transform_xml}'
        f'</ds:Transforms><ds:DigestMethod Algorithm="{DIGESTS[digest]}"/>'
        f"<ds:DigestValue>{b64encode(digest_value).decode()}</ds:DigestValue></ds:Reference>"
    )
    if method is None:
        family = "hmac" if hmac_key is not None else "rsa" if isinstance(by.key, rsa.RSAPrivateKey) else "ecdsa"
        method = f"{DS if hash_name == 'sha1' else MORE}{family}-{hash_name}"
    info = (
        f'<ds:SignedInfo xmlns:ds="{DS}"><ds:CanonicalizationMethod Algorithm="{canonicalization}"/>'
        f'<ds:SignatureMethod Algorithm="{method}"/>{reference * references}</ds:SignedInfo>'
    )
    value = _signature_value(c14n(etree.fromstring(info), canonicalization), by, hash_name, hmac_key)
    signature = etree.fromstring(
        f'<ds:Signature xmlns:ds="{DS}">{info}<ds:SignatureValue>{b64encode(value).decode()}</ds:SignatureValue>'
        f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{b64encode(key_info or by.der).decode()}</ds:X509Certificate>"
        "</ds:X509Data></ds:KeyInfo></ds:Signature>"
    )
    has_issuer = len(element) > 0 and element[0].tag == f"{{{SAML}}}Issuer"
    element.insert((1 if has_issuer else 0) if at is None else at, signature)
    return element


def _signature_value(data: bytes, by: Pair, hash_name: str, hmac_key: bytes | None) -> bytes:
    if hmac_key is not None:
        return hmac.new(hmac_key, data, hash_name).digest()
    algorithm = _HASHES[hash_name]()
    if isinstance(by.key, rsa.RSAPrivateKey):
        return by.key.sign(data, padding.PKCS1v15(), algorithm)
    r, s = utils.decode_dss_signature(by.key.sign(data, ec.ECDSA(algorithm)))
    size = (by.key.key_size + 7) // 8
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def signed_response(words: Words | None = None, *, what: str = "assertion", by: Pair | None = None, **how: Any) -> Any:
    """A response of which `what` is signed: "response", "assertion", "both" or "neither"."""
    words = words or Words()
    said = assertion(words)
    if what in ("assertion", "both"):
        sign(said, by, **how)
    root = response(words, said)
    if what in ("response", "both"):
        sign(root, by, **how)
    return root


def post(document: Any) -> str:
    """As a browser posts it. `document` is an element, or the text or bytes of one."""
    if isinstance(document, str):
        document = document.encode()
    if not isinstance(document, bytes):
        document = etree.tostring(document)
    return b64encode(document).decode()


def grant(document: Any) -> str:
    """As a tool sends it to the token endpoint."""
    data = document if isinstance(document, bytes) else etree.tostring(document)
    return urlsafe_b64encode(data).decode().rstrip("=")


def grant_words(**changes: Any) -> Words:
    """Of an assertion for the token endpoint."""
    return Words(**{"recipient": TOKEN_URL, "confirmation_answers": None, **changes})
