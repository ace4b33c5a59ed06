"""The formats that come with Ostiary: rows of data files, found by being in `detectors/`.

A file says which detector it belongs to, the `parts` that the patterns of all files of this detector share (written
`{{part}}` in a pattern), the `defaults` of its rows, and the rows. Adding a format is adding a row.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

from ostiary.model.errors import OperatorError

WORD = "[A-Za-z0-9_]"
"""What must not stand right before and after a match unless the row says otherwise."""

_FILE_KEYS = frozenset({"detector", "parts", "defaults", "formats"})
_TEXT_KEYS = ("name", "title", "vendor", "pattern", "left", "right", "tail", "until")
_LIST_KEYS = ("checks", "context")
_ROW_KEYS = frozenset({*_TEXT_KEYS, *_LIST_KEYS, "ignore_case"})
_REQUIRED_KEYS = ("name", "title", "pattern")
_PART = re.compile(r"\{\{([a-z0-9_]{1,32})\}\}")
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_PARTS_DEEP = 4


@dataclass(frozen=True, slots=True)
class Format:
    """One shape of something to find; `pattern` is a regular expression whose named group, if any, is what is masked.

    `left` and `right` are classes that must not stand beside the match ("" forbids nothing), `tail` a class by which
    it goes on, `until` what ends such a tail. `checks` name functions of `masking.checks`; one of the `context` words
    (lower case) must stand shortly before, if there are any.
    """

    detector: str
    name: str
    title: str
    vendor: str
    pattern: str
    left: str
    right: str
    tail: str
    until: str
    ignore_case: bool
    checks: tuple[str, ...]
    context: tuple[str, ...]


@cache
def load_formats() -> tuple[Format, ...]:
    """Every format, by file and then by row. Raises `OperatorError` when a file is wrong."""
    folder = files("ostiary.masking").joinpath("detectors")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    return read_formats({name: folder.joinpath(name).read_text("utf-8") for name in names})


@cache
def load_detectors() -> Mapping[str, tuple[Format, ...]]:
    """The formats of each detector, by the name that masking rules use."""
    detectors: dict[str, tuple[Format, ...]] = {}
    for form in load_formats():
        detectors[form.detector] = (*detectors.get(form.detector, ()), form)
    return detectors


def read_formats(texts: Mapping[str, str]) -> tuple[Format, ...]:
    """The formats of files, by their names. Raises `OperatorError` naming the file and the fault."""
    documents = {source: _mapping(yaml.safe_load(text), source) for source, text in texts.items()}
    parts: dict[str, dict[str, str]] = {}
    for source, document in documents.items():
        _refuse_unknown(document, _FILE_KEYS, source)
        shared = parts.setdefault(_text(document, "detector", source), {})
        for name, part in _optional(document, "parts", source):
            if name in shared:
                raise OperatorError(f"{source}: parts.{name}: stands twice.")
            shared[name] = _string(part, f"{source}: parts.{name}")
    formats = [form for source, document in documents.items() for form in _formats(document, parts, source)]
    names = [form.name for form in formats]
    for name in names:
        if names.count(name) > 1:
            raise OperatorError(f"detectors: the format {name!r} stands twice.")
    return tuple(formats)


def _formats(document: Mapping[str, object], parts: Mapping[str, Mapping[str, str]], source: str) -> list[Format]:
    detector = _text(document, "detector", source)
    defaults = dict(_optional(document, "defaults", source))
    rows = document.get("formats")
    if not isinstance(rows, list):
        raise OperatorError(f"{source}: formats: must be a list.")
    return [
        _format({**defaults, **_mapping(row, f"{source}: formats[{index}]")}, detector, parts[detector], source, index)
        for index, row in enumerate(rows)
    ]


def _format(row: Mapping[str, object], detector: str, parts: Mapping[str, str], source: str, index: int) -> Format:
    place = f"{source}: {row.get('name') or f'formats[{index}]'}"
    _refuse_unknown(row, _ROW_KEYS, place)
    for key in _REQUIRED_KEYS:
        _text(row, key, place)
    name = _text(row, "name", place)
    if not _NAME.fullmatch(name):
        raise OperatorError(f"{place}: name: must be lower-case words joined by hyphens.")
    ignore_case = row.get("ignore_case", False)
    if not isinstance(ignore_case, bool):
        raise OperatorError(f"{place}: ignore_case: must be true or false.")
    texts = {key: _string(row.get(key, ""), f"{place}: {key}") for key in ("vendor", "tail", "until")}
    sides = {key: _string(row.get(key, WORD), f"{place}: {key}") for key in ("left", "right")}
    lists = {key: _strings(row.get(key, []), f"{place}: {key}") for key in _LIST_KEYS}
    return Format(
        detector=detector,
        name=name,
        title=_text(row, "title", place),
        vendor=texts["vendor"],
        pattern=_filled(_text(row, "pattern", place), parts, place),
        left=_filled(sides["left"], parts, place),
        right=_filled(sides["right"], parts, place),
        tail=_filled(texts["tail"], parts, place),
        until=_filled(texts["until"], parts, place),
        ignore_case=ignore_case,
        checks=lists["checks"],
        context=tuple(word.lower() for word in lists["context"]),
    )


def _filled(pattern: str, parts: Mapping[str, str], place: str) -> str:
    """The pattern with its parts put in; parts may use parts."""
    for _ in range(_PARTS_DEEP):
        names = _PART.findall(pattern)
        if not names:
            return pattern
        missing = [name for name in names if name not in parts]
        if missing:
            raise OperatorError(f"{place}: there is no part named {missing[0]!r}.")
        pattern = _PART.sub(lambda found: parts[found.group(1)], pattern)
    if not _PART.search(pattern):
        return pattern
    raise OperatorError(f"{place}: its parts use each other more than {_PARTS_DEEP} deep.")


def _refuse_unknown(found: Mapping[str, object], known: frozenset[str], place: str) -> None:
    unknown = sorted(set(found) - known)
    if unknown:
        raise OperatorError(f"{place}: unknown key {unknown[0]!r}.")


def _mapping(value: object, place: str) -> dict[str, object]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise OperatorError(f"{place}: must be a mapping.")
    return value


def _optional(document: Mapping[str, object], key: str, source: str) -> list[tuple[str, object]]:
    return list(_mapping(document.get(key, {}), f"{source}: {key}").items())


def _text(row: Mapping[str, object], key: str, place: str) -> str:
    value = _string(row.get(key, ""), f"{place}: {key}")
    if not value:
        raise OperatorError(f"{place}: {key}: is missing.")
    return value


def _string(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise OperatorError(f"{place}: must be a text.")
    return value


def _strings(value: object, place: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise OperatorError(f"{place}: must be a list.")
    return tuple(_string(item, place) for item in value)
