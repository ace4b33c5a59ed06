"""Signatures of XML as SAML makes them: enveloped, over the element they stand in, with a key of the metadata.

signxml checks them; what is allowed to reach it is decided here, by tables of what is accepted.
"""

import re
from collections.abc import Sequence

from cryptography.exceptions import UnsupportedAlgorithm
from lxml import etree
from signxml import processor
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from ostiary.identity.saml import names
from ostiary.identity.saml.certificates import usable_certificate
from ostiary.identity.saml.documents import DocumentError, hardened_parser, text_of

SIGNATURE_METHODS = frozenset(
    {
        SignatureMethod.RSA_SHA256,
        SignatureMethod.RSA_SHA384,
        SignatureMethod.RSA_SHA512,
        SignatureMethod.ECDSA_SHA256,
        SignatureMethod.ECDSA_SHA384,
        SignatureMethod.ECDSA_SHA512,
    }
)
DIGESTS = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})

_SIGNATURE_METHOD_NAMES = frozenset(method.value for method in SIGNATURE_METHODS)
_DIGEST_NAMES = frozenset(digest.value for digest in DIGESTS)
_INCLUSIVE = f"{{{names.EXCLUSIVE_C14N}}}InclusiveNamespaces"
_PREFIXES = re.compile(r"(?:#default|[A-Za-z_][\w.\-]*)(?: (?:#default|[A-Za-z_][\w.\-]*)){0,15}", re.ASCII)

processor.logger.disabled = True  # at level DEBUG it writes whole assertions


def signature_of(element: "etree._Element") -> "etree._Element | None":
    return element.find(names.signature("Signature"))


def verified(document: "etree._Element", element: "etree._Element", certificates: Sequence[bytes]) -> "etree._Element":
    """What was signed of `element`, the document's root or a child of it: a tree of its own, made from the signed
    bytes, without the signature. Nothing else of the document may be believed. Raises `DocumentError`."""
    signature = signature_of(element)
    if signature is None:
        raise DocumentError("unsigned")
    _check_shape(signature, element)
    for der in certificates:
        found = _verified_with(document, element, der)
        if found is not None:
            return found
    raise DocumentError("signature")


def _verified_with(document: "etree._Element", element: "etree._Element", der: bytes) -> "etree._Element | None":
    certificate = usable_certificate(der)
    if certificate is None:
        return None
    configuration = SignatureConfiguration(
        require_x509=True,
        location="./" if element is document else f"./{element.tag}/",
        expect_references=1,
        signature_methods=SIGNATURE_METHODS,
        digest_algorithms=DIGESTS,
        ignore_ambiguous_key_info=True,
        # Metadata says how long a key is good for; a certificate is only its envelope.
        verification_time=certificate.not_valid_before_utc,
    )
    try:
        result = XMLVerifier().verify(
            document,
            x509_cert=certificate,
            parser=hardened_parser(),
            id_attribute="ID",
            expect_config=configuration,
        )
    except (SignXMLException, UnsupportedAlgorithm, etree.LxmlError, ValueError, TypeError, AttributeError, KeyError):
        return None
    if isinstance(result, list) or result.signed_xml is None:
        return None
    signed = result.signed_xml
    if signed.tag != element.tag or signed.get("ID") != element.get("ID") or signature_of(signed) is not None:
        return None
    _check_shape(result.signature_xml, signed)
    return signed


def _check_shape(signature: "etree._Element", element: "etree._Element") -> None:
    """One reference, to `element`, by enveloped signature and exclusive canonicalization. Raises `DocumentError`."""
    signed_info, value, *key_info = _children(signature, 2, 3)
    method_of_c14n, method_of_signature, reference = _children(signed_info, 3, 3)
    transforms, digest_method, digest_value = _children(reference, 3, 3)
    enveloped, canonical = _children(transforms, 2, 2)
    expected = (
        (signed_info, "SignedInfo"),
        (value, "SignatureValue"),
        *((element, "KeyInfo") for element in key_info),
        (method_of_c14n, "CanonicalizationMethod"),
        (method_of_signature, "SignatureMethod"),
        (reference, "Reference"),
        (transforms, "Transforms"),
        (enveloped, "Transform"),
        (canonical, "Transform"),
        (digest_method, "DigestMethod"),
        (digest_value, "DigestValue"),
    )
    if any(found.tag != names.signature(name) for found, name in expected):
        raise DocumentError("signature_shape")
    identifier = element.get("ID")
    if not identifier or reference.get("URI") != f"#{identifier}":
        raise DocumentError("signature_shape")
    if not text_of(value).strip() or not text_of(digest_value).strip():
        raise DocumentError("signature_shape")
    if (
        method_of_c14n.get("Algorithm") != names.EXCLUSIVE_C14N
        or canonical.get("Algorithm") != names.EXCLUSIVE_C14N
        or enveloped.get("Algorithm") != names.ENVELOPED
        or method_of_signature.get("Algorithm") not in _SIGNATURE_METHOD_NAMES
        or digest_method.get("Algorithm") not in _DIGEST_NAMES
    ):
        raise DocumentError("signature_algorithm")
    for bare in (enveloped, method_of_signature, digest_method):
        _children(bare, 0, 0)
    for c14n in (method_of_c14n, canonical):
        for inclusive in _children(c14n, 0, 1):
            if inclusive.tag != _INCLUSIVE or _PREFIXES.fullmatch(inclusive.get("PrefixList") or "") is None:
                raise DocumentError("signature_shape")


def _children(element: "etree._Element", at_least: int, at_most: int) -> "list[etree._Element]":
    if not at_least <= len(element) <= at_most:
        raise DocumentError("signature_shape")
    return list(element)
