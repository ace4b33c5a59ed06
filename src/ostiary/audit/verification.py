"""Whether the log is what its checkpoints say. The steps are the stand-alone verifier's own."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from ostiary.audit.standalone import Key, Verdict, judge, judge_bundle, parse_keys
from ostiary.model.errors import IntegrityError, OperatorError

__all__ = ["Key", "Verdict", "parse_keys", "require_whole", "verify_directory", "verify_log"]


def verify_log(
    entries: Iterable[bytes],
    hashes: bytes,
    checkpoints: bytes,
    keys: Sequence[Key],
    *,
    first: int = 0,
    unsigned_allowed: bool = False,
    kept: Sequence[bytes] = (),
) -> Verdict:
    """The verdict on entry lines (without line feeds), concatenated leaf hashes and concatenated notes.

    `keys` are all that ever signed, old ones too. `first` numbers the first line of a partial export, whose
    hashes still begin at 0. A running log may have entries that no checkpoint counts yet: `unsigned_allowed`.
    """
    return judge(entries, hashes, checkpoints, keys, first=first, unsigned_allowed=unsigned_allowed, kept=kept)


def verify_directory(
    path: Path, *, keys: Sequence[Key] = (), kept: Sequence[bytes] = (), unsigned_allowed: bool = False
) -> Verdict:
    """The verdict on a bundle, or on HOME/audit itself (with `unsigned_allowed` while the server runs).

    Raises `OperatorError` when `path` cannot be read as one.
    """
    try:
        verdict, _ = judge_bundle(path, keys, kept, unsigned_allowed=unsigned_allowed)
    except (OSError, ValueError) as error:
        raise OperatorError(
            f"{path} cannot be read as an audit log ({type(error).__name__}).",
            "Give the directory, .zip or .tar that `ostiary audit export` made.",
        ) from error
    return verdict


def require_whole(verdict: Verdict) -> Verdict:
    """`verdict`, or an `IntegrityError` with the first bad index."""
    if not verdict.whole:
        raise IntegrityError(
            verdict.sentence,
            "Keep the log as it is for an investigation; compare it with an exported bundle or a backup.",
            verdict.index,
        )
    return verdict
