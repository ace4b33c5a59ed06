"""Checks of an OpenID Connect provider."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

from ostiary.control.services.provider_checks.finding import (
    ExaminedProviders,
    Finding,
    clock_findings,
    fail,
    failed,
    key_findings,
    ok,
    warn,
)
from ostiary.control.services.sign_in_addresses import callback_url, signed_out_url
from ostiary.identity.presets import PRESETS, Preset
from ostiary.model.errors import OstiaryError, ProviderRefusedError
from ostiary.model.issuer import GroupsFrom, OidcIssuer

_NO_CODE = "ostiary-doctor-asks-whether-the-client-is-known"
_NO_VERIFIER = "ostiary-doctor-asks-whether-the-client-is-known-0"


async def oidc_findings(
    issuer: OidcIssuer, providers: ExaminedProviders, console_url: str, with_secret: bool
) -> AsyncIterator[Finding]:
    for finding in _preset(issuer):
        yield finding
    try:
        metadata = await providers.metadata(issuer)
    except OstiaryError as failure:
        yield failed(failure)
        return
    yield ok("Its discovery document can be had and is of this issuer.")
    for finding in clock_findings(providers.clock_difference_s(issuer)):
        yield finding
    for check in _CHECKS:
        for finding in check(issuer, metadata):
            yield finding
    try:
        for finding in key_findings(await providers.keys(issuer, None), issuer.algorithms):
            yield finding
    except OstiaryError as failure:
        yield failed(failure)
    for finding in _addresses(issuer, metadata, console_url):
        yield finding
    if with_secret:
        yield await _client(issuer, providers, console_url)


def back_channel_url(console_url: str, issuer: str) -> str:
    return f"{console_url}/sign-in/{issuer}/back-channel-logout"


# -- what the configuration and the discovery document say ---------------------------------------------------------


def _preset(issuer: OidcIssuer) -> Iterator[Finding]:
    preset = PRESETS.get(issuer.preset)
    if preset is None:
        return
    doubt = preset.doubt(issuer.issuer)
    if doubt:
        yield warn(doubt, "Compare `issuer` with the provider's, or leave `preset` out.")
    for note in preset.notes:
        yield warn(f"Not to be seen from here: {note}")


def _algorithms(issuer: OidcIssuer, metadata: Mapping[str, Any]) -> Iterator[Finding]:
    offered = _list(metadata, "id_token_signing_alg_values_supported")
    if offered is None:
        return
    common = [name for name in issuer.algorithms if name in offered]
    if common:
        yield ok(f"It signs ID tokens with {' or '.join(common)}.")
    else:
        yield fail(
            f"It signs ID tokens with none of {', '.join(issuer.algorithms)}.",
            "Set `algorithms` to what the provider offers; those with a shared secret (HS256) are never accepted.",
        )


def _code_flow(issuer: OidcIssuer, metadata: Mapping[str, Any]) -> Iterator[Finding]:
    offered = _list(metadata, "response_types_supported")
    if offered is not None and "code" not in offered:
        yield fail("It does not offer the authorization code flow.", "Allow the response type `code` at the provider.")
    methods = _list(metadata, "code_challenge_methods_supported")
    preset = PRESETS.get(issuer.preset)
    if methods is None and preset is not None:
        yield ok(f"It does not say that it knows PKCE with S256, and {preset.title} does.")
    elif methods is None:
        yield warn("It does not say whether it knows PKCE (S256), which is used in any case.")
    elif "S256" in methods:
        yield ok("It knows PKCE with S256.")
    else:
        yield fail("It knows PKCE, and not with S256.", "Allow S256 at the provider; `plain` is not used here.")


def _names_itself(issuer: OidcIssuer, metadata: Mapping[str, Any]) -> Iterator[Finding]:
    if metadata.get("authorization_response_iss_parameter_supported") is True:
        yield ok("It names itself when it sends people back (RFC 9207), and is held to it.")
    else:
        yield ok(
            "It does not name itself when it sends people back; its redirect URI, used by no other, tells it apart."
        )


def _scopes(issuer: OidcIssuer, metadata: Mapping[str, Any]) -> Iterator[Finding]:
    if "openid" not in issuer.scopes:
        yield fail("The scope `openid` is not asked for.", "Add it to `scopes`.")
    offered = _list(metadata, "scopes_supported")
    if offered is None:
        return
    missing = [scope for scope in issuer.scopes if scope not in offered]
    if missing:
        yield warn(
            f"It does not list the {'scopes' if len(missing) > 1 else 'scope'} {', '.join(missing)}.",
            "Some providers refuse a scope they do not know: add it there, or take it out of `scopes`.",
        )
    else:
        yield ok("It lists every scope that is asked for.")
    if "offline_access" in offered and "offline_access" not in issuer.scopes:
        yield warn(
            "It gives refresh tokens for the scope `offline_access`, which is not asked for.",
            "Add it to `scopes`, so that it can be asked for weeks whether somebody still has access.",
        )


def _groups(issuer: OidcIssuer, metadata: Mapping[str, Any]) -> Iterator[Finding]:
    preset = PRESETS.get(issuer.preset)
    if preset is not None and not preset.says_groups:
        yield warn(
            f"{preset.title} does not say which groups people are in.",
            "Name members in `groups`, or provision groups with SCIM.",
        )
        return
    if issuer.groups_from is GroupsFrom.USERINFO and "userinfo_endpoint" not in metadata:
        yield fail("Groups are to come from userinfo, which it does not have.", "Set `groups_from: id-token`.")
        return
    claims = _list(metadata, "claims_supported")
    claim = issuer.groups_claim
    if claims is not None and not {claim, claim.partition(".")[0]} & set(claims):
        yield warn(
            f"It does not list the claim `{claim}`; without it nobody is in any group.",
            "Many providers do not list what administrators add: look at one sign-in with `ostiary audit`.",
        )
    elif claims is not None:
        yield ok(f"It lists the claim `{claim}`.")
    yield from _cut_off(preset)


def _cut_off(preset: Preset | None) -> Iterator[Finding]:
    if preset is None:
        return
    if preset.name == "entra":
        yield warn(
            "Somebody in more than 200 groups has none here: Entra ID leaves them out of the token.",
            "Choose 'Groups assigned to the application' under Token configuration, or provision groups with SCIM.",
        )
    elif preset.groups_max is not None:
        yield warn(
            f"Somebody in {preset.groups_max} groups or more has none here: {preset.title} cuts the list off.",
            "Filter the groups claim at the provider, or provision groups with SCIM.",
        )


def _names(issuer: OidcIssuer, metadata: Mapping[str, Any]) -> Iterator[Finding]:
    preset = PRESETS.get(issuer.preset)
    claims = _list(metadata, "claims_supported")
    if issuer.trust_email and not (preset is not None and preset.trust_email):
        yield warn(
            "`trust_email` takes e-mail addresses as verified that the provider does not call so.",
            "Leave it only where nobody can set their own address at the provider.",
        )
    if claims is None:
        return
    made = f"they are called {issuer.name}:SUBJECT"
    if issuer.user_claim == "sub":
        yield ok(f"People are named by their subject: {made}.")
    elif not {issuer.user_claim, issuer.user_claim.partition(".")[0]} & set(claims):
        yield warn(
            f"It does not list the claim `{issuer.user_claim}`, which names people; without it {made}.",
            "Look at one sign-in with `ostiary user list`, or choose another claim with `user`.",
        )
    elif issuer.user_claim == "email" and not issuer.trust_email and "email_verified" not in claims:
        yield warn(
            f"It does not list `email_verified`; people whose address is not verified are not named by it: {made}.",
            "Choose another claim with `user`, or set `trust_email` where nobody can set their own address.",
        )
    else:
        yield ok(f"It lists the claim `{issuer.user_claim}`, which names people.")


def _client_way(issuer: OidcIssuer, metadata: Mapping[str, Any]) -> Iterator[Finding]:
    ways = _list(metadata, "token_endpoint_auth_methods_supported")
    if ways is None:
        ways = ["client_secret_basic"]
    if issuer.client_secret is None:
        if "none" in ways:
            yield ok("The client is a public one, without a secret.")
        else:
            yield warn("It does not list public clients, and no `client_secret` is set.", "Set `client_secret`.")
    elif {"client_secret_basic", "client_secret_post"}.isdisjoint(ways):
        yield fail(
            "It does not let clients prove themselves by a secret.",
            "Allow client_secret_basic at the provider, or take `client_secret` out for a public client.",
        )
    else:
        yield ok("The client proves itself by its secret.")


_Check = Callable[[OidcIssuer, Mapping[str, Any]], Iterator[Finding]]
_CHECKS: tuple[_Check, ...] = (_algorithms, _code_flow, _names_itself, _scopes, _groups, _names, _client_way)


def _addresses(issuer: OidcIssuer, metadata: Mapping[str, Any], console_url: str) -> Iterator[Finding]:
    yield ok(
        f"People are sent back to {callback_url(console_url, issuer.name)}",
        "Register exactly this redirect URI at the provider.",
    )
    if metadata.get("backchannel_logout_supported") is True:
        yield ok(
            f"It can say at once that somebody signed out, at {back_channel_url(console_url, issuer.name)}",
            "Register this back-channel logout URI at the provider.",
        )
    else:
        yield ok(
            f"It does not say when access ends (back-channel logout); it is asked every {issuer.recheck_s:g} seconds.",
            "With SCIM, access ends at once.",
        )
    if "end_session_endpoint" in metadata:
        yield ok(
            f"Whoever signs out here signs out there too, and comes back to {signed_out_url(console_url)}",
            "Register this post-logout redirect URI at the provider.",
        )
    else:
        yield ok("Whoever signs out here stays signed in there: it has no address for signing out.")


# -- the client ----------------------------------------------------------------------------------------------------


async def _client(issuer: OidcIssuer, providers: ExaminedProviders, console_url: str) -> Finding:
    """Redeem a code that nobody was given: what the provider objects to says whether it knows the client."""
    try:
        await providers.check_secret(issuer)
        await providers.token(
            issuer,
            {
                "grant_type": "authorization_code",
                "code": _NO_CODE,
                "redirect_uri": callback_url(console_url, issuer.name),
                "code_verifier": _NO_VERIFIER,
            },
        )
    except ProviderRefusedError as refusal:
        return _refused(issuer, refusal.error, callback_url(console_url, issuer.name))
    except OstiaryError as failure:
        return failed(failure)
    return fail(
        "It gives tokens for a code that nobody was given.", "Do not sign in with it; ask whoever runs the provider."
    )


def _refused(issuer: OidcIssuer, error: str, redirect_uri: str) -> Finding:
    match error:
        case "invalid_grant":
            return ok("It knows the client: a trial was refused for its code alone.")
        case "invalid_client" if issuer.client_secret is not None:
            return fail(
                f"It does not accept the client: `client_id` or the secret `{issuer.client_secret}` is wrong.",
                f"Copy both from the provider again, the secret with `ostiary secret set {issuer.client_secret}`.",
            )
        case "invalid_client":
            return fail(
                "It does not accept the client: `client_id` is wrong, or it wants a secret.",
                "Compare `client_id` with the provider's, and set `client_secret` for a client that has one.",
            )
        case "unauthorized_client":
            return fail(
                "It knows the client and does not allow it the authorization code flow.", "Allow it at the provider."
            )
        case "redirect_uri_mismatch":
            return fail("It knows the client, and not its redirect URI.", f"Register {redirect_uri} at the provider.")
        case _:
            return warn(
                f"It answers `{error}` to a trial of the client, which says neither yes nor no.", "Sign in once."
            )


def _list(metadata: Mapping[str, Any], name: str) -> list[Any] | None:
    value = metadata.get(name)
    return value if isinstance(value, list) else None
