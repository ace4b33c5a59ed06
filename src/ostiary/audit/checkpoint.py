"""The log's signed head: a C2SP signed note whose text is a tlog-checkpoint, signed with Ed25519."""

import base64
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ostiary.audit.standalone import Key, Note, key_id, parse_key, parse_note, split_notes
from ostiary.model.errors import IntegrityError

__all__ = [
    "Checkpoint",
    "Key",
    "Note",
    "SigningKey",
    "open_checkpoint",
    "parse_key",
    "parse_note",
    "sign_checkpoint",
    "split_notes",
]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`origin` names the log, `root` is over its first `size` entries."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> bytes:
        """What is signed: three lines (tlog-checkpoint, "Note text")."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n".encode()


class SigningKey:
    """Signs checkpoints as `name`. It has no text form; `private_bytes` is for sealing it, nothing else."""

    __slots__ = ("__private", "key")

    def __init__(self, name: str, private_bytes: bytes) -> None:
        if not name or "+" in name or any(character.isspace() for character in name):
            raise ValueError("a key name has neither spaces nor a plus sign")
        self.__private = Ed25519PrivateKey.from_private_bytes(private_bytes)
        public = self.__private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.key = Key(name, key_id(name, public), public)

    def signature_line(self, text: bytes) -> bytes:
        encoded = base64.b64encode(self.key.id + self.__private.sign(text)).decode()
        return f"\u2014 {self.key.name} {encoded}\n".encode()


def sign_checkpoint(checkpoint: Checkpoint, *keys: SigningKey) -> bytes:
    """The note: text, blank line, one signature line a key. Two keys sign while one replaces the other."""
    text = checkpoint.text
    return text + b"\n" + b"".join(key.signature_line(text) for key in keys)


def open_checkpoint(data: bytes, keys: list[Key]) -> Checkpoint:
    """The checkpoint of a note that one of `keys` signed. Raises `IntegrityError` for any other."""
    try:
        note = parse_note(data)
    except ValueError:
        raise IntegrityError(
            "A checkpoint of the audit log is not a signed note.", "Restore HOME/audit from a backup."
        ) from None
    if not note.signed_by(keys):
        raise IntegrityError(
            f"The checkpoint of {note.size} entries is not signed by a key of this installation.",
            "Restore HOME/audit from a backup, or keep it for an investigation and begin a new one.",
        )
    return Checkpoint(note.origin, note.size, note.root)
