"""The API: strict in, problems out, and described truthfully."""

import asyncio
import json
import os
import re
from collections.abc import Mapping
from typing import Any

import pytest
from starlette.applications import Starlette

from ostiary.control.api import create_api
from ostiary.control.api.openapi import openapi_document
from ostiary.control.api.routes import PREFIX, ROUTES, Route
from ostiary.control.caller import Permission
from ostiary.model.errors import IntegrityError, OperatorError, StorageUnavailableError
from ostiary.model.person import Origin, SignIn, SignInKind, User
from support.control_room import FILE, NOW, Room, asked


class Answer:
    def __init__(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.status = status
        self.headers = headers
        self.content = content

    @property
    def json(self) -> Any:
        return json.loads(self.content)


async def call(
    app: Starlette, method: str, target: str, body: Any = None, uid: int | None = os.getuid(), raw: bytes | None = None
) -> Answer:
    path, _, query = target.partition("?")
    content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
    sent: list[dict[str, Any]] = []
    pieces = [content[start : start + 65_536] for start in range(0, len(content), 65_536)] or [b""]

    async def receive() -> dict[str, Any]:
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"content-type", b"application/json")],
        "state": {} if uid is None else {"peer_uid": uid},
        "http_version": "1.1",
        "scheme": "http",
        "server": ("localhost", 80),
        "client": None,
        "root_path": "",
    }
    await app(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:]))


