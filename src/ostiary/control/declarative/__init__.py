"""The declarative file: read strictly, compared, merged, written back."""

from ostiary.control.declarative.errors import DeclarativeError
from ostiary.control.declarative.notes import notes
from ostiary.control.declarative.parse import parse, parse_masking
from ostiary.control.declarative.plan import Change, merge, plan
from ostiary.control.declarative.render import render

__all__ = ["Change", "DeclarativeError", "merge", "notes", "parse", "parse_masking", "plan", "render"]
