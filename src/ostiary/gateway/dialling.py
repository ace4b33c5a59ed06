"""Connections of our own to others than upstreams: same addresses, same trust, nothing from our environment."""

import asyncio
import ssl

from ostiary.gateway.guard import AddressRefusedError, judged_addresses
from ostiary.gateway.trust import client_context
from ostiary.model.connection import Upstream
from ostiary.model.errors import UnreachableError

READ_LIMIT_BYTES = 64 * 1024


async def dial(
    to: Upstream, *, allow_private: bool, ca_file: str | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A `ports.Dialler`."""
    try:
        addresses = await judged_addresses(to.host, to.port, allow_private)
    except AddressRefusedError:
        raise UnreachableError(
            f"{to.host} has an address that is not allowed here.",
            "A private or loopback address needs `allow_private: true`; metadata addresses are never used.",
        ) from None
    except OSError:
        raise UnreachableError(
            f"The name {to.host} does not resolve.", "Check the name, and this machine's DNS."
        ) from None
    tls = client_context(ca_file) if to.scheme == "https" else None
    untrusted = False
    for address in addresses:
        try:
            return await asyncio.open_connection(
                address,
                to.port,
                ssl=tls,
                server_hostname=to.host if tls is not None else None,
                limit=READ_LIMIT_BYTES,
            )
        except ssl.SSLError:
            untrusted = True
        except (OSError, asyncio.IncompleteReadError):
            continue
    if untrusted:
        raise UnreachableError(
            f"The TLS certificate of {to.host} is not trusted, or its TLS failed.",
            "For an internal authority, name its PEM file as `ca_file`.",
        )
    raise UnreachableError(f"{to.authority} does not accept connections.", "Check that it runs, and its address.")
