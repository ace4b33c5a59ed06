"""Tokens in the store, beyond what every token book does."""

from pathlib import Path

from ostiary.adapters.stores.sqlite import Store
from ostiary.adapters.stores.tokens import _SELECT_LIVE


def test_a_revoked_token_is_looked_for_where_it_is_not(tmp_path: Path) -> None:
    """Its row is never read, so that the time of the answer does not tell that it once was a token."""
    store = Store(tmp_path / "ostiary.db")
    try:
        (step,) = store._database.rows(f"EXPLAIN QUERY PLAN {_SELECT_LIVE}", (b"x" * 32, "gateway"))
        assert "SEARCH tokens USING INDEX tokens_live (hash=? AND scope=?)" in step[3]
    finally:
        store.close()
