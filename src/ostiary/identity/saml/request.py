"""What we send: the request for a sign-in, and our own metadata."""

import re
import zlib
from base64 import b64encode

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from ostiary.identity.saml import names
from ostiary.identity.saml.instants import format_instant
from ostiary.identity.saml.metadata import IdentityProviderMetadata
from ostiary.identity.saml.signing import SigningKey
from ostiary.identity.urls import form_of, with_query

RELAY_STATE_BYTES_MAX = 80
"""saml-bindings-2.0-os section 3.4.3."""

_RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{15,127}", re.ASCII)


def authn_redirect(
    metadata: IdentityProviderMetadata,
    *,
    request_id: str,
    acs_url: str,
    sp_entity_id: str,
    relay_state: str,
    issued_at: float,
    force_authn: bool,
    signing: SigningKey | None = None,
) -> str:
    """Where to send the browser (HTTP-Redirect binding, DEFLATE encoding).

    `request_id` is a name that nobody can guess, `relay_state` at most 80 bytes. The request is signed for a provider
    whose metadata wants that; then there must be a key.
    """
    if _ID.fullmatch(request_id) is None:
        raise ValueError("a request id begins with a letter or an underscore and has 16 to 128 characters")
    if len(relay_state.encode()) > RELAY_STATE_BYTES_MAX:
        raise ValueError(f"relay state has more than {RELAY_STATE_BYTES_MAX} bytes")
    if metadata.wants_signed_requests and signing is None:
        raise ValueError("the provider wants signed requests and there is no key")
    xml = (
        f'<samlp:AuthnRequest xmlns:samlp="{names.PROTOCOL}" xmlns:saml="{names.ASSERTION}" ID="{request_id}"'
        f' Version="2.0" IssueInstant="{format_instant(issued_at)}" Destination="{_escaped(metadata.sso_redirect_url)}"'
        f"{' ForceAuthn=' + _TRUE if force_authn else ''}"
        f' ProtocolBinding="{names.POST_BINDING}" AssertionConsumerServiceURL="{_escaped(acs_url)}">'
        f"<saml:Issuer>{_escaped(sp_entity_id)}</saml:Issuer>"
        '<samlp:NameIDPolicy AllowCreate="true"/></samlp:AuthnRequest>'
    )
    pairs = [("SAMLRequest", b64encode(_deflated(xml.encode())).decode())]
    if relay_state:
        pairs.append(("RelayState", relay_state))
    if metadata.wants_signed_requests and signing is not None:
        pairs.append(("SigAlg", _RSA_SHA256))
        signed = form_of(pairs).encode()
        pairs.append(("Signature", b64encode(signing.key.sign(signed, padding.PKCS1v15(), hashes.SHA256())).decode()))
    return with_query(metadata.sso_redirect_url, pairs)


def sp_metadata(sp_entity_id: str, acs_url: str, certificate: bytes, signs_requests: bool) -> bytes:
    """Our metadata, for the identity provider. `certificate` (DER) is the one of the key that requests are signed with
    for a provider that wants it."""
    key = (
        f'<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="{names.SIGNATURE}"><ds:X509Data>'
        f"<ds:X509Certificate>{b64encode(certificate).decode()}</ds:X509Certificate>"
        "</ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
    )
    forms = "".join(f"<md:NameIDFormat>{form}</md:NameIDFormat>" for form in (names.PERSISTENT, names.EMAIL_ADDRESS))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<md:EntityDescriptor xmlns:md="{names.METADATA}" entityID="{_escaped(sp_entity_id)}">'
        f'<md:SPSSODescriptor AuthnRequestsSigned="{"true" if signs_requests else "false"}" WantAssertionsSigned="true"'
        f' protocolSupportEnumeration="{names.PROTOCOL}">{key}{forms}'
        f'<md:AssertionConsumerService Binding="{names.POST_BINDING}" Location="{_escaped(acs_url)}" index="0"'
        ' isDefault="true"/></md:SPSSODescriptor></md:EntityDescriptor>\n'
    ).encode()


_TRUE = '"true"'


def _deflated(data: bytes) -> bytes:
    """RFC 1951 without a header."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return compressor.compress(data) + compressor.flush()


def _escaped(text: str) -> str:
    """As the text of an element or the value of an attribute in double quotes."""
    if not text.isprintable():
        raise ValueError("an address or entity id holds a control character")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
