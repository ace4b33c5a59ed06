"""Every setting with its type, unit, default and help. `docs/settings.md` is generated from this table."""

import ipaddress
import os
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

MIB = 1024 * 1024
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing is bound to it
LOG_LEVELS = ("debug", "info", "warning", "error")


def _setting(default: Any, help_text: str, unit: str = "") -> Any:
    return field(default=default, metadata={"help": help_text, "unit": unit})


def default_home() -> Path:
    return Path.home() / ".local" / "share" / "ostiary"


@dataclass(frozen=True, slots=True)
class Settings:
    """Read from `OSTIARY_<NAME>` in upper case; command-line options win over the environment."""

    home: Path = field(
        default_factory=default_home,
        metadata={"help": "Holds everything of an embedded installation.", "unit": "path"},
    )
    gateway: str = _setting("127.0.0.1:8420", "Where tools connect.", "address:port")
    console: str = _setting("127.0.0.1:8421", "Where the API and the console listen.", "address:port")
    ops: str = _setting("127.0.0.1:8422", "Health, readiness and metrics.", "address:port")
    tls_cert: str = _setting("", "PEM certificate chain for the gateway and console listeners.", "path")
    tls_key: str = _setting("", "PEM private key for it.", "path")
    tls_client_ca: str = _setting(
        "",
        "PEM certificates that vouch for clients on the gateway listener, for tokens bound to a client certificate.",
        "path",
    )
    console_url: str = _setting(
        "", "The console's address as people's browsers see it; default: that of its listener.", "URL"
    )
    gateway_url: str = _setting(
        "", "The gateway's address as tools see it, without a connection's name; default: that of its listener.", "URL"
    )
    insecure_plaintext: bool = _setting(False, "Allow a non-loopback listener without TLS (behind a TLS proxy).")
    allowed_hosts: str = _setting(
        "",
        "Further names the gateway answers to, comma separated; `localhost` and IP addresses always count, `*` is any.",
        "names",
    )
    trusted_proxies: str = _setting(
        "",
        "Reverse proxies whose X-Forwarded-For is believed to say where requests come from, comma separated.",
        "addresses, networks",
    )
    log_level: str = _setting("info", "debug, info, warning or error.")

    root_key: str = _setting("", "Root key, 64 hex digits; instead of the file HOME/root.key.", "hex")

    head_max_bytes: int = _setting(64 * 1024, "Largest request or response head.", "bytes")
    headers_max: int = _setting(128, "Most header fields in one head.", "fields")
    target_max_bytes: int = _setting(16 * 1024, "Longest request target.", "bytes")
    client_head_timeout_s: float = _setting(10.0, "A request head must be complete after this.", "seconds")
    client_body_timeout_s: float = _setting(60.0, "Longest silence while a request body is expected.", "seconds")
    client_idle_timeout_s: float = _setting(75.0, "A connection without a request is closed after this.", "seconds")
    client_write_timeout_s: float = _setting(
        120.0, "Longest time a client may read nothing of a waiting answer.", "seconds"
    )
    upstream_connect_timeout_s: float = _setting(10.0, "Name, TCP and TLS to the upstream.", "seconds")
    upstream_head_timeout_s: float = _setting(600.0, "The upstream's first byte (models think long).", "seconds")
    upstream_idle_timeout_s: float = _setting(330.0, "Longest silence inside an answer.", "seconds")
    upstream_pool_idle_s: float = _setting(55.0, "How long an unused upstream connection is kept.", "seconds")
    upstream_connections_max: int = _setting(8_000, "Most connections to one upstream.", "connections")
    client_connections_max: int = _setting(12_000, "Most client connections; more are refused at once.", "connections")
    drain_timeout_s: float = _setting(30.0, "On SIGTERM, running exchanges may finish within this.", "seconds")
    write_buffer_bytes: int = _setting(256 * 1024, "Bytes waiting for a slow peer before reading pauses.", "bytes")

    judged_body_max_bytes: int = _setting(128 * MIB, "Largest request body that can be held for approval.", "bytes")
    decoded_ratio_max: int = _setting(
        200, "A compressed body may grow by this factor (beyond its first MiB).", "factor"
    )
    recording_body_max_bytes: int = _setting(64 * MIB, "Recorded of each body; the rest is only counted.", "bytes")
    recording_queue_bytes: int = _setting(
        32 * MIB, "Frames waiting for the recorder before streams are slowed.", "bytes"
    )
    session_gap_s: float = _setting(1800.0, "Silence that ends a session where the tool names none.", "seconds")
    checkpoint_interval_s: float = _setting(1.0, "How often the audit log's head is signed while it grows.", "seconds")
    audit_segment_bytes: int = _setting(256 * MIB, "Size at which a log file is closed and a new one begun.", "bytes")
    secret_cache_s: float = _setting(60.0, "How long a secret fetched from its provider is reused.", "seconds")
    secret_grace_s: float = _setting(
        86_400.0, "How long the previous value is still masked after a rotation.", "seconds"
    )
    token_ttl_s: float = _setting(12 * 3600.0, "Life of a token when none is asked for.", "seconds")
    access_ttl_s: float = _setting(
        900.0,
        "Life of the tokens that `ostiary token` and the token endpoint give; they are renewed silently.",
        "seconds",
    )
    service_key_ttl_s: float = _setting(
        90 * 86_400.0, "Life of a service account's key when none is asked for.", "seconds"
    )
    service_key_ttl_max_s: float = _setting(366 * 86_400.0, "Longest life of a service account's key.", "seconds")
    token_failures_per_minute: int = _setting(
        600,
        "Unknown tokens that one network address may send to the gateway, at once and then each minute; more are"
        " answered 429. Tokens that are known are never limited.",
        "tokens",
    )
    token_ttl_max_s: float = _setting(30 * 86_400.0, "Longest life of a token.", "seconds")
    approvals_waiting_max: int = _setting(20, "Open approvals one actor may have.", "approvals")

    @classmethod
    def from_environment(cls, environment: dict[str, str] | None = None, **overrides: Any) -> "Settings":
        """Defaults, then `OSTIARY_*`, then `overrides` that are not None.

        Raises `ValueError` naming the variable whose value does not fit.
        """
        source = os.environ if environment is None else environment
        values: dict[str, Any] = {}
        for entry in fields(cls):
            text = source.get(f"OSTIARY_{entry.name.upper()}")
            if text is not None and text != "":
                values[entry.name] = _parse(entry.name, entry.type, text)
        values.update({name: value for name, value in overrides.items() if value is not None})
        _check_ranges(values)
        return cls(**values)


