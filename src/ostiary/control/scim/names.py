"""Which names SCIM may give. Rules, the audit log and approvers know people by them, so none may pass for another."""

import unicodedata

from ostiary.control.declarative.values import is_plain_name
from ostiary.control.reserved_names import is_reserved_name
from ostiary.control.scim.errors import invalid

NAME_MAX = 200

_SCRIPTS = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC"})
"""Those whose letters look like one another's."""


def checked_user_name(text: str) -> str:
    """The name in composed form. Raises `ScimError`.

    Compatibility characters (letters of full width, ligatures, mathematical letters) and words that mix scripts with
    letters alike are refused: such a name reads as somebody else's.
    """
    name = unicodedata.normalize("NFC", text)
    if not is_plain_name(name, NAME_MAX):
        raise invalid(
            f"'userName' must be one line of visible characters without space at its ends, at most {NAME_MAX}."
        )
    if unicodedata.normalize("NFKC", name) != name:
        raise invalid("'userName' holds characters that only look like others. Write it with ordinary letters.")
    if any(len(scripts) > 1 for scripts in _scripts_of_words(name)):
        raise invalid("'userName' mixes letters of several scripts within one word.")
    if is_reserved_name(name):
        raise invalid("'userName' is what the audit log calls somebody who is no person here.")
    return name


def checked_group_name(text: str) -> str:
    name = unicodedata.normalize("NFC", text)
    if not is_plain_name(name, NAME_MAX):
        raise invalid(
            f"'displayName' must be one line of visible characters without space at its ends, at most {NAME_MAX}."
        )
    return name


def shown_name(text: str) -> str:
    """What is shown of a display name: one line, nothing hidden, not too long."""
    words = " ".join(text.split())[:NAME_MAX].strip()
    return "".join(character for character in words if is_plain_name(f"a{character}a"))


def _scripts_of_words(name: str) -> list[set[str]]:
    words: list[set[str]] = [set()]
    for character in name:
        if not character.isalpha():
            words.append(set())
            continue
        script = unicodedata.name(character, "").split(" ")[0]
        if script in _SCRIPTS:
            words[-1].add(script)
    return words
