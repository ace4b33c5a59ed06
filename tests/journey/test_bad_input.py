"""Bad input of every kind: one clear sentence, what to do next, the contract's exit code, nothing half-written."""

import hashlib
import http.client
import json
import os
import secrets
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.installation import Installation

FAILED, WRONG_USAGE = 1, 2

GOOD = """\
version: 1
secrets:
  - {name: notes-key, from: {stored: true}}
connections:
  - {name: notes, kind: http, upstream: "http://127.0.0.1:9", allow_private: true, secret: notes-key}
rules:
  - {name: reads, who: {groups: [engineering]}, on: [notes], operations: ["class:read"], effect: allow}
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A running installation with one connection, one rule and one secret."""
    folder = tmp_path_factory.mktemp("bad-input")
    installation = Installation(folder / "home").start()
    try:
        _apply(installation, GOOD)
        installation.set_secret("notes-key", "a-real-enough-key-0123456789")
        yield installation
    finally:
        installation.stop()


def _apply(installation: Installation, text: str) -> None:
    installation.api("POST", "/configuration/apply", {"yaml": text, "filename": "good.yaml", "prune": False})


def _sentence(done: "subprocess.CompletedProcess[bytes]", code: int) -> str:
    """The one line on stderr; the exit code is `code`, and nothing else was said."""
    errors = done.stderr.decode()
    assert done.returncode == code, f"exit code {done.returncode}: {errors}{done.stdout.decode()}"
    assert "Traceback" not in errors
    lines = errors.strip().splitlines()
    assert len(lines) == 1, errors
    assert lines[0].startswith("ostiary: ")
    return lines[0]


# -- files -----------------------------------------------------------------------

MALFORMED = {
    "not YAML": (GOOD + "  - {name: [unclosed\n", 9, ""),
    "not a mapping": ("- just\n- a list\n", 1, ""),
    "unknown key": (GOOD.replace("upstream:", "upstraem:"), 5, "upstream"),
    "unknown top-level key": (GOOD.replace("rules:", "ruels:"), 6, "rules"),
    "unknown kind": (GOOD.replace("kind: http", "kind: htpp"), 5, "http"),
    "unknown connection in a rule": (GOOD.replace("on: [notes]", "on: [noets]"), 7, "notes"),
    "unknown effect": (GOOD.replace("effect: allow", "effect: alow"), 7, "allow"),
    "unknown secret": (GOOD.replace("secret: notes-key", "secret: notes-kye"), 5, "notes-key"),
    "wrong type": (GOOD.replace("allow_private: true", "allow_private: perhaps"), 5, ""),
    "an alias bomb": ("a: &a [x, x]\nb: &b [*a, *a]\nversion: 1\nrules: [*b, *b]\n", 1, ""),
    "a Python object": (GOOD.replace("name: reads", "name: !!python/object/apply:os.getcwd []"), 7, ""),
    "the same name twice": (GOOD + GOOD.splitlines()[-1] + "\n", 8, ""),
}


@pytest.mark.parametrize("case", MALFORMED, ids=str)
@pytest.mark.parametrize("dry", [False, True], ids=["apply", "dry-run"])
def test_a_malformed_file_names_file_line_and_nearest_word_and_changes_nothing(
    case: str, dry: bool, house: Installation, tmp_path: Path
) -> None:
    text, line, nearest = MALFORMED[case]
    file = tmp_path / "broken.yaml"
    file.write_text(text)
    before = house.api("GET", "/configuration")
    done = house.cli_here("apply", "-f", str(file), *(["--dry-run"] if dry else []))
    sentence = _sentence(done, FAILED)
    assert "broken.yaml" in sentence
    assert f"line {line}" in sentence or f":{line}" in sentence
    assert nearest in sentence
    assert done.stdout == b""
    assert house.api("GET", "/configuration") == before


def test_a_file_that_is_not_text_is_refused_before_it_is_sent(house: Installation, tmp_path: Path) -> None:
    file = tmp_path / "image.yaml"
    file.write_bytes(b"version: 1\n\xff\xfe\x00")
    assert "image.yaml, line 2" in _sentence(house.cli("apply", "-f", str(file)), FAILED)


