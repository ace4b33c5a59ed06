"""Character sets in which a secret can be recognised: those that contain ASCII as it is, and UTF-16."""

import re

_CHARSET = re.compile(rb"(?i);\s*charset\s*=\s*(?:\"([^\"]*)\"|([^;\s]*))")

_READABLE = re.compile(
    rb"(?i)utf-?8|utf-?16(?:[lb]e)?|(?:us-)?ascii|iso[-_]?8859[-_a-z0-9:]*|iso646-us|latin-?[0-9]|l[0-9]|"
    rb"(?:windows|cp)[-_]?125[0-8]|cp(?:437|85[0-9]|86[0-9]|874|932|949|950)|koi8-?[ru]?|mac(?:intosh|-?roman)|"
    rb"gb2312|gbk|gb18030|big5(?:-hkscs)?|euc-?(?:jp|kr|cn|tw)|shift[-_]?jis|sjis|tis-620|binary|"
)


def charset_is_readable(content_type: bytes) -> bool:
    """False for UTF-7, UTF-32, EBCDIC and names nobody knows, in which a secret would go unseen."""
    return all(
        _READABLE.fullmatch((quoted or plain).strip()) is not None for quoted, plain in _CHARSET.findall(content_type)
    )
