"""Who an identity provider is, by its SAML metadata."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IdentityProviderMetadata:
    """`certificates` are DER, each with a key that is strong enough; several while the provider changes its key.
    After `valid_until` (seconds since the epoch) the document must be fetched again."""

    entity_id: str
    sso_redirect_url: str
    certificates: tuple[bytes, ...]
    valid_until: float | None = None
    wants_signed_requests: bool = False

    @classmethod
    def parse(cls, xml: bytes, now: float, entity_id: str | None = None) -> "IdentityProviderMetadata":
        """The identity provider `entity_id` of the document; without one, the only one there is.

        Raises `OperatorError` for a document that makes no sense, is over, or has no usable redirect address or key.
        The dates within certificates say nothing here: a key is trusted as long as the metadata names it.
        """
        from ostiary.identity.saml.metadata_document import read_metadata

        return read_metadata(xml, now, entity_id)
