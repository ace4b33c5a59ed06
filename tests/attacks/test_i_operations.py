"""I03, I06, I09, I10: what a way around the gateway would look like."""

import http.client
import json
import stat
from pathlib import Path

from support.cases import each
from support.installation import Installation, Refused, free_ports, running
from support.oracle import LeakOracle
from support.raw_client import RawClient, request
from support.scene import KINDS, Scene


def test_I03_no_route_and_no_command_reads_a_secret_back(scene: Scene) -> None:
    server = scene.installation
    scene.ask()
    paths = [
        "/status", "/configuration", "/secrets", f"/secrets/{scene.secret}", f"/secrets/{scene.secret}/value",
        f"/secrets/{scene.secret}/versions/1", f"/secrets/{scene.secret}?reveal=true", "/secrets?reveal=1",
        "/secrets?values=true",
        "/configuration?secrets=true", "/tokens", "/sessions", "/approvals", "/audit/checkpoint", "/openapi.json",
        "/backup",
        "/export", "/keys", "/settings", "/debug", "/environment", "/../root.key", "/%2e%2e/root.key", "//root.key",
    ]  # fmt: skip
    answers = []
    for path in paths:
        for method in ("GET", "POST", "PATCH", "DELETE"):
            if method == "DELETE" and path.startswith("/secrets"):
                continue
            try:
                answers.append(json.dumps(server.api(method, path, {} if method != "GET" else None), default=repr))
            except Refused as refusal:
                if refusal.status >= 500:
                    raise
                answers.append(repr(refusal.problem))
    written = server.set_secret(scene.secret, scene.key)
    answers.append(json.dumps(written))
    root_key = (server.home / "root.key").read_bytes().strip()
    for number, shown in enumerate(answers):
        assert not scene.oracle.search(f"answer {number}", shown.encode()), shown[:300]
        assert root_key not in shown.encode()
    commands = [
        ["export"], ["secret", "list"], ["secret", "show", scene.secret], ["doctor"],
        ["--debug", "export"], ["--json", "export"], ["setup", "cursor"],
    ]  # fmt: skip
    for command in commands:
        ended = server.cli(*command)
        assert ended.returncode in {0, 1, 2}, ended
        assert not scene.oracle.search(" ".join(command), ended.stdout + ended.stderr), ended


def test_I03_exported_configuration_applies_again_without_a_value(scene: Scene) -> None:
    exported = scene.installation.cli("export")
    assert exported.returncode == 0, exported
    assert scene.secret.encode() in exported.stdout
    answer = scene.installation.api(
        "POST",
        "/configuration/plan",
        {"yaml": exported.stdout.decode(), "filename": "export.yaml", "prune": True},
    )
    assert answer["plan"] == []


def test_I03_tokens_are_shown_once_and_cannot_be_read_back(scene: Scene) -> None:
    listed = json.dumps(scene.installation.api("GET", "/tokens"))
    assert scene.token not in listed
    assert scene.token[5:40] not in listed
    assert scene.token.encode() not in scene.installation.cli("token", "list", "--json").stdout


def test_I03_the_console_listener_gives_nothing_to_strangers(scene: Scene) -> None:
    """Neither without a login nor with a gateway token; and it does not act as a gateway."""
    port = scene.installation.console_port

    def check(_: str, case: tuple[str, str, dict[str, str]]) -> None:
        method, path, headers = case
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request(method, path, body="{}" if method != "GET" else None, headers=headers)
            answered = connection.getresponse()
            content = answered.read()
        finally:
            connection.close()
        assert answered.status in {400, 401, 403, 404, 405, 421}, (answered.status, content[:200])
        assert not scene.oracle.search("console", content)
        scene.nothing_reached_upstream()

    bearer = {"Authorization": f"Bearer {scene.token}"}
    routes = [
        ("GET", "/api/v1/secrets"), ("GET", "/api/v1/tokens"), ("POST", "/api/v1/tokens"), ("GET",
        "/api/v1/sessions"),
        ("GET", "/api/v1/configuration"), ("POST", "/api/v1/configuration/apply"), ("PUT",
        f"/api/v1/secrets/{scene.secret}"),
        ("GET", "/api/v1/audit/entries"), ("POST", "/api/v1/approvals/x/approve"), ("GET", scene.target()),
    ]  # fmt: skip
    each(
        {
            f"{method} {path} {'with a token' if headers else ''}": (method, path, headers)
            for method, path in routes
            for headers in ({}, bearer)
        },
        check,
    )