def problem(answer: Answer, status: int, code: str) -> dict[str, Any]:
    assert (answer.status, answer.json["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "code", "next"} <= set(answer.json)
    document: dict[str, Any] = answer.json
    return document


ISSUER = """\
version: 1
identity:
  issuers:
    - name: forge
      workload: {issuer: forge, audience: ostiary, keys: {file: /nowhere}, accepts: [{service: s, claims: {sub: s}}]}
"""


def filled(route: Route) -> str:
    return PREFIX + re.sub(r"\{[a-z]+\}", "x", route.path)


async def test_the_story_from_file_to_token(room: Room) -> None:
    api = create_api(room.services)
    file = {"yaml": FILE, "filename": "o.yaml", "prune": False}
    planned = await call(api, "POST", "/api/v1/configuration/plan", file)
    assert [step["action"] for step in planned.json["plan"]] == ["+", "+", "+"]
    assert (await call(api, "POST", "/api/v1/configuration/apply", file)).json["version"] == 1
    assert "cursor" in (await call(api, "GET", "/api/v1/configuration")).json["yaml"]
    answer = await call(api, "PUT", "/api/v1/secrets/key", {"value": "hunter2hunter2"})
    assert answer.json == {"name": "key", "version": 1}
    (secret,) = (await call(api, "GET", "/api/v1/secrets")).json["secrets"]
    assert (secret["provider"], secret["version"]) == ("stored", 1)
    created = await call(api, "POST", "/api/v1/tokens", {"actor": "anna", "groups": ["eng"], "ttl_s": 60})
    assert created.status == 201
    assert created.json["expires_at"] == "2030-03-17T17:47:40.000000Z"
    (token,) = (await call(api, "GET", "/api/v1/tokens")).json["tokens"]
    assert (token["id"], token["actor"], token["kind"]) == (created.json["id"], "anna", "user")
    assert created.json["token"] not in json.dumps(token)
    assert (await call(api, "DELETE", f"/api/v1/tokens/{token['id']}")).json["revoked"] is True
    assert (await call(api, "GET", "/api/v1/tokens")).json["tokens"][0]["revoked_at"] is not None
    assert created.headers["cache-control"] == "no-store"


async def test_sessions_exchanges_recordings_audit(room: Room) -> None:
    api = create_api(room.services)
    (session,) = (await call(api, "GET", "/api/v1/sessions?limit=5&actor=anna")).json["sessions"]
    shown = (await call(api, "GET", f"/api/v1/sessions/{session['id']}")).json
    assert shown["session"] == session
    assert shown["exchanges"][0]["exchange"] == "e1"
    assert (await call(api, "GET", "/api/v1/exchanges/e1")).json["exchange"]["status"] == 200
    frames = (await call(api, "GET", "/api/v1/recordings/e1")).json["frames"]
    assert frames[0] == {"at_us": 0, "direction": "request", "head": True, "text": "GET / HTTP/1.1\r\n"}
    assert frames[1]["base64"] == "/wA="
    entries = (await call(api, "GET", "/api/v1/audit/entries?after=-1&limit=10")).json["entries"]
    assert (entries[0]["index"], entries[0]["entry"]["type"]) == (0, "recording.view")
    assert (await call(api, "GET", "/api/v1/audit/checkpoint")).json["size"] == 1
    assert (await call(api, "POST", "/api/v1/audit/verify", {})).json["whole"] is True
    assert (await call(api, "GET", "/api/v1/status")).json["ready"] is True
    for missing in ("sessions/nope", "exchanges/nope", "recordings/nope", "approvals/nope"):
        problem(await call(api, "GET", f"/api/v1/{missing}"), 404, "not_found")


async def test_approvals_are_listed_shown_and_decided(room: Room) -> None:
    api = create_api(room.services)
    await room.desk.ask(asked("a1", reason_required=True))
    held = asyncio.create_task(room.desk.wait("a1", 5))
    await asyncio.sleep(0.01)
    (approval,) = (await call(api, "GET", "/api/v1/approvals?state=waiting")).json["approvals"]
    assert approval["clients_waiting"] == 1
    assert "reason" in problem(await call(api, "POST", "/api/v1/approvals/a1/approve"), 422, "bad_request")["detail"]
    answer = await call(api, "POST", "/api/v1/approvals/a1/approve", {"reason": "fine"})
    assert answer.json["approval"]["state"] == "granted"
    assert answer.json["approval"]["decided_by"] == room.owner.label
    assert (await held).reason == "fine"
    problem(await call(api, "POST", "/api/v1/approvals/a1/approve", {"reason": "again"}), 422, "bad_request")
    assert (await call(api, "POST", "/api/v1/approvals/a1/deny")).json["approval"]["state"] == "denied"


@pytest.mark.parametrize("route", [route for route in ROUTES if route.method == "GET"], ids=lambda route: route.name)
async def test_no_get_ever_decides(room: Room, route: Route) -> None:
    await room.desk.ask(asked("x"))
    before = len(room.log.rows)
    if route.name == "followEvents":
        room.log.append({"type": "exchange.intent"})
        before += 1
    await call(create_api(room.services), "GET", filled(route))
    assert room.desk.get("x").state == "waiting"
    assert len(room.log.rows) == before
    if "approvals" in route.path:
        problem(await call(create_api(room.services), "GET", "/api/v1/approvals/x/approve"), 405, "not_allowed_here")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
async def test_every_route_is_closed_without_a_proven_peer(room: Room, route: Route) -> None:
    answer = await call(create_api(room.services), route.method, filled(route), {}, uid=None)
    problem(answer, 401, "not_signed_in")
    assert room.log.rows == []


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
async def test_every_route_refuses_what_it_does_not_know(room: Room, route: Route) -> None:
    api = create_api(room.services)
    problem(await call(api, route.method, filled(route) + "?nope=1"), 422, "invalid_request")
    problem(await call(api, route.method, filled(route), {"nope": 1}), 422, "invalid_request")
    problem(await call(api, route.method, filled(route), raw=b"[" * 60_000), 422, "invalid_request")
    problem(await call(api, route.method, filled(route), raw=b" " * (route.body_max_bytes + 1)), 413, "too_large")


@pytest.mark.parametrize(
    ("method", "path", "raw"),
    [
        ("POST", "tokens", b"{}"),
        ("POST", "tokens", b'{"actor": 1}'),
        ("POST", "tokens", b'{"actor": "a", "actor": "b"}'),
        ("POST", "tokens", b'{"actor": "a", "ttl_s": NaN}'),
        ("POST", "tokens", b'{"actor": "a", "ttl_s": true}'),
        ("POST", "tokens", b'{"actor": "a", "groups": "eng"}'),
        ("POST", "tokens", b'{"actor": "a", "groups": [1]}'),
        ("POST", "tokens", b'{"actor": "a", "kind": "root"}'),
        ("POST", "tokens", b'{"actor": "\\ud800"}'),
        ("POST", "tokens", b'\xff{"actor": "a"}'),
        ("PUT", "secrets/key", b'{"value": "short"}'),
        ("PUT", "secrets/key", b'{"value": "\\ud800\\ud800\\ud800\\ud800"}'),
        ("PUT", "secrets/..", b'{"value": "hunter2hunter2"}'),
        ("POST", "configuration/plan", b'{"yaml": "version: \\ud800"}'),
        ("POST", "approvals/x/deny", b'{"reason": 1}'),
        ("GET", "sessions?limit=0", b""),
        ("GET", "sessions?limit=1e3", b""),
        ("GET", "sessions?limit=5&limit=5", b""),
        ("GET", "sessions?limit=%D9%A5", b""),
        ("GET", "audit/entries?after=-2", b""),
        ("GET", "approvals?state=open", b""),
    ],
)
async def test_a_wrong_value_is_422_and_never_repeated(room: Room, method: str, path: str, raw: bytes) -> None:
    answer = await call(create_api(room.services), method, f"/api/v1/{path}", raw=raw)
    assert answer.status == 422
    assert b"hunter2" not in answer.content
    assert room.log.rows == []


async def test_a_wrong_file_names_file_and_line(room: Room) -> None:
    file = {"yaml": FILE.replace("rules:", "rule:"), "filename": "o.yaml"}
    for verb in ("plan", "apply"):
        answer = await call(create_api(room.services), "POST", f"/api/v1/configuration/{verb}", file)
        document = problem(answer, 422, "configuration")
        assert (document["file"], document["line"]) == ("o.yaml", 4)
        assert "Did you mean 'rules'?" in document["next"]


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (OperatorError("No CA file."), 422, "configuration"),
        (StorageUnavailableError("Disk full."), 503, "audit_unavailable"),
        (IntegrityError("Entry 7 was altered.", index=7), 500, "integrity"),
        (RuntimeError("hunter2hunter2"), 500, "internal"),
    ],
)
async def test_a_failure_is_a_problem_that_tells_no_secret(
    room: Room, caplog: pytest.LogCaptureFixture, failure: Exception, status: int, code: str
) -> None:
    room.refuse_change = failure
    answer = await call(create_api(room.services), "POST", "/api/v1/configuration/apply", {"yaml": FILE})
    problem(answer, status, code)
    assert b"hunter2" not in answer.content
    assert "hunter2" not in caplog.text
    assert ("kind=RuntimeError" in caplog.text) is (code == "internal")


