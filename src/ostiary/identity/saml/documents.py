"""One way to turn bytes into an XML tree, for what strangers send."""

import re
from base64 import b64decode, b64encode

from lxml import etree

from ostiary.identity.encoding import from_base64url
from ostiary.identity.saml.measure import is_too_much

_DECLARATION = re.compile(
    r"""<\?xml\s+version\s*=\s*(?:"1\.0"|'1\.0')"""
    r"""(?:\s+encoding\s*=\s*(?:"utf-8"|'utf-8'))?(?:\s+standalone\s*=\s*(?:"(?:yes|no)"|'(?:yes|no)'))?\s*\?>""",
    re.IGNORECASE,
)
_WHITE_SPACE = re.compile(r"[ \t\r\n]+")


class DocumentError(ValueError):
    """`reason` says what is wrong; see `refusals`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def decode_base64(encoded: str, size_max: int) -> bytes:
    """What `encoded` holds. Lines may be wrapped; a character that does not belong, or another spelling of the same
    bytes, raises `DocumentError`, as do more than `size_max` bytes."""
    if len(encoded) > 2 * size_max:
        raise DocumentError("too_large")
    text = _WHITE_SPACE.sub("", encoded)
    try:
        data = b64decode(text.encode("ascii"), validate=True)
    except ValueError:
        raise DocumentError("encoding") from None
    if b64encode(data).decode() != text:
        raise DocumentError("encoding")
    if len(data) > size_max:
        raise DocumentError("too_large")
    return data


def decode_base64url(encoded: str, size_max: int) -> bytes:
    """On one line, as RFC 7522 section 2.1 has it; with padding too. Raises `DocumentError`."""
    if len(encoded) > 2 * size_max:
        raise DocumentError("too_large")
    try:
        data = from_base64url(encoded.rstrip("="))
    except ValueError:
        raise DocumentError("encoding") from None
    if len(data) > size_max:
        raise DocumentError("too_large")
    return data


def parse_message(data: bytes) -> "etree._Element":
    """The root of a SAML message: UTF-8, and nothing but elements, attributes and text.

    Without DTD, comment, processing instruction and CDATA section there is no text that two parsers read in two ways.
    In XML `<!` and `<?` cannot stand for anything else, so their bytes are refused before a parser sees them.
    Raises `DocumentError`.
    """
    text = _utf8(data)
    declaration = _DECLARATION.match(text)
    if declaration is not None:
        text = text[declaration.end() :]
    if "<!" in text or "<?" in text:
        raise DocumentError("markup")
    if is_too_much(text):
        raise DocumentError("too_large")
    return _parse(text)


def parse_file(data: bytes) -> "etree._Element":
    """The root of a document that the operator trusts: comments may stand in it, a DTD may not.
    Raises `DocumentError`."""
    text = _utf8(data)
    declaration = _DECLARATION.match(text)
    if declaration is not None:
        text = text[declaration.end() :]
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise DocumentError("markup")
    return _parse(text)


def text_of(element: "etree._Element") -> str:
    """The text of an element that holds nothing else. Raises `DocumentError`."""
    if len(element):
        raise DocumentError("shape")
    return element.text or ""


def only(parent: "etree._Element", tag: str) -> "etree._Element":
    """The one child of this name. Raises `DocumentError` when there is none, or several."""
    found = parent.findall(tag)
    if len(found) != 1:
        raise DocumentError("shape")
    return found[0]


def hardened_parser() -> "etree.XMLParser":
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        no_network=True,
        huge_tree=False,
        recover=False,
        collect_ids=False,
    )


def _utf8(data: bytes) -> str:
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise DocumentError("character_set") from None
    if "\0" in text or text.startswith("\ufeff"):
        raise DocumentError("character_set")
    return text


def _parse(text: str) -> "etree._Element":
    try:
        root = etree.fromstring(text.strip(" \t\r\n").encode(), hardened_parser())
    except (etree.XMLSyntaxError, ValueError):
        raise DocumentError("xml") from None
    if etree.ElementTree(root).docinfo.internalDTD is not None:
        raise DocumentError("markup")
    return root
