"""From where somebody looks, and with what."""

import ipaddress
import re

from starlette.requests import HTTPConnection

_BROWSERS = (
    ("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("FxiOS/", "Firefox"), ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"), ("Safari/", "Safari"),
)  # fmt: skip
_SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"), ("Linux", "Linux"),
)  # fmt: skip
"""The first that the user agent holds counts: browsers name each other."""

_UNUSUAL = re.compile(r"[^\x20-\x7e]+")
_DEVICE_MAX_CHARACTERS = 80


def network_of(connection: HTTPConnection) -> str:
    """The peer's address, or that of the client for whom a trusted proxy asks; an IPv4 one in its own spelling also
    where it came over an IPv6 socket."""
    host = connection.client.host if connection.client is not None else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return ""
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def device_of(connection: HTTPConnection) -> str:
    """Such as `Firefox on Linux`; for an unknown one its own words, cut."""
    agent = _UNUSUAL.sub(" ", connection.headers.get("user-agent", "")).strip()
    browser = next((name for mark, name in _BROWSERS if mark in agent), None)
    system = next((name for mark, name in _SYSTEMS if mark in agent), None)
    if browser and system:
        return f"{browser} on {system}"
    return browser or agent[:_DEVICE_MAX_CHARACTERS] or "unknown device"
