"""How much there is in a message, told from its text before a parser works on it.

What takes time is canonicalization: for each element it looks through every namespace that is in scope there.
"""

import re

ELEMENTS_MAX = 2048
"""A response has some fifty, and one for each group of a person."""
ATTRIBUTES_MAX = 8192
NAMESPACES_MAX = 4096
"""Declarations in a message; some providers repeat two with each value."""
IN_SCOPE_MAX = 64
"""Namespace declarations that hold at one place."""
DEPTH_MAX = 32

_TAG = re.compile(r"""</?(?>[^<>"']+|"[^"<]*"|'[^'<]*')*+>""")


def is_too_much(text: str) -> bool:
    """Of XML that holds no `<` but those of tags. What is not well-formed may be measured wrong; a parser refuses it,
    and no more of it than was measured here is ever read."""
    closing = text.count("</")
    if (
        text.count("<") - closing > ELEMENTS_MAX
        or text.count('"') + text.count("'") > 2 * ATTRIBUTES_MAX
        or text.count("xmlns") > NAMESPACES_MAX
    ):
        return True
    in_scope = [0]
    for match in _TAG.finditer(text):
        tag = match[0]
        if tag.startswith("</"):
            if len(in_scope) > 1:
                in_scope.pop()
            continue
        declared = in_scope[-1] + tag.count("xmlns")
        if declared > IN_SCOPE_MAX or len(in_scope) > DEPTH_MAX:
            return True
        if not tag.endswith("/>"):
            in_scope.append(declared)
    return False
