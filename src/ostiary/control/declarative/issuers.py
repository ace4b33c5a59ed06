"""`identity.issuers:` of a declarative file: who may say who somebody is."""

import re
from collections.abc import Callable, Iterator, Mapping

from ostiary.control.declarative.nodes import Value
from ostiary.control.declarative.upstream import UpstreamError, is_loopback, is_private, parse_upstream
from ostiary.control.declarative.values import (
    absolute_path,
    duration_s,
    duration_text,
    names,
    plain_text,
    secret_name,
)
from ostiary.identity.presets import PRESETS, WORKLOAD_PRESETS
from ostiary.model.issuer import (
    ClaimCondition,
    GroupsFrom,
    Issuer,
    OidcIssuer,
    SamlIssuer,
    WorkloadIssuer,
    WorkloadRule,
)

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_KINDS = ("oidc", "saml", "workload")
_TRUST_KEYS = ("allow_private", "ca_file")
_OIDC_KEYS = (
    "preset", "issuer", "client_id", "client_secret", "scopes", "algorithms", "user", "trust_email", "groups",
    "groups_from", "accept_tokens_for", "recheck", "names", *_TRUST_KEYS,
)  # fmt: skip
_SAML_KEYS = ("metadata", "user", "email", "groups", "grant", "names", *_TRUST_KEYS)
_WORKLOAD_KEYS = ("preset", "issuer", "audience", "accepts", "algorithms", "keys", "lifetime", *_TRUST_KEYS)
_RULE_KEYS = ("service", "claims", "groups", "connections")
_RECHECK_S = (60, 86_400)
_LIFETIME_S = (60, 400 * 86_400)
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_RESERVED = frozenset({"local", "scim"})
_DEFAULTS = OidcIssuer("", "", "")
_SAML_DEFAULTS = SamlIssuer("")
_WORKLOAD_DEFAULTS = WorkloadIssuer("", "", "", ())


def read_issuer(value: Value) -> Issuer:
    members = value.mapping("an issuer", ("name", *_KINDS), ("name",))
    name = members["name"].text("the name of an issuer")
    if not _NAME.fullmatch(name) or name in _RESERVED:
        members["name"].fail(f"'{name}' cannot be the name of an issuer.", "Use a-z, 0-9 and -; it is part of URLs.")
    kinds = [kind for kind in _KINDS if kind in members]
    if len(kinds) != 1:
        value.fail(f"An issuer is one of {', '.join(_KINDS)}; here are {len(kinds)}.")
    kind = kinds[0]
    return _READERS[kind](name, members[kind])


def write_issuer(issuer: Issuer) -> Iterator[tuple[str, object]]:
    """What `read_issuer` reads back."""
    yield "name", issuer.name
    match issuer:
        case OidcIssuer():
            yield "oidc", dict(_written_oidc(issuer))
        case SamlIssuer():
            yield "saml", dict(_written_saml(issuer))
        case WorkloadIssuer():
            yield "workload", dict(_written_workload(issuer))


def _read_oidc(name: str, value: Value) -> OidcIssuer:
    parts = value.mapping("oidc", _OIDC_KEYS, ("issuer", "client_id"))
    word = parts["preset"].word("preset", tuple(PRESETS)) if "preset" in parts else ""
    preset = PRESETS.get(word)
    usual = _DEFAULTS if preset is None else preset.defaults(_DEFAULTS)
    allow_private = "allow_private" in parts and parts["allow_private"].boolean("allow_private")
    scopes = names(parts["scopes"], "scopes") if "scopes" in parts else usual.scopes
    if "openid" not in scopes:
        parts["scopes"].fail("Without the scope 'openid' there is no ID token.", "Add openid.")
    return OidcIssuer(
        name=name,
        issuer=_url(parts["issuer"], "the issuer", allow_private),
        client_id=plain_text(parts["client_id"], "client_id", 300),
        client_secret=_secret(parts["client_secret"], "client_secret") if "client_secret" in parts else None,
        preset=word,
        scopes=scopes,
        algorithms=_algorithms(parts["algorithms"]) if "algorithms" in parts else usual.algorithms,
        user_claim=plain_text(parts["user"], "user", 100) if "user" in parts else usual.user_claim,
        trust_email=parts["trust_email"].boolean("trust_email") if "trust_email" in parts else usual.trust_email,
        groups_claim=plain_text(parts["groups"], "groups", 200) if "groups" in parts else usual.groups_claim,
        groups_from=GroupsFrom(parts["groups_from"].word("groups_from", tuple(GroupsFrom)))
        if "groups_from" in parts
        else usual.groups_from,
        token_audience=plain_text(parts["accept_tokens_for"], "accept_tokens_for", 300)
        if "accept_tokens_for" in parts
        else None,
        recheck_s=duration_s(parts["recheck"], "recheck", *_RECHECK_S) if "recheck" in parts else usual.recheck_s,
        names=names(parts["names"], "names") if "names" in parts else (),
        allow_private=allow_private,
        ca_file=absolute_path(parts["ca_file"], "ca_file") if "ca_file" in parts else None,
    )


