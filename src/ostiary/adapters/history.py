"""Sessions, exchanges, recordings and entries as the use-cases ask for them, from the index and the log."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ostiary.adapters.chronicle import Chronicle, ExchangeIndex
from ostiary.audit.checkpoint import parse_note
from ostiary.model.errors import NotFoundError
from ostiary.model.session import Session
from ostiary.ports import Frame

_LISTED_EXCHANGES = 500


class RecordedHistory:
    """What is asked of the past. Everything that is not a coroutine may block on the disk."""

    def __init__(self, index: ExchangeIndex, chronicle: Chronicle) -> None:
        self._index = index
        self._chronicle = chronicle

    def sessions(self, limit: int, actor: str | None, connection: str | None) -> Sequence[Session]:
        rows, _following = self._index.sessions(limit=limit, actor=actor, connection=connection)
        return [_session(row) for row in rows]

    def session(self, session_id: str) -> Session | None:
        try:
            return _session(self._index.session(session_id))
        except NotFoundError:
            return None

    def exchanges(self, session_id: str) -> Sequence[Mapping[str, Any]]:
        """The newest 500 of the session, the oldest first, each with what its outcome says."""
        rows = self._index.session(session_id)["exchanges"]
        return [self._merged(row) for row in rows[-_LISTED_EXCHANGES:]]

    def exchange(self, exchange_id: str) -> Mapping[str, Any] | None:
        try:
            row = self._index.exchange(exchange_id)
        except NotFoundError:
            return None
        return _merge(row, row["intent"] or row["refused"] or {}, row["outcome"])

    def frames(self, exchange_id: str) -> Sequence[Frame] | None:
        try:
            return self._index.read_recording(exchange_id)
        except NotFoundError:
            return None

    def _merged(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        begun = row["intent"] if row["intent"] is not None else row["refused"]
        outcome = None if row["outcome"] is None else self._index.entry(row["outcome"])
        return _merge(row, self._index.entry(begun), outcome)

    # -- the log

    def entries(self, after: int, limit: int) -> Sequence[tuple[int, Mapping[str, Any]]]:
        return [(row["index"], row["entry"]) for row in self._index.entries(after=after + 1, limit=limit)]

    def checkpoint(self) -> Mapping[str, Any]:
        note = self._chronicle.last_checkpoint
        signed = parse_note(note) if note else None
        return {
            "size": self._chronicle.size,
            "signed": signed.size if signed is not None else 0,
            "root": signed.root.hex() if signed is not None else "",
            "note": note.decode("utf-8"),
        }

    def verify(self) -> Mapping[str, Any]:
        from ostiary.audit.verification import verify_directory  # its archive readers are seldom needed: 2 MB

        verdict = verify_directory(self._chronicle.places.audit, unsigned_allowed=True)
        return {
            "whole": verdict.whole,
            "sentence": verdict.sentence,
            "index": verdict.index,
            "entries": verdict.entries,
            "signed": verdict.signed,
            "checkpoints": verdict.checkpoints,
        }

    async def wait_beyond(self, after: int, timeout_s: float) -> None:
        await self._index.wait_for_more(after + 1, timeout_s)


def _session(row: Mapping[str, Any]) -> Session:
    return Session(
        id=row["id"],
        actor=row["actor"],
        agent=row["agent"],
        connection=row["connection"],
        tool_session=row["tool_session"],
        started_at=datetime.fromisoformat(row["started_at"]).timestamp(),
        last_at=datetime.fromisoformat(row["last_at"]).timestamp(),
        exchanges=row.get("count", row["exchanges"]),
    )


def _merge(row: Mapping[str, Any], begun: Mapping[str, Any], outcome: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The entry that began the exchange, what its outcome adds, and the state it is in."""
    ended = {key: value for key, value in (outcome or {}).items() if key not in ("v", "type", "time")}
    return {**begun, **ended, "ended_at": (outcome or {}).get("time"), "state": row["state"]}
