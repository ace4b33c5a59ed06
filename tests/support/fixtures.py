"""Fixtures for suites that attack or use a real installation. Import the names into a conftest."""

import os
import random
import socket
import zlib
from collections.abc import Iterator
from pathlib import Path
from weakref import WeakKeyDictionary

import pytest

from support.certificates import Authority, make_authority
from support.installation import Installation, running
from support.raw_upstream import RawUpstream
from support.scene import Scene, StageKey


class Traps:
    """What our environment offers and the server must not take: a proxy, a netrc, a key log, a foreign root."""

    def __init__(self, directory: Path) -> None:
        self.proxy = RawUpstream()
        self.key_log = directory / "sslkeylog.txt"
        self.authority: Authority = make_authority(directory, "Foreign CA")
        self.netrc = directory / ".netrc"
        self.netrc.write_text("default login trapped password trapped-password\n")
        self.netrc.chmod(0o600)

    def environment(self) -> dict[str, str]:
        proxy = f"http://127.0.0.1:{self.proxy.port}"
        names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
        return {
            **dict.fromkeys(names, proxy),
            "NO_PROXY": "",
            "no_proxy": "",
            "SSL_CERT_FILE": str(self.authority.path),
            "SSL_CERT_DIR": str(self.authority.path.parent),
            "REQUESTS_CA_BUNDLE": str(self.authority.path),
            "CURL_CA_BUNDLE": str(self.authority.path),
            "SSLKEYLOGFILE": str(self.key_log),
            "NETRC": str(self.netrc),
        }


@pytest.fixture(scope="session")
def traps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traps]:
    prepared = Traps(tmp_path_factory.mktemp("traps"))
    yield prepared
    prepared.proxy.close()


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory, traps: Traps) -> Iterator[Installation]:
    """One server with the shipped configuration for the whole suite, in an environment full of traps."""
    home = tmp_path_factory.mktemp("shared") / "home"
    with running(home, traps.environment()) as server:
        yield server
        server.stop()


def make_scene(installation: Installation, request: pytest.FixtureRequest) -> Iterator[Scene]:
    """A scene on the installation; at the end the oracle searches everything. The seed is printed on failure and
    can be given again in ATTACK_SEED."""
    key = stage_key(installation, request.node.nodeid.split("::")[0])
    stage = Scene(installation, f"{zlib.crc32(request.node.nodeid.encode()):x}", key)
    print(f"ATTACK_SEED={stage.seed} key={stage.key} upstream=127.0.0.1:{stage.upstream.port}")
    key.spent = True  # unless everything below goes well
    try:
        stage.open()
        stage.mark_log()
        yield stage
        assert installation.alive, "the server died"
        leaks = stage.leaks()
        assert not leaks, "the key leaked:\n" + "\n".join(str(leak) for leak in leaks[:12])
        key.spent = not stage.kept_its_key()
    finally:
        stage.close()


_STAGE_KEYS: "WeakKeyDictionary[Installation, StageKey]" = WeakKeyDictionary()


def stage_key(installation: Installation, module: str) -> StageKey:
    """The key that scenes of the module have in use there, or a new one."""
    key = _STAGE_KEYS.get(installation)
    if key is None or key.spent or key.module != module:
        seed = int(os.environ.get("ATTACK_SEED") or random.SystemRandom().randrange(1 << 32))
        key = _STAGE_KEYS[installation] = StageKey(module, seed)
    return key


@pytest.fixture
def scene(installation: Installation, request: pytest.FixtureRequest) -> Iterator[Scene]:
    yield from make_scene(installation, request)


@pytest.fixture
def closed_port() -> int:
    """A loopback port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