def _written_oidc(issuer: OidcIssuer) -> Iterator[tuple[str, object]]:
    preset = PRESETS.get(issuer.preset)
    usual = _DEFAULTS if preset is None else preset.defaults(_DEFAULTS)
    if issuer.preset:
        yield "preset", issuer.preset
    yield "issuer", issuer.issuer
    yield "client_id", issuer.client_id
    if issuer.client_secret is not None:
        yield "client_secret", {"secret": issuer.client_secret}
    for key, name in (("scopes", "scopes"), ("algorithms", "algorithms")):
        if getattr(issuer, name) != getattr(usual, name):
            yield key, list(getattr(issuer, name))
    for key, name in (("user", "user_claim"), ("trust_email", "trust_email"), ("groups", "groups_claim")):
        if getattr(issuer, name) != getattr(usual, name):
            yield key, getattr(issuer, name)
    if issuer.groups_from != usual.groups_from:
        yield "groups_from", issuer.groups_from.value
    if issuer.token_audience is not None:
        yield "accept_tokens_for", issuer.token_audience
    if issuer.recheck_s != usual.recheck_s:
        yield "recheck", duration_text(issuer.recheck_s)
    if issuer.names:
        yield "names", list(issuer.names)
    yield from _written_trust(issuer)


def _read_saml(name: str, value: Value) -> SamlIssuer:
    parts = value.mapping("saml", _SAML_KEYS, ("metadata",))
    allow_private = "allow_private" in parts and parts["allow_private"].boolean("allow_private")
    url, file = _url_or_file(parts["metadata"], "metadata", allow_private)
    return SamlIssuer(
        name=name,
        metadata_url=url,
        metadata_file=file,
        user_attribute=plain_text(parts["user"], "user", 300) if "user" in parts else None,
        email_attribute=plain_text(parts["email"], "email", 300) if "email" in parts else None,
        groups_attribute=plain_text(parts["groups"], "groups", 300)
        if "groups" in parts
        else _SAML_DEFAULTS.groups_attribute,
        grant="grant" in parts and parts["grant"].boolean("grant"),
        names=names(parts["names"], "names") if "names" in parts else (),
        allow_private=allow_private,
        ca_file=absolute_path(parts["ca_file"], "ca_file") if "ca_file" in parts else None,
    )


def _written_saml(issuer: SamlIssuer) -> Iterator[tuple[str, object]]:
    yield "metadata", _written_place(issuer.metadata_url, issuer.metadata_file)
    if issuer.user_attribute is not None:
        yield "user", issuer.user_attribute
    if issuer.email_attribute is not None:
        yield "email", issuer.email_attribute
    if issuer.groups_attribute != _SAML_DEFAULTS.groups_attribute:
        yield "groups", issuer.groups_attribute
    if issuer.grant:
        yield "grant", True
    if issuer.names:
        yield "names", list(issuer.names)
    yield from _written_trust(issuer)


def _read_workload(name: str, value: Value) -> WorkloadIssuer:
    parts = value.mapping("workload", _WORKLOAD_KEYS, ("audience", "accepts"))
    word = parts["preset"].word("preset", tuple(WORKLOAD_PRESETS)) if "preset" in parts else ""
    usual_issuer = WORKLOAD_PRESETS[word].issuer if word else ""
    if "issuer" not in parts and not usual_issuer:
        value.fail("'issuer' is missing in workload.", "It is the `iss` of the tokens, exactly.")
    allow_private = "allow_private" in parts and parts["allow_private"].boolean("allow_private")
    keys_url, keys_file = _url_or_file(parts["keys"], "keys", allow_private) if "keys" in parts else (None, None)
    if "issuer" not in parts:
        issuer = usual_issuer
    elif keys_url or keys_file:
        issuer = plain_text(parts["issuer"], "the issuer", 500)  # a SPIFFE trust domain is no web address
    else:
        issuer = _url(parts["issuer"], "the issuer", allow_private)
    accepts = tuple(_read_workload_rule(item) for item in parts["accepts"].items("accepts"))
    if not accepts:
        parts["accepts"].fail("'accepts' is empty: no token would be anybody's.", "Say which claims are which service.")
    return WorkloadIssuer(
        name=name,
        issuer=issuer,
        audience=plain_text(parts["audience"], "audience", 300),
        accepts=accepts,
        preset=word,
        algorithms=_algorithms(parts["algorithms"]) if "algorithms" in parts else _WORKLOAD_DEFAULTS.algorithms,
        keys_url=keys_url,
        keys_file=keys_file,
        lifetime_max_s=duration_s(parts["lifetime"], "lifetime", *_LIFETIME_S)
        if "lifetime" in parts
        else _WORKLOAD_DEFAULTS.lifetime_max_s,
        allow_private=allow_private,
        ca_file=absolute_path(parts["ca_file"], "ca_file") if "ca_file" in parts else None,
    )