def test_a_file_that_does_not_exist_is_wrong_usage(house: Installation) -> None:
    assert "nowhere.yaml" in _sentence(house.cli("apply", "-f", "nowhere.yaml"), WRONG_USAGE)


# -- keys ------------------------------------------------------------------------

ILLEGAL_KEYS = {
    "empty": b"",
    "only a line end": b"\n",
    "shorter than eight bytes": b"1234567",
    "a line feed inside": b"abcdefgh\nX-Injected: 1",
    "a carriage return inside": b"abcdefgh\rX-Injected: 1",
    "a NUL": b"abcdefgh\x00ijkl",
    "a byte above ASCII": "schlüssel-schlüssel".encode(),
    "longer than 4,096 bytes": b"k" * 4097,
    "two line ends": b"abcdefghijkl\n\n",
}


@pytest.mark.parametrize("case", ILLEGAL_KEYS, ids=str)
def test_an_illegal_key_is_refused_when_saved_and_not_repeated(case: str, house: Installation) -> None:
    value = ILLEGAL_KEYS[case]
    before = house.api("GET", "/secrets")
    done = house.cli_here("secret", "set", "notes-key", stdin=value)
    sentence = _sentence(done, FAILED)
    printable = value.strip()[:8].decode(errors="ignore")
    assert not printable or printable not in sentence
    assert house.api("GET", "/secrets") == before


def test_one_line_end_is_not_part_of_the_key(house: Installation) -> None:
    done = house.cli("secret", "set", "notes-key", stdin=b"a-real-enough-key-0123456789\r\n")
    assert done.returncode == 0, done.stderr
    assert b"a-real-enough" not in done.stdout + done.stderr


# -- requests --------------------------------------------------------------------


def _request(house: Installation, path: str, token: str) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", house.gateway_port, timeout=10)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@pytest.mark.parametrize(
    "token", ["hunter2", "ost_u" + "A" * 49, "sk-" + "a" * 40], ids=["a password", "a made-up token", "another's key"]
)
def test_a_wrong_token_is_401_with_a_sentence(token: str, house: Installation) -> None:
    status, problem = _request(house, "/notes/list", token)
    assert status == 401
    assert problem["code"] == "token_unknown"
    assert token not in json.dumps(problem)


def test_an_unknown_connection_reads_like_one_the_actor_may_not_know(house: Installation) -> None:
    foreign = house.token("bob", groups=["sales"])
    unknown = _request(house, "/nosuch/list", foreign)
    hidden = _request(house, "/notes/list", foreign)
    assert unknown[0] == hidden[0] == 404
    assert unknown[1]["code"] == hidden[1]["code"] == "unknown_connection"
    assert unknown[1]["detail"].replace("nosuch", "notes") == hidden[1]["detail"]


# -- the command line --------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [("serve", "--porrt", "1"), ("token", "create", "--actr", "a"), ("audit", "verfy")], ids=" ".join
)
def test_an_unknown_option_or_command_is_wrong_usage(arguments: tuple[str, ...], house: Installation) -> None:
    assert "--help" in _sentence(house.cli(*arguments), WRONG_USAGE)


@pytest.mark.parametrize(
    "arguments",
    [
        ("sessions", "show", "nosuch"),
        ("sessions", "replay", "nosuch"),
        ("approvals", "show", "nosuch"),
        ("approvals", "approve", "nosuch"),
        ("token", "revoke", "nosuch"),
        ("sessions", "show", "../../status"),
    ],
    ids=" ".join,
)
def test_an_unknown_id_fails_with_a_sentence(arguments: tuple[str, ...], house: Installation) -> None:
    _sentence(house.cli_here(*arguments), FAILED)


# -- starting ----------------------------------------------------------------------


