"""H01, H02, H08, H18: no record, no forward; and a record that was touched says where."""

import json
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ostiary.audit.verification import verify_directory
from support.cases import each
from support.fixtures import make_scene
from support.installation import Installation, Refused, running
from support.raw_client import request
from support.raw_upstream import Answer, answer, wait_until
from support.scene import Scene


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Installation]:
    """A server of this test alone, to be broken."""
    with running(tmp_path / "home") as server:
        yield server


@pytest.fixture
def own_scene(own: Installation, request: pytest.FixtureRequest) -> Iterator[Scene]:
    yield from make_scene(own, request)


def limit_files(server: Installation, size: int) -> None:
    """Every write that makes a file longer than `size` fails from now on, as on a full disk."""
    assert server.process is not None
    _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, hard))


def test_H01_nothing_is_forwarded_while_the_log_cannot_be_written(own_scene: Scene) -> None:
    scene, server = own_scene, own_scene.installation
    assert scene.ask().status == 200
    before = len(scene.upstream.requests)
    limit_files(server, 0)
    for number in range(5):
        reply = scene.ask("http", f"/during/{number}")
        scene.must_be_refused(reply, 503, code="audit_unavailable", closed=False, recorded=False)
    assert len(scene.upstream.requests) == before
    assert wait_until(lambda: server.ops("/readyz")[0] == 503, 5.0)
    assert server.ops("/healthz")[0] == 200
    limit_files(server, resource.RLIM_INFINITY)
    assert wait_until(lambda: scene.ask("http", "/recovered").status == 200, 8.0, 0.2), "it did not recover"
    assert wait_until(server.ready, 5.0)
    verdict = server.api("POST", "/audit/verify", {})
    assert verdict["whole"], verdict
    recorded = [entry["exchange"] for entry in server.entries() if entry["type"] == "exchange.intent"]
    assert len(recorded) == len(set(recorded)) == len(scene.upstream.requests)


def test_H01_running_streams_end_when_they_can_no_longer_be_recorded(own_scene: Scene) -> None:
    scene, server = own_scene, own_scene.installation

    def paced(_) -> object:
        yield b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
        for number in range(400):
            yield b"data: %d %s\n\n" % (number, b"x" * 2000)
            yield 0.05

    scene.upstream.script = [Answer(paced, close=True)]
    with scene.client() as client:
        client.send(scene.raw())
        assert client.some()
        limit_files(server, 0)
        assert scene.ask("http", "/during").status == 503
        start = time.monotonic()
        _, closed = client.until_close(8.0)
        took = time.monotonic() - start
    limit_files(server, resource.RLIM_INFINITY)
    assert closed
    assert took < 6.5, took
    assert wait_until(lambda: scene.ask("http", "/recovered").status == 200, 8.0, 0.2)


def test_H01_a_log_that_was_moved_away_is_a_log_that_cannot_be_written(own_scene: Scene) -> None:
    scene, server = own_scene, own_scene.installation
    assert scene.ask().status == 200
    before = len(scene.upstream.requests)
    home = server.home
    (home / "audit").rename(home / "elsewhere")
    try:
        reply = scene.ask("http", "/during")
        scene.must_be_refused(reply, 503, code="audit_unavailable", closed=False, recorded=False)
        assert len(scene.upstream.requests) == before
    finally:
        if (home / "audit").exists():
            shutil.rmtree(home / "audit")
        (home / "elsewhere").rename(home / "audit")
    assert wait_until(lambda: scene.ask("http", "/recovered").status == 200, 8.0, 0.2), "it did not recover"


