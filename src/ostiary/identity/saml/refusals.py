"""Why an answer of an identity provider is not believed: one word for each way to be wrong, for the audit log."""

from collections.abc import Mapping
from types import MappingProxyType

from ostiary.model.errors import SignInRefusedError

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "too_large": "The message is larger than any sign-in is.",
        "encoding": "The message is not base64, or not the only spelling of it.",
        "character_set": "The message is not UTF-8, or holds a NUL.",
        "markup": "The message holds a DTD, a comment, a processing instruction or a CDATA section.",
        "xml": "The message is not well-formed XML.",
        "shape": "An element is missing, occurs too often, or is not where SAML puts it.",
        "id": "An ID occurs twice, is no name, or is written as xml:id.",
        "several_assertions": "There is more than one assertion, or one within another element.",
        "no_assertion": "There is no assertion.",
        "encrypted": "An assertion, name or attribute is encrypted.",
        "status": "The identity provider says that the sign-in failed.",
        "unsigned": "Neither the response nor the assertion is signed.",
        "signature_shape": "A signature does not sign exactly the element it stands in, in the way SAML signs.",
        "signature_algorithm": "A signature, digest, transform or canonicalization is of a kind that is not accepted.",
        "signature": "A signature was not made with a key of the metadata, or not over this content.",
        "metadata_over": "The metadata is no longer valid.",
        "version": "The message is not SAML 2.0.",
        "issuer": "Somebody else issued the response or the assertion.",
        "destination": "The response is meant for another address.",
        "unsolicited": "The response answers no request.",
        "in_response_to": "The response or its confirmation answers another request, or the grant's assertion any.",
        "time": "A time is missing or not written in UTC.",
        "not_yet_valid": "The assertion is from the future.",
        "expired": "The assertion is too old.",
        "lifetime": "The assertion wants to be valid for more than a day.",
        "name_id": "There is no NameID, or it is empty, has white space at its ends or control characters.",
        "name_qualifier": "The NameID is one of another provider, or for another service.",
        "confirmation": "There is no bearer confirmation, or it has no data.",
        "recipient": "The assertion is meant for another address.",
        "conditions": "There are no conditions.",
        "unknown_condition": "There is a condition that nobody here can check.",
        "audience": "The assertion is meant for another service.",
        "authn_statement": "The assertion does not say that, when and how somebody signed in.",
        "session_over": "The provider's session is over.",
        "transient_name": "The NameID changes with each sign-in and no attribute is set to name people by.",
        "name_unusable": "Neither what names people nor the NameID is one visible line of at most 200 characters.",
        "user_attribute": "The attribute that names people is missing, empty, or has several values.",
    }
)


def refusal(reason: str) -> SignInRefusedError:
    """The error for one of `REASONS`. People see the same sentence for all of them but one: that a provider encrypts is
    a matter of its settings, and nobody would find out otherwise."""
    assert reason in REASONS
    if reason == "encrypted":
        return SignInRefusedError(
            reason,
            "The identity provider encrypts its assertions, which Ostiary does not read.",
            "Turn encryption of assertions off at the identity provider; signatures stay on.",
        )
    return SignInRefusedError(reason)
