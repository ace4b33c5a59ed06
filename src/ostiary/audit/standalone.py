#!/usr/bin/env python3
"""Checks an exported audit log of Ostiary without Ostiary.

    python verify_ostiary.py BUNDLE [--key KEY] [--checkpoint FILE]

One file, Python 3.11 or newer, nothing to install (`cryptography` is used when it is there, for speed).
BUNDLE is a directory, a .zip or a .tar. It has a tree of its own, so that an error in the writer's cannot
hide in the verifier. Exit code: 0 whole, 1 not whole, 2 wrong usage.

What is checked, in this order:
 1. every checkpoint is signed by a known key;
 2. the checkpoints never shrink and never contradict each other;
 3. the tree over the leaf hashes has the root each checkpoint states (RFC 9162 section 2.1);
 4. every entry has the leaf hash of its place: if not, which entry is wrong, and how;
 5. no entry that a checkpoint counts is missing;
 6. every entry after the last checkpoint is complete, and none is there where none may be.
"""

import argparse
import base64
import hashlib
import itertools
import json
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

HASH_BYTES = 32
SLOW_SIGNATURES_MAX = 500
"""Without `cryptography` a signature takes milliseconds: of more notes only those that decide are checked."""

# ── Ed25519 (RFC 8032 section 5.1.7) ───────────────────────────────────────────────────────────────

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT_OF_MINUS_ONE = pow(2, (_P - 1) // 4, _P)
Point = tuple[int, int, int, int]


def _add(a: Point, b: Point) -> Point:
    left, right = (a[1] - a[0]) * (b[1] - b[0]) % _P, (a[1] + a[0]) * (b[1] + b[0]) % _P
    cross, double = 2 * a[3] * b[3] * _D % _P, 2 * a[2] * b[2] % _P
    e, f, g, h = right - left, double - cross, double + cross, right + left
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _multiply(scalar: int, point: Point) -> Point:
    result: Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    return result


def _decode_point(data: bytes) -> Point | None:
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT_OF_MINUS_ONE % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


_BASE = _decode_point(bytes.fromhex("58" + "66" * 31))


def slow_ed25519_verify(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether `signature` is by `public` over `message`, in pure Python."""
    if len(public) != 32 or len(signature) != 64 or _BASE is None:
        return False
    key, commitment = _decode_point(public), _decode_point(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if key is None or commitment is None or scalar >= _ORDER:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % _ORDER
    left, right = _multiply(scalar, _BASE), _add(commitment, _multiply(challenge, key))
    return (left[0] * right[2] - right[0] * left[2]) % _P == 0 and (left[1] * right[2] - right[1] * left[2]) % _P == 0


try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    def ed25519_verify(public: bytes, signature: bytes, message: bytes) -> bool:
        """Whether `signature` is by `public` over `message`."""
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True

except ImportError:
    ed25519_verify = slow_ed25519_verify

# ── Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint) ───────────────────────────────


@dataclass(frozen=True)
class Key:
    """A verifier key: `name+8 hex digits of its id+base64(0x01, 32 bytes)`."""

    name: str
    id: bytes
    public: bytes

    @property
    def text(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(bytes([1]) + self.public).decode()}"


def key_id(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n\x01" + public).digest()[:4]


def parse_key(text: str) -> Key:
    """Raises `ValueError` unless name, id and key belong together."""
    name, _, rest = text.strip().partition("+")
    identifier, _, encoded = rest.partition("+")
    blob = base64.b64decode(encoded, validate=True)
    if not name or len(blob) != 33 or blob[0] != 1 or key_id(name, blob[1:]).hex() != identifier:
        raise ValueError("not an Ed25519 verifier key")
    return Key(name, key_id(name, blob[1:]), blob[1:])


@dataclass(frozen=True)
class Note:
    """A checkpoint: what was signed, and by whom. `signatures` are (key name, key id, signature)."""

    text: bytes
    origin: str
    size: int
    root: bytes
    signatures: tuple[tuple[str, bytes, bytes], ...]

    def signed_by(self, keys: Iterable[Key]) -> bool:
        """Whether one of `keys` with the log's own name signed it; lines of strangers are ignored."""
        known = {(key.name, key.id): key.public for key in keys if key.name == self.origin}
        return any(
            ed25519_verify(known[name, identifier], signature, self.text)
            for name, identifier, signature in self.signatures
            if (name, identifier) in known
        )


def parse_note(data: bytes) -> Note:
    """Raises `ValueError` for anything but one signed checkpoint."""
    text, blank, tail = data.rpartition(b"\n\n")
    if not blank or not tail.endswith(b"\n") or any(byte < 32 and byte != 10 for byte in data):
        raise ValueError("not a signed note")
    origin, size, root, *extensions = text.decode().split("\n")
    if not origin or not size.isascii() or not size.isdigit() or (size[0] == "0" and size != "0") or "" in extensions:
        raise ValueError("not a checkpoint")
    signatures = []
    for line in tail.decode().splitlines():
        dash, name, encoded = line.split(" ")
        blob = base64.b64decode(encoded, validate=True)
        if dash != "\u2014" or not name or "+" in name or len(blob) < 5:
            raise ValueError("not a signature line")
        signatures.append((name, blob[:4], blob[4:]))
    decoded = base64.b64decode(root, validate=True)
    if len(decoded) != HASH_BYTES:
        raise ValueError("not a checkpoint root")
    return Note(text + b"\n", origin, int(size), decoded, tuple(signatures))


def split_notes(data: bytes) -> list[bytes]:
    """The notes of a file that holds one after the other. A last one that is cut off comes out as it is."""
    notes: list[bytes] = []
    current: list[bytes] = []
    signing = False
    for line in data.splitlines(keepends=True):
        is_signature = line.startswith("\u2014 ".encode())
        if signing and not is_signature:
            notes.append(b"".join(current))
            current, signing = [], False
        current.append(line)
        signing = signing or is_signature
    if current:
        notes.append(b"".join(current))
    return notes


# ── The tree (RFC 9162 section 2.1) ────────────────────────────────────────────────────────────────


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def roots_at(hashes: bytes, sizes: Sequence[int]) -> dict[int, bytes]:
    """The root over the first n of the concatenated leaf `hashes`, for every n of `sizes` that they reach."""
    wanted, found = set(sizes), {}
    stack: list[bytes] = []
    for size in range(len(hashes) // HASH_BYTES + 1):
        if size:
            node, position = hashes[(size - 1) * HASH_BYTES : size * HASH_BYTES], size - 1
            while position & 1:
                node = hashlib.sha256(b"\x01" + stack.pop() + node).digest()
                position >>= 1
            stack.append(node)
        if size in wanted:
            root = stack[-1] if stack else hashlib.sha256(b"").digest()
            for left in stack[-2::-1]:
                root = hashlib.sha256(b"\x01" + left + root).digest()
            found[size] = root
    return found


# ── The judgement ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Verdict:
    """`index` is the first bad entry, counted from 0; `problem` is one word for it, empty when whole."""

    problem: str
    sentence: str
    index: int | None = None
    entries: int = 0
    signed: int = 0
    checkpoints: int = 0
    remarks: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        return not self.problem


def judge(
    entries: Iterable[bytes],
    hashes: bytes,
    checkpoints: bytes,
    keys: Sequence[Key],
    *,
    first: int = 0,
    unsigned_allowed: bool = False,
    kept: Sequence[bytes] = (),
) -> Verdict:
    """Check entries (lines without line feeds, beginning with number `first`) against hashes and checkpoints.

    `kept` are notes that somebody kept elsewhere; they show a log that was put back to an older state.
    """
    remarks: list[str] = []
    raw = split_notes(checkpoints)
    if raw and not raw[-1].endswith(b"\n"):
        raw.pop()
        remarks.append("The last checkpoint was cut off while it was written; it is not used.")
    notes = []
    for number, data in enumerate([*raw, *kept]):
        try:
            notes.append(parse_note(data))
        except ValueError:
            return Verdict("checkpoint", f"Checkpoint {number} is not a signed checkpoint.")

    # 1. signatures
    fast = ed25519_verify is not slow_ed25519_verify or len(notes) <= SLOW_SIGNATURES_MAX
    if not fast:
        remarks.append("Only the last checkpoint's signature was checked; install `cryptography` to check all.")
    for number, note in enumerate(notes):
        if (fast or number >= len(raw) - 1) and not note.signed_by(keys):
            sentence = f"Checkpoint {number} (of {note.size} entries) is not signed by a known key of this log."
            return Verdict("checkpoint", sentence, max(note.size - 1, 0))

    # 2. order
    for number, (before, after) in enumerate(itertools.pairwise(notes[: len(raw)])):
        if after.size < before.size or (after.size == before.size and after.root != before.root):
            return Verdict(
                "checkpoint",
                f"Checkpoint {number + 1} contradicts the one before it.",
                max(after.size - 1, 0),
            )

    own = b"".join(leaf_hash(line) for line in entries)
    count = first + len(own) // HASH_BYTES
    notes.sort(key=lambda note: note.size)
    signed = notes[-1].size if notes else 0
    verdict = _compare(own, hashes[: len(hashes) // HASH_BYTES * HASH_BYTES], notes, first, unsigned_allowed)
    if not fast and not verdict.whole:
        for note in notes:
            if not note.signed_by(keys):
                return Verdict("checkpoint", f"The checkpoint of {note.size} entries is not signed by a known key.")
    if verdict.whole and count > signed:
        remarks.append(f"{count - signed} entries are newer than the last checkpoint.")
    return Verdict(verdict.problem, verdict.sentence, verdict.index, count, signed, len(notes), remarks)


def _compare(own: bytes, hashes: bytes, notes: list[Note], first: int, unsigned_allowed: bool) -> Verdict:
    start = first * HASH_BYTES
    if len(hashes) < start:
        return Verdict("hashes", "The leaf hashes before the first entry are missing.", len(hashes) // HASH_BYTES)
    whole_log = hashes[:start] + own
    reference = hashes + whole_log[len(hashes) :]
    sizes = [note.size for note in notes]
    signed = sizes[-1] if sizes else 0

    # 3. which leaf hashes the checkpoints speak for, and how far
    by_hashes = roots_at(reference, sizes)
    by_log = by_hashes if whole_log == reference else roots_at(whole_log, sizes)
    trusted_hashes, wrong = _agreed(notes, by_hashes)
    trusted_log, _ = _agreed(notes, by_log)
    differing = _first_difference(whole_log, reference)

    # 4. and 5. the entries against them
    if wrong is None:
        if differing is not None:
            return _diagnose(whole_log, reference, differing, signed)
    elif trusted_log == signed:
        return Verdict("hashes", f"The hash of entry {differing} was altered; the entries are whole.", differing)
    elif differing is not None and differing < trusted_hashes:
        return _diagnose(whole_log, reference, differing, signed)
    elif len(whole_log) < wrong * HASH_BYTES and (differing is None or differing >= len(whole_log) // HASH_BYTES):
        missing = len(whole_log) // HASH_BYTES
        either = f", or as many from {max(trusted_hashes, trusted_log)} on, if the hash file was shortened too"
        return Verdict("truncated", f"Entries {missing} to {signed - 1} are missing from the end{either}.", missing)
    else:
        low = max(trusted_hashes, trusted_log)
        named = differing if differing is not None and low <= differing < wrong else low
        return Verdict("edited", f"Entry {named} or one up to {wrong - 1} was altered together with its hash.", named)

    # 6. what no checkpoint counts yet
    count = len(whole_log) // HASH_BYTES
    if count > signed and not unsigned_allowed:
        return Verdict("unsigned", f"Entry {signed} is after the last checkpoint: nothing vouches for it.", signed)
    return Verdict("", f"{count - first} entries are whole.")


def _agreed(notes: list[Note], roots: dict[int, bytes]) -> tuple[int, int | None]:
    """The largest size up to which all checkpoints agree with `roots`, and the first size that does not."""
    agreed = 0
    for note in notes:
        if roots.get(note.size) != note.root:
            return agreed, note.size
        agreed = note.size
    return agreed, None


def _first_difference(left: bytes, right: bytes) -> int | None:
    if left == right:
        return None
    low, high = 0, max(len(left), len(right)) // HASH_BYTES
    while high - low > 1:
        middle = (low + high) // 2
        if left[: middle * HASH_BYTES] == right[: middle * HASH_BYTES]:
            low = middle
        else:
            high = middle
    return low


def _diagnose(log: bytes, reference: bytes, index: int, signed: int) -> Verdict:
    """What happened at `index`, the first place where the log is not what its hashes say."""
    found = [log[at : at + HASH_BYTES] for at in range(index * HASH_BYTES, len(log), HASH_BYTES)]
    right = [reference[at : at + HASH_BYTES] for at in range(index * HASH_BYTES, len(reference), HASH_BYTES)]
    if not found:
        end = index + len(right) - 1
        return Verdict("truncated", f"Entries {index} to {end} are missing from the end.", index)
    place_in_right = {value: position for position, value in enumerate(right)}
    place_in_found = {value: position for position, value in enumerate(found)}
    later, earlier = place_in_right.get(found[0]), place_in_found.get(right[0])
    vouched = "" if index < signed else " (after the last checkpoint, so only the hash file speaks for it)"
    if later is not None and earlier == later and later < len(found):
        return Verdict("swapped", f"Entries {index} and {index + later} were swapped{vouched}.", index)
    if later is not None and (earlier is None or later <= earlier):
        last = index + later - 1
        names = f"Entry {index} was" if later == 1 else f"Entries {index} to {last} were"
        return Verdict("deleted", f"{names} deleted{vouched}.", index)
    if earlier is not None:
        last = index + earlier - 1
        names = f"Entry {index} was" if earlier == 1 else f"Entries {index} to {last} were"
        return Verdict("inserted", f"{names} inserted{vouched}.", index)
    return Verdict("edited", f"Entry {index} was edited{vouched}.", index)


# ── Reading a bundle ───────────────────────────────────────────────────────────────────────────────


class Bundle:
    """The files of a directory, .zip or .tar by their base names. Nothing is unpacked to disk."""

    def __init__(self, path: Path) -> None:
        self._open: dict[str, Callable[[], IO[bytes] | None]] = {}
        self._directory = path if path.is_dir() else None
        if self._directory is not None:
            self._list(self._directory)
        elif zipfile.is_zipfile(path):
            archive = zipfile.ZipFile(path)
            for member in archive.infolist():
                if not member.is_dir():
                    self._open[Path(member.filename).name] = partial(archive.open, member)
        elif tarfile.is_tarfile(path):
            tar = tarfile.open(path)  # noqa: SIM115 - its members are read later, until the program ends
            for item in tar:
                if item.isfile():
                    self._open[Path(item.name).name] = partial(tar.extractfile, item)
        else:
            raise ValueError(f"{path} is neither a directory nor a .zip nor a .tar")

    def _list(self, directory: Path) -> None:
        for file in directory.iterdir():
            if file.is_file():
                self._open[file.name] = partial(_open_binary, file)

    def read(self, name: str) -> bytes:
        """The whole of a file, or nothing when there is none."""
        file = self._open[name]() if name in self._open else None
        if file is None:
            return b""
        with file:
            return file.read()

    def entries(self) -> Iterator[bytes]:
        """The lines of all log files in order. A log that is being written may have begun another file by now."""
        if self._directory is not None:
            self._list(self._directory)
        for name in sorted(name for name in self._open if name.startswith("entries-") and name.endswith(".log")):
            file = self._open[name]()
            if file is not None:
                with file:
                    yield from (line.removesuffix(b"\n") for line in file)


def _open_binary(path: Path) -> IO[bytes]:
    return path.open("rb")


def parse_keys(text: str) -> list[Key]:
    """One key a line; lines that begin with `#` are remarks. Raises `ValueError`."""
    lines = (line.strip() for line in text.splitlines())
    return [parse_key(line) for line in lines if line and not line.startswith("#")]


def judge_bundle(
    path: Path, keys: Sequence[Key] = (), kept: Sequence[bytes] = (), *, unsigned_allowed: bool = False
) -> tuple[Verdict, list[Key]]:
    """The verdict on a bundle, and the keys it was judged by (its own where none are given).

    Raises `ValueError` or `OSError` when it cannot be read as a bundle at all.
    """
    bundle = Bundle(path)
    manifest = json.loads(bundle.read("manifest.json") or b"{}")
    trusted = list(keys) or parse_keys(bundle.read("keys").decode())
    verdict = judge(
        bundle.entries(), bundle.read("hashes"), bundle.read("checkpoints"), trusted,
        first=int(manifest.get("first", 0)), unsigned_allowed=unsigned_allowed, kept=kept,
    )  # fmt: skip
    return verdict, trusted


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Check an exported audit log of Ostiary, offline.")
    parser.add_argument("bundle", type=Path, help="directory, .zip or .tar")
    parser.add_argument("--key", action="append", default=[], help="a verifier key you got from elsewhere")
    parser.add_argument("--checkpoint", action="append", default=[], type=Path, help="a checkpoint you kept elsewhere")
    options = parser.parse_args(arguments)
    try:
        given = [parse_key(text) for text in options.key]
        kept = [path.read_bytes() for path in options.checkpoint]
        verdict, keys = judge_bundle(options.bundle, given, kept)
    except (ValueError, OSError, zipfile.BadZipFile, tarfile.TarError) as error:
        print(f"Cannot be checked: {error}", file=sys.stderr)
        return 2
    for remark in verdict.remarks:
        print(f"note: {remark}")
    doubt = "" if given else " (from the bundle itself; compare it with the one you were told)"
    for key in keys:
        print(f"key{doubt}: {key.text}")
    if verdict.whole:
        print(f"WHOLE: {verdict.sentence} {verdict.checkpoints} signed checkpoints cover {verdict.signed}.")
        return 0
    place = "" if verdict.index is None else f" First bad entry: {verdict.index}."
    print(f"NOT WHOLE ({verdict.problem}): {verdict.sentence}{place}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
