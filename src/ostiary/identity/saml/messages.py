"""From what was posted to an assertion that is believed: decode, parse, judge the structure, verify, then read."""

from lxml import etree

from ostiary.identity.saml import names
from ostiary.identity.saml.assertion import Assertion
from ostiary.identity.saml.conditions import Expected, checked_assertion, checked_issuer
from ostiary.identity.saml.documents import DocumentError, decode_base64, decode_base64url, only, parse_message
from ostiary.identity.saml.metadata import IdentityProviderMetadata
from ostiary.identity.saml.refusals import refusal
from ostiary.identity.saml.response import MESSAGE_BYTES_MAX
from ostiary.identity.saml.signatures import signature_of, verified
from ostiary.identity.saml.structure import check_assertion_structure, check_response_structure

__all__ = ["Expected", "read_assertion", "read_response"]


def read_response(encoded: str, metadata: IdentityProviderMetadata, expected: Expected) -> Assertion:
    try:
        _check_metadata(metadata, expected)
        root = parse_message(decode_base64(encoded, MESSAGE_BYTES_MAX))
        check_response_structure(root)
        return _of_response(root, metadata, expected)
    except DocumentError as error:
        raise refusal(error.reason) from None


def read_assertion(encoded: str, metadata: IdentityProviderMetadata, expected: Expected) -> Assertion:
    try:
        _check_metadata(metadata, expected)
        root = parse_message(decode_base64url(encoded, MESSAGE_BYTES_MAX))
        check_assertion_structure(root)
        return checked_assertion(verified(root, root, metadata.certificates), expected)
    except DocumentError as error:
        raise refusal(error.reason) from None


def _of_response(root: "etree._Element", metadata: IdentityProviderMetadata, expected: Expected) -> Assertion:
    response = root if signature_of(root) is None else verified(root, root, metadata.certificates)
    _check_envelope(response, expected)
    found = root.findall(names.assertion("Assertion"))
    if not found:
        raise DocumentError("no_assertion")
    if signature_of(found[0]) is not None:
        return checked_assertion(verified(root, found[0], metadata.certificates), expected)
    if response is root:
        raise DocumentError("unsigned")
    return checked_assertion(only(response, names.assertion("Assertion")), expected)


def _check_envelope(response: "etree._Element", expected: Expected) -> None:
    """Of a response that is not signed itself this can only refuse: nothing of it is passed on."""
    if response.get("Version") != "2.0":
        raise DocumentError("version")
    code = only(only(response, names.protocol("Status")), names.protocol("StatusCode"))
    if code.get("Value") != names.SUCCESS:
        raise DocumentError("status")
    if response.find(names.assertion("Issuer")) is not None:
        checked_issuer(response, expected)
    if response.get("Destination", expected.recipient) != expected.recipient:
        raise DocumentError("destination")
    if response.get("InResponseTo") is None:
        raise DocumentError("unsolicited")
    if response.get("InResponseTo") != expected.request_id:
        raise DocumentError("in_response_to")


def _check_metadata(metadata: IdentityProviderMetadata, expected: Expected) -> None:
    if metadata.valid_until is not None and metadata.valid_until <= expected.now:
        raise DocumentError("metadata_over")
