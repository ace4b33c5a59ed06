"""One test's stage on a running installation: a key of its module, connections to a raw upstream, a token.

Whatever the test can reach is searched for the key, and for the token where it must not be, at the end.
"""

import random
import string
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from support.installation import Installation
from support.oracle import Leak, LeakOracle, Snapshot
from support.raw_client import RawClient, Reply, request
from support.raw_upstream import RawUpstream, wait_until

ALPHABET = string.ascii_letters + string.digits
KINDS = ("http", "openai", "anthropic", "cursor")
MARK = b"[masked:injected-secret]"

ORDINARY = {
    "http": ("GET", "/some/path"),
    "openai": ("GET", "/v1/models"),
    "anthropic": ("GET", "/v1/models"),
    "cursor": ("GET", "/v1/me"),
}
"""A read of each kind."""


def random_key(source: random.Random) -> str:
    """A key of the shape Cursor gives out."""
    return "crsr_" + "".join(source.choices(ALPHABET, k=40))


class StageKey:
    """A key that the scenes of one module use one after the other, under one secret's name: a fresh one for each would
    be compiled for each. `spent` once a scene changed it or failed; the next scene then gets another."""

    def __init__(self, module: str, seed: int) -> None:
        source = random.Random(f"{module} {seed}")
        self.module = module
        self.seed = seed
        self.value = random_key(source)
        self.secret = "key-" + "".join(source.choices(string.ascii_lowercase + string.digits, k=10))
        self.stored = False
        self.spent = False