def _check_ranges(values: dict[str, Any]) -> None:
    level = values.get("log_level", "info")
    if str(level).lower() not in LOG_LEVELS:
        raise ValueError(f"OSTIARY_LOG_LEVEL={level!r} is none of {', '.join(LOG_LEVELS)}.")
    for name, value in values.items():
        if isinstance(value, int | float) and not isinstance(value, bool) and not 0 < value < 1e15:
            raise ValueError(f"OSTIARY_{name.upper()}={value} must be above 0.")


def _parse(name: str, kind: object, text: str) -> Any:
    label = kind if isinstance(kind, str) else getattr(kind, "__name__", "str")
    try:
        match label:
            case "bool":
                return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[text.lower()]
            case "int":
                return int(text)
            case "float":
                return float(text)
            case "Path":
                return Path(text).expanduser()
            case _:
                return text
    except (KeyError, ValueError):
        raise ValueError(f"OSTIARY_{name.upper()}={text!r} is not a {label}.") from None


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. `host` is without brackets; port 0 takes a free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        """From `HOST:PORT` or `[IPV6]:PORT`. Raises `ValueError`."""
        host, _, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not host or not port.isdigit() or int(port) > 65_535:
            raise ValueError(f"{text!r} is not ADDRESS:PORT.")
        return cls(host, int(port))

    @property
    def is_loopback(self) -> bool:
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def from_here(self) -> "Address":
        """As this machine reaches it: what listens everywhere listens on loopback."""
        return replace(self, host=_EVERYWHERE.get(self.host, self.host))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
