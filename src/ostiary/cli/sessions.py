"""`ostiary sessions`."""

from collections import OrderedDict
from contextlib import suppress

import click

from ostiary.cli.following import follow_events
from ostiary.cli.invocation import Group, Invocation, pass_invocation
from ostiary.cli.replay import print_recording
from ostiary.cli.terminal import (
    actor_label,
    duration,
    moment,
    print_fields,
    print_json,
    print_json_line,
    print_table,
    size,
    visible,
)

_BEGUN_MAX = 10_000
"""Running exchanges that `tail` remembers."""


@click.group(cls=Group)
def sessions() -> None:
    """Look at what tools did, and replay it."""


@sessions.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="The newest so many.")
@click.option("--actor", metavar="NAME", help="Only this actor's.")
@click.option("--connection", metavar="NAME", help="Only on this connection.")
@pass_invocation
def list_sessions(invocation: Invocation, limit: int, actor: str | None, connection: str | None) -> None:
    """List sessions, the newest first."""
    result = invocation.server.get("sessions", limit=limit, actor=actor, connection=connection)
    if invocation.json:
        print_json(result)
        return
    rows = result["sessions"]
    if not rows:
        print("No session yet. Point a tool at the gateway: ostiary setup cursor|claude-code|codex|opencode")
        return
    print_table(
        ["ID", "LAST", "ACTOR", "CONNECTION", "EXCHANGES"],
        [[row["id"], moment(row["last_at"]), _who(row), row["connection"], row["exchanges"]] for row in rows],
    )


def _who(session: dict[str, object]) -> str:
    return actor_label({"name": session.get("actor"), "agent": session.get("agent")})


@sessions.command()
@click.argument("session_id", metavar="ID")
@pass_invocation
def show(invocation: Invocation, session_id: str) -> None:
    """Show the session ID and its exchanges."""
    result = invocation.server.get("sessions", session_id)
    if invocation.json:
        print_json(result)
        return
    session = result["session"]
    print_fields(
        [
            ("session", session.get("id")),
            ("actor", _who(session)),
            ("connection", session.get("connection")),
            ("tool's session", session.get("tool_session")),
            ("started", moment(session.get("started_at"))),
            ("last", moment(session.get("last_at"))),
        ]
    )
    print()
    print_table(
        ["EXCHANGE", "TIME", "ANSWER", "BYTES", "TOOK", "MASKED", "REQUEST"],
        [_exchange_row(exchange) for exchange in result["exchanges"]],
    )


def _exchange_row(exchange: dict[str, object]) -> list[object]:
    """The cells of one exchange in a table."""
    return [
        exchange.get("exchange"),
        moment(exchange.get("time"))[11:],
        _answer_of(exchange),
        size(exchange.get("response_bytes")),
        duration(exchange.get("duration_us")),
        _masked_count(exchange) or "",
        f"{exchange.get('method', '')} {exchange.get('target', '')}",
    ]


def _answer_of(exchange: dict[str, object]) -> str:
    """`200`, `403 denied`, `200 cut`, or that no outcome is known: it runs still, or the process died."""
    status = exchange.get("status")
    if status is None:
        return "outcome unknown (yet)"
    remark = exchange.get("code") or ("cut" if exchange.get("end") == "cut" else "")
    return f"{status} {remark}".rstrip()


def _masked_count(exchange: dict[str, object]) -> int:
    findings = exchange.get("findings")
    return sum(int(row.get("count", 1)) for row in findings) if isinstance(findings, list) else 0


@sessions.command()
@click.argument("some_id", metavar="ID")
@click.option("--realtime", is_flag=True, help="Wait between frames as long as it took then.")
@pass_invocation
def replay(invocation: Invocation, some_id: str, realtime: bool) -> None:
    """Print what went through in the session (or one exchange) ID, with the time of every frame.

    What was masked was never recorded. Looking at a recording is itself written into the audit log.
    """
    exchanges = _exchanges_named(invocation, some_id)
    documents = []
    for exchange in exchanges:
        name = str(exchange["exchange"])
        ended = exchange.get("status") is not None
        frames = _frames(invocation, name) if ended else []
        if invocation.json:
            documents.append({"exchange": exchange, "frames": frames})
        else:
            print_recording(exchange, frames, realtime)
    if invocation.json:
        print_json(documents)


def _frames(invocation: Invocation, name: str) -> list[dict[str, object]]:
    """None for an exchange of which nothing was recorded: it was refused, or nothing came of it."""
    from ostiary.cli.client import ApiRefusal

    try:
        frames: list[dict[str, object]] = invocation.server.get("recordings", name)["frames"]
        return frames
    except ApiRefusal as refusal:
        if refusal.status != 404:
            raise
        return []


def _exchanges_named(invocation: Invocation, some_id: str) -> list[dict[str, object]]:
    from ostiary.cli.client import ApiRefusal

    try:
        exchanges: list[dict[str, object]] = invocation.server.get("sessions", some_id)["exchanges"]
        return exchanges
    except ApiRefusal as refusal:
        if refusal.status != 404:
            raise
    return [invocation.server.get("exchanges", some_id)["exchange"]]


@sessions.command()
@pass_invocation
def tail(invocation: Invocation) -> None:
    """Print exchanges as they happen, until Ctrl-C."""
    begun: OrderedDict[object, dict[str, object]] = OrderedDict()
    with suppress(KeyboardInterrupt):
        for entry in follow_events(invocation.server):
            if invocation.json:
                print_json_line(entry)
            else:
                print(_event_line(_with_request(entry, begun)), flush=True)


def _with_request(entry: dict[str, object], begun: "OrderedDict[object, dict[str, object]]") -> dict[str, object]:
    """An outcome does not repeat the request; take it from the intent that was seen, if it was."""
    name = entry.get("exchange")
    if entry.get("type") == "exchange.intent":
        begun[name] = entry
        if len(begun) > _BEGUN_MAX:
            begun.popitem(last=False)
        return entry
    return begun.pop(name, {}) | entry


def _event_line(entry: dict[str, object]) -> str:
    actor = actor_label(entry.get("actor"))
    kind = str(entry.get("type", "")).removeprefix("exchange.")
    request = f"{entry.get('method', '')} {entry.get('target', '')}".strip()
    answer = "" if kind == "intent" else _answer_of(entry)
    took = duration(entry.get("duration_us"))
    where = [actor, entry.get("connection"), request]
    parts = [moment(entry.get("time")), kind.ljust(7), entry.get("exchange"), *where, answer, took]
    return visible("  ".join(str(part) for part in parts if part))
