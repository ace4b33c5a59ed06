"""Text that shows an approver what is there: nothing invisible, nothing that turns the line around."""

import re
import unicodedata

_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"})
_INVISIBLE = frozenset(
    (
        *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0),
        *range(0x180B, 0x1810),
        *range(0xFE00, 0xFE10),
        *range(0xE0100, 0xE01F0),
    )
)
"""Letters, marks and symbols that draw nothing: fillers, blanks and variation selectors."""

LONG_RUN = 64
"""So many equal characters in a row are padding and are shown as one with their number."""

PLACEHOLDER = re.compile("(‹[a-z0-9-]{1,40}:[1-9][0-9]{0,11}›)")
"""What masking puts into requests. It is shown as it is: nothing that stands for an escape looks like it."""

_REMARKABLE = re.compile(rf"{PLACEHOLDER.pattern}|(.)\2{{{LONG_RUN - 1},}}|[^ -~\n]", re.DOTALL)


def show(text: str, *, keep_newlines: bool = False) -> tuple[str, int]:
    """`text` with hidden and misleading characters as `‹U+202E›` and padding shortened to `x‹× 1000›`; and
    how many characters were hidden. Without `keep_newlines` the result is one line."""
    hidden = 0

    def replace(match: re.Match[str]) -> str:
        nonlocal hidden
        if match.group(1) is not None:
            return match.group(1)
        character = match.group(0)[0]
        if is_hidden(character) and not (character == "\n" and keep_newlines):
            hidden += len(match.group(0))
        shown = _shown(character, keep_newlines)
        return f"{shown}‹× {len(match.group(0))}›" if len(match.group(0)) >= LONG_RUN else shown

    visible = _REMARKABLE.sub(replace, text)
    if not keep_newlines and "\n" in visible:
        hidden += visible.count("\n")
        visible = visible.replace("\n", _shown("\n", keep_newlines))
    return visible, hidden


def is_hidden(character: str) -> bool:
    if " " <= character <= "~":
        return False
    return unicodedata.category(character) in _HIDDEN_CATEGORIES or ord(character) in _INVISIBLE


def _shown(character: str, keep_newlines: bool) -> str:
    if character == "\n" and keep_newlines:
        return character
    # The quote itself is escaped as well, or a request could pretend to have been escaped.
    return f"‹U+{ord(character):04X}›" if is_hidden(character) or character == "‹" else character
