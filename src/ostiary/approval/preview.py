"""The canonical request as an approver reads it: complete, or saying exactly what is not shown."""

import hashlib
from collections.abc import Sequence

from ostiary.approval.json_view import WITHHELD, UnreadableJson, view_json
from ostiary.approval.visible_text import show

BODY_HEAD_CHARACTERS = 24_000
BODY_TAIL_CHARACTERS = 8_000

_NEVER_SHOWN_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-goog-api-key"}
)


def preview(
    *,
    method: str,
    target: str,
    headers: Sequence[tuple[str, str]],
    body: bytes,
    secret_fields: Sequence[str] = (),
) -> str:
    """Request line, headers and body as text without hidden characters, and a last paragraph that counts what
    is hidden, withheld or left out.

    `body` is the decoded one; a body of many megabytes takes a while, so call this off the event loop. A body
    with secret fields that is not readable JSON is not shown at all.
    """
    request_line, hidden = show(f"{method} {target}")
    lines = [request_line]
    for name, value in headers:
        shown_name, hidden_in_name = show(name)
        secret = name.lower() in _NEVER_SHOWN_HEADERS
        shown_value, hidden_in_value = (WITHHELD, 0) if secret else show(value)
        hidden += hidden_in_name + hidden_in_value
        lines.append(f"{shown_name}: {shown_value}")
    body_text, notes, hidden_in_body = _body(body, secret_fields)
    hidden += hidden_in_body
    if body_text:
        lines += ["", body_text]
    if hidden:
        notes.append(f"{hidden:,} hidden or misleading characters, shown as ‹U+…›.")
    if notes:
        lines += ["", "— " + "\n— ".join(notes)]
    return "\n".join(lines)


def _body(body: bytes, secret_fields: Sequence[str]) -> tuple[str, list[str], int]:
    if not body:
        return "", [], 0
    notes = [f"Body: {len(body):,} bytes, SHA-256 {hashlib.sha256(body).hexdigest()}."]
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return "", [*notes, "The body is not text and is not shown."], 0
    try:
        view, withheld = view_json(text, secret_fields)
    except UnreadableJson:
        if secret_fields:
            notes.append("The body may hold secrets and is not readable JSON; it is not shown.")
            return "", notes, 0
        view, withheld = text, 0
    if withheld:
        notes.append(f"{withheld:,} secret value{'' if withheld == 1 else 's'} {WITHHELD}.")
    visible, hidden = show(view, keep_newlines=True)
    left_out = len(visible) - BODY_HEAD_CHARACTERS - BODY_TAIL_CHARACTERS
    if left_out > 0:
        middle = f"\n‹{left_out:,} characters not shown here›\n"
        visible = visible[:BODY_HEAD_CHARACTERS] + middle + visible[-BODY_TAIL_CHARACTERS:]
        notes.append(f"{left_out:,} characters in the middle of the body are not shown.")
    return visible, notes, hidden
