"""Every proof of every tree holds, and no proof holds for anything else."""

from hypothesis import given
from hypothesis import strategies as st

from ostiary.audit import standalone
from ostiary.audit.merkle import (
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)

sizes = st.integers(1, 200)
hashes_of = [leaf_hash(str(number).encode()) for number in range(200)]


@given(sizes, st.data())
def test_every_leaf_is_proven_included(size: int, data: st.DataObject) -> None:
    hashes, index = hashes_of[:size], data.draw(st.integers(0, size - 1))
    proof, root = inclusion_proof(hashes, index), root_of(hashes)
    assert verify_inclusion(hashes[index], index, size, proof, root)
    other = data.draw(st.integers(0, size - 1))
    assert verify_inclusion(hashes[other], index, size, proof, root) == (other == index)
    assert verify_inclusion(hashes[index], other, size, proof, root) == (other == index)


@given(sizes, st.data())
def test_every_tree_is_proven_to_continue_its_beginnings(size: int, data: st.DataObject) -> None:
    hashes, first = hashes_of[:size], data.draw(st.integers(1, size))
    proof, old, new = consistency_proof(hashes, first), root_of(hashes[:first]), root_of(hashes)
    assert verify_consistency(first, old, size, new, proof)
    other = data.draw(st.integers(1, size))
    assert verify_consistency(first, root_of(hashes[:other]), size, new, proof) == (other == first)


@given(st.lists(st.binary(max_size=4), max_size=80), st.data())
def test_the_verifier_and_the_writer_build_the_same_tree(entries: list[bytes], data: st.DataObject) -> None:
    hashes = [leaf_hash(entry) for entry in entries]
    assert hashes == [standalone.leaf_hash(entry) for entry in entries]
    size = data.draw(st.integers(0, len(hashes)))
    frontier = Frontier()
    frontier.extend(hashes[:size])
    assert standalone.roots_at(b"".join(hashes), [size]) == {size: frontier.root()}
    frontier.extend(hashes[size:])
    assert frontier.root() == root_of(hashes)
