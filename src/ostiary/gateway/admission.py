"""Stage 1 and 3 of the journey: is this request meant for us, and which connection is it for?"""

import ipaddress
from dataclasses import dataclass

from ostiary.gateway.route import Route, Snapshot
from ostiary.model.actor import Actor
from ostiary.model.errors import GatewayRefusal
from ostiary.policy.explanation import describe_groups
from ostiary.protocols.header_rules import RequestField
from ostiary.protocols.heads import RequestHead
from ostiary.protocols.targets import Target, TargetError, parse_target, query_has_token

_REFUSED_METHODS = frozenset({b"CONNECT", b"TRACE", b"TRACK"})
_JUDGED_HOSTS = 256
_REMEMBERED_TARGETS = 4096
_REMEMBERED_TARGET_BYTES = 512
_ADMITTED: "dict[bytes, Admitted]" = {}
_HOST = int(RequestField.HOST)
_UPGRADE = int(RequestField.UPGRADE)
_HARMLESS = tuple(
    int(fate)
    for fate in (
        RequestField.CONNECTION,
        RequestField.CREDENTIAL,
        RequestField.ACCEPT_ENCODING,
        RequestField.CONTENT_TYPE,
        RequestField.CONTENT_LENGTH,
    )
)
_LOOPBACK_NAMES = frozenset({b"localhost", b"ip6-localhost"})


@dataclass(frozen=True, slots=True)
class Admitted:
    """`path` is the canonical path behind the connection's name, `query` as the client wrote it."""

    name: bytes
    target: Target


class HostList:
    """Which names the gateway answers to (C09). IP addresses always pass: a rebinding page needs a name."""

    def __init__(self, names: str, public: str = "") -> None:
        """`names` as the setting lists them; `public` is the host name of the gateway's public address."""
        names = f"{names},{public}"
        listed = {name.strip().lower().encode("ascii", "ignore") for name in names.split(",") if name.strip()}
        self._any = b"*" in listed
        self._names = frozenset(listed | _LOOPBACK_NAMES)
        self._judged: dict[bytes, bool] = {}

    def admits(self, authority: bytes) -> bool:
        verdict = self._judged.get(authority)
        if verdict is None:
            if len(self._judged) >= _JUDGED_HOSTS:
                self._judged.clear()
            verdict = self._judged[authority] = self._judge(authority)
        return verdict

    def _judge(self, authority: bytes) -> bool:
        if not authority or b"@" in authority or b"," in authority or len(authority) > 260:
            return False
        host, port = authority, b""
        if authority[:1] == b"[":
            host, bracket, rest = authority[1:].partition(b"]")
            if not bracket or (rest and rest[:1] != b":"):
                return False
            port = rest[1:]
        elif b":" in authority:
            host, _, port = authority.partition(b":")
        if port and not (port.isdigit() and len(port) <= 5):
            return False
        text = host.decode("ascii", "replace")
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return (self._any and text.isascii()) or host.lower() in self._names
        return getattr(address, "scope_id", None) is None


def admit(head: RequestHead, hosts: HostList) -> Admitted:
    """The connection's name and the canonical target behind it. Raises `GatewayRefusal`."""
    if head.method in _REFUSED_METHODS:
        raise GatewayRefusal(405, "not_allowed_here", f"{head.method.decode()} is not answered here.", close=True)
    authority = b""
    for _name, value, fate in head.special:
        if fate == _HOST:
            authority = value
        elif fate in _HARMLESS:
            continue
        elif fate == RequestField.ORIGIN:
            _refuse_foreign_origin(value, head)
        elif fate == RequestField.FETCH_SITE:
            if value.lower() not in (b"none", b"same-origin"):
                raise _cross_site()
        elif fate == RequestField.CONTENT_ENCODING:
            if value.lower() not in (b"", b"identity"):
                raise GatewayRefusal(
                    415,
                    "bad_request",
                    "A compressed request body is not accepted, because it cannot be judged.",
                    "Send it without Content-Encoding.",
                    close=True,
                )
        elif fate == RequestField.EXPECT and value.lower() != b"100-continue":
            raise GatewayRefusal(417, "bad_request", "This expectation cannot be met.", close=True)
    if not hosts.admits(authority):
        raise GatewayRefusal(
            400,
            "bad_request",
            "The Host field does not name this gateway.",
            "Add the name to OSTIARY_ALLOWED_HOSTS if it is one of yours.",
            close=True,
        )
    known = _ADMITTED.get(head.target)
    if known is not None:
        return known
    return _read_target(head.target, authority)


def _read_target(target: bytes, authority: bytes) -> Admitted:
    try:
        parsed = parse_target(target, authority)
    except TargetError as error:
        raise GatewayRefusal(400, "ambiguous_request", str(error), close=True) from None
    if query_has_token(parsed.query):
        raise GatewayRefusal(
            400,
            "bad_request",
            "A token in the query is refused, because addresses end up in logs.",
            "Send it as `Authorization: Bearer` or `x-api-key`, and revoke this one.",
            close=True,
        )
    _, name, *rest = parsed.path.split(b"/", 2)
    admitted = Admitted(name, Target(b"/" + rest[0] if rest else b"/", parsed.query))
    # Tools repeat most targets. An absolute form depends on the authority and is read every time.
    if target[:1] == b"/" and len(target) <= _REMEMBERED_TARGET_BYTES:
        if len(_ADMITTED) >= _REMEMBERED_TARGETS:
            _ADMITTED.clear()
        _ADMITTED[target] = admitted
    return admitted


def _refuse_foreign_origin(origin: bytes, head: RequestHead) -> None:
    host = head.first(b"host") or b""
    if origin.lower() not in (b"http://" + host.lower(), b"https://" + host.lower()):
        raise _cross_site()


def _cross_site() -> GatewayRefusal:
    return GatewayRefusal(
        403,
        "denied",
        "Requests made by web pages of other sites are refused.",
        "Use the gateway from a tool, not from a page.",
        close=True,
    )


def refuse_upgrade(head: RequestHead) -> None:
    """WebSockets are answered 426 so that tools fall back to plain requests; `h2c` is ignored (B13)."""
    for _name, value, fate in head.special:
        if fate == _UPGRADE and b"websocket" in value.lower():
            raise GatewayRefusal(
                426, "not_allowed_here", "This connection has no WebSocket form.", "Send a plain request."
            )


def find_route(snapshot: Snapshot, actor: Actor, name: bytes) -> Route:
    """The named route, if the actor may know of it. Raises the same 404 for all others."""
    route = snapshot.routes.get(name)
    if (
        route is None
        or (actor.connections is not None and route.name not in actor.connections)
        or not route.is_known_to(snapshot.policy, actor)
    ):
        raise GatewayRefusal(
            404,
            "unknown_connection",
            f"There is no connection `{name.decode('ascii')[:64]}` that {actor.name} may use "
            f"({describe_groups(actor)}).",
            "The base URL is http(s)://HOST:PORT/<connection>; ask your administrator which ones are yours.",
        )
    return route
