"""The key that signs checkpoints: sealed under the root key in HOME, its public half beside it."""

import os

from ostiary.adapters.chronicle.files import Places, replace_file
from ostiary.audit.checkpoint import SigningKey
from ostiary.audit.standalone import Key, parse_keys
from ostiary.model.errors import IntegrityError
from ostiary.vault.sealing import RootKey, SealContext, open_sealed, seal


def log_origin(installation: str) -> str:
    """The name of the log in its checkpoints and keys."""
    return f"ostiary/{installation}"


def load_signing_key(places: Places, root_key: RootKey, installation: str) -> SigningKey:
    """The installation's signing key, made on first use.

    Raises `IntegrityError` for a wrong root key, and when the key is missing although checkpoints are there.
    """
    try:
        sealed = places.signing_key.read_bytes()
    except FileNotFoundError:
        if places.checkpoints.exists() and places.checkpoints.stat().st_size:
            raise IntegrityError(
                "The audit log's signing key is missing.",
                "Restore HOME/audit/signing-key from a backup.",
            ) from None
        return make_signing_key(places, root_key, installation)
    return SigningKey(log_origin(installation), open_sealed(root_key, sealed, _context(installation)))


def make_signing_key(places: Places, root_key: RootKey, installation: str) -> SigningKey:
    """A new key in place of the old one, whose public half stays among the known keys."""
    private = os.urandom(32)
    key = SigningKey(log_origin(installation), private)
    sealed = seal(
        root_key,
        plaintext=private,
        context=_context(installation),
        data_key=os.urandom(32),
        nonces=os.urandom(24),
    )
    known = [*known_keys(places), key.key]
    replace_file(places.keys, "".join(f"{each.text}\n" for each in known).encode(), sync=True)
    replace_file(places.signing_key, sealed, sync=True)
    return key


def known_keys(places: Places) -> list[Key]:
    """All public keys that ever signed, oldest first. Raises `IntegrityError` when the file is damaged."""
    try:
        return parse_keys(places.keys.read_text())
    except FileNotFoundError:
        return []
    except ValueError:
        raise IntegrityError("HOME/audit/keys is damaged.", "Restore it from a backup or an exported bundle.") from None


def _context(installation: str) -> SealContext:
    return SealContext(installation, "audit-signing-key", "audit", 1)
