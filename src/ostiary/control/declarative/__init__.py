"""The declarative file: read strictly, compared, merged, written back."""

from ostiary.control.declarative.errors import DeclarativeError
from ostiary.control.declarative.parse import parse
from ostiary.control.declarative.plan import Change, merge, plan
from ostiary.control.declarative.render import render

__all__ = ["Change", "DeclarativeError", "merge", "parse", "plan", "render"]
