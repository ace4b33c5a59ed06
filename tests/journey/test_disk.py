"""No record, no forward: the disk full, the files immutable, and back to work by itself."""

import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.endurance import MIB, House, open_house
from support.raw_client import RawClient, Reply, request
from support.raw_upstream import wait_until

Breaker = tuple[Callable[[], None], Callable[[], None]]
"""What breaks the storage of a home, and what mends it."""


def _run(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 32 MiB where this user may mount one, else an ordinary directory."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = _run("mount", "-t", "tmpfs", "-o", "size=32m,mode=0700", "tmpfs", str(place))
    yield place
    if mounted:
        assert _run("umount", "-l", str(place))


def full_disk(house: House) -> Breaker:
    """A file takes the room that is left. On a disk that is not small, the process may write no file further."""
    place = house.server.home.parent
    if os.path.ismount(place):
        filler = place / "filler"

        def fill() -> None:
            with filler.open("wb", buffering=0) as file:
                for size in (MIB, 4096, 1):
                    try:
                        while True:
                            file.write(b"\0" * size)
                    except OSError:
                        continue

        return fill, filler.unlink
    return file_limit(house)


def file_limit(house: House) -> Breaker:
    """Every write to a regular file fails in the server from now on; nobody's rights are needed for it."""
    assert house.server.process is not None
    pid = house.server.process.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    return (
        lambda: (resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard)), None)[1],
        lambda: (resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard)), None)[1],
    )


def read_only(house: House) -> Breaker:
    """Database and log become immutable files; without the right to do that, unwritable by limit."""
    files = [str(path) for path in house.server.home.rglob("*") if path.is_file()]
    probe = house.server.home.parent / "probe"
    probe.touch()
    if not _run("chattr", "+i", str(probe)):
        return file_limit(house)
    assert _run("chattr", "-i", str(probe))

    def change(flag: str) -> None:
        assert _run("chattr", flag, *files)

    return lambda: change("+i"), lambda: change("-i")


def ask(house: House, name: str) -> Reply:
    with RawClient(house.port) as client:
        client.send(request("GET", f"/far/small?{name}", house.headers()))
        return client.reply()


@pytest.mark.parametrize("breaking", [full_disk, file_limit, read_only])
def test_without_a_record_nothing_is_forwarded_until_the_storage_works_again(
    breaking: Callable[[House], Breaker], small_disk: Path, tmp_path: Path
) -> None:
    # Immutable files need a file system that has such a flag, which a tmpfs may not have.
    place = small_disk if breaking is full_disk else tmp_path / "plain"
    place.mkdir(exist_ok=True)
    with open_house(tmp_path, place / "home") as house:
        assert ask(house, "before").status == 200
        spoil, mend = breaking(house)
        spoil()
        try:
            # What was preallocated or still fits may pass; from the first refusal on nothing does.
            seen = wait_until(lambda: ask(house, "filling").status == 503, 15)
            assert seen, "the broken storage was never noticed"
            reached = len(house.upstream.targets())
            for number in range(5):
                refused = ask(house, f"broken-{number}")
                assert refused.status == 503
                assert b"audit_unavailable" in refused.body
                assert b"far-key" not in refused.raw
            assert len(house.upstream.targets()) == reached
            assert wait_until(lambda: not house.server.ready(), 5), "/readyz says nothing"
        finally:
            mend()
        assert wait_until(lambda: ask(house, "after").status == 200, 15), "it did not recover by itself"
        assert wait_until(house.server.ready, 5)
        entries = house.server.entries()
        intended = {entry["target"] for entry in entries if entry["type"] == "exchange.intent"}
        for target in house.upstream.targets():
            assert any(str(known).endswith(target) for known in intended), target
        assert house.server.cli("audit", "verify").returncode == 0
