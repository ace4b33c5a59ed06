"""The identity providers of the configuration."""

import re
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ostiary.adapters.http_call import JSON, Answer
from ostiary.adapters.identity_providers.asking import (
    REVOCATION,
    TOKEN_ENDPOINT,
    USERINFO,
    Clock,
    ProviderCall,
    json_object,
    must_be_ok,
)
from ostiary.adapters.identity_providers.publications import Publications, SamlPublications
from ostiary.identity.keys import KeyBook
from ostiary.identity.saml.metadata import IdentityProviderMetadata
from ostiary.identity.urls import form_of
from ostiary.model.errors import OperatorError, ProviderRefusedError
from ostiary.model.issuer import Issuer, OidcIssuer, SamlIssuer, WorkloadIssuer
from ostiary.ports import Dialler, OpenedSecret, SecretKeeper
from ostiary.vault.client_authentication import basic_field, posted_parameters

_ERROR_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_BEARER = re.compile(r"[A-Za-z0-9._~+/=-]{1,16384}")
_JWT = "application/jwt"
_HEADER_MAX_CHARACTERS = 8192


class IdentityProviderBook:
    """Implements `control.identity_ports.IdentityProviders`. An issuer is asked for the first time when it is used, in
    force or not; what it publishes is kept while it is in force and unchanged. `keys_changed` is called on the event
    loop when an issuer signs with other keys than before."""

    def __init__(
        self,
        dial: Dialler,
        secrets: SecretKeeper,
        clock: Clock = time.time,
        keys_changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._keys_changed = keys_changed
        self._dial = dial
        self._secrets = secrets
        self._clock = clock
        self._known: dict[str, tuple[Issuer, Publications | SamlPublications]] = {}

    def apart(self) -> "IdentityProviderBook":
        """Another one that knows nothing yet: to see how providers answer now."""
        return IdentityProviderBook(self._dial, self._secrets, self._clock)

    def put_in_force(self, issuers: Sequence[Issuer]) -> None:
        kept = self._known
        self._known = {
            issuer.name: (issuer, kept[issuer.name][1])
            for issuer in issuers
            if issuer.name in kept and kept[issuer.name][0] == issuer
        }

    async def metadata(self, issuer: OidcIssuer | WorkloadIssuer) -> Mapping[str, Any]:
        return await self._published(issuer).metadata()

    async def keys(self, issuer: OidcIssuer | WorkloadIssuer, kid: str | None) -> KeyBook:
        return await self._published(issuer).keys(kid)

    async def keys_for(self, issuer: OidcIssuer | WorkloadIssuer, token: str) -> KeyBook:
        """As `keys`, for the kid that a JWT names."""
        return await self.keys(issuer, _kid_of(token))

    def known_keys(self, issuer: OidcIssuer | WorkloadIssuer) -> KeyBook | None:
        """What `keys` would give without fetching; None when it is time to ask it."""
        return self._published(issuer).known_keys()

    async def saml(self, issuer: SamlIssuer, again: bool = False) -> IdentityProviderMetadata:
        return await self._saml_published(issuer).metadata(again)

    def clock_difference_s(self, issuer: Issuer) -> float | None:
        """By how much the provider's clock was ahead of ours when it last told what it publishes."""
        published = self._saml_published(issuer) if isinstance(issuer, SamlIssuer) else self._published(issuer)
        return published.clock_difference_s

    async def check_secret(self, issuer: OidcIssuer) -> None:
        """Raises `SecretUnavailableError` when the client secret cannot be had."""
        await self._secret(issuer)

    async def token(self, issuer: OidcIssuer, form: Mapping[str, str]) -> Mapping[str, Any]:
        answer = await self._as_client(issuer, TOKEN_ENDPOINT, "token_endpoint", form)
        with self._call(issuer).naming(TOKEN_ENDPOINT):
            _must_not_be_refused(answer)
            must_be_ok(answer)
            return json_object(answer.body)

    async def revoke(self, issuer: OidcIssuer, token: str) -> None:
        """Give a refresh token back (RFC 7009), where the provider takes it."""
        if "revocation_endpoint" in await self.metadata(issuer):
            form = {"token": token, "token_type_hint": "refresh_token"}
            answer = await self._as_client(issuer, REVOCATION, "revocation_endpoint", form)
            with self._call(issuer).naming(REVOCATION):
                must_be_ok(answer)

    async def userinfo(self, issuer: OidcIssuer, access_token: str) -> Mapping[str, Any]:
        """Raises `ProviderRefusedError` with the code of RFC 6750 when it does not take the token."""
        call = self._call(issuer)
        url = (await self.metadata(issuer)).get("userinfo_endpoint")
        with call.naming(USERINFO):
            if url is None:
                raise OperatorError("The provider has none.")
            if _BEARER.fullmatch(access_token) is None:
                raise OperatorError("The access token for it is none.")
        bearer = f"Authorization: Bearer {access_token}\r\n".encode("ascii")
        answer = await call.get(USERINFO, url, accept=f"{JSON}, {_JWT}", fields=bearer)
        with call.naming(USERINFO):
            if answer.status in _BEARER_REFUSALS:
                raise ProviderRefusedError(_BEARER_REFUSALS[answer.status])
            must_be_ok(answer)
        if answer.media_type == _JWT:
            return await self._signed_userinfo(issuer, answer.body)
        with call.naming(USERINFO):
            return json_object(answer.body)

    # -- one issuer's

    def _call(self, issuer: Issuer) -> ProviderCall:
        return ProviderCall(issuer, self._dial)

    def _published(self, issuer: OidcIssuer | WorkloadIssuer) -> Publications:
        known = self._known.get(issuer.name)
        if known is not None and (known[0] is issuer or known[0] == issuer) and isinstance(known[1], Publications):
            return known[1]
        made = Publications(issuer, self._call(issuer), self._clock, self._keys_changed)
        self._known[issuer.name] = issuer, made
        return made

    def _saml_published(self, issuer: SamlIssuer) -> SamlPublications:
        known = self._known.get(issuer.name)
        if known is not None and known[0] == issuer and isinstance(known[1], SamlPublications):
            return known[1]
        made = SamlPublications(issuer, self._call(issuer), self._clock)
        self._known[issuer.name] = issuer, made
        return made

    # -- being its client

    async def _secret(self, issuer: OidcIssuer) -> OpenedSecret | None:
        if issuer.client_secret is None:
            return None
        return self._secrets.peek(issuer.client_secret) or await self._secrets.open(issuer.client_secret)

    async def _as_client(self, issuer: OidcIssuer, what: str, endpoint: str, form: Mapping[str, str]) -> Answer:
        """The answer to `form`, sent the way the provider wants its clients to prove themselves."""
        metadata = await self.metadata(issuer)
        opened = await self._secret(issuer)
        body = form_of(form.items()).encode("ascii")
        call = self._call(issuer)
        if opened is None:
            client = form_of([("client_id", issuer.client_id)]).encode("ascii")
            return await call.post(what, metadata[endpoint], body + b"&" + client)
        with call.naming(what):
            way = authentication_way(metadata)
        if way == "client_secret_basic":
            return await call.post(what, metadata[endpoint], body, fields=basic_field(issuer.client_id, opened.current))
        return await call.post(
            what, metadata[endpoint], body + b"&" + posted_parameters(issuer.client_id, opened.current)
        )

    async def _signed_userinfo(self, issuer: OidcIssuer, body: bytes) -> Mapping[str, Any]:
        """OpenID Connect Core section 5.3.2: signed with the provider's keys, and made for this client."""
        from ostiary.identity.jwt import JwtError, verify

        token = body.decode("latin-1").strip()
        keys = await self.keys_for(issuer, token)
        with self._call(issuer).naming(USERINFO):
            try:
                claims = verify(token, keys, issuer.algorithms, None)
            except JwtError:
                raise OperatorError("It is signed, and its signature cannot be verified.") from None
            audience = claims.get("aud")
            audiences = audience if isinstance(audience, list) else [audience]
            if claims.get("iss") != issuer.issuer or issuer.client_id not in audiences:
                raise OperatorError("It is signed, and for somebody else.")
        return claims


_BEARER_REFUSALS = {401: "invalid_token", 403: "insufficient_scope"}


def authentication_way(metadata: Mapping[str, Any]) -> str:
    """How a client with a secret proves itself; Basic when the provider does not say (RFC 8414 section 2).
    Raises `OperatorError` when it takes no secret."""
    ways = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    for way in ("client_secret_basic", "client_secret_post"):
        if isinstance(ways, list) and way in ways:
            return way
    raise OperatorError(
        "The provider does not let clients prove themselves by a secret.", "Allow client_secret_basic at the provider."
    )


def _must_not_be_refused(answer: Answer) -> None:
    """RFC 6749 section 5.2. A server's own trouble is no refusal: `must_be_ok` says that it may pass."""
    if answer.status >= 500 or answer.status == 429 or 300 <= answer.status < 400:
        return
    try:
        document = json_object(answer.body)
    except OperatorError:
        return
    error = document.get("error")
    if isinstance(error, str) and _ERROR_CODE.fullmatch(error):
        raise ProviderRefusedError(error)


def _kid_of(token: str) -> str | None:
    """The kid in a JWT's header, which nobody vouches for."""
    head = token.partition(".")[0]
    if len(head) > _HEADER_MAX_CHARACTERS:
        return None
    try:
        kid = json_object(urlsafe_b64decode(head + "=" * (-len(head) % 4))).get("kid")
    except (ValueError, OperatorError):
        return None
    return kid if isinstance(kid, str) else None