def _written_workload(issuer: WorkloadIssuer) -> Iterator[tuple[str, object]]:
    if issuer.preset:
        yield "preset", issuer.preset
    if not issuer.preset or issuer.issuer != WORKLOAD_PRESETS[issuer.preset].issuer:
        yield "issuer", issuer.issuer
    yield "audience", issuer.audience
    if issuer.keys_url or issuer.keys_file:
        yield "keys", _written_place(issuer.keys_url, issuer.keys_file)
    if issuer.algorithms != _WORKLOAD_DEFAULTS.algorithms:
        yield "algorithms", list(issuer.algorithms)
    if issuer.lifetime_max_s != _WORKLOAD_DEFAULTS.lifetime_max_s:
        yield "lifetime", duration_text(issuer.lifetime_max_s)
    yield "accepts", [dict(_written_workload_rule(rule)) for rule in issuer.accepts]
    yield from _written_trust(issuer)


def _read_workload_rule(value: Value) -> WorkloadRule:
    parts = value.mapping("an entry of accepts", _RULE_KEYS, ("service", "claims"))
    conditions = []
    for key, listed in parts["claims"].members("claims").values():
        claim = plain_text(key, "a claim", 200)
        values = names(listed, "the values") if listed.is_list else (_claim_value(listed),)
        conditions.append(ClaimCondition(claim, values))
    if not conditions:
        parts["claims"].fail("'claims' is empty: every token of the issuer would pass.", "Name what must be in it.")
    if all(value == "*" for condition in conditions for value in condition.values):
        parts["claims"].fail("These claims hold for every token of the issuer.", "Name a value.")
    return WorkloadRule(
        service=plain_text(parts["service"], "service"),
        conditions=tuple(conditions),
        groups=names(parts["groups"], "groups") if "groups" in parts else (),
        connections=names(parts["connections"], "connections") if "connections" in parts else None,
    )


def _written_workload_rule(rule: WorkloadRule) -> Iterator[tuple[str, object]]:
    yield "service", rule.service
    yield "claims", {condition.claim: list(condition.values) for condition in rule.conditions}
    if rule.groups:
        yield "groups", list(rule.groups)
    if rule.connections is not None:
        yield "connections", list(rule.connections)


def _claim_value(value: Value) -> str:
    """Text as it is; true, false and numbers as JSON writes them."""
    if value.is_mapping or value.is_empty:
        value.fail("A claim's value is text, true, false or a number.")
    text = str(value.node.value)
    return plain_text(value, "a claim's value", 500) if value.node.tag.endswith(":str") else text.lower()


def _written_trust(issuer: Issuer) -> Iterator[tuple[str, object]]:
    if issuer.allow_private:
        yield "allow_private", True
    if issuer.ca_file is not None:
        yield "ca_file", issuer.ca_file


def _secret(value: Value, what: str) -> str:
    return secret_name(value.mapping(what, ("secret",), ("secret",))["secret"])


def _algorithms(value: Value) -> tuple[str, ...]:
    return tuple(item.word("an algorithm", ALGORITHMS) for item in value.items("algorithms")) or value.fail(
        "'algorithms' is an empty list.", "Leave it out for the usual one."
    )


def _url_or_file(value: Value, what: str, allow_private: bool) -> tuple[str | None, str | None]:
    places: Mapping[str, Value] = value.mapping(what, ("url", "file"))
    if len(places) != 1:
        value.fail(f"{what} is either a url or a file.", f"Write `{what}: {{url: https://…}}`.")
    if "url" in places:
        return _url(places["url"], what, allow_private), None
    return None, absolute_path(places["file"], what)


def _written_place(url: str | None, file: str | None) -> dict[str, str]:
    return {"url": url} if url is not None else {"file": file or ""}


def _url(value: Value, what: str, allow_private: bool) -> str:
    """As written: an issuer is compared letter by letter. What it leads to is judged again when it is called."""
    text = plain_text(value, what, 500)
    plain, _, query = text.partition("?")
    try:
        place = parse_upstream(plain)
    except UpstreamError as failure:
        value.fail(str(failure).replace("The upstream", "The URL", 1))
    if query and what == "the issuer":
        value.fail("An issuer has no query.")
    if is_private(place.host) and not allow_private:
        value.fail(f"The address {place.host} is loopback or private.", "Add `allow_private: true` if that is meant.")
    if place.scheme == "http" and not is_loopback(place.host):
        value.fail("An identity provider is reached over https only.", "Use https://.")
    return text


_READERS: dict[str, Callable[[str, Value], Issuer]] = {
    "oidc": _read_oidc,
    "saml": _read_saml,
    "workload": _read_workload,
}
