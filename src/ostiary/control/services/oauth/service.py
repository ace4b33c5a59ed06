"""The OAuth 2.0 server for our own command line and for machines."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ostiary.control.caller import Caller
from ostiary.control.identity_ports import IdentityProviders, OneTime, People, ServiceAccounts, SignIns
from ostiary.control.ports import TokenStore
from ostiary.control.services.admin_log import AdminLog
from ostiary.control.services.arrivals import Arrivals
from ostiary.control.services.callers import Callers
from ostiary.control.services.console_sessions import Visitor
from ostiary.control.services.end_of_access import EndOfAccess
from ostiary.control.services.handles import Randomness
from ostiary.control.services.oauth.codes import Codes
from ostiary.control.services.oauth.devices import DeviceRequest, Devices
from ostiary.control.services.oauth.errors import OAuthError
from ostiary.control.services.oauth.foreign import ForeignGrants
from ostiary.control.services.oauth.proofs import Proofs
from ostiary.control.services.oauth.requests import AuthorizationRequest, Form, check_client, fields_of, needed
from ostiary.control.services.oauth.tool_tokens import ToolTokens
from ostiary.control.services.provider_tokens import HeldTokens
from ostiary.control.services.sign_in_log import SignInLog
from ostiary.control.services.token_mint import TokenMint
from ostiary.control.services.tokens import TokenService
from ostiary.identity import dpop
from ostiary.identity.limits import NetworkLimiter
from ostiary.identity.tokens import looks_like_token, token_hash
from ostiary.model.configuration import Configuration
from ostiary.model.token import TokenRecord, TokenScope

CODE = "authorization_code"
REFRESH = "refresh_token"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
SAML = "urn:ietf:params:oauth:grant-type:saml2-bearer"
WORKLOAD = "urn:ietf:params:oauth:grant-type:jwt-bearer"

FAILURE_RATE = 5.0
FAILURE_BURST = 100
"""Wrong tokens, codes and assertions of one network, which may be an office."""

_FOREIGN = frozenset({EXCHANGE, SAML, WORKLOAD})
"""What takes checking signatures of others."""

_NO_FAILURES = frozenset({"authorization_pending", "slow_down", "temporarily_unavailable"})


class OAuthService:
    """Every method raises `OAuthError` for what it refuses, and `UnreachableError` where an issuer does not answer."""

    def __init__(
        self,
        *,
        people: People,
        sign_ins: SignIns,
        one_time: OneTime,
        tokens: TokenStore,
        token_service: TokenService,
        accounts: ServiceAccounts,
        providers: IdentityProviders,
        arrivals: Arrivals,
        callers: Callers,
        end: EndOfAccess,
        held: HeldTokens,
        configuration: Callable[[], Configuration],
        console_url: Callable[[], str],
        gateway_url: Callable[[], str],
        access_ttl_s: float,
        randomness: Randomness,
        log: AdminLog,
        sign_in_log: SignInLog,
    ) -> None:
        """The URLs are those that people and tools see, without a slash at their end."""
        self._people = people
        self._sign_ins = sign_ins
        self._tokens = tokens
        self._token_service = token_service
        self._callers = callers
        self._console_url = console_url
        self._gateway_url = gateway_url
        self._log = log
        self._failures = NetworkLimiter(FAILURE_RATE, FAILURE_BURST, log.now)
        mint = TokenMint(tokens, randomness, log)
        self._tool_tokens = ToolTokens(
            people=people,
            sign_ins=sign_ins,
            one_time=one_time,
            tokens=tokens,
            mint=mint,
            end=end,
            held=held,
            configuration=configuration,
            access_ttl_s=access_ttl_s,
            randomness=randomness,
            log=sign_in_log,
        )
        self._foreign = ForeignGrants(
            providers=providers,
            people=people,
            arrivals=arrivals,
            accounts=accounts,
            one_time=one_time,
            tokens=tokens,
            mint=mint,
            configuration=configuration,
            access_ttl_s=access_ttl_s,
            log=sign_in_log,
        )
        self._codes = Codes(one_time, self._tool_tokens, randomness)
        self._devices = Devices(one_time, self._tool_tokens, randomness, sign_in_log)
        self._proofs = Proofs(one_time)
        self._grants: dict[str, Callable[[Mapping[str, str], str, str | None], Awaitable[dict[str, Any]]]] = {
            CODE: self._by_code,
            REFRESH: self._by_refresh_token,
            DEVICE: self._by_device,
            EXCHANGE: self._by_exchange,
            SAML: self._by_assertion,
            WORKLOAD: self._foreign.workload,
        }

    def metadata(self) -> Mapping[str, Any]:
        """The document of /.well-known/oauth-authorization-server (RFC 8414)."""
        console = self._console_url()
        return {
            "issuer": console,
            "authorization_endpoint": f"{console}/oauth/authorize",
            "token_endpoint": f"{console}/oauth/token",
            "device_authorization_endpoint": f"{console}/oauth/device-authorization",
            "revocation_endpoint": f"{console}/oauth/revoke",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": list(self._grants),
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
            "revocation_endpoint_auth_methods_supported": ["none"],
            "scopes_supported": [TokenScope.GATEWAY.value, TokenScope.API.value],
            "dpop_signing_alg_values_supported": list(dpop.ALGORITHMS),
            "authorization_response_iss_parameter_supported": True,
            "ostiary_gateway_url": self._gateway_url(),
        }

    # -- what people agree to

    def check(self, parameters: Form) -> AuthorizationRequest:
        """What is to be confirmed on the page of /oauth/authorize."""
        return self._codes.check(parameters, self._console_url())

    async def authorize(self, visitor: Visitor, request: AuthorizationRequest, approve: bool = True) -> str:
        """Where to send the browser: the client's address with a code, or with `access_denied`."""
        return await self._codes.authorize(visitor, request, approve, self._console_url(), self._log.now())

    async def life_s(self, visitor: Visitor) -> float:
        """How long what the visitor agrees to lasts, at most."""
        return await asyncio.to_thread(self._tool_tokens.life_s, visitor.sign_in)

    async def device_begin(self, form: Form, network: str, proof: str | None = None) -> Mapping[str, Any]:
        """The answer of /oauth/device-authorization. With a proof, only the holder of its key gets the tokens."""
        with self._counting(network, is_costly=proof is not None):
            fields = fields_of(form)
            key = await self._key(proof, "/oauth/device-authorization")
            return await self._devices.begin(fields, network, key, self._console_url())

    async def device_show(self, visitor: Visitor, user_code: str, network: str) -> DeviceRequest:
        """What waits under the code that the visitor typed."""
        return self._devices.show(visitor, user_code, network)

    async def device_decide(self, visitor: Visitor, user_code: str, approve: bool, network: str) -> None:
        """Let the device have a sign-in of the visitor's, or refuse it. Works once."""
        await self._devices.decide(visitor, user_code, approve, network)

    # -- what programs ask for

    async def token(self, form: Form, network: str, proof: str | None = None) -> Mapping[str, Any]:
        """The answer of /oauth/token. `proof` is the `DPoP` field; several of them joined with a comma are none."""
        grant_type = next((value for name, value in form if name == "grant_type"), "")
        with self._counting(network, is_costly=proof is not None or grant_type in _FOREIGN):
            fields = fields_of(form)
            grant = self._grants.get(needed(fields, "grant_type"))
            if grant is None:
                raise OAuthError("unsupported_grant_type", "This grant type is not known here.")
            check_client(fields, required=grant_type not in _FOREIGN)
            return await grant(fields, network, await self._key(proof, "/oauth/token"))

    async def revoke(self, form: Form, network: str) -> None:
        """RFC 7009: a refresh token ends its sign-in, whoever holds another token may end that. What is not known is no
        error."""
        with self._counting(network, is_costly=False):
            fields = fields_of(form)
            check_client(fields, required=False)
            token = needed(fields, "token")
            if await self._tool_tokens.end(token, "signed out with the command line"):
                return
            held = _token_in(token)
            record = None if held is None else self._tokens.of_hash(token_hash(held))
            if record is None:
                self._not_known(network)
                return
            holder = Caller(record.actor.name, frozenset())
            await self._token_service.end(holder, record)

    async def caller_of(
        self, bearer: str, network: str, *, method: str = "", path: str = "", proof: str | None = None
    ) -> Caller | None:
        """Whose API token this is; None for every other token. A bound one takes its `DPoP` proof for the request."""
        now = self._log.now()
        record = self._opened(bearer, TokenScope.API, now)
        if record is None or record.actor.user_id is None or record.sign_in is None:
            self._not_known(network)
            return None
        user, sign_in = self._people.get(record.actor.user_id), self._sign_ins.get(record.sign_in)
        if not self._callers.is_somebody(user) or sign_in is None or not sign_in.is_live(now):
            self._not_known(network)
            return None
        if record.actor.bound_to is not None:
            url = self._console_url() + path
            with self._counting(network, is_costly=True):
                key = await self._proofs.key_of(proof, method=method, url=url, now=now, access_token=bearer)
            if key != record.actor.bound_to:
                self._not_known(network)
                return None
        self._tokens.used(record.id, now, network)
        return self._callers.of(user, sign_in)

    async def is_scim(self, bearer: str, network: str = "") -> bool:
        """Whether this token opens /scim/v2."""
        now = self._log.now()
        record = self._opened(bearer, TokenScope.SCIM, now)
        if record is None:
            self._not_known(network)
            return False
        self._tokens.used(record.id, now, network)
        return True

    # -- grants

    async def _by_code(self, fields: Mapping[str, str], network: str, key: str | None) -> dict[str, Any]:
        return await self._codes.redeem(fields, network, key, self._log.now())

    async def _by_refresh_token(self, fields: Mapping[str, str], network: str, key: str | None) -> dict[str, Any]:
        return await self._tool_tokens.refresh(fields, network, key)

    async def _by_device(self, fields: Mapping[str, str], network: str, key: str | None) -> dict[str, Any]:
        return await self._devices.redeem(fields, network, key)

    async def _by_exchange(self, fields: Mapping[str, str], network: str, key: str | None) -> dict[str, Any]:
        own = frozenset({self._console_url(), self._gateway_url()})
        return await self._foreign.exchange(fields, network, key, own)

    async def _by_assertion(self, fields: Mapping[str, str], network: str, key: str | None) -> dict[str, Any]:
        return await self._foreign.saml(fields, network, key, self._console_url())

    # --

    async def _key(self, proof: str | None, path: str) -> str | None:
        url = self._console_url() + path
        return await self._proofs.key_of(proof, method="POST", url=url, now=self._log.now())

    def _opened(self, bearer: str, scope: TokenScope, now: float) -> TokenRecord | None:
        token = _token_in(bearer)
        return None if token is None else self._tokens.live(token_hash(token), scope, now)

    def _not_known(self, network: str) -> None:
        """Counts a wrong token; raises `OAuthError` where there were too many. Without a network nothing is counted."""
        if network and not self._failures.take(network):
            raise self._too_many(network)

    def _too_many(self, network: str) -> OAuthError:
        wait_s = self._failures.wait_s(network)
        return OAuthError("temporarily_unavailable", "Too many tries; wait a moment.", 429, retry_after_s=wait_s)

    @contextmanager
    def _counting(self, network: str, *, is_costly: bool) -> Iterator[None]:
        """Counts what is refused within; of too many the refusal is to wait. What is right is never told so, unless to
        look at it is costly: then nothing is looked at."""
        if is_costly and self._failures.wait_s(network) > 0:
            raise self._too_many(network)
        try:
            yield
        except OAuthError as refusal:
            if refusal.error not in _NO_FAILURES:
                self._not_known(network)
            raise


def _token_in(text: str) -> bytes | None:
    """What looks like a token, as it is hashed."""
    encoded = text.encode("utf-8", "surrogatepass")
    return encoded if looks_like_token(encoded) else None
