"""Which character sets masking can read."""

import re

_PARAMETER = re.compile(rb';[ \t]*charset[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^;]*)', re.IGNORECASE)

_ASCII_COMPATIBLE = frozenset(
    """
    ascii us-ascii ansi_x3.4-1968 iso646-us utf-8 utf8 x-utf-8 utf-8-sig
    iso-8859-1 iso8859-1 iso_8859-1 latin1 latin-1 l1 iso-8859-2 iso-8859-3 iso-8859-4 iso-8859-5 iso-8859-6
    iso-8859-7 iso-8859-8 iso-8859-8-i iso-8859-9 iso-8859-10 iso-8859-11 iso-8859-13 iso-8859-14 iso-8859-15
    iso-8859-16 latin2 latin9
    windows-1250 windows-1251 windows-1252 windows-1253 windows-1254 windows-1255 windows-1256 windows-1257
    windows-1258 windows-874 cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258
    koi8-r koi8-u macintosh ibm866 cp437 cp850 cp866 tis-620
    euc-jp euc-kr gb2312 gbk gb18030 big5 big5-hkscs shift_jis shift-jis sjis windows-31j
    """.split()  # noqa: SIM905 - a table of sixty names reads better so
)
"""A printable ASCII credential is the same bytes in all of these, whatever stands beside it."""

_UTF16 = frozenset(("utf-16", "utf16", "utf-16le", "utf-16be", "ucs-2", "iso-10646-ucs-2", "unicode"))


def charset_is_readable(content_type: bytes) -> bool:
    """Whether a credential in a body of this Content-Type would be recognised.

    True without a charset, for charsets that write ASCII as ASCII, and for UTF-16. False for UTF-7, UTF-32, EBCDIC,
    stateful 7-bit charsets (ISO-2022, HZ) and every name that is not known. Of several, all must be readable.
    """
    found = _PARAMETER.findall(content_type)
    if not found:
        return b"charset" not in content_type.lower()
    names = [value.strip(b' \t"').decode("latin-1").lower() for value in found]
    return all(name == "" or name in _ASCII_COMPATIBLE or name in _UTF16 for name in names)
