"""`ostiary mask`: what is found and where, what comes out, and which rules are tried."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ostiary.cli import commands as command_line
from ostiary.cli.commands import DONE, FAILED, NOT_REACHABLE, WRONG_USAGE
from ostiary.cli.invocation import Invocation
from ostiary.cli.mask_trial import shape_of
from ostiary.control.api import create_api
from ostiary.control.socket import serve_unix
from support.control_room import Room, control_room

Run = Callable[..., tuple[int, str, str]]

RULES = """\
version: 1
masking:
  - {name: addresses, detectors: [email], where: [response], action: hash, on: [nowhere-yet]}
  - {name: our ids, pattern: 'ACME-[0-9]{8}', where: [response, request], action: partial}
  - {name: projects, words: [Falcon], where: [request], action: placeholder}
  - {name: tickets, fields: [ssn], where: [response], action: report}
"""

IN_FORCE = """\
version: 1
connections:
  - {name: one, kind: openai, masking: [ids]}
  - {name: two, kind: http, upstream: "https://a.example"}
  - {name: three, kind: cursor, masking: []}
masking:
  - name: ids
    pattern: 'ACME-[0-9]{8}'
    where: [response]
    exceptions:
      - {reason: published, expires: never, matching: 'ACME-0{8}'}
      - {reason: over, expires: 2020-01-01, matching: 'ACME-1.*'}
      - {reason: hers, expires: never, who: {users: [ann]}}
      - {reason: elsewhere, expires: never, on: [two]}
  - {name: words, words: [Falcon], where: [request], who: {users: [ann]}}
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command line in this process on an empty HOME: (exit code, stdout, stderr)."""
    monkeypatch.setenv("OSTIARY_HOME", str(tmp_path / "home"))

    def call(*arguments: str) -> tuple[int, str, str]:
        code = command_line._run(["mask", *arguments], Invocation())
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., str]:
    def write(content: str | bytes, name: str = "text") -> str:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return write


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """An installation whose control API listens in HOME."""
    home = tmp_path / "home"
    home.mkdir()
    with control_room(tmp_path) as room:
        loop = asyncio.new_event_loop()
        server = loop.run_until_complete(serve_unix(create_api(room.services), home / "admin.sock"))
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        asyncio.run_coroutine_threadsafe(
            room.services.configuration.apply(room.owner, IN_FORCE, "o.yaml", False), loop
        ).result()
        yield room
        asyncio.run_coroutine_threadsafe(server.close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def findings(out: str) -> list[tuple[object, ...]]:
    keys = ("line", "column", "detector", "format", "length", "action", "rule")
    return [tuple(found[key] for key in keys) for found in json.loads(out)["findings"]]


def test_findings_come_with_their_place_and_without_their_value(run: Run, file: Callable[..., str]) -> None:
    code, out, err = run("test", file("To ann@example.com,\nüñ: bob@example.org.\n"), "--detectors", "email")
    assert (code, err) == (DONE, "")
    assert out.splitlines() == [
        "AT   DETECTOR  FORMAT  BYTES  ACTION   RULE",
        "1:4  email     email   15     replace  email",
        "2:5  email     email   15     replace  email",
        "2 findings (read as text).",
        "",
        "Result:",
        "To [masked:email],",
        "üñ: [masked:email].",
    ]


def test_the_same_as_json(run: Run, file: Callable[..., str]) -> None:
    code, out, _ = run("test", file("To ann@example.com"), "--detectors", "email,iban", "--json")
    assert code == DONE
    assert json.loads(out) == {
        "read_as": "text",
        "findings": [
            {
                "line": 1,
                "column": 4,
                "detector": "email",
                "format": "email",
                "length": 15,
                "action": "replace",
                "rule": "email",
                "place": "body",
            }
        ],
        "result": "To [masked:email]",
    }


def test_without_options_every_detector_looks_at_standard_input() -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" + "k1L2m3N4o5P6q7R8"
    done = subprocess.run(
        [sys.executable, "-m", "ostiary", "mask", "test"],
        input=f"export GITHUB_TOKEN={token} # ann@example.com\n".encode(),
        capture_output=True,
        check=True,
    )
    text = done.stdout.decode()
    assert token not in text
    assert "GITHUB_TOKEN=[masked:secrets] # [masked:email]" in text


def test_nothing_found_is_said_and_the_text_is_as_it_was(run: Run, file: Callable[..., str]) -> None:
    code, out, _ = run("test", file("nothing here"), "--detectors", "email")
    assert (code, out) == (DONE, "Nothing found (read as text).\n\nResult:\nnothing here\n")


def test_what_a_terminal_could_act_on_is_escaped(run: Run, file: Callable[..., str]) -> None:
    _, out, _ = run("test", file(b"\x1b[2J\xff ann@example.com"), "--detectors", "email")
    assert out.endswith("‹U+001B›[2J\\xff [masked:email]\n")


def test_rules_of_a_file_are_tried_whatever_connection_they_speak_of(run: Run, file: Callable[..., str]) -> None:
    rules = file(RULES, "rules.yaml")
    text = file("Falcon ACME-12345678 ann@example.com")
    code, out, err = run("test", text, "--rules", rules, "--json")
    assert code == DONE
    assert findings(out) == [
        (1, 1, "projects", "word", 6, "placeholder", "projects"),
        (1, 8, "our ids", "pattern", 13, "partial", "our ids"),
        (1, 22, "email", "email", 15, "hash", "addresses"),
    ]
    assert json.loads(out)["result"].startswith("‹projects:1› [masked:our ids:...5678] [masked:email:")
    assert "made with a key for trying" in err


@pytest.mark.parametrize(
    ("where", "rules"),
    [("request", ["projects", "our ids"]), ("response", ["our ids", "addresses"]), ("recording", [])],
)
def test_only_the_rules_for_one_direction(where: str, rules: list[str], run: Run, file: Callable[..., str]) -> None:
    text = file("Falcon ACME-12345678 ann@example.com")
    code, out, _ = run("test", text, "--rules", file(RULES, "rules.yaml"), "--where", where, "--json")
    assert code == DONE
    assert [found[-1] for found in findings(out)] == rules


def test_json_is_read_as_its_reader_would(run: Run, file: Callable[..., str]) -> None:
    source = '{"a": 1.50,\n "mail": "ann\\u0040example.com", "ssn": [1, 2],\n "again": "ann@example.com"}'
    code, out, _ = run("test", file(source), "--rules", file(RULES, "rules.yaml"), "--where", "response", "--json")
    assert code == DONE
    shown = json.loads(out)
    assert shown["read_as"] == "json"
    assert [(found["line"], found["rule"], found["action"]) for found in shown["findings"]] == [
        (2, "addresses", "hash"),
        (2, "tickets", "report"),
        (3, "addresses", "hash"),
    ]
    result = json.loads(shown["result"])
    assert shown["result"].startswith('{"a": 1.50,\n "mail": "[masked:email:')
    assert result["mail"] == result["again"]
    assert result["ssn"] == [1, 2]


def test_a_value_split_over_events_is_found_where_it_begins(run: Run, file: Callable[..., str]) -> None:
    pieces = ["write to ann@exa", "mple.com, please"]
    events = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]
    stream = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
    code, out, _ = run("test", file(stream), "--detectors", "email", "--json")
    assert code == DONE
    shown = json.loads(out)
    assert shown["read_as"] == "sse"
    assert [(found["line"], found["length"]) for found in shown["findings"]] == [(1, 15)]
    datas = [line.removeprefix("data: ") for line in shown["result"].splitlines() if line.startswith("data: {")]
    said = "".join(json.loads(data)["choices"][0]["delta"]["content"] for data in datas)
    assert said == "write to [masked:email], please"


@pytest.mark.parametrize(
    ("content", "shape"),
    [
        (b"", "text"),
        (b"hello", "text"),
        (b'{"a": 1}', "json"),
        (b' [1, "a"]\n', "json"),
        (b'{"a": 1}\n{"b": 2}\n', "json"),
        (b"{not json}", "text"),
        (b"data: {}\n\n", "sse"),
        (b"event: x\ndata: y\n\n", "sse"),
        (b"id: 3\nname: a", "text"),
        (b"\xef\xbb\xbfdata: y\n\n", "sse"),
    ],
)
def test_the_kind_of_text_is_seen_by_looking(content: bytes, shape: str) -> None:
    assert shape_of(content) == shape


def test_how_to_read_the_text_can_be_said(run: Run, file: Callable[..., str]) -> None:
    text = file('{"mail": "ann\\u0040example.com"}')
    assert len(findings(run("test", text, "--detectors", "email", "--json")[1])) == 1
    assert findings(run("test", text, "--detectors", "email", "--as", "text", "--json")[1]) == []


def test_utf_16_is_read_too(run: Run, file: Callable[..., str]) -> None:
    code, out, _ = run("test", file("é ann@example.com".encode("utf-16")), "--detectors", "email", "--json")
    assert (code, findings(out)[0][:2]) == (DONE, (1, 3))


def test_a_rule_that_blocks_ends_with_1_after_everything_was_shown(run: Run, file: Callable[..., str]) -> None:
    rules = "version: 1\nmasking:\n  - {name: no mail, detectors: [email], where: [request], action: block}\n"
    text = file("ann@example.com and bob@example.com")
    code, out, err = run("test", text, "--rules", file(rules, "rules.yaml"))
    assert code == FAILED
    assert out.count("block") == 2
    assert "Result" not in out
    assert err.startswith("ostiary: Masking rule `no mail` blocks this")
    code, out, _ = run("test", text, "--rules", file(rules, "rules.yaml"), "--json")
    assert (code, json.loads(out)["result"]) == (FAILED, None)


def test_the_rules_in_force_on_a_connection_are_tried(run: Run, room: Room, file: Callable[..., str]) -> None:
    text = file("ACME-00000000 ACME-12345678 Falcon")
    code, out, err = run("test", text, "--connection", "one", "--json")
    assert code == DONE
    assert findings(out) == [(1, 15, "ids", "pattern", 13, "replace", "ids")]
    assert "Exceptions of the masking rule 'ids' that speak of some actors only are not made here." in err
    assert findings(run("test", text, "--connection", "two", "--json")[1]) == []
    code, out, err = run("test", text, "--connection", "two", "--where", "request", "--json")
    assert [found[-1] for found in findings(out)] == ["words"]
    assert "speaks of some actors only" in err
    code, out, err = run("test", text, "--connection", "three")
    assert (code, out.splitlines()[0]) == (DONE, "Nothing found (read as text).")
    assert err == "Note: No masking rule holds here.\n"


@pytest.mark.parametrize(
    ("matching", "result"),
    [
        ("ACME-1[0-9]+", "ACME-12345678 [masked:ids]"),
        ("ACME-1", "[masked:ids] [masked:ids]"),
        ("[0-9]+", "[masked:ids] [masked:ids]"),
        (".+", "ACME-12345678 ACME-22345678"),
    ],
)
def test_an_exception_matches_the_whole_of_what_was_found(
    matching: str, result: str, run: Run, file: Callable[..., str]
) -> None:
    exception = f"{{reason: r, expires: never, matching: '{matching}'}}"
    rule = f"{{name: ids, pattern: 'ACME-[0-9]{{8}}', where: [response], exceptions: [{exception}]}}"
    rules = file(f"version: 1\nmasking: [{rule}]\n", "rules.yaml")
    code, out, _ = run("test", file("ACME-12345678 ACME-22345678"), "--rules", rules, "--json")
    assert (code, json.loads(out)["result"]) == (DONE, result)


def test_an_unknown_connection_is_named_with_the_nearest(run: Run, room: Room, file: Callable[..., str]) -> None:
    code, out, err = run("test", file("x"), "--connection", "ones")
    assert (code, out) == (FAILED, "")
    assert err == "ostiary: There is no connection 'ones'. Did you mean 'one'?\n"


def test_without_a_server_only_a_connection_needs_one(run: Run, file: Callable[..., str]) -> None:
    assert run("test", file("x"), "--connection", "one")[0] == NOT_REACHABLE
    assert run("test", file("x"), "--detectors", "email")[0] == DONE


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--detectors", "emial"], "There is no detector 'emial'. Did you mean 'email'?"),
        (["--detectors", "minted-credential"], "known by the operation"),
        (["--where", "request"], "--where belongs to"),
        (["--detectors", "email", "--connection", "c"], "exclude each other"),
        (["--as", "xml"], "'xml' is not one of"),
        (["--rules", "missing.yaml"], "missing.yaml"),
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str], says: str, run: Run, file: Callable[..., str]) -> None:
    code, out, err = run("test", file("x"), *arguments)
    assert (code, out) == (WRONG_USAGE, "")
    assert says in err


def test_a_wrong_rule_is_named_with_its_line(run: Run, file: Callable[..., str]) -> None:
    rules = file(RULES.replace("[0-9]{8}", "[0-9]{8}(?=x)"), "rules.yaml")
    code, out, err = run("test", file("x"), "--rules", rules)
    assert (code, out) == (FAILED, "")
    assert "rules.yaml:4: pattern cannot be used" in err


def test_the_list_shows_every_detector_and_format(run: Run) -> None:
    code, out, _ = run("list", "--json")
    assert code == DONE
    detectors = {row["name"]: row["formats"] for row in json.loads(out)["detectors"]}
    assert {"secrets", "email", "payment-card", "minted-credential"} <= detectors.keys()
    assert any(row["vendor"] == "GitHub" for row in detectors["secrets"])
    code, out, _ = run("list")
    assert out.splitlines()[0].split() == ["DETECTOR", "FORMAT", "WHAT", "OF"]
