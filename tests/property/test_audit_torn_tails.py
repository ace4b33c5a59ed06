"""A log cut at any byte after its last checkpoint is taken up; cut anywhere before, it is refused."""

import json
from pathlib import Path

import pytest

from ostiary.adapters.chronicle.files import Places
from ostiary.adapters.chronicle.opening import open_log
from ostiary.audit.checkpoint import Checkpoint, SigningKey, sign_checkpoint
from ostiary.audit.entries import encode_entry
from ostiary.audit.merkle import Frontier, leaf_hash, root_of
from ostiary.model.errors import IntegrityError

KEY = SigningKey("ostiary/test", bytes(32))
LINES = [encode_entry({"n": number}) for number in range(9)]
LOG = b"".join(line + b"\n" for line in LINES)
SIGNED = 5
SIGNED_BYTES = sum(len(line) + 1 for line in LINES[:SIGNED])


def lay_out(home: Path, log: bytes, *, with_frontier: bool, hashes: int = SIGNED) -> Places:
    places = Places(home)
    places.audit.mkdir()
    leaves = [leaf_hash(line) for line in LINES]
    frontier = Frontier()
    frontier.extend(leaves[:SIGNED])
    places.log(1).write_bytes(log)
    places.hashes.write_bytes(b"".join(leaves[:hashes]))
    places.keys.write_text(KEY.key.text)
    places.checkpoints.write_bytes(sign_checkpoint(Checkpoint("ostiary/test", SIGNED, frontier.root()), KEY))
    if with_frontier:
        kept = {"frontier": frontier.to_json(), "file": 1, "offset": SIGNED_BYTES}
        places.frontier.write_text(json.dumps(kept))
    return places


@pytest.mark.parametrize("with_frontier", [True, False])
@pytest.mark.parametrize("cut", range(len(LOG) + 1))
def test_a_log_cut_at_every_byte(tmp_path: Path, cut: int, with_frontier: bool) -> None:
    places = lay_out(tmp_path, LOG[:cut], with_frontier=with_frontier)
    if cut < SIGNED_BYTES:
        with pytest.raises(IntegrityError):
            open_log(places)
        assert places.log(1).read_bytes() == LOG[:cut]
        return
    opened = open_log(places)
    opened.file.close()
    whole = LOG[:cut].count(b"\n")
    assert (opened.frontier.size, opened.unsigned) == (whole, whole - SIGNED)
    assert opened.frontier.root() == root_of(leaf_hash(line) for line in LINES[:whole])
    assert opened.new_hashes == b"".join(leaf_hash(line) for line in LINES[SIGNED:whole])
    assert places.log(1).read_bytes() == LOG[: LOG[:cut].rfind(b"\n") + 1]
    assert opened.cut_bytes == cut - places.log(1).stat().st_size


@pytest.mark.parametrize("with_frontier", [True, False])
def test_entries_whose_hashes_were_written_cannot_vanish(tmp_path: Path, with_frontier: bool) -> None:
    places = lay_out(tmp_path, LOG[: -len(LINES[-1]) - 1], with_frontier=with_frontier, hashes=9)
    with pytest.raises(IntegrityError) as raised:
        open_log(places)
    assert raised.value.index == 8