@pytest.fixture(scope="module")
def written_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The audit directory of a stopped installation with a good many entries."""
    from support.raw_upstream import RawUpstream

    home = tmp_path_factory.mktemp("written") / "home"
    upstream = RawUpstream()
    with running(home) as server:
        server.apply(
            {
                "connections": [
                    {
                        "name": "plain",
                        "kind": "http",
                        "upstream": f"http://127.0.0.1:{upstream.port}",
                        "allow_private": True,
                    }
                ],
                "rules": [{"name": "all", "on": ["plain"], "effect": "allow"}],
            }
        )
        token = server.token("someone")
        from support.raw_client import RawClient

        with RawClient(server.gateway_port) as client:
            for number in range(20):
                client.send(request("GET", f"/plain/{number}", [f"Authorization: Bearer {token}"]))
                assert client.reply().status == 200
                time.sleep(0.06)
        server.stop()
    upstream.close()
    verdict = verify_directory(home / "audit")
    assert verdict.whole, verdict
    assert verdict.signed == verdict.entries > 40
    return home / "audit"


def lines_of(directory: Path) -> list[bytes]:
    (log,) = sorted(directory.glob("entries-*.log"))
    return log.read_bytes().splitlines(keepends=True)


def put_lines(directory: Path, lines: list[bytes]) -> None:
    (log,) = sorted(directory.glob("entries-*.log"))
    log.write_bytes(b"".join(lines))


def test_H02_the_verifier_names_the_first_altered_entry(written_log: Path, tmp_path: Path) -> None:
    total = len(lines_of(written_log))
    at = 17

    def edited(old: bytes, new: bytes) -> Callable[[list[bytes]], int]:
        def change(lines: list[bytes]) -> int:
            index = next(number for number, line in enumerate(lines) if number >= at and old in line)
            lines[index] = lines[index].replace(old, new, 1)
            return index

        return change

    def deleted(index: int) -> Callable[[list[bytes]], int]:
        def change(lines: list[bytes]) -> int:
            del lines[index]
            return index

        return change

    def swapped(lines: list[bytes]) -> int:
        lines[at], lines[at + 1] = lines[at + 1], lines[at]
        return at

    def inserted(lines: list[bytes]) -> int:
        lines.insert(at, lines[3])
        return at

    def reformatted(lines: list[bytes]) -> int:
        lines[at] = json.dumps(json.loads(lines[at])).encode() + b"\n"
        return at

    def flipped(lines: list[bytes]) -> int:
        line = bytearray(lines[at])
        line[len(line) // 2] ^= 1
        lines[at] = bytes(line)
        return at

    def appended(lines: list[bytes]) -> int | None:
        lines.append(lines[5])
        return None

    changes = {
        "who": edited(b'"someone"', b'"nobody!"'),
        "status": edited(b'"status":200', b'"status":403'),
        "path": edited(b'"GET"', b'"PUT"'),
        "one bit": flipped,
        "white space": reformatted,
        "deleted": deleted(at),
        "first deleted": deleted(0),
        "last deleted": deleted(total - 1),
        "swapped": swapped,
        "inserted": inserted,
        "appended": appended,
    }

    def check(name: str, change: Callable[[list[bytes]], int | None]) -> None:
        copy = tmp_path / name.replace(" ", "-")
        shutil.copytree(written_log, copy)
        lines = lines_of(copy)
        expected = change(lines)
        put_lines(copy, lines)
        verdict = verify_directory(copy)
        assert not verdict.whole, verdict
        if expected is not None:
            assert verdict.index == expected, verdict

    each(changes, check)


def test_H02_truncation_and_consistent_forgery_are_found(written_log: Path, tmp_path: Path) -> None:
    """Also when the attacker shortens or rewrites the leaf hashes along with the entries."""
    from ostiary.audit.merkle import leaf_hash

    total = len(lines_of(written_log))

    def cut_half(copy: Path) -> None:
        put_lines(copy, lines_of(copy)[: total // 2])

    def cut_half_with_hashes(copy: Path) -> None:
        cut_half(copy)
        hashes = (copy / "hashes").read_bytes()
        (copy / "hashes").write_bytes(hashes[: total // 2 * 32])

    def cut_line(copy: Path) -> None:
        lines = lines_of(copy)
        put_lines(copy, [*lines[:-1], lines[-1][: len(lines[-1]) // 2]])

    def rewritten_with_hash(copy: Path) -> None:
        lines = lines_of(copy)
        lines[9] = lines[9].replace(b'"v":1', b'"v":2')
        put_lines(copy, lines)
        hashes = bytearray((copy / "hashes").read_bytes())
        hashes[9 * 32 : 10 * 32] = leaf_hash(lines[9].rstrip(b"\n"))
        (copy / "hashes").write_bytes(bytes(hashes))

    def emptied(copy: Path) -> None:
        put_lines(copy, [])
        (copy / "hashes").write_bytes(b"")

    def without_checkpoints(copy: Path) -> None:
        (copy / "checkpoints").write_bytes(b"")

    def bad_signature(copy: Path) -> None:
        notes = bytearray((copy / "checkpoints").read_bytes())
        notes[-9] = ord("A") if notes[-9] != ord("A") else ord("B")
        (copy / "checkpoints").write_bytes(bytes(notes))

    attacks = (
        cut_half,
        cut_half_with_hashes,
        cut_line,
        rewritten_with_hash,
        emptied,
        without_checkpoints,
        bad_signature,
    )

    def check(name: str, attack: Callable[[Path], None]) -> None:
        copy = tmp_path / name
        shutil.copytree(written_log, copy)
        attack(copy)
        verdict = verify_directory(copy)
        assert not verdict.whole, verdict

    each({attack.__name__: attack for attack in attacks}, check)


def test_H02_the_command_line_says_which_entry_and_fails(written_log: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    shutil.copytree(written_log, home / "audit")
    untouched = Installation(home).cli("audit", "verify")
    assert untouched.returncode == 0, untouched
    lines = lines_of(home / "audit")
    lines[12] = lines[12].replace(b'"v":1', b'"v":3')
    put_lines(home / "audit", lines)
    ended = Installation(home).cli("audit", "verify")
    assert ended.returncode == 1, ended
    assert b"12" in ended.stdout + ended.stderr, ended
    shown = Installation(home).cli("audit", "verify", "--json")
    assert json.loads(shown.stdout)["index"] == 12


def test_H08_killed_between_forward_and_outcome_is_outcome_unknown(own_scene: Scene) -> None:
    scene, server = own_scene, own_scene.installation
    assert scene.ask("http", "/finished").status == 200
    scene.upstream.script = [Answer((b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello", 20.0))]
    with scene.client() as client:
        client.send(scene.raw("http", "/cut"))
        assert scene.upstream.wait_for_requests(2)
        client.some(2.0)
        server.kill()
        server.start()
    intents = [entry for entry in server.entries() if entry["type"] == "exchange.intent"]
    assert [entry["target"].rsplit("/", 1)[-1] for entry in intents] == ["finished", "cut"]
    outcomes = {entry["exchange"]: entry for entry in server.entries() if entry["type"] == "exchange.outcome"}
    if intents[1]["exchange"] in outcomes:
        assert outcomes[intents[1]["exchange"]]["end"] != "complete"
    sessions = server.api("GET", "/sessions", connection=scene.connection["http"])["sessions"]
    shown = server.cli("sessions", "show", sessions[0]["id"])
    assert shown.returncode == 0, shown
    assert b"unknown" in shown.stdout.lower(), shown.stdout
    verdict = server.api("POST", "/audit/verify", {})
    assert verdict["whole"], verdict
    assert scene.ask("http", "/after").status == 200
    assert server.stop() == 0
    assert verify_directory(server.home / "audit").whole
    server.start()


def test_H08_killed_often_under_load_loses_no_intent(own_scene: Scene) -> None:
    """Whatever the upstream got has its intent in the log, after each of three kills."""
    import threading

    scene, server = own_scene, own_scene.installation
    stop = threading.Event()

    def hammer(number: int) -> None:
        count = 0
        while not stop.is_set():
            try:
                with scene.client() as client:
                    for _ in range(50):
                        time.sleep(0.01)
                        count += 1
                        if not client.send(scene.raw("http", f"/n/{number}/{count}")):
                            break
                        if not client.reply(deadline_s=2.0).complete:
                            break
            except (OSError, AssertionError):
                time.sleep(0.02)

    workers = [threading.Thread(target=hammer, args=(number,), daemon=True) for number in range(4)]
    for worker in workers:
        worker.start()
    try:
        for _ in range(3):
            time.sleep(0.5)
            server.kill()
            server.start()
    finally:
        stop.set()
        for worker in workers:
            worker.join(5.0)
    assert wait_until(lambda: server.api("POST", "/audit/verify", {})["whole"], 5.0)
    intended = {entry["target"] for entry in server.entries() if entry["type"] == "exchange.intent"}
    sent = {scene.target("http", row.target.decode()) for row in scene.upstream.requests}
    assert len(sent) > 30, "too few got through to prove anything"
    missing = {target for target in sent if target not in intended and "/n/" + target.split("/n/")[1] not in intended}
    assert not missing, sorted(missing)[:5]


def test_H18_refused_and_malformed_requests_are_entries(scene: Scene) -> None:
    cases = {
        "no token": (request("GET", scene.target()), "token_missing"),
        "unknown token": (
            request("GET", scene.target(), ["Authorization: Bearer ost_u" + "0" * 49]),
            "token_unknown",
        ),
        "unknown connection": (request("GET", "/nowhere/a", [scene.bearer]), "unknown_connection"),
        "denied": (request("GET", scene.target("openai", "/v1/nothing"), [scene.bearer]), "no_rule"),
        "trace": (request("TRACE", scene.target(), [scene.bearer]), "not_allowed_here"),
        "malformed": (b"GET / HTTP/1.1\r\nHost: localhost\r\nNonsense\r\n\r\n", "bad_request"),
        "ambiguous": (request("GET", scene.target("http", "/a/../b"), [scene.bearer]), "ambiguous_request"),
        "not HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", "bad_request"),
    }

    def check(_: str, case: tuple[bytes, str]) -> None:
        reply = scene.say(case[0])
        entry = scene.must_be_recorded(reply)
        assert entry["type"] == "exchange.refused"
        assert entry["code"] in {case[1], "bad_request", "ambiguous_request"}, entry
        assert entry["status"] == reply.status
        written = json.dumps(entry)
        assert "ost_" not in written
        assert "Nonsense" not in written

    each(cases, check)


def test_H18_a_request_that_never_ends_is_recorded_as_well(scene: Scene) -> None:
    count = len(scene.installation.entries(scene.first_index))

    def check(_: str, cut: bytes) -> None:
        with scene.client() as client:
            client.send(cut)
            _, closed = client.until_close(5.0)
            assert closed

    cases = {"method": b"GET ", "half a head": scene.raw()[:50]}
    each(cases, check, at_once=2)
    assert wait_until(lambda: len(scene.installation.entries(scene.first_index)) >= count + len(cases), 3.0)


def test_H15_looking_at_a_recording_is_an_entry(scene: Scene) -> None:
    scene.upstream.script = [answer(b"seen")]
    identifier = scene.ask().header("x-ostiary-exchange")
    entries = scene.installation.entries(scene.first_index)
    exchange = next(entry["exchange"] for entry in entries if entry["type"] == "exchange.intent")
    assert identifier in ([], [exchange.encode()])
    assert wait_until(lambda: _viewed(scene, exchange) is not None, 3.0, 0.1)

    def views() -> list[dict]:
        return [row for row in scene.installation.entries(scene.first_index) if row["type"] == "recording.view"]

    assert wait_until(lambda: bool(views()), 3.0, 0.1), "looking left no trace"
    assert exchange in json.dumps(views()[-1])


def _viewed(scene: Scene, exchange: str) -> object | None:
    try:
        return scene.installation.api("GET", f"/recordings/{exchange}")
    except Refused:
        return None


def test_H01_sigterm_finishes_what_runs_and_writes_it_down(own_scene: Scene) -> None:
    scene, server = own_scene, own_scene.installation
    scene.upstream.script = [Answer((b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", 0.6, b"world"))]
    with scene.client() as client:
        client.send(scene.raw())
        assert scene.upstream.wait_for_requests(1)
        assert server.process is not None
        server.process.send_signal(signal.SIGTERM)
        reply = client.reply()
    assert (reply.body, reply.complete) == (b"helloworld", True)
    assert server.process.wait(10.0) == 0
    assert verify_directory(server.home / "audit").whole
    server.start()
    (outcome,) = [entry for entry in server.entries() if entry["type"] == "exchange.outcome"]
    assert outcome["end"] == "complete"
