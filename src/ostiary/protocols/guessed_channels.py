"""Where the texts of an event stream are likely to stand when no Kind says it."""

import re
from collections.abc import Mapping

from ostiary.protocols.channel_paths import Hit, Identity, Mark, Role
from ostiary.protocols.text_channels import Path, TextChannel

MEMBERS = frozenset(
    {
        "answer", "arguments", "chunk", "completion", "content", "delta", "input_json", "message", "output",
        "output_text", "partial_json", "reasoning", "refusal", "response", "text", "thinking", "token", "transcript",
    }
)  # fmt: skip
"""Members under which streams put the pieces of a text."""

PIECE_MAX_CHARACTERS = 1024
"""A longer text is not the first piece of a channel; it is looked at on its own."""

_JSON_SOURCE = frozenset({"arguments", "input_json", "partial_json"})
_KEYS = ("index", "output_index", "content_index", "choice_index", "choice", "item_id", "itemId", "block_id", "call_id",
         "callId", "tool_call_id", "toolCallId")  # fmt: skip
"""Members that tell channels apart."""

_ENDS = ("done", "stop", "finished", "is_final", "final", "finish_reason", "finishReason", "stop_reason")
"""Members that say a stream's end."""

_WHOLE = re.compile(
    r"(?:^|[^a-z])(?:start|started|stop|done|end|ended|complete|completed|final|finished|result|error|added|created|"
    r"failed|progress|snapshot)$",
    re.IGNORECASE,
)
"""Names of events that say something whole."""

_LEVELS_MAX = 6
_SHAPES_MAX = 256


class GuessedChannels:
    """The texts in documents of unknown shape: short strings under usual names."""

    __slots__ = ("_marks",)

    def __init__(self) -> None:
        self._marks: dict[tuple[str, str, Path], Mark] = {}

    def find(self, event: str, document: object) -> list[Hit]:
        """Nothing in events that say something whole, and in the messages of JSON-RPC."""
        kind = document.get("type") if isinstance(document, Mapping) else None
        name = kind if isinstance(kind, str) else ""
        if _WHOLE.search(name) or _WHOLE.search(event) or (isinstance(document, Mapping) and "jsonrpc" in document):
            return []
        hits: list[Hit] = []
        if isinstance(document, str):
            hits.append((self._mark(event, name, ()), (), document, ()))
        else:
            self._collect(document, (event, name), (), (), (), hits)
        return hits

    @staticmethod
    def are_ended(event: str, document: object) -> bool:
        """Whether an event says that the texts of the stream have ended."""
        if not isinstance(document, Mapping):
            return False
        kind = document.get("type")
        if _WHOLE.search(event) or (isinstance(kind, str) and _WHOLE.search(kind)):
            return True
        return any(document.get(name) for name in _ENDS)

    def _collect(
        self,
        value: object,
        names: tuple[str, str],
        path: Path,
        identity: Identity,
        positions: tuple[int, ...],
        hits: list[Hit],
    ) -> None:
        if len(path) > _LEVELS_MAX:
            return
        if isinstance(value, list):
            for position, element in enumerate(value):
                self._collect(element, names, (*path, "*"), identity, (*positions, position), hits)
        elif isinstance(value, dict):
            identity = (*identity, *(value[key] for key in _KEYS if isinstance(value.get(key), int | str)))
            for name, child in value.items():
                if isinstance(child, str):
                    if name in MEMBERS:
                        hits.append((self._mark(*names, (*path, name)), identity, child, positions))
                elif isinstance(child, dict | list):
                    self._collect(child, names, (*path, name), identity, positions, hits)

    def _mark(self, event: str, kind: str, path: Path) -> Mark:
        mark = self._marks.get((event, kind, path))
        if mark is None:
            last = path[-1] if path else "text"
            channel = TextChannel(f"event.{last}", path, flavour="json" if last in _JSON_SOURCE else "text")
            mark = Mark(Role.TEXT, path, (channel,), guess=(event, kind, path))
            if len(self._marks) < _SHAPES_MAX:
                self._marks[event, kind, path] = mark
        return mark
