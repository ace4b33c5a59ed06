"""The audit log and the recordings of an embedded installation, written by threads of their own."""

from ostiary.adapters.chronicle.chronicle import Chronicle
from ostiary.adapters.chronicle.index import ExchangeIndex

__all__ = ["Chronicle", "ExchangeIndex"]
