"""The tree against the vectors of RFC 6962's reference implementation."""

import pytest

from ostiary.audit import standalone
from ostiary.audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
HASHES = [leaf_hash(leaf) for leaf in LEAVES]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@pytest.mark.parametrize("size", range(9))
def test_root_of_the_reference_leaves(size: int) -> None:
    assert root_of(HASHES[:size]).hex() == ROOTS[size]
    assert standalone.roots_at(b"".join(HASHES), [size])[size].hex() == ROOTS[size]


def test_empty_root() -> None:
    assert Frontier().root() == EMPTY_ROOT


def test_reference_inclusion_proof() -> None:
    assert [node.hex() for node in inclusion_proof(HASHES, 0)] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]


def test_reference_consistency_proof() -> None:
    assert [node.hex() for node in consistency_proof(HASHES, 6)] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


def test_frontier_survives_its_json_form() -> None:
    frontier = Frontier()
    frontier.extend(HASHES[:5])
    again = Frontier.from_json(frontier.to_json())
    again.extend(HASHES[5:])
    assert again.root().hex() == ROOTS[8]
    assert frontier.root().hex() == ROOTS[5]


@pytest.mark.parametrize(
    "document",
    [None, {}, {"size": 1, "roots": []}, {"size": 1, "roots": ["AA=="]}, {"size": -1, "roots": []}],
)
def test_a_frontier_that_is_none_is_refused(document: object) -> None:
    with pytest.raises(ValueError):
        Frontier.from_json(document)


def test_a_proof_for_another_leaf_or_tree_does_not_hold() -> None:
    proof, root = inclusion_proof(HASHES, 3), root_of(HASHES)
    assert verify_inclusion(HASHES[3], 3, 8, proof, root)
    assert not verify_inclusion(HASHES[2], 3, 8, proof, root)
    assert not verify_inclusion(HASHES[3], 2, 8, proof, root)
    assert not verify_inclusion(HASHES[3], 3, 8, proof[:-1], root)
    assert not verify_inclusion(HASHES[3], 3, 8, [*proof, root], root)
    assert not verify_inclusion(HASHES[3], 8, 8, proof, root)
    grown = consistency_proof(HASHES, 3)
    assert verify_consistency(3, root_of(HASHES[:3]), 8, root, grown)
    assert not verify_consistency(3, root_of(HASHES[:2]), 8, root, grown)
    assert not verify_consistency(3, root_of(HASHES[:3]), 8, root, grown[1:])
    assert not verify_consistency(0, EMPTY_ROOT, 8, root, [])
