"""A control room on a real store and desk; history and audit log are small stand-ins kept in memory."""

import asyncio
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ostiary.adapters.desk import Desk
from ostiary.adapters.stores.sqlite import Store
from ostiary.catalog import load_catalog
from ostiary.control.caller import Caller, local_owner
from ostiary.control.services import (
    ApprovalService,
    AuditService,
    ConfigurationService,
    ConnectionService,
    HistoryService,
    SecretService,
    Services,
    StatusService,
)
from ostiary.control.services.admin_log import AdminLog
from ostiary.model.approval import Approval, ApprovalState
from ostiary.model.session import Session
from ostiary.protocols.kinds import Kind
from ostiary.reception import open_reception
from ostiary.settings import Settings
from ostiary.vault.sealing import RootKey, SealContext, open_sealed, seal
from support.providers import Turned, a_book

KINDS: dict[str, Kind] = load_catalog()
CONSOLE_URL = "http://127.0.0.1:8421"
NOW = 1_900_000_000.0


class MemoryHistory:
    def __init__(self) -> None:
        self.session_rows = [Session("s1", "anna", None, "cursor", None, NOW, NOW, 1)]

    def sessions(self, limit: int, actor: str | None, connection: str | None) -> Sequence[Session]:
        return [
            row for row in self.session_rows if actor in (None, row.actor) and connection in (None, row.connection)
        ][:limit]

    def session(self, session_id: str) -> Session | None:
        return next((row for row in self.session_rows if row.id == session_id), None)

    def exchanges(self, session_id: str) -> Sequence[Mapping[str, Any]]:
        return [{"exchange": "e1", "session": session_id}]

    def exchange(self, exchange_id: str) -> Mapping[str, Any] | None:
        return {"exchange": "e1", "status": 200} if exchange_id == "e1" else None

    def frames(self, exchange_id: str) -> Sequence[tuple[int, int, bytes]] | None:
        return [(0, 2, b"GET / HTTP/1.1\r\n"), (5, 1, b"\xff\x00")] if exchange_id == "e1" else None


class MemoryAuditLog:
    def __init__(self) -> None:
        self.rows: list[Mapping[str, Any]] = []
        self.grown = asyncio.Event()

    def append(self, entry: dict[str, Any]) -> None:
        json.dumps(entry)
        self.rows.append(entry)
        self.grown.set()

    def entries(self, after: int, limit: int) -> Sequence[tuple[int, Mapping[str, Any]]]:
        return list(enumerate(self.rows))[after + 1 : after + 1 + limit]

    def checkpoint(self) -> Mapping[str, Any]:
        return {"size": len(self.rows), "root": "", "note": ""}

    def verify(self) -> Mapping[str, Any]:
        return {"whole": True, "sentence": "Whole.", "index": None}

    async def wait_beyond(self, after: int, timeout_s: float) -> None:
        self.grown.clear()
        if len(self.rows) <= after + 1:
            await asyncio.wait([asyncio.ensure_future(self.grown.wait())], timeout=timeout_s)


@dataclass
class Room:
    store: Store
    desk: Desk
    services: Services
    log: MemoryAuditLog
    owner: Caller
    root: RootKey
    changes: int = 0
    refuse_change: Exception | None = None
    revoked: list[str] = field(default_factory=list)

    async def changed(self) -> None:
        if self.refuse_change is not None:
            failure, self.refuse_change = self.refuse_change, None
            raise failure
        self.changes += 1

    def seal(self, name: str, version: int, value: bytes) -> bytes:
        return seal(
            self.root,
            plaintext=value,
            context=SealContext(self.store.installation, "secret", name, version),
            data_key=hashlib.sha256(f"{name}{version}".encode()).digest(),
            nonces=os.urandom(24),
        )

    def opened(self, name: str) -> bytes:
        version, sealed, _ = self.store.sealed_secrets(name)[0]
        context = SealContext(self.store.installation, "secret", name, version)
        return open_sealed(self.root, sealed, context)

    def types(self) -> list[str]:
        return [str(entry["type"]) for entry in self.log.rows]


@contextmanager
def control_room(home: Path) -> Iterator[Room]:
    store = Store(home / "ostiary.db")
    log = MemoryAuditLog()
    desk = Desk(store.approvals, waiting_max=20, clock=lambda: NOW, note=log.append)
    room = Room(store, desk, None, log, local_owner(os.getuid()), RootKey(b"k" * 32))  # type: ignore[arg-type]
    admin = AdminLog(log.append, lambda: NOW)
    configuration = ConfigurationService(
        store.configurations, KINDS, room.changed, admin, store.secrets.has_value
    )
    reception = open_reception(
        Settings(home=home),
        store,
        room.root,
        configuration=configuration,
        in_force=configuration.current,
        desk=desk,
        providers=a_book(Turned(NOW)),
        revoked=room.revoked.append,
        access_changed=lambda: None,
        console_url=lambda: CONSOLE_URL,
        gateway_url=lambda: "http://127.0.0.1:8420",
        log=admin,
        clock=lambda: NOW,
    )
    room.services = Services(
        status=StatusService(lambda: {"ready": True, "parts": {"store": "ok"}}),
        configuration=configuration,
        secrets=SecretService(store.secrets, configuration, room.seal, admin),
        tokens=reception.tokens,
        history=HistoryService(MemoryHistory(), admin),
        audit=AuditService(log),
        approvals=ApprovalService(desk, store.people, store.tokens),
        people=reception.people,
        service_accounts=reception.accounts,
        identity=reception.identity,
        owner=reception.owner,
        connections=ConnectionService(configuration.current),
    )
    yield room
    desk.close()
    store.close()


FILE = """\
version: 1
secrets: [{name: key, from: {stored: true}}]
connections: [{name: cursor, kind: cursor, secret: key}]
rules: [{name: reads, on: [cursor], operations: ["class:read"], effect: allow}]
"""


def asked(approval_id: str, actor: str = "anna", **rest: Any) -> Approval:
    values: dict[str, Any] = {
        "id": approval_id,
        "state": ApprovalState.WAITING,
        "fingerprint": "f" + approval_id,
        "actor": actor,
        "agent": None,
        "connection": "cursor",
        "operation": "agents.create",
        "method": "POST",
        "target": "/v1/agents",
        "rule": "changes wait",
        "preview": "POST /v1/agents",
        "body_bytes": 2,
        "asked_at": NOW,
        "expires_at": NOW + 600,
        "exchange": "e1",
    }
    return Approval(**{**values, **rest})
