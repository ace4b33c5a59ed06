"""Reading SAML metadata (saml-metadata-2.0-os)."""

import binascii
from base64 import b64decode

from lxml import etree

from ostiary.identity.saml import names
from ostiary.identity.saml.certificates import usable_certificate
from ostiary.identity.saml.documents import DocumentError, parse_file, text_of
from ostiary.identity.saml.instants import parse_instant
from ostiary.identity.saml.metadata import IdentityProviderMetadata
from ostiary.identity.urls import is_https_or_loopback
from ostiary.model.errors import OperatorError

SIZE_MAX = 4 * 2**20
CERTIFICATES_MAX = 16


def read_metadata(xml: bytes, now: float, entity_id: str | None) -> IdentityProviderMetadata:
    if len(xml) > SIZE_MAX:
        raise _wrong("is larger than 4 MiB.")
    try:
        root = parse_file(xml)
        entity, role = _chosen(root, entity_id)
        return _found(entity, role, now)
    except DocumentError as error:
        what = "has a DOCTYPE or entities." if error.reason == "markup" else "is not well-formed XML in UTF-8."
        raise _wrong(what) from None


def _chosen(root: "etree._Element", entity_id: str | None) -> tuple["etree._Element", "etree._Element"]:
    if root.tag not in (names.metadata("EntityDescriptor"), names.metadata("EntitiesDescriptor")):
        raise _wrong("does not begin with EntityDescriptor.", "Give the metadata, not a page about it.")
    providers = [
        (entity, role)
        for entity in root.iter(names.metadata("EntityDescriptor"))
        if entity_id is None or entity.get("entityID") == entity_id
        for role in entity.findall(names.metadata("IDPSSODescriptor"))
        if names.PROTOCOL in (role.get("protocolSupportEnumeration") or "").split()
    ]
    if not providers:
        raise _wrong("has no SAML 2.0 IDPSSODescriptor" + (" of this entity id." if entity_id else "."))
    if len(providers) > 1:
        raise _wrong("has several identity providers.", "Give the metadata of one.")
    return providers[0]


def _found(entity: "etree._Element", role: "etree._Element", now: float) -> IdentityProviderMetadata:
    entity_id = entity.get("entityID") or ""
    if not entity_id or len(entity_id) > 1024 or entity_id != entity_id.strip():
        raise _wrong("has no entityID, or one that is longer than 1,024 characters.")
    return IdentityProviderMetadata(
        entity_id=entity_id,
        sso_redirect_url=_redirect_url(role),
        certificates=_certificates(role),
        valid_until=_valid_until(role, now),
        wants_signed_requests=role.get("WantAuthnRequestsSigned") in ("true", "1"),
    )


def _valid_until(role: "etree._Element", now: float) -> float | None:
    """The earliest of all that hold for this role."""
    texts = [element.get("validUntil") for element in (role, *role.iterancestors())]
    try:
        ends = [parse_instant(text) for text in texts if text is not None]
    except ValueError:
        raise _wrong("has a validUntil that is no time in UTC.") from None
    if not ends:
        return None
    if min(ends) <= now:
        raise _wrong("is over: its validUntil is in the past.", "Fetch it again, or ask whoever runs the provider.")
    return min(ends)


def _redirect_url(role: "etree._Element") -> str:
    for service in role.findall(names.metadata("SingleSignOnService")):
        if service.get("Binding") == names.REDIRECT_BINDING:
            url = service.get("Location") or ""
            if not is_https_or_loopback(url):
                raise _wrong("has an HTTP-Redirect address that is not https.")
            return url
    raise _wrong("has no SingleSignOnService with the HTTP-Redirect binding.")


def _certificates(role: "etree._Element") -> tuple[bytes, ...]:
    found: list[bytes] = []
    for key in role.findall(names.metadata("KeyDescriptor")):
        if key.get("use", "signing") != "signing":
            continue
        for element in key.iter(names.signature("X509Certificate")):
            try:
                der = b64decode("".join(text_of(element).split()), validate=True)
            except (binascii.Error, ValueError):
                raise _wrong("has a certificate that is not base64.") from None
            if der not in found:
                found.append(der)
    if not found:
        raise _wrong("has no certificate for signing.")
    usable = tuple(der for der in found if usable_certificate(der) is not None)
    if not usable:
        raise _wrong("has no certificate with an RSA key of 2048 bits or more, or an elliptic-curve key.")
    if len(usable) > CERTIFICATES_MAX:
        raise _wrong(f"has more than {CERTIFICATES_MAX} certificates for signing.")
    return usable


def _wrong(what: str, next_step: str = "") -> OperatorError:
    return OperatorError(f"The SAML metadata {what}", next_step or "Get it again from the identity provider.")