async def test_unknown_pages_and_methods_are_problems(room: Room) -> None:
    api = create_api(room.services)
    problem(await call(api, "GET", "/api/v1/nope"), 404, "not_found")
    problem(await call(api, "GET", "/"), 404, "not_found")
    assert problem(await call(api, "POST", "/api/v1/status"), 405, "not_allowed_here")


async def test_the_openapi_document_names_exactly_the_routes_there_are(room: Room) -> None:
    api = create_api(room.services)
    served = {
        (method, route.path)  # type: ignore[attr-defined]
        for route in api.routes
        for method in route.methods - {"HEAD"}  # type: ignore[attr-defined]
    }
    document = (await call(api, "GET", "/api/v1/openapi.json", uid=None)).json
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described | {("GET", "/api/v1/openapi.json")} == served
    assert document["openapi"] == "3.1.0"
    names = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names))


async def test_answers_hold_what_the_document_says(room: Room) -> None:
    api = create_api(room.services)
    await room.desk.ask(asked("x"))
    room.log.append({"type": "exchange.intent"})
    bodies = {
        "planConfiguration": {"yaml": FILE},
        "createToken": {"actor": "a"},
        "setSecret": {"value": "hunter2hunter2"},
        "createServiceAccount": {"name": "x"},
        "examineIssuer": {"name": "forge", "yaml": ISSUER},
    }
    places = {
        "/sessions/x": "/sessions/s1",
        "/exchanges/x": "/exchanges/e1",
        "/recordings/x": "/recordings/e1",
        "/users/x/sign-ins": "/users/somebody/sign-ins",
    }
    for user_id in ("x", "somebody"):
        assert room.store.people.add(User(user_id, user_id, Origin.SIGN_IN, NOW, NOW))
    room.store.sign_ins.add(
        b"h" * 32, SignIn("x", SignInKind.CONSOLE, "somebody", NOW, NOW, NOW, NOW + 3600), None, None
    )
    bodies["applyConfiguration"] = bodies["planConfiguration"]
    for route in ROUTES:
        path = filled(route)
        for general, one in places.items():
            path = path.replace(general, one)
        if route.name == "revokeToken":
            path = path[:-1] + (await call(api, "GET", "/api/v1/tokens")).json["tokens"][0]["id"]
        if route.name == "revokeKey":
            path = path[:-1] + (await call(api, "GET", "/api/v1/service-accounts/x/keys")).json["keys"][0]["id"]
        answer = await call(api, route.method, path, bodies.get(route.name))
        assert answer.status == (201 if route.created else 200), (route.name, answer.content)
        assert set(answer.json) == set(route.answer), route.name
        operation = openapi_document()["paths"][PREFIX + route.path][route.method.lower()]
        assert str(answer.status) in operation["responses"]


async def test_there_is_no_permission_and_no_route_that_reads_a_secret(room: Room) -> None:
    await room.services.secrets.set(room.owner, "x", b"hunter2hunter2")
    api = create_api(room.services)
    for route in ROUTES:
        if route.method == "GET" and route.name != "followEvents":
            assert b"hunter2" not in (await call(api, "GET", filled(route))).content
    assert {permission for permission in Permission if "secret" in permission} == {"secrets.read", "secrets.set"}
