"""A named upstream and how it is opened."""

from dataclasses import dataclass, field
from enum import StrEnum


class AuthScheme(StrEnum):
    NONE = "none"
    BEARER = "bearer"
    BASIC_USERNAME = "basic-username"
    BASIC_PASSWORD = "basic-password"  # noqa: S105 - the name of a scheme
    HEADER = "header"
    QUERY = "query"


@dataclass(frozen=True, slots=True)
class AuthForm:
    """How a Secret is put into a request.

    `name` is the header or query parameter for HEADER and QUERY and the fixed user name for BASIC_PASSWORD;
    `prefix` stands before the value of a HEADER. `secret` names a Secret other than the connection's own.
    """

    scheme: AuthScheme
    name: str = ""
    prefix: str = ""
    secret: str | None = None


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a connection leads: `scheme` is `http` or `https`, `host` ASCII lower case without brackets,
    `base_path` is empty or starts with `/` and does not end with one."""

    scheme: str
    host: str
    port: int
    base_path: str = ""

    @property
    def authority(self) -> str:
        """The Host header: bracketed for IPv6, without the scheme's default port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.scheme == "https" else 80
        return host if self.port == default else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Connection:
    """`auth` is empty when the Kind's own auth form applies. `headers` are fixed header fields sent upstream.

    `allow_private` admits loopback and private upstream addresses, `allow_plaintext` a Secret over `http` beyond
    loopback. `ca_file` is a PEM bundle that replaces the system's roots, `openapi` the document that names the
    operations of an `http` connection. `masking` names masking rules that hold here; empty means none, and None means
    all that speak of no connection. Rules that speak of this one hold in any case.
    """

    name: str
    kind: str
    upstream: Upstream
    secret: str | None = None
    auth: tuple[AuthForm, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    allow_private: bool = False
    allow_plaintext: bool = False
    ca_file: str | None = None
    openapi: str | None = None
    labels: frozenset[str] = field(default_factory=frozenset)
    masking: tuple[str, ...] | None = None
