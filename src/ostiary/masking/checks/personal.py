"""Checks for personal data."""

from collections.abc import Callable, Mapping

PERSONAL_CHECKS: Mapping[str, Callable[[bytes, bytes], int]] = {}
