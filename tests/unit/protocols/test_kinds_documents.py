"""What a catalog document may say, and how a wrong one is told."""

from collections.abc import Mapping

import pytest

from ostiary.model.connection import AuthForm, AuthScheme
from ostiary.model.errors import OperatorError
from ostiary.model.operation import Class
from ostiary.protocols.kinds import by_method_operations, parse_kind


def operation(**changes: object) -> dict[str, object]:
    return {
        "name": "things.list",
        "method": "GET",
        "path": "/things",
        "classes": ["read"],
        "summary": "Lists things.",
        **changes,
    }


def document(*operations: Mapping[str, object], **changes: object) -> dict[str, object]:
    return {
        "kind": "example",
        "title": "Example API",
        "upstream": "https://api.example.com",
        "auth": ["bearer"],
        "error_shape": "problem",
        "operations": list(operations) or [operation()],
        **changes,
    }


def complaint(value: Mapping[str, object]) -> str:
    with pytest.raises(OperatorError) as caught:
        parse_kind(value, "example.yaml")
    assert str(caught.value).startswith("example.yaml: ")
    return str(caught.value)


def test_everything_a_document_can_say_is_kept() -> None:
    kind = parse_kind(
        document(
            operation(
                method="POST",
                path="/things/{id}",
                classes=["write", "spend"],
                auth=[{"scheme": "header", "name": "x-key", "prefix": "Key "}],
                secret_fields=["env.*", "a.*.b"],
                credential_fields=["token"],
                stream="sse",
                answer_status=404,
            ),
            auth=["basic-username", {"scheme": "query", "name": "key", "secret": "other"}],
            session_headers=["x-session-id"],
            websocket=True,
        ),
        "example.yaml",
    )
    assert (kind.name, kind.title, kind.upstream) == ("example", "Example API", "https://api.example.com")
    assert kind.auth == (
        AuthForm(AuthScheme.BASIC_USERNAME),
        AuthForm(AuthScheme.QUERY, "key", secret="other"),
    )
    assert kind.session_headers == ("x-session-id",)
    assert kind.websocket
    (row,) = kind.operations
    assert row.classes == {Class.WRITE, Class.SPEND}
    assert row.auth == (AuthForm(AuthScheme.HEADER, "x-key", "Key "),)
    assert row.secret_fields == ("env.*", "a.*.b")
    assert row.credential_fields == ("token",)
    assert (row.stream, row.answer_status, row.summary) == ("sse", 404, "Lists things.")


def test_operations_may_be_by_method_and_the_upstream_open() -> None:
    value = document(operations="by-method")
    del value["upstream"]
    kind = parse_kind(value, "example.yaml")
    assert kind.operations == by_method_operations()
    assert kind.upstream == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (document(colour="red"), "colour: unknown key."),
        (document(titel="x"), "titel: unknown key. Did you mean 'title'?"),
        (document(operation(clases=["read"])), "operations[0].clases: unknown key. Did you mean 'classes'?"),
        (
            document(operation(), operation(name="b", path="/b", classes=["raed"])),
            "operations[1].classes[0]: unknown value 'raed'. Did you mean 'read'?",
        ),
        (document(operation(classes=[])), "operations[0].classes: at least one class is needed."),
        (document(operation(classes="read")), "operations[0].classes: must be a list."),
        (document(operation(method="get")), "operations[0].method: unknown value 'get'."),
        (document(operation(method="TRACE")), "operations[0].method: unknown value 'TRACE'."),
        (document(operation(path="things")), "operations[0].path: 'things' is not a path template."),
        (document(operation(path="/a/{b")), "operations[0].path:"),
        (document(operation(path="/a/{b}{c}")), "operations[0].path:"),
        (document(operation(path="/a/**/b")), "operations[0].path:"),
        (document(operation(path="/a?b=c")), "operations[0].path:"),
        (document(operation(summary="")), "operations[0].summary:"),
        (document(operation(secret_fields=["a..b"])), "operations[0].secret_fields[0]:"),
        (document(operation(stream="websocket")), "operations[0].stream: unknown value"),
        (document(operation(answer_status=200)), "operations[0].answer_status:"),
        (document(operation(answer_status=True)), "operations[0].answer_status:"),
        (document(operation(auth=["bearrer"])), "operations[0].auth[0].scheme: unknown value 'bearrer'."),
        (document(auth=["header"]), "auth[0].name: missing for scheme header."),
        (document(auth=[{"scheme": "bearer", "name": "x"}]), "auth[0].name: has no meaning with"),
        (document(auth=[{"scheme": "query", "name": "x", "prefix": "y"}]), "auth[0].prefix:"),
        (document(auth=[{"scheme": "bearer", "value": "x"}]), "auth[0].value: unknown key."),
        (document(error_shape="xml"), "error_shape: unknown value 'xml'."),
        (document(kind="Example"), "kind: 'Example' is not a valid value."),
        (document(upstream="ftp://x"), "upstream:"),
        (document(upstream="https://api.example.com/"), "upstream:"),
        (document(upstream="https://user@api.example.com"), "upstream:"),
        (document(session_headers=["X-Session"]), "session_headers[0]:"),
        (document(websocket="yes"), "websocket: must be true or false."),
        (document(operations=[]), "operations: missing or empty."),
        (document(operations=["x"]), "operations[0]: must be a mapping."),
        (document(operation(), operation(path="/b")), "operations: the name 'things.list' stands twice."),
    ],
)
def test_a_wrong_document_is_told_with_file_and_key(value: dict[str, object], expected: str) -> None:
    assert complaint(value).startswith(f"example.yaml: {expected}")


def test_missing_keys_are_told() -> None:
    for key in ("kind", "title", "error_shape", "operations"):
        value = document()
        del value[key]
        assert complaint(value).startswith(f"example.yaml: {key}: ")
    for key in ("name", "method", "path", "classes", "summary"):
        value = operation()
        del value[key]
        assert complaint(document(value)).startswith(f"example.yaml: operations[0].{key}: ")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("/a", "/a"),
        ("/a/{x}", "/a/{y}"),
        ("/a/{x}/c", "/a/b/{y}"),
        ("/a/{x}.csv", "/a/report.{y}"),
        ("/a/**", "/a/**"),
        ("/{x}/b/**", "/a/{y}/c"),
    ],
)
def test_rows_that_compete_for_a_path_are_refused(left: str, right: str) -> None:
    rows = (operation(name="one", path=left), operation(name="two", path=right))
    assert "'one' and 'two' both match GET" in complaint(document(*rows))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("/a", "/a/"),
        ("/a", "/A"),
        ("/a/{x}", "/a/b"),
        ("/a/{x}", "/a/{y}/c"),
        ("/a/{x}/c", "/a/{y}/d"),
        ("/a/{x}:go", "/a/{x}:stop"),
        ("/a/{x}.csv", "/a/{x}"),
        ("/a/**", "/a/{x}/c"),
        ("/**", "/a/**"),
        ("/a/**", "/a"),
    ],
)
def test_rows_that_are_apart_or_nested_are_fine(left: str, right: str) -> None:
    rows = (operation(name="one", path=left), operation(name="two", path=right))
    assert len(parse_kind(document(*rows), "example.yaml").operations) == 2
