"""Which row a request is."""

import pytest

from ostiary.model.operation import Class, Operation
from ostiary.protocols.kinds import OperationTable, by_method_operations


def row(name: str, path: str, method: str = "GET") -> Operation:
    return Operation(name=name, classes=frozenset({Class.READ}), method=method, path=path)


TABLE = OperationTable(
    [
        row("root", "/", "HEAD"),
        row("things", "/things"),
        row("things.create", "/things", "POST"),
        row("thing", "/things/{id}"),
        row("summary", "/things/summary"),
        row("part", "/things/{id}/parts/{part}"),
        row("summary.lines", "/things/summary/lines"),
        row("head of parts", "/things/{id}/parts", "HEAD"),
        row("generate", "/models/{model}:generate", "POST"),
        row("stream", "/models/{model}:streamGenerate", "POST"),
        row("table", "/reports/{name}.csv"),
        row("report", "/reports/{name}"),
        row("tree", "/tree/**"),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/things", "things"),
        ("POST", "/things", "things.create"),
        ("GET", "/things/7", "thing"),
        ("GET", "/things/summary", "summary"),
        ("GET", "/things/summary/parts/1", "part"),
        ("GET", "/things/summary/lines", "summary.lines"),
        ("HEAD", "/things/7", "thing"),
        ("HEAD", "/things", "things"),
        ("HEAD", "/things/7/parts", "head of parts"),
        ("HEAD", "/", "root"),
        ("POST", "/models/gemini-3:generate", "generate"),
        ("POST", "/models/gemini-3:streamGenerate", "stream"),
        ("GET", "/reports/may.csv", "table"),
        ("GET", "/reports/may", "report"),
        ("GET", "/tree/a/b/c", "tree"),
        ("GET", "/tree/", "tree"),
    ],
)
def test_matches(method: str, path: str, name: str) -> None:
    found = TABLE.match(method, path)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/things/"),
        ("GET", "/things/7/"),
        ("GET", "/things//"),
        ("GET", "//things"),
        ("GET", "/Things"),
        ("get", "/things"),
        ("GET", "things"),
        ("GET", ""),
        ("GET", "/things/7/parts"),
        ("GET", "/things/7/parts/"),
        ("GET", "/things/7/parts/1/2"),
        ("GET", "/things/7/lines"),
        ("PUT", "/things"),
        ("DELETE", "/things/7"),
        ("HEAD", "/models/m:generate"),
        ("POST", "/models/:generate"),
        ("POST", "/models/m"),
        ("POST", "/models/m:Generate"),
        ("GET", "/tree"),
        ("GET", "/things?x=1/parts"),
    ],
)
def test_near_misses_match_nothing(method: str, path: str) -> None:
    assert TABLE.match(method, path) is None


@pytest.mark.parametrize(
    ("method", "name", "classes"),
    [
        ("GET", "get", {Class.READ}),
        ("HEAD", "head", {Class.READ}),
        ("OPTIONS", "options", {Class.READ}),
        ("POST", "post", {Class.WRITE}),
        ("PUT", "put", {Class.WRITE}),
        ("PATCH", "patch", {Class.WRITE}),
        ("DELETE", "delete", {Class.WRITE, Class.IRREVERSIBLE}),
    ],
)
def test_operations_by_method_fit_any_path(method: str, name: str, classes: set[Class]) -> None:
    table = OperationTable(by_method_operations())
    for path in ("/", "/a", "/a/", "/a/b/{c}/d:e"):
        found = table.match(method, path)
        assert found is not None
        assert (found.name, found.classes) == (name, classes)


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "Get"])
def test_odd_verbs_match_nothing_by_method(method: str) -> None:
    assert OperationTable(by_method_operations()).match(method, "/") is None
