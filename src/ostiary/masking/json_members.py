"""What kind of text a member of a JSON document holds."""

import re

from ostiary.masking.maskers import Flavour

_SOURCES = re.compile(rb'"(?:arguments|partial_json)"\s*:\s*"\Z')
"""The arguments of a tool call are JSON source in a string wherever OpenAI's and Anthropic's protocols have them."""


def flavour_behind(before: bytes, flavour: Flavour) -> Flavour:
    """The flavour of a string of which `before` stands in front; `flavour` where that says nothing."""
    if b'"arguments"' in before or b'"partial_json"' in before:
        return Flavour.JSON if _SOURCES.search(before) else flavour
    return flavour
