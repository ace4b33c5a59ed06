"""An export that an auditor can check alone: entries, leaf hashes, checkpoints, keys and the verifier."""

import io
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path

import orjson

from ostiary.audit.standalone import Key, split_notes
from ostiary.model.errors import CallerError, OperatorError

ENTRIES_NAME = "entries-000001.log"
VERIFIER_NAME = "verify_ostiary.py"
README = """An audit log of Ostiary, exported for checking.

    python {verifier} .          (or the archive this came in)

says whether it is whole, and names the first bad entry if not. It needs Python 3.11 and nothing else.

{entries}   one JSON object a line; the first line is entry {first}, counted from 0
hashes               the SHA-256 leaf hash of every entry from 0 on, 32 bytes each (RFC 9162, section 2.1)
checkpoints          signed heads of the log (C2SP signed-note, tlog-checkpoint)
keys                 public keys that signed them; compare them with the ones you were told, with --key
"""


def bundle_files(
    entries: Iterable[bytes],
    hashes: bytes,
    checkpoints: bytes,
    keys: Iterable[Key],
    *,
    first: int,
    made_at: str,
) -> Iterator[tuple[str, bytes]]:
    """Names and contents; `entries` begin with number `first`.

    Only what the last checkpoint counts is exported: it vouches for all of it.

    Raises `CallerError` when there is nothing to export yet.
    """
    notes = [note for note in split_notes(checkpoints) if note.endswith(b"\n")]
    size = int(notes[-1].split(b"\n")[1]) if notes else 0
    if size <= first:
        raise CallerError(f"No signed entry from number {first} on exists.", "Give an earlier start.")
    lines = [line for _, line in zip(range(first, size), entries, strict=False)]
    manifest = {"v": 1, "first": first, "size": size, "made_at": made_at}
    yield "README.txt", README.format(verifier=VERIFIER_NAME, entries=ENTRIES_NAME, first=first).encode()
    yield "manifest.json", orjson.dumps(manifest, option=orjson.OPT_INDENT_2) + b"\n"
    yield ENTRIES_NAME, b"".join(line + b"\n" for line in lines)
    yield "hashes", hashes[: size * 32]
    yield "checkpoints", b"".join(notes)
    yield "keys", "".join(f"{key.text}\n" for key in keys).encode()
    yield VERIFIER_NAME, resources.files("ostiary.audit").joinpath("standalone.py").read_bytes()


def write_bundle(path: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Write to a new directory, or a .zip, .tar or .tar.gz by the name's ending.

    Raises `OperatorError` when `path` exists or cannot be written; nothing half-written stays.
    """
    if path.exists():
        raise OperatorError(f"{path} exists already.", "Choose another name.")
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        _write(unfinished, path.name, files)
        unfinished.rename(path)
    except OSError as error:
        _remove(unfinished)
        raise OperatorError(f"{path} cannot be written: {error.strerror}.", "Choose another place.") from error
    except BaseException:
        _remove(unfinished)
        raise


def _write(target: Path, name: str, files: Iterable[tuple[str, bytes]]) -> None:
    if name.endswith(".zip"):
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in files:
                archive.writestr(member, content)
    elif name.endswith((".tar", ".tar.gz", ".tgz")):
        with tarfile.open(target, "w" if name.endswith(".tar") else "w:gz") as tar:
            for member, content in files:
                description = tarfile.TarInfo(member)
                description.size, description.mode = len(content), 0o644
                tar.addfile(description, io.BytesIO(content))
    else:
        target.mkdir()
        for member, content in files:
            (target / member).write_bytes(content)


def _remove(path: Path) -> None:
    if path.is_dir():
        for member in path.iterdir():
            member.unlink()
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
