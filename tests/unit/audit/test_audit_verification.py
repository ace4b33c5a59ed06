"""Every kind of tampering is found, and the first bad entry is named."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ostiary.audit import standalone
from ostiary.audit.bundle import VERIFIER_NAME, bundle_files, write_bundle
from ostiary.audit.checkpoint import Checkpoint, SigningKey, sign_checkpoint
from ostiary.audit.entries import encode_entry
from ostiary.audit.merkle import leaf_hash, root_of
from ostiary.audit.standalone import SLOW_SIGNATURES_MAX, Verdict
from ostiary.audit.verification import require_whole, verify_directory, verify_log
from ostiary.model.errors import CallerError, IntegrityError, OperatorError

KEY, NEXT = SigningKey("ostiary/test", bytes(32)), SigningKey("ostiary/test", bytes(31) + b"\x09")
LINES = [encode_entry({"v": 1, "type": "exchange.intent", "id": number}) for number in range(20)]
HASHES = [leaf_hash(line) for line in LINES]


def note(size: int, *keys: SigningKey) -> bytes:
    return sign_checkpoint(Checkpoint("ostiary/test", size, root_of(HASHES[:size])), *(keys or (KEY,)))


NOTES = b"".join(note(size) for size in (3, 8, 20))


def judge(lines: list[bytes], hashes: list[bytes] | None = None, notes: bytes = NOTES, **options: object) -> Verdict:
    known = b"".join(HASHES if hashes is None else hashes)
    return verify_log(lines, known, notes, [KEY.key, NEXT.key], **options)  # type: ignore[arg-type]


def test_an_untouched_log_is_whole() -> None:
    verdict = judge(LINES)
    assert (verdict.whole, verdict.entries, verdict.signed, verdict.checkpoints) == (True, 20, 20, 3)
    assert require_whole(verdict) is verdict


def edited(lines: list[bytes], at: int) -> list[bytes]:
    return [*lines[:at], lines[at].replace(b'"v":1', b'"v":2'), *lines[at + 1 :]]


def swapped(lines: list[bytes], at: int, other: int) -> list[bytes]:
    lines = list(lines)
    lines[at], lines[other] = lines[other], lines[at]
    return lines


@pytest.mark.parametrize("at", [0, 2, 3, 7, 8, 13, 19])
@pytest.mark.parametrize("hash_file", ["kept", "missing"])
@pytest.mark.parametrize(
    ("problem", "tamper"),
    [
        ("edited", lambda at: edited(LINES, at)),
        ("deleted", lambda at: LINES[:at] + LINES[at + 1 :]),
        ("inserted", lambda at: [*LINES[:at], b'{"forged":1}', *LINES[at:]]),
        ("inserted", lambda at: [*LINES[:at], *LINES[:at][:2], b"{}", *LINES[at:]]),
        ("truncated", lambda at: LINES[:at]),
        ("swapped", lambda at: swapped(LINES, at, at + 1) if at < 19 else swapped(LINES, 18, 19)),
        ("swapped", lambda at: swapped(LINES, at, 19) if at < 19 else swapped(LINES, 2, 19)),
    ],
)
def test_tampering_names_the_entry(problem: str, tamper: Callable[[int], list[bytes]], hash_file: str, at: int) -> None:
    lines = tamper(at)
    first_bad = next(
        (number for number, (old, new) in enumerate(zip(LINES, lines, strict=False)) if old != new),
        min(len(lines), 20),
    )
    if hash_file == "kept":
        verdict = judge(lines)
        expected = "truncated" if problem == "deleted" and at == 19 else problem
        assert (verdict.problem, verdict.index) == (expected, first_bad), verdict
    else:  # only the checkpoints are left: they narrow it down to the entries between two of them
        verdict = judge(lines, [])
        interval_start = max(size for size in (0, 3, 8) if size <= first_bad)
        assert not verdict.whole
        assert verdict.index is not None
        assert interval_start <= verdict.index <= max(first_bad, interval_start) or problem in (
            "truncated",
            "deleted",
        )
    with pytest.raises(IntegrityError) as raised:
        require_whole(verdict)
    assert raised.value.index == verdict.index


def test_an_entry_edited_together_with_its_hash_is_found_by_the_checkpoint() -> None:
    lines = edited(LINES, 5)
    hashes = [leaf_hash(line) for line in lines]
    verdict = judge(lines, hashes)
    assert (verdict.problem, verdict.index) == ("edited", 3)
    assert "one up to 7" in verdict.sentence


def test_an_earlier_edit_is_named_even_when_a_later_hash_was_altered_too() -> None:
    hashes = [*HASHES[:12], bytes(32), *HASHES[13:]]
    assert judge(edited(LINES, 5), hashes).index == 5
    assert judge(edited(LINES, 12), hashes).index == 12


def test_an_altered_hash_file_does_not_blame_the_entries() -> None:
    verdict = judge(LINES, [*HASHES[:4], bytes(32), *HASHES[5:]])
    assert (verdict.problem, verdict.index) == ("hashes", 4)
    assert "entries are whole" in verdict.sentence


def test_a_shortened_hash_file_is_made_up_from_the_entries() -> None:
    assert judge(LINES, HASHES[:10]).whole


def test_several_deleted_or_inserted_entries_are_counted() -> None:
    assert judge(LINES[:4] + LINES[7:]).sentence.startswith("Entries 4 to 6 were deleted")
    assert judge([*LINES[:4], b"{}", b"[]", *LINES[4:]]).sentence.startswith("Entries 4 to 5 were inserted")
    assert judge(LINES[:4]).sentence.startswith("Entries 4 to 19 are missing")


def test_entries_after_the_last_checkpoint_pass_only_where_the_log_still_grows() -> None:
    notes = note(3) + note(8)
    running = judge(LINES, notes=notes, unsigned_allowed=True)
    assert (running.whole, running.signed, running.entries) == (True, 8, 20)
    assert judge(LINES, notes=notes).problem == "unsigned"
    assert judge(LINES, notes=notes).index == 8
    assert judge(edited(LINES, 15), notes=notes, unsigned_allowed=True).index == 15


def test_an_entry_appended_to_a_signed_log_is_named() -> None:
    verdict = judge([*LINES, b'{"forged":1}'])
    assert (verdict.problem, verdict.index) == ("unsigned", 20)


@pytest.mark.parametrize(
    ("notes", "what"),
    [
        (note(3) + note(8).replace(b"\n8\n", b"\n9\n") + note(20), "not signed"),
        (note(3) + note(20) + note(8), "contradicts"),
        (note(3) + sign_checkpoint(Checkpoint("ostiary/test", 3, bytes(32)), KEY), "contradicts"),
        (note(20, SigningKey("ostiary/test", bytes(31) + b"\x33")), "not signed"),
        (b"garbage\n", "not a signed checkpoint"),
    ],
)
def test_false_checkpoints_are_found(notes: bytes, what: str) -> None:
    verdict = judge(LINES, notes=notes)
    assert verdict.problem == "checkpoint"
    assert what in verdict.sentence


def test_a_checkpoint_cut_off_while_it_was_written_is_passed_over() -> None:
    verdict = judge(LINES, notes=NOTES + note(20)[:-30])
    assert (verdict.whole, verdict.checkpoints) == (True, 3)


def test_old_checkpoints_verify_after_the_key_was_changed() -> None:
    assert judge(LINES, notes=note(3) + note(8, KEY, NEXT) + note(20, NEXT)).whole


def test_a_log_put_back_to_an_older_state_is_shown_by_a_kept_checkpoint() -> None:
    old = judge(LINES[:8], HASHES[:8], note(3) + note(8))
    assert old.whole
    verdict = judge(LINES[:8], HASHES[:8], note(3) + note(8), kept=[note(20)])
    assert (verdict.problem, verdict.index) == ("truncated", 8)


def test_a_partial_export_is_checked_from_its_first_entry() -> None:
    assert judge(LINES[5:], first=5).whole
    assert judge(LINES[5:], first=5).sentence == "15 entries are whole."
    assert judge(LINES[6:], first=5).index == 5
    assert judge(LINES[5:], HASHES[:4], first=5).problem == "hashes"


@pytest.mark.parametrize("ending", ["", ".zip", ".tar", ".tar.gz"])
def test_a_bundle_is_checked_by_the_verifier_inside_it(tmp_path: Path, ending: str) -> None:
    target = tmp_path / f"bundle{ending}"
    files = list(bundle_files(LINES[4:], b"".join(HASHES), NOTES, [KEY.key], first=4, made_at="2026-01-01T00:00:00Z"))
    write_bundle(target, files)
    assert verify_directory(target).whole
    verifier = tmp_path / VERIFIER_NAME
    verifier.write_bytes(dict(files)[VERIFIER_NAME])
    # -S -I: no site packages, so only the standard library is there
    run = [sys.executable, "-S", "-I", str(verifier), str(target)]
    good = subprocess.run(run, capture_output=True, text=True, check=False)
    assert (good.returncode, good.stdout.count("WHOLE: 16 entries"), good.stderr) == (0, 1, "")
    foreign = subprocess.run([*run, "--key", NEXT.key.text], capture_output=True, text=True, check=False)
    assert foreign.returncode == 1


def test_a_tampered_bundle_fails_outside_too(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    write_bundle(target, bundle_files(LINES, b"".join(HASHES), NOTES, [KEY.key], first=0, made_at=""))
    log = target / "entries-000001.log"
    log.write_bytes(log.read_bytes().replace(b'"id":11,', b'"id":99,'))
    run = [sys.executable, "-S", "-I", str(target / VERIFIER_NAME), str(target)]
    result = subprocess.run(run, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "First bad entry: 11." in result.stdout
    assert subprocess.run([*run[:-1], str(tmp_path / "none")], capture_output=True, check=False).returncode == 2


def test_many_checkpoints_without_a_fast_library_check_the_last_and_the_deciding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(standalone, "ed25519_verify", standalone.slow_ed25519_verify)
    notes = note(3) * SLOW_SIGNATURES_MAX + note(20)
    verdict = judge(LINES, notes=notes)
    assert verdict.whole
    assert any("Only the last" in remark for remark in verdict.remarks)


def test_a_bundle_needs_something_signed_and_a_free_name(tmp_path: Path) -> None:
    with pytest.raises(CallerError):
        list(bundle_files(LINES, b"", NOTES, [KEY.key], first=20, made_at=""))
    (tmp_path / "taken").mkdir()
    with pytest.raises(OperatorError):
        write_bundle(tmp_path / "taken", [])
    with pytest.raises(OperatorError):
        write_bundle(tmp_path / "no" / "such" / "place.zip", [("a", b"b")])
    with pytest.raises(OperatorError):
        verify_directory(tmp_path / "nothing")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
