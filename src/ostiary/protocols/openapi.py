"""Operations from an OpenAPI 3.x document, so that an `http` connection can speak in its API's own words."""

import re
from collections.abc import Mapping
from difflib import get_close_matches

from ostiary.model.errors import OperatorError
from ostiary.model.operation import Class, Operation
from ostiary.protocols.kinds import METHODS, classes_by_method
from ostiary.protocols.operation_table import is_path_template, refuse_overlaps

SOURCE = "OpenAPI document"
CLASSES_KEY = "x-ostiary-classes"

_VERSION = re.compile(r"3\.[0-9]+(\.[0-9]+)?")
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_STREAMS = {"text/event-stream": "sse", "application/x-ndjson": "ndjson", "text/csv": "csv"}


def _refuse(where: str, complaint: str, next_step: str = "") -> OperatorError:
    return OperatorError(f"{SOURCE}: {where}: {complaint}", next_step)


def _classes(item: Mapping[str, object], method: str, where: str) -> frozenset[Class]:
    words = item.get(CLASSES_KEY)
    if words is None:
        return classes_by_method(method)
    if not isinstance(words, list) or not words:
        raise _refuse(f"{where}.{CLASSES_KEY}", "must be a list of classes.")
    valid = [entry.value for entry in Class]
    for word in words:
        if word not in valid:
            close = get_close_matches(str(word), valid, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"Valid are: {', '.join(valid)}."
            raise _refuse(f"{where}.{CLASSES_KEY}", f"unknown class {word!r}.", hint)
    return frozenset(Class(word) for word in words)


def _name(item: Mapping[str, object], method: str, path: str) -> str:
    """The operationId, else method and path; without characters that a rule's glob would trip over."""
    declared = item.get("operationId")
    text = declared if isinstance(declared, str) and declared.strip() else f"{method.lower()}.{path}"
    return _NOT_IN_A_NAME.sub("-", text.replace("/", ".")).replace("..", ".").strip(".-") or method.lower()


def _summary(item: Mapping[str, object], method: str, path: str) -> str:
    for key in ("summary", "description"):
        text = item.get(key)
        if isinstance(text, str) and text.strip():
            return text.strip().splitlines()[0]
    return f"{method} {path}"


def _stream(item: Mapping[str, object]) -> str | None:
    """The text framing that a documented answer has, where it has one."""
    responses = item.get("responses")
    for response in responses.values() if isinstance(responses, Mapping) else ():
        content = response.get("content") if isinstance(response, Mapping) else None
        for media_type in content if isinstance(content, Mapping) else ():
            framing = _STREAMS.get(str(media_type).partition(";")[0].strip().lower())
            if framing is not None:
                return framing
    return None


def _template(path: object) -> str:
    where = f"paths.{path}"
    if not isinstance(path, str) or not path.startswith("/"):
        raise _refuse(where, "must start with '/'.")
    path = re.sub(r"\{[^{}/]*\}", lambda found: _parameter(found[0]), path)
    if not is_path_template(path):
        raise _refuse(where, "is not a path template.", "One parameter per segment, like /things/{id}.")
    return path


def _parameter(text: str) -> str:
    return "{p-" + re.sub(r"[^A-Za-z0-9_.-]", "-", text[1:-1]) + "}"


def operations_from_openapi(document: Mapping[str, object]) -> tuple[Operation, ...]:
    """One operation per documented path and method, in the document's order.

    Named by `operationId`, else by method and path; classed by `x-ostiary-classes` (on the operation, else on
    the path), else by method. A server's base path is not added: paths are relative to the connection's
    upstream. Raises `OperatorError` naming the key where the document is not OpenAPI 3.x or two rows compete.
    """
    version = document.get("openapi")
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise _refuse("openapi", "must be a 3.x version.", "Swagger 2.0 documents need converting first.")
    paths = document.get("paths")
    if not isinstance(paths, Mapping) or not paths:
        raise _refuse("paths", "missing or empty.")
    operations: list[Operation] = []
    for path, entry in paths.items():
        template = _template(path)
        if not isinstance(entry, Mapping):
            raise _refuse(f"paths.{path}", "must be a mapping.")
        if "$ref" in entry:
            raise _refuse(f"paths.{path}.$ref", "references to other documents are not followed.")
        shared = {key: value for key, value in entry.items() if key == CLASSES_KEY}
        for method in METHODS:
            item = entry.get(method.lower())
            if item is None:
                continue
            where = f"paths.{path}.{method.lower()}"
            if not isinstance(item, Mapping):
                raise _refuse(where, "must be a mapping.")
            operations.append(
                Operation(
                    name=_name(item, method, str(path)),
                    classes=_classes({**shared, **item}, method, where),
                    method=method,
                    path=template,
                    stream=_stream(item),
                    summary=_summary(item, method, str(path)),
                )
            )
    refuse_overlaps(operations, SOURCE)
    return tuple(operations)
