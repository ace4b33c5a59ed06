"""The root key: outside the data, 0600, and known by a check value so that a wrong one is named at start."""

import contextlib
import os
import stat
from pathlib import Path
from typing import Protocol

from ostiary.model.errors import OperatorError
from ostiary.vault.sealing import KEY_BYTES, RootKey

_CHECK = "root-key-check"
_RESTORE = "Restore HOME/root.key from your backup (or set OSTIARY_ROOT_KEY); without it the stored data stays closed."
_PERMIT = "Give the user that runs Ostiary access to it and to its directory."


class MetaStore(Protocol):
    def meta(self, key: str) -> str | None: ...
    def set_meta(self, key: str, value: str) -> None: ...


def load_or_create(home: Path, configured_hex: str, store: MetaStore) -> RootKey:
    """The installation's root key: from the setting, else from HOME/root.key, which the first start makes.

    Raises `OperatorError` when it is missing, readable by others, malformed, or not the one that sealed this data.
    """
    known = store.meta(_CHECK)
    path = home / "root.key"
    if configured_hex:
        key = RootKey.from_hex(configured_hex)
    else:
        try:
            if not path.exists():
                if known is not None:
                    raise OperatorError(f"The root key {path} is missing.", _RESTORE)
                _create(path)
            _check_file(path)
            key = RootKey.from_hex(path.read_text(encoding="ascii", errors="replace"))
        except OSError as error:
            raise OperatorError(f"The root key {path} cannot be used: {error.strerror}.", _PERMIT) from None
    if known is None:
        store.set_meta(_CHECK, key.check_value.hex())
    elif known != key.check_value.hex():
        raise OperatorError("This root key did not seal this installation.", _RESTORE)
    return key


def _create(path: Path) -> None:
    """Written beside its place and linked into it, so that no crash leaves half a key there."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(os.urandom(KEY_BYTES).hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another start was faster: its key counts
            os.link(beside, path)
    finally:
        beside.unlink()
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _check_file(path: Path) -> None:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode) or status.st_uid not in (os.geteuid(), 0):
        raise OperatorError(f"The root key {path} is not a file of this user.", "Change its owner.")
    if status.st_mode & 0o077:
        raise OperatorError(f"The root key {path} can be read by others.", f"Run `chmod 600 {path}`.")
