"""The root key: outside the data, 0600, and known by a check value so that a wrong one is named at start."""

import os
import stat
from pathlib import Path
from typing import Protocol

from ostiary.model.errors import OperatorError
from ostiary.vault.sealing import KEY_BYTES, RootKey

_CHECK = "root-key-check"
_RESTORE = "Restore HOME/root.key from your backup (or set OSTIARY_ROOT_KEY); without it the stored data stays closed."


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
        if not path.exists():
            if known is not None:
                raise OperatorError(f"The root key {path} is missing.", _RESTORE)
            _create(path)
        _check_file(path)
        key = RootKey.from_hex(path.read_text(encoding="ascii", errors="replace"))
    if known is None:
        store.set_meta(_CHECK, key.check_value.hex())
    elif known != key.check_value.hex():
        raise OperatorError("This root key did not seal this installation.", _RESTORE)
    return key


def _create(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(os.urandom(KEY_BYTES).hex() + "\n")
        file.flush()
        os.fsync(file.fileno())


def _check_file(path: Path) -> None:
    try:
        status = path.stat()
    except OSError as error:
        raise OperatorError(f"The root key {path} cannot be read: {error.strerror}.", _RESTORE) from None
    if not stat.S_ISREG(status.st_mode) or status.st_uid not in (os.geteuid(), 0):
        raise OperatorError(f"The root key {path} is not a file of this user.", "Change its owner.")
    if status.st_mode & 0o077:
        raise OperatorError(f"The root key {path} can be read by others.", f"Run `chmod 600 {path}`.")