def test_I06_root_key_missing_or_wrong_refuses_to_start(tmp_path: Path) -> None:
    home = tmp_path / "home"
    value = "crsr_0123456789abcdefghijABCDEFGHIJ0123456789"
    oracle = LeakOracle(value.encode())
    with running(home) as server:
        server.apply({"secrets": [{"name": "kept", "from": "stored"}]})
        server.set_secret("kept", value)
        for entry in (home, home / "root.key", home / "ostiary.db", home / "admin.sock"):
            mode = stat.S_IMODE(entry.stat().st_mode)
            assert mode & 0o077 == 0, f"{entry.name} is {mode:o}"
        server.stop()
        good = (home / "root.key").read_bytes()

        def must_refuse(installation: Installation) -> None:
            process = installation.launch()
            assert process.wait(15.0) == 1, installation.output
            installation._join_readers()
            text = installation.output.decode()
            assert "root" in text.lower(), text
            assert "Traceback" not in text
            assert not oracle.search("output", installation.output)

        (home / "root.key").unlink()
        must_refuse(Installation(home))
        assert not (home / "root.key").exists(), "a new root key was made beside sealed data"
        wrong = (
            bytes([good[0] ^ 1]) + good[1:]
            if not good[:1].isalnum()
            else (b"0" if good[:1] != b"0" else b"1") + good[1:]
        )
        for content in (wrong, b"short"):
            (home / "root.key").write_bytes(content)
            (home / "root.key").chmod(0o600)
            must_refuse(Installation(home))
        (home / "root.key").write_bytes(good)
        must_refuse(Installation(home, {"OSTIARY_ROOT_KEY": "0" * 64}))
        server.start()
        server.stop()


def test_I06_public_address_without_tls_refuses_to_start(tmp_path: Path) -> None:
    for option in ("gateway", "console"):
        for address in ("0.0.0.0", "[::]"):
            port = free_ports(1)[0]
            installation = Installation(tmp_path / "home", None, f"--{option}", f"{address}:{port}")
            process = installation.launch()
            try:
                assert process.wait(15.0) in {1, 2}, installation.output
            finally:
                if installation.alive:
                    installation.kill()
            installation._join_readers()
            assert b"Traceback" not in installation.output
            assert b"TLS" in installation.output or b"tls" in installation.output, installation.output


def test_I09_metrics_and_documents_are_not_on_the_gateway_listener(scene: Scene) -> None:
    paths = (
        "/metrics",
        "/docs",
        "/redoc",
        "/openapi.json",
        "/api/v1/openapi.json",
        "/api/v1/status",
        "/healthz",
        "/readyz",
    )
    for path in paths:
        for lines in ([], [scene.bearer]):
            reply = scene.say(request("GET", path, lines))
            assert reply.status in {401, 404}, reply.raw
            assert b"# TYPE" not in reply.raw
            assert b'"openapi"' not in reply.body
            assert b'"paths"' not in reply.body
    with RawClient(scene.installation.ops_port) as client:
        client.send(request("GET", scene.target(), [scene.bearer]))
        assert client.reply().status in {400, 404, 405, 421}
    scene.nothing_reached_upstream()


def test_I09_metrics_name_no_person_and_no_path(scene: Scene) -> None:
    for kind in KINDS:
        scene.ask(kind)
    scene.ask("http", "/very/private/path?with=query")
    status, text = scene.installation.ops("/metrics")
    assert status == 200
    for word in (scene.actor.encode(), scene.token.encode(), b"very/private", b"with=query"):
        assert word not in text


def test_I10_a_stolen_home_holds_no_usable_token(scene: Scene) -> None:
    """Without the root key nothing in the home opens a door; the oracle looks for the key, this for tokens."""
    import hashlib

    scene.ask()
    for entry in scene.installation.home.rglob("*"):
        if entry.is_file() and not entry.is_symlink():
            content = entry.read_bytes()
            assert scene.token.encode() not in content, entry
            assert scene.token[5:30].encode() not in content, entry
    digest = hashlib.sha256(scene.token.encode()).digest()
    reply = scene.say(request("GET", scene.target(), [f"Authorization: Bearer {digest.hex()}"]))
    scene.must_be_refused(reply, 401, closed=False)
