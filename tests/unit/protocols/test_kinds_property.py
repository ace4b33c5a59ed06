"""Matching against a slow and obvious matcher, and documents of any form."""

import re
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from ostiary.model.errors import OperatorError
from ostiary.model.operation import Class, Operation
from ostiary.protocols.kinds import OperationTable, parse_kind
from ostiary.protocols.openapi import operations_from_openapi
from ostiary.protocols.operation_table import refuse_overlaps

segments = st.sampled_from(["a", "b", "ab", "{x}", "{x}:go", "a{x}"])
templates = st.lists(segments, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
paths = st.lists(st.sampled_from(["a", "b", "ab", "c", "c:go", "ab:go", ""]), min_size=1, max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)


def pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"(\{x\})", template)
    return re.compile("".join("[^/]+" if part == "{x}" else re.escape(part) for part in parts))


@given(st.lists(templates, max_size=6, unique=True), paths)
def test_a_table_finds_a_row_exactly_when_one_fits(rows: list[str], path: str) -> None:
    operations = [Operation(row, frozenset({Class.READ}), "GET", row) for row in rows]
    try:
        refuse_overlaps(operations, "x")
    except OperatorError:
        return
    fitting = {row for row in rows if pattern(row).fullmatch(path)}
    found = OperationTable(operations).match("GET", path)
    assert (found.name if found else None) in (fitting or {None})
    if len(fitting) > 1:
        assert found is not None
        others = fitting - {found.name}
        assert all(pattern(other).fullmatch(found.name.replace("{x}", "zz")) for other in others)


def complaint(attempt: Callable[[], object], fine: str = "x.yaml: ") -> str:
    """The operator's error, or `fine` where there is none; anything else that is raised fails the test."""
    try:
        attempt()
    except OperatorError as error:
        return str(error)
    return fine


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["/a/{b}", "read", "GET"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
kind_keys = ["kind", "title", "upstream", "auth", "error_shape", "session_headers", "websocket", "operations"]
row_keys = ["name", "method", "path", "classes", "summary", "auth", "stream", "secret_fields", "answer_status"]


@given(
    st.dictionaries(st.sampled_from(kind_keys), anything),
    st.lists(st.dictionaries(st.sampled_from(row_keys), anything), max_size=2) | anything,
)
def test_a_kind_document_of_any_form_is_a_kind_or_an_operators_error(
    document: dict[str, object], operations: object
) -> None:
    good = {"kind": "x", "title": "X", "error_shape": "problem"}
    for value in (document, {**good, "operations": operations}):
        assert complaint(lambda value=value: parse_kind(value, "x.yaml")).startswith("x.yaml: ")


@given(
    st.dictionaries(
        st.sampled_from(["/a", "/a/{b}", "/{c}", "x"]) | st.text(max_size=5),
        st.dictionaries(st.sampled_from(["get", "post", "x-ostiary-classes", "$ref"]), anything) | anything,
    )
)
def test_an_openapi_document_of_any_form_is_operations_or_an_operators_error(paths: object) -> None:
    said = complaint(lambda: operations_from_openapi({"openapi": "3.0.3", "paths": paths}), "OpenAPI document: ")
    assert said.startswith("OpenAPI document: ")