class Scene:
    """`connection[kind]` is a connection's name, `target(kind)` the path that reaches it."""

    def __init__(self, installation: Installation, label: str, stage_key: StageKey) -> None:
        self.installation = installation
        self.seed = stage_key.seed
        source = random.Random(f"{label} {self.seed}")
        self.random = source
        self.name = "t" + "".join(source.choices(string.ascii_lowercase + string.digits, k=10))
        self.stage_key = stage_key
        self.key = stage_key.value
        self.actor = f"actor-{self.name}"
        self.upstream = RawUpstream()
        self.secret = stage_key.secret
        self.connection = {kind: f"{kind}-{self.name}" for kind in KINDS}
        self.token = ""
        self.evidence: list[tuple[str, bytearray]] = []
        self._later_keys: list[bytes] = []
        self._kept_nowhere: list[bytes] = []
        self._first_index = self._read_index = -1
        self._endings: dict[str, list[dict[str, Any]]] = {}
        self._printed = len(installation.output)
        self._before: Snapshot | None = None

    @cached_property
    def oracle(self) -> LeakOracle:
        """For the scene's key alone."""
        return LeakOracle(self.key.encode())

    # -- setting up ----------------------------------------------------------

    def open(self) -> None:
        self._before = Snapshot(self.installation.home)
        self.installation.apply(
            {
                "secrets": [{"name": self.secret, "from": "stored"}],
                "connections": [self.described(kind) for kind in KINDS],
                "rules": [self.allowing(*self.connection.values())],
            },
            prune=True,
        )
        if not self.stage_key.stored:
            self.installation.set_secret(self.secret, self.key)
            self.stage_key.stored = True
        self.token = self.installation.token(self.actor)

    def described(self, kind: str, **changes: Any) -> dict[str, Any]:
        """The declarative entry of this scene's connection of that kind; a change to None removes a key."""
        entry = {
            "name": self.connection[kind],
            "kind": kind,
            "upstream": f"http://127.0.0.1:{self.upstream.port}",
            "secret": self.secret,
            "allow_private": True,
            **({"auth": "bearer"} if kind == "http" else {}),
            **changes,
        }
        return {name: value for name, value in entry.items() if value is not None}

    def rotate(self, value: str) -> None:
        """Give the connections a new key; from now on it must not leak either."""
        self.installation.set_secret(self.secret, value)
        self._later_keys.append(value.encode())

    def must_not_be_kept(self, value: str) -> None:
        """Nothing we store or print may hold this value either; the client's own answer may."""
        self._kept_nowhere.append(value.encode())

    def allowing(self, *connections: str) -> dict[str, Any]:
        return {
            "name": f"attacker may {self.name}",
            "who": {"users": [self.actor]},
            "on": list(connections),
            "effect": "allow",
        }

    def also(self, name: str, *, kind: str = "http", **changes: Any) -> str:
        """Add one more connection, allowed for the scene's actor; returns its name. Raises `Refused`."""
        full = f"{name}-{self.name}"
        self.installation.apply(
            {
                "connections": [self.described(kind, **{"name": full, **changes})],
                "rules": [{**self.allowing(full), "name": f"attacker may {full}"}],
                "secrets": [{"name": self.secret, "from": "stored"}],
            }
        )
        return full

    # -- acting --------------------------------------------------------------

    @property
    def bearer(self) -> str:
        return f"Authorization: Bearer {self.token}"

    def target(self, kind: str = "http", path: str | None = None) -> str:
        return f"/{self.connection[kind]}{ORDINARY[kind][1] if path is None else path}"

    def raw(
        self,
        kind: str = "http",
        path: str | None = None,
        *headers: str | bytes,
        method: str | None = None,
        body: bytes | None = None,
    ) -> bytes:
        """The bytes of an ordinary request with the scene's token."""
        return request(method or ORDINARY[kind][0], self.target(kind, path), [self.bearer, *headers], body)

    def client(self, **how: Any) -> RawClient:
        """A connection to the gateway; everything it receives is evidence."""
        seen = bytearray()
        self.evidence.append((f"client {len(self.evidence)}", seen))
        return RawClient(self.installation.gateway_port, witness=seen.extend, **how)

    def saw(self, reply: Reply) -> Reply:
        """Keep the reply's body, joined and decoded, as evidence."""
        for content in {reply.body, reply.decoded}:
            self.evidence.append((f"body {len(self.evidence)}", bytearray(content)))
        return reply

    def ask(
        self,
        kind: str = "http",
        path: str | None = None,
        *headers: str | bytes,
        method: str | None = None,
        body: bytes | None = None,
        see_close: bool = False,
        deadline_s: float = 10.0,
    ) -> Reply:
        """One ordinary exchange on a connection of its own."""
        raw = self.raw(kind, path, *headers, method=method, body=body)
        return self.say(raw, method=method or ORDINARY[kind][0], see_close=see_close, deadline_s=deadline_s)

    def say(
        self,
        *segments: bytes | float,
        method: str = "GET",
        see_close: bool = False,
        deadline_s: float = 10.0,
    ) -> Reply:
        """Send exact bytes on a connection of its own and read one answer."""
        with self.client() as client:
            client.send(*segments)
            return self.saw(client.reply(method, deadline_s, see_close=see_close))

    # -- judging -------------------------------------------------------------

    def must_be_refused(
        self,
        reply: Reply,
        *statuses: int,
        code: str | None = None,
        closed: bool = True,
        shape: str | None = None,
        recorded: bool = True,
    ) -> None:
        """4xx or 5xx in our shape, connection closed, an audit entry of that exchange."""
        context = f"seed {self.seed}: {reply.raw[:600]!r}"
        assert reply.complete, f"no complete answer; {context}"
        assert 400 <= reply.status < 600, context
        if statuses:
            assert reply.status in statuses, f"expected {statuses}; {context}"
        found = error_of(reply)
        assert found["code"], context
        assert found["message"], context
        if code is not None and found["shape"] != "anthropic":
            assert found["code"] == code, context
        if shape is not None:
            assert found["shape"] == shape, context
        identifiers = reply.header("x-ostiary-exchange")
        assert len(identifiers) == 1 and identifiers[0], f"no exchange id; {context}"
        if closed:
            assert reply.closed, f"connection left open; {context}"
            assert reply.extra == b"", f"bytes after the answer; {context}"
        if recorded:
            entry = self.must_be_recorded(reply)
            # Anthropic's error shape has no place for a code: there the entry alone shows it.
            assert code is None or entry.get("code", code) == code, entry

    def must_be_recorded(self, reply: Reply) -> dict[str, Any]:
        """The audit entry that ends the exchange of this reply."""
        identifier = reply.header("x-ostiary-exchange")[0].decode()
        assert wait_until(lambda: self._ended(identifier), 3.0, 0.01), f"no audit entry for exchange {identifier}"
        assert len(self._endings[identifier]) == 1, self._endings[identifier]
        return self._endings[identifier][0]

    def _ended(self, identifier: str) -> bool:
        """Whether the exchange has its last entry; reads on in the log from where it was left."""
        if identifier not in self._endings:
            for index, entry in self.installation.indexed_entries(self._read_index):
                self._read_index = index
                if entry["type"] in ENDINGS:
                    self._endings.setdefault(entry["exchange"], []).append(entry)
        return identifier in self._endings

    @property
    def first_index(self) -> int:
        return self._first_index

    def mark_log(self) -> None:
        """Entries from now on belong to this scene."""
        self._first_index = self._read_index = self.installation.last_index()

    def nothing_reached_upstream(self) -> None:
        received = b"".join(self.upstream.received)
        self.upstream.forget()
        assert received == b"", f"seed {self.seed}: the upstream got {received[:600]!r}"

    # -- the oracle ----------------------------------------------------------

    def leaks(self) -> list[Leak]:
        """The key anywhere this test could reach, and the token anywhere but in its own answer."""
        installation = self.installation
        if installation.alive:
            wait_until(self._all_ended, 1.5, 0.02)
        artefacts = list(self._witnessed())
        artefacts.append(("server output", installation.output[self._printed :]))
        if installation.alive:
            artefacts.append(("/metrics", installation.ops("/metrics")[1]))
            artefacts.append(("/readyz", installation.ops("/readyz")[1]))
            shown = installation.recordings(actor=self.actor)
            artefacts.append(("recordings", b"\n".join(name.encode() + data for name, data in shown)))
            for path in ("/configuration", "/secrets", "/status"):
                artefacts.append((path, repr(installation.api("GET", path)).encode()))
        everywhere = LeakOracle(self.key.encode(), also=[*self._later_keys, self.token.encode()])
        found = [leak for name, data in artefacts for leak in everywhere.search(name, data)]
        found += everywhere.search_path(installation.home, self._before)
        if self._kept_nowhere:
            kept = LeakOracle(self._kept_nowhere[0], 12, also=self._kept_nowhere[1:])
            stored = [(name, data) for name, data in artefacts if not name.startswith(("client", "body"))]
            found += [leak for name, data in stored for leak in kept.search(f"kept in {name}", data)]
            found += kept.search_path(installation.home, self._before)
        tokens = LeakOracle(self.token.encode())
        for number, data in enumerate(self.upstream.received):
            found += tokens.search(f"token at upstream connection {number}", data)
        return found

    def _all_ended(self) -> bool:
        """Whether every exchange of the scene is written down to its end, so that its recording can be seen."""
        entries = self.installation.entries(self.first_index)
        begun = {entry["exchange"] for entry in entries if entry["type"] == "exchange.intent"}
        return begun <= {entry["exchange"] for entry in entries if entry["type"] == "exchange.outcome"}

    def _witnessed(self) -> Iterator[tuple[str, bytes]]:
        """What clients received: text in one piece, everything else by itself (it may be a container)."""
        seen = {bytes(data): name for name, data in self.evidence if data}
        yield "clients", b"\n\n".join(data for data in seen if data.isascii())
        yield from ((name, data) for data, name in seen.items() if not data.isascii())

    def kept_its_key(self) -> bool:
        """Whether the key is still the only value that its secret ever had."""
        listed = self.installation.api("GET", "/secrets")["secrets"] if self.installation.alive else []
        return any(each["name"] == self.secret and len(each["versions"]) == 1 for each in listed)

    def close(self) -> None:
        self.upstream.close()


ENDINGS = frozenset({"exchange.outcome", "exchange.refused"})


def error_of(reply: Reply) -> dict[str, str]:
    """Code, message and shape of an error of ours, whatever the kind; AssertionError for anything else."""
    assert len(reply.header("content-type")) == 1, reply.raw[:400]
    document = reply.json()
    assert isinstance(document, dict), document
    if reply.header("content-type")[0].startswith(b"application/problem+json"):
        assert document["status"] == reply.status, document
        return {"shape": "problem", "code": document["code"], "message": document["detail"]}
    if document.get("type") == "error":
        assert set(document["error"]) >= {"type", "message"}, document
        return {"shape": "anthropic", "code": document["error"]["type"], "message": document["error"]["message"]}
    if "message" in document:
        assert document["error"] == {"code": document["code"], "message": document["message"]}, document
        return {"shape": "cursor", "code": document["code"], "message": document["message"]}
    assert document["error"]["param"] is None, document
    return {"shape": "openai", "code": document["error"]["code"], "message": document["error"]["message"]}
