"""What a message looks like before any of it is believed.

All ways to wrap a signature need a second element of a kind there should be one of, or a place that SAML does not give
it. So there is one response, one assertion and one signature of each, all where the schema says, or nothing.
"""

import re
from collections import Counter

from lxml import etree

from ostiary.identity.saml import names
from ostiary.identity.saml.documents import DocumentError

_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,255}", re.ASCII)
_ENCRYPTED = frozenset({"EncryptedAssertion", "EncryptedID", "EncryptedAttribute", "EncryptedData", "NewEncryptedID"})
_ATTRIBUTES_MAX = 64
"""Of one element. Canonicalization sorts them, in time that grows with their square."""
_SIGNED = (names.protocol("Response"), names.assertion("Assertion"))
_NEVER = frozenset({"Object", "Manifest", "SignatureProperties"})
"""Parts of a signature that can carry anything."""


def check_response_structure(root: "etree._Element") -> None:
    """Raises `DocumentError`."""
    if root.tag != names.protocol("Response"):
        raise DocumentError("shape")
    _check(root, assertion_parent=root)


def check_assertion_structure(root: "etree._Element") -> None:
    """For an assertion that stands alone. Raises `DocumentError`."""
    if root.tag != names.assertion("Assertion"):
        raise DocumentError("shape")
    _check(root, assertion_parent=None)


def _check(root: "etree._Element", assertion_parent: "etree._Element | None") -> None:
    seen_ids: set[str] = set()
    counts: Counter[str] = Counter()
    for element in root.iter():
        if not isinstance(element.tag, str):
            raise DocumentError("markup")
        # Whatever its namespace: what only looks like an assertion is there to confuse somebody.
        name = etree.QName(element).localname
        counts[name] += 1
        if len(element.attrib) > _ATTRIBUTES_MAX:
            raise DocumentError("too_large")
        _check_ids(element, seen_ids)
        if name in _ENCRYPTED:
            raise DocumentError("encrypted")
        if name == "Assertion":
            if element.tag != names.assertion(name) or element.getparent() is not assertion_parent or counts[name] > 1:
                raise DocumentError("several_assertions")
        elif name == "Response":
            if element is not root:
                raise DocumentError("shape")
        elif name == "Signature":
            _check_signature_place(element)
        elif name in _NEVER:
            raise DocumentError("signature_shape")
    if counts["SignedInfo"] != counts["Signature"]:
        raise DocumentError("signature_shape")


def _check_ids(element: "etree._Element", seen: set[str]) -> None:
    for key in map(str, element.attrib):
        name = etree.QName(key)
        if name.localname.lower() != "id":
            continue
        value = element.get(key) or ""
        if name.namespace or _ID.fullmatch(value) is None or value in seen:
            raise DocumentError("id")
        seen.add(value)


def _check_signature_place(signature: "etree._Element") -> None:
    """Second in the response or the assertion, behind its issuer; first in a response that has none."""
    parent = signature.getparent()
    if signature.tag != names.signature("Signature") or parent is None or parent.tag not in _SIGNED:
        raise DocumentError("signature_shape")
    issuer = parent[0] if parent[0].tag == names.assertion("Issuer") else None
    has_place = parent.index(signature) == (0 if issuer is None else 1)
    if not has_place or (issuer is None and parent.find(names.assertion("Issuer")) is not None):
        raise DocumentError("signature_shape")
