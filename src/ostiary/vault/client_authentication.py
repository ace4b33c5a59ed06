"""Putting the secret of an OAuth client into a request to its identity provider (RFC 6749 section 2.3.1).

As in `vault.injection`, revealed bytes never get a name.
"""

from base64 import b64encode

from ostiary.model.secret import Secret
from ostiary.vault.injection import percent_encoded


def basic_field(client_id: str, secret: Secret) -> bytes:
    """The complete header line of `client_secret_basic`. Both parts are form-encoded first, as the RFC wants it; what
    need not be encoded is not, because some providers do not decode it."""
    return b"Authorization: Basic %b\r\n" % b64encode(
        b"%b:%b" % (percent_encoded(client_id.encode()), percent_encoded(secret.reveal_for_injection()))
    )


def posted_parameters(client_id: str, secret: Secret) -> bytes:
    """The form parameters of `client_secret_post`."""
    return b"client_id=%b&client_secret=%b" % (
        percent_encoded(client_id.encode()),
        percent_encoded(secret.reveal_for_injection()),
    )
