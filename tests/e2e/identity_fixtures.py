"""Fixtures of the tests of signing in; `conftest.py` makes them known."""

import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browsing import new_profile, running_browser
from identity_house import IdentityHouse, Laptop
from playwright.sync_api import Browser, BrowserContext, Page
from processes import free_port
from providers import Providers
from ticking_upstream import TickingUpstream

from support.oracle import LeakOracle


@pytest.fixture(scope="session")
def identity_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[IdentityHouse, Providers]]:
    """Everything of signing in, wired together: the ports are chosen first, because each side is told the other's."""
    directory = tmp_path_factory.mktemp("identity")
    client_secret, bench_key = secrets.token_urlsafe(32), f"bench-{secrets.token_urlsafe(32)}"
    port = free_port()
    providers = Providers(directory / "providers", f"http://127.0.0.1:{port}", client_secret)
    bench = TickingUpstream()
    try:
        house = IdentityHouse(
            directory, port, providers, bench=bench.port, client_secret=client_secret, bench_key=bench_key
        )
        yield house, providers
        assert house.stop() == 0, house.said()
    finally:
        providers.stop()
        bench.close()
    assert set(bench.keys) <= {bench_key}
    for secret in (client_secret, bench_key):
        oracle = LeakOracle(secret.encode())
        assert oracle.search_path(house.home) == []
        assert oracle.search("serve's output", house.log.read_bytes()) == []


@pytest.fixture(scope="session")
def house(identity_stage: tuple[IdentityHouse, Providers]) -> IdentityHouse:
    return identity_stage[0]


@pytest.fixture(scope="session")
def providers(identity_stage: tuple[IdentityHouse, Providers]) -> Providers:
    return identity_stage[1]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


@pytest.fixture
def new_page(browser: Browser) -> Iterator[Callable[[], Page]]:
    """Each call is another person's browser."""
    contexts: list[BrowserContext] = []

    def new() -> Page:
        contexts.append(new_profile(browser))
        return contexts[-1].new_page()

    yield new
    for context in contexts:
        context.close()


@pytest.fixture
def page(new_page: Callable[[], Page]) -> Page:
    return new_page()


@pytest.fixture
def laptop(tmp_path: Path, house: IdentityHouse) -> Iterator[Laptop]:
    directory = tmp_path / "laptop"
    yield Laptop(directory, house.console)
    shutil.rmtree(directory, ignore_errors=True)
