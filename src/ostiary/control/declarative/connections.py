"""`secrets:` and `connections:` of a declarative file."""

from collections.abc import Mapping

from ostiary.control.declarative import unavailable
from ostiary.control.declarative.auth import read_auth
from ostiary.control.declarative.nodes import Value
from ostiary.control.declarative.upstream import UpstreamError, is_loopback, is_private, parse_upstream
from ostiary.control.declarative.values import (
    absolute_path,
    connection_name,
    field_name,
    field_value,
    label,
    plain_text,
    secret_name,
    variable_name,
)
from ostiary.model.configuration import SecretReference
from ostiary.model.connection import AuthForm, AuthScheme, Connection, Upstream
from ostiary.protocols.kinds import Kind

PROVIDERS = ("stored", "env", "file")

_KEYS = (
    "name", "kind", "upstream", "secret", "auth", "headers", "allow_private", "allow_plaintext", "ca_file",
    "openapi", "labels", "masking",
)  # fmt: skip

_CREDENTIAL_FIELDS = frozenset({"authorization", "cookie", "x-api-key", "api-key", "x-goog-api-key"})


def read_secret(value: Value) -> SecretReference:
    members = value.mapping("a secret", ("name", "from"), required=("name",))
    name = secret_name(members["name"])
    source = members.get("from")
    if source is None:
        return SecretReference(name, "stored")
    if not source.is_mapping:
        source.word("from", ("stored",))
        return SecretReference(name, "stored")
    providers = source.mapping("from", PROVIDERS, unavailable=unavailable.SECRET_PROVIDERS)
    if len(providers) != 1:
        source.fail(f"'from' names one of {', '.join(PROVIDERS)}; here are {len(providers)}.")
    ((provider, reference),) = providers.items()
    match provider:
        case "env":
            return SecretReference(name, provider, variable_name(reference))
        case "file":
            return SecretReference(name, provider, absolute_path(reference, "the secret's file"))
        case _:
            if not reference.is_empty and not reference.boolean("stored"):
                reference.fail("'stored' is true or left empty.")
            return SecretReference(name, "stored")


def read_connection(value: Value, kinds: Mapping[str, Kind]) -> Connection:
    members = value.mapping("a connection", _KEYS, ("name", "kind"))
    kind = kinds[members["kind"].word("kind", tuple(kinds))]
    upstream_at = members.get("upstream", value)
    upstream = _upstream(members.get("upstream"), kind, value)
    connection = Connection(
        name=connection_name(members["name"]),
        kind=kind.name,
        upstream=upstream,
        secret=secret_name(members["secret"]) if "secret" in members else None,
        auth=read_auth(members["auth"]) if "auth" in members else (),
        headers=_headers(members["headers"]) if "headers" in members else (),
        allow_private="allow_private" in members and members["allow_private"].boolean("allow_private"),
        allow_plaintext="allow_plaintext" in members and members["allow_plaintext"].boolean("allow_plaintext"),
        ca_file=absolute_path(members["ca_file"], "ca_file") if "ca_file" in members else None,
        openapi=absolute_path(members["openapi"], "openapi") if "openapi" in members else None,
        labels=frozenset(map(label, members["labels"].items("labels"))) if "labels" in members else frozenset(),
        masking=_masking(members["masking"]) if "masking" in members else None,
    )
    if connection.openapi is not None and kind.name != "http":
        members["openapi"].fail("'openapi' has a meaning for kind 'http' only.", "Leave it out.")
    _check_auth(connection, connection.auth or kind.auth, members, value)
    _check_upstream(connection, connection.auth or kind.auth, upstream_at)
    return connection


def _upstream(value: Value | None, kind: Kind, connection: Value) -> Upstream:
    if value is None:
        if not kind.upstream:
            connection.fail(f"'upstream' is missing: kind '{kind.name}' has no usual one.")
        return parse_upstream(kind.upstream)
    try:
        return parse_upstream(value.text("upstream"))
    except UpstreamError as failure:
        value.fail(str(failure))


def _headers(value: Value) -> tuple[tuple[str, str], ...]:
    fields: dict[str, str] = {}
    for key, content in value.members("headers").values():
        name = field_name(key, "a header's name")
        if name in fields:
            key.fail(f"The header '{name}' stands twice.")
        if name in _CREDENTIAL_FIELDS:
            key.fail(
                f"The header '{name}' carries a credential, which must not stand in a file.",
                f"Use `secret` with `auth: {{header: {name}}}`.",
            )
        fields[name] = field_value(content, f"the header '{name}'")
    return tuple(fields.items())


def _masking(value: Value) -> tuple[str, ...]:
    """An empty list has a meaning here: it can only be a wish for none."""
    names = [plain_text(item, "an entry of masking", 100) for item in value.items("masking")]
    return tuple(dict.fromkeys(names))


def _check_auth(
    connection: Connection, forms: tuple[AuthForm, ...], members: Mapping[str, Value], value: Value
) -> None:
    injected = {form.name for form in forms if form.scheme is AuthScheme.HEADER}
    doubled = injected & {name for name, _ in connection.headers}
    if doubled:
        members["headers"].fail(f"The header '{min(doubled)}' is written by auth already.")
    if AuthScheme.NONE in {form.scheme for form in forms} and connection.secret is not None:
        members["secret"].fail("There is a secret but auth says none.", "Remove one of them.")
    if connection.auth and connection.secret is None:
        for form in connection.auth:
            if form.scheme is not AuthScheme.NONE and form.secret is None:
                members["auth"].fail(f"auth '{form.scheme}' has no secret.", "Add `secret: NAME` to the connection.")
    if not connection.auth and not forms and connection.secret is not None:
        value.fail(f"Kind '{connection.kind}' has no usual place for a secret.", "Say where with `auth`.")


def _check_upstream(connection: Connection, forms: tuple[AuthForm, ...], value: Value) -> None:
    host = connection.upstream.host
    if is_private(host) and not connection.allow_private:
        value.fail(
            f"The upstream {host} is a loopback or private address.",
            "Add `allow_private: true` to the connection if that is meant.",
        )
    has_secret = connection.secret is not None or any(form.secret is not None for form in forms)
    if connection.upstream.scheme == "http" and has_secret and not is_loopback(host) and not connection.allow_plaintext:
        value.fail(
            f"The secret would travel to {host} unencrypted.",
            "Use https://, or add `allow_plaintext: true` to the connection if that is meant.",
        )
