"""Globs know one wildcard and take linear time."""

import fnmatch

from hypothesis import given
from hypothesis import strategies as st

from ostiary.policy.patterns import glob_matches


@given(st.text("ab.*", max_size=8), st.text("ab.", max_size=12))
def test_globs_agree_with_fnmatch(pattern: str, name: str) -> None:
    assert glob_matches(pattern, name) == fnmatch.fnmatchcase(name, pattern)


def test_a_hostile_glob_takes_no_time() -> None:
    assert not glob_matches("*a" * 2000 + "b", "a" * 20_000)
