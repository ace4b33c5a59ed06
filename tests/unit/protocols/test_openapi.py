"""Operations from a user's OpenAPI document."""

import pytest

from ostiary.model.errors import OperatorError
from ostiary.model.operation import Class
from ostiary.protocols.kinds import OperationTable
from ostiary.protocols.openapi import operations_from_openapi


def document(paths: object, version: object = "3.1.0") -> dict[str, object]:
    return {"openapi": version, "info": {"title": "x", "version": "1"}, "paths": paths}


PETS = document(
    {
        "/pets": {
            "get": {"operationId": "listPets", "summary": "Lists pets."},
            "post": {"operationId": "pets/create new"},
            "parameters": [],
        },
        "/pets/{pet id}": {
            "x-ostiary-classes": ["settings"],
            "get": {"x-ostiary-classes": ["read", "credential"], "description": "Shows a pet.\nLong."},
            "put": {"operationId": "replacePet"},
            "delete": {"operationId": "deletePet", "x-ostiary-classes": ["write", "irreversible"]},
        },
        "/pets/{id}/events": {"get": {"responses": {"200": {"content": {"text/event-stream; charset=utf-8": {}}}}}},
        "/models/{model}:generate": {"post": {"operationId": "generate"}},
        "/": {"get": {}},
    }
)


def test_operations_are_named_and_classed() -> None:
    rows = {row.name: row for row in operations_from_openapi(PETS)}
    assert {name: row.classes for name, row in rows.items()} == {
        "listPets": {Class.READ},
        "pets.create-new": {Class.WRITE},
        "get.pets.-pet-id": {Class.READ, Class.CREDENTIAL},
        "replacePet": {Class.SETTINGS},
        "deletePet": {Class.WRITE, Class.IRREVERSIBLE},
        "get.pets.-id-.events": {Class.READ},
        "generate": {Class.WRITE},
        "get": {Class.READ},
    }
    assert rows["listPets"].summary == "Lists pets."
    assert rows["get.pets.-pet-id"].summary == "Shows a pet."
    assert rows["replacePet"].summary == "PUT /pets/{pet id}"
    assert rows["get.pets.-id-.events"].stream == "sse"
    assert rows["listPets"].stream is None


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/pets", "listPets"),
        ("HEAD", "/pets", "listPets"),
        ("DELETE", "/pets/7", "deletePet"),
        ("POST", "/models/m1:generate", "generate"),
        ("GET", "/", "get"),
    ],
)
def test_they_match_requests(method: str, path: str, name: str) -> None:
    found = OperationTable(operations_from_openapi(PETS)).match(method, path)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    ("method", "path"), [("PATCH", "/pets"), ("GET", "/pets/"), ("GET", "/Pets"), ("GET", "/pets/7/8")]
)
def test_what_is_not_documented_matches_nothing(method: str, path: str) -> None:
    assert OperationTable(operations_from_openapi(PETS)).match(method, path) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"swagger": "2.0", "paths": {"/a": {"get": {}}}}, "openapi: must be a 3.x version."),
        (document({"/a": {"get": {}}}, version=3.1), "openapi: must be a 3.x version."),
        (document({}), "paths: missing or empty."),
        (document([]), "paths: missing or empty."),
        (document({"a": {"get": {}}}), "paths.a: must start with '/'."),
        (document({"/a/{b}{c}": {"get": {}}}), "paths./a/{b}{c}: is not a path template."),
        (document({"/a": []}), "paths./a: must be a mapping."),
        (document({"/a": {"get": "x"}}), "paths./a.get: must be a mapping."),
        (document({"/a": {"$ref": "b.yaml"}}), "paths./a.$ref: references"),
        (
            document({"/a": {"get": {"x-ostiary-classes": ["raed"]}}}),
            "paths./a.get.x-ostiary-classes: unknown class 'raed'. Did you mean 'read'?",
        ),
        (document({"/a": {"get": {"x-ostiary-classes": "read"}}}), "paths./a.get.x-ostiary-classes: must be"),
        (document({"/a/{b}": {"get": {}}, "/a/{c}": {"get": {}}}), "operations: "),
        (
            document({"/a": {"get": {"operationId": "x"}}, "/b": {"get": {"operationId": "x"}}}),
            "operations: the name 'x' stands twice.",
        ),
    ],
)
def test_a_wrong_document_is_told_with_its_key(value: dict[str, object], expected: str) -> None:
    with pytest.raises(OperatorError) as caught:
        operations_from_openapi(value)
    assert str(caught.value).startswith(f"OpenAPI document: {expected}")
