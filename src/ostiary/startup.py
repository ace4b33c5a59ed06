"""What a server needs before anything runs: a process that keeps secrets, a home of its own, safe addresses."""

import ctypes
import gc
import json
import os
import resource
import sys
from pathlib import Path

from ostiary.identity.urls import Url, read_url
from ostiary.model.errors import OperatorError
from ostiary.protocols.forwarded import TrustedProxies
from ostiary.settings import Address, Settings

_SWITCH_INTERVAL_S = 0.0001
"""How long a thread that computes may keep the interpreter while the event loop wants it. The loop asks for it at every
callback, so the usual 5 ms would be paid many times over."""


def prepare_process() -> None:
    """No core dumps with keys in them, no files for others, as many sockets as we may have."""
    os.umask(0o077)
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def settle_memory() -> None:
    """Keep what start-up made out of later collections, and give what it left over back to the system (3 MB)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    give_memory_back()


def give_memory_back() -> None:
    """Compiling masking patterns takes tens of megabytes for a moment; the system gets them back."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)


def prepare_home(home: Path) -> None:
    """HOME exists, is ours and closed to others. Raises `OperatorError`."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = home.stat()
        if owner.st_uid != os.geteuid():
            raise OperatorError(f"{home} belongs to another user.", "Choose a directory of your own with --home.")
        if owner.st_mode & 0o077:
            home.chmod(0o700)
        probe = home / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OperatorError(
            f"{home} cannot be used: {error.strerror}.", "Choose a writable directory with --home or OSTIARY_HOME."
        ) from None


def checked_addresses(settings: Settings) -> dict[str, Address]:
    """Where to listen. Raises `OperatorError` for a public address without TLS, unless that was asked for (I06)."""
    addresses = {}
    for name, text in (("gateway", settings.gateway), ("console", settings.console), ("ops", settings.ops)):
        try:
            address = addresses[name] = Address.parse(text)
        except ValueError as error:
            raise OperatorError(f"The {name} address {error}", "Write it like 127.0.0.1:8420.") from None
        if name != "ops" and not address.is_loopback and not settings.tls_cert and not settings.insecure_plaintext:
            raise OperatorError(
                f"The {name} address {text} is not loopback, and tokens would cross the network in plain text.",
                "Give --tls-cert and --tls-key, or --insecure-plaintext if a TLS proxy stands in front.",
            )
    return addresses


def public_gateway(settings: Settings) -> Url | None:
    """Where tools reach the gateway, where that was set. Raises `OperatorError`."""
    if not settings.gateway_url:
        return None
    url = read_url(settings.gateway_url)
    if url is None or url.query is not None or url.fragment is not None:
        raise OperatorError(
            "OSTIARY_GATEWAY_URL is no address of a gateway.", "Write it like https://gateway.example.com."
        )
    return url


def trusted_proxies(settings: Settings) -> TrustedProxies:
    """Raises `OperatorError`."""
    try:
        return TrustedProxies.parse(settings.trusted_proxies)
    except ValueError as error:
        raise OperatorError(
            f"OSTIARY_TRUSTED_PROXIES names {str(error)!r}, which is no address and no network.",
            "Write addresses and networks like 127.0.0.1, 192.0.2.0/24, comma separated.",
        ) from None


def already_running(home: Path) -> OperatorError | None:
    """What to say when another process of this HOME lives and holds the log."""
    try:
        server = json.loads((home / "server.json").read_bytes())
        os.kill(server["pid"], 0)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return OperatorError(
        f"Ostiary is already running with this home (pid {server['pid']}, gateway {server.get('gateway')}).",
        "Stop it first, or choose another --home.",
    )


def url_of(address: Address, port: int, tls: bool) -> str:
    return f"{'https' if tls else 'http'}://{Address(address.host, port)}"
