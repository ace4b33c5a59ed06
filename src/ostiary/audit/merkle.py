"""The Merkle tree of RFC 9162, section 2.1: SHA-256, leaves prefixed 0x00, nodes 0x01."""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from typing import Self

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

_sha256 = hashlib.sha256


def leaf_hash(entry: bytes) -> bytes:
    return _sha256(b"\x00" + entry).digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    return [_sha256(b"\x00" + entry).digest() for entry in entries]


def node_hash(left: bytes, right: bytes) -> bytes:
    return _sha256(b"\x01" + left + right).digest()


class Frontier:
    """What is needed of a tree to append to it: the roots of its perfect subtrees, largest first.

    Appending costs one hash on average; the root costs at most log2(size).
    """

    __slots__ = ("_roots", "_size")

    def __init__(self, size: int = 0, roots: Iterable[bytes] = ()) -> None:
        self._size = size
        self._roots = list(roots)
        if size < 0 or len(self._roots) != size.bit_count() or any(len(root) != HASH_BYTES for root in self._roots):
            raise ValueError("a frontier has one root for every bit that is set in its size")

    @property
    def size(self) -> int:
        return self._size

    def append(self, leaf: bytes) -> None:
        """Add a leaf hash."""
        roots, remaining = self._roots, self._size
        while remaining & 1:
            leaf = _sha256(b"\x01" + roots.pop() + leaf).digest()
            remaining >>= 1
        roots.append(leaf)
        self._size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaf hashes; level by level, which is faster than one by one."""
        roots, remaining, kept = self._roots, self._size, []
        nodes = list(leaves)
        self._size += len(nodes)
        while nodes:
            if remaining & 1:
                nodes.insert(0, roots.pop())
            if len(nodes) & 1:
                kept.append(nodes.pop())
            pairs = iter(nodes)
            nodes = [_sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
            remaining >>= 1
        roots.extend(reversed(kept))

    def root(self) -> bytes:
        if not self._roots:
            return EMPTY_ROOT
        root = self._roots[-1]
        for left in self._roots[-2::-1]:
            root = node_hash(left, root)
        return root

    def copy(self) -> "Frontier":
        return Frontier(self._size, self._roots)

    def to_json(self) -> dict[str, object]:
        return {"size": self._size, "roots": [base64.b64encode(root).decode() for root in self._roots]}

    @classmethod
    def from_json(cls, document: object) -> Self:
        """Raises `ValueError` for anything `to_json` did not make."""
        match document:
            case {"size": int(size), "roots": list(roots)}:
                return cls(size, [base64.b64decode(str(root), validate=True) for root in roots])
            case _:
                raise ValueError("not a frontier")


def root_of(hashes: Iterable[bytes]) -> bytes:
    """The root over leaf hashes."""
    frontier = Frontier()
    frontier.extend(hashes)
    return frontier.root()


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_proof(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """The sibling hashes from leaf `index` up to the root over `hashes` (section 2.1.3.1)."""
    if not 0 <= index < len(hashes):
        raise ValueError("no such leaf")
    if len(hashes) == 1:
        return []
    middle = _split(len(hashes))
    if index < middle:
        return [*inclusion_proof(hashes[:middle], index), root_of(hashes[middle:])]
    return [*inclusion_proof(hashes[middle:], index - middle), root_of(hashes[:middle])]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `leaf` is number `index` of the `size` leaves under `root` (section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    position, last, computed = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            computed = node_hash(sibling, computed)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and computed == root


def consistency_proof(hashes: Sequence[bytes], first_size: int) -> list[bytes]:
    """Proof that the tree over `hashes` grew from its first `first_size` leaves (section 2.1.4.1)."""
    if not 0 < first_size <= len(hashes):
        raise ValueError("the first size must be between 1 and the tree's size")
    return _subproof(hashes, first_size, complete=True)


def _subproof(hashes: Sequence[bytes], first_size: int, *, complete: bool) -> list[bytes]:
    if first_size == len(hashes):
        return [] if complete else [root_of(hashes)]
    middle = _split(len(hashes))
    if first_size <= middle:
        return [*_subproof(hashes[:middle], first_size, complete=complete), root_of(hashes[middle:])]
    return [*_subproof(hashes[middle:], first_size - middle, complete=False), root_of(hashes[:middle])]


def verify_consistency(
    first_size: int, first_root: bytes, second_size: int, second_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether the tree under `second_root` begins with the one under `first_root` (section 2.1.4.2)."""
    if not 0 < first_size <= second_size:
        return False
    if first_size == second_size:
        return not proof and first_root == second_root
    path = list(proof)
    if first_size & (first_size - 1) == 0:
        path.insert(0, first_root)
    if not path:
        return False
    position, last = first_size - 1, second_size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    first = second = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            second = node_hash(second, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and first == first_root and second == second_root