def _serve(installation: Installation, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    """Try to start a server that should refuse; `OSTIARY_HOME` is the installation's."""
    options = [
        f"--{name}=127.0.0.1:{port}"
        for name, port in [
            ("gateway", installation.gateway_port),
            ("console", installation.console_port),
            ("ops", installation.ops_port),
        ]
    ]
    return installation.cli("serve", *options, **environment)


def _last_line(done: "subprocess.CompletedProcess[bytes]", code: int = FAILED) -> str:
    """The sentence a server that refuses to start ends with; log lines may stand before it."""
    errors = done.stderr.decode()
    assert done.returncode == code, f"exit code {done.returncode}: {errors}"
    assert "Traceback" not in errors
    assert b"Traceback" not in done.stdout
    last = errors.strip().splitlines()[-1]
    assert last.startswith("ostiary: "), errors
    return last


def _contents(home: Path) -> dict[str, str]:
    """Every file's digest; SQLite's shared-memory file is scratch space and does not count."""
    files = (path for path in home.rglob("*") if path.is_file() and not path.name.endswith("-shm"))
    return {str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("listener", ["gateway", "console", "ops"])
def test_a_busy_port_is_named(listener: str, tmp_path: Path) -> None:
    installation = Installation(tmp_path / "home")
    port = getattr(installation, f"{listener}_port")
    with socket.create_server(("127.0.0.1", port)):
        last = _last_line(_serve(installation))
    assert str(port) in last
    assert f"--{listener}" in last
    assert not (tmp_path / "home" / "server.json").exists()
    assert not (tmp_path / "home" / "admin.sock").exists()


@pytest.mark.parametrize("kind", ["below a file", "a file", "not to be made"])
def test_an_unwritable_home_is_named(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    home = {"below a file": file / "home", "a file": file, "not to be made": Path("/proc/ostiary")}[kind]
    last = _last_line(_serve(Installation(home)))
    assert str(home) in last or str(home.parent) in last
    assert file.read_text() == "in the way"


@pytest.fixture(scope="module")
def closed_house(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An installation that ran once, holds a secret, and is stopped."""
    installation = Installation(tmp_path_factory.mktemp("closed") / "home").start()
    _apply(installation, GOOD)
    installation.set_secret("notes-key", "a-real-enough-key-0123456789")
    assert installation.stop() == 0
    return installation


def test_a_wrong_root_key_is_noticed_at_once_and_touches_nothing(closed_house: Installation) -> None:
    path = closed_house.home / "root.key"
    right = path.read_bytes()
    try:
        path.write_text(secrets.token_hex(32))
        before = _contents(closed_house.home)
        last = _last_line(_serve(closed_house))
        assert "root key" in last.lower()
        assert _contents(closed_house.home) == before
    finally:
        path.write_bytes(right)


@pytest.mark.parametrize(
    "content", ["", "not hexadecimal", "abcd" * 8, "00" * 33], ids=["empty", "text", "short", "long"]
)
def test_a_damaged_root_key_is_named_and_not_replaced(content: str, closed_house: Installation) -> None:
    path = closed_house.home / "root.key"
    right = path.read_bytes()
    try:
        path.write_text(content)
        assert "root key" in _last_line(_serve(closed_house)).lower()
        assert path.read_text() == content
    finally:
        path.write_bytes(right)


def test_a_missing_root_key_of_an_existing_installation_is_not_made_anew(closed_house: Installation) -> None:
    path = closed_house.home / "root.key"
    right = path.read_bytes()
    path.unlink()
    try:
        assert "root" in _last_line(_serve(closed_house)).lower()
        assert not path.exists()
    finally:
        path.write_bytes(right)
        os.chmod(path, 0o600)


def test_a_wrong_root_key_in_the_environment_is_noticed_and_not_repeated(closed_house: Installation) -> None:
    wrong = secrets.token_hex(32)
    last = _last_line(_serve(closed_house, OSTIARY_ROOT_KEY=wrong))
    assert "root key" in last.lower()
    assert wrong not in last


def test_a_public_address_without_tls_is_refused(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "home")
    done = installation.cli("serve", f"--gateway=0.0.0.0:{installation.gateway_port}")
    last = _last_line(done)
    assert "--insecure-plaintext" in last


def test_a_certificate_that_is_none_is_named(tmp_path: Path) -> None:
    file = tmp_path / "cert.pem"
    file.write_text("not a certificate")
    done = Installation(tmp_path / "home").cli("serve", "--tls-cert", str(file), "--tls-key", str(file))
    assert str(file) in _last_line(done)


def test_a_second_server_on_the_same_home_is_refused_and_the_first_goes_on(house: Installation) -> None:
    second = Installation(house.home)
    _last_line(_serve(second))
    assert house.ready()
    assert house.cli("token", "list").returncode == 0
