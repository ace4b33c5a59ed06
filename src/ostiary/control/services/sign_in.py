"""Signing in to the console through the company's identity providers, and out again."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from ostiary.control.identity_ports import IdentityProviders, OneTime, SamlKeys, SignIns
from ostiary.control.services.arrivals import Arrivals
from ostiary.control.services.console_sessions import ConsoleSessions, Proof, Visit
from ostiary.control.services.end_of_access import EndOfAccess
from ostiary.control.services.ended_sessions import EndedSessions
from ostiary.control.services.handles import Randomness, handle_hash, new_handle
from ostiary.control.services.oidc_answers import OidcAnswers, authenticated_at, session_of
from ostiary.control.services.outstanding import Outstanding
from ostiary.control.services.provider_tokens import HeldTokens
from ostiary.control.services.sign_in_addresses import acs_url, callback_url, signed_out_url, sp_entity_id
from ostiary.control.services.sign_in_log import SignInLog
from ostiary.identity.claims import SKEW_S
from ostiary.identity.groups import wanted_claims
from ostiary.identity.limits import NetworkLimiter
from ostiary.identity.oidc import Attempt, authorization_url, callback_code, end_session_url
from ostiary.identity.pkce import new_verifier
from ostiary.identity.urls import is_relative_path
from ostiary.model.configuration import Configuration
from ostiary.model.errors import NotFoundError, OperatorError, OstiaryError, SignInRefusedError
from ostiary.model.issuer import OidcIssuer, SamlIssuer
from ostiary.model.person import Profile, SignIn, User

__all__ = ["Choice", "Opened", "SignInService", "Visit"]

ATTEMPT_S = 600.0
BEGUN_A_MINUTE = 60
"""By one network."""

LOGOUT_LIFE_S = 600.0
"""A logout token is not taken later than this after it was made, whatever life it gives itself."""

_OIDC, _SAML, _LOGOUT = "oidc", "saml", "logout"

_Issuer = TypeVar("_Issuer", OidcIssuer, SamlIssuer)


@dataclass(frozen=True, slots=True)
class Choice:
    """A way to sign in. `kind` is `oidc`, `saml` or `local`; the last one's name is empty."""

    name: str
    title: str
    kind: str


@dataclass(frozen=True, slots=True)
class Opened:
    """Signed in: the console cookie to set, and the relative path to go on to."""

    cookie: str
    next_path: str
    user: User

    def __repr__(self) -> str:
        return f"Opened({self.user.id!r})"


class SignInService:
    """Everything that is wrong with a proof raises `SignInRefusedError` with the same public sentence, and is an audit
    entry that says which. `UnreachableError` when the provider does not answer."""

    def __init__(
        self,
        *,
        providers: IdentityProviders,
        saml_keys: SamlKeys,
        arrivals: Arrivals,
        sign_ins: SignIns,
        one_time: OneTime,
        sessions: ConsoleSessions,
        held: HeldTokens,
        end: EndOfAccess,
        configuration: Callable[[], Configuration],
        console_url: Callable[[], str],
        log: SignInLog,
        randomness: Randomness,
    ) -> None:
        """`console_url` is the console's address as browsers see it, without a slash at its end."""
        self._providers = providers
        self._saml_keys = saml_keys
        self._arrivals = arrivals
        self._sign_ins = sign_ins
        self._one_time = one_time
        self._sessions = sessions
        self._held = held
        self._end = end
        self._configuration = configuration
        self._console_url = console_url
        self._log = log
        self._randomness = randomness
        self._oidc = OidcAnswers(providers, configuration)
        self._ended = EndedSessions(one_time)
        self._attempts = Outstanding(one_time)
        self._begun = NetworkLimiter(BEGUN_A_MINUTE / 60, BEGUN_A_MINUTE, log.now)

    def choices(self) -> tuple[Choice, ...]:
        """The local owner's comes last."""
        known = self._configuration().issuers
        choices = [Choice(each.name, each.name, "oidc") for each in known if isinstance(each, OidcIssuer)]
        choices += [Choice(each.name, each.name, "saml") for each in known if isinstance(each, SamlIssuer)]
        return (*sorted(choices, key=lambda choice: choice.name), Choice("", "Owner of this installation", "local"))

    async def begin(
        self,
        issuer: str,
        browser: str,
        next_path: str,
        step_up: bool = False,
        *,
        network: str = "",
        cookie: str | None = None,
    ) -> str:
        """The identity provider's URL to send the browser to. `browser` is the value of its attempt cookie; the answer
        is taken from that browser only, once, within ten minutes. A `next_path` that is not relative becomes `/` (G12).
        `cookie` is its console cookie: a SAML provider's answer comes without.

        Raises `NotFoundError` for no such issuer, `SignInRefusedError` for too many attempts of a network.
        """
        known = next((each for each in self._configuration().issuers if each.name == issuer), None)
        if not isinstance(known, OidcIssuer | SamlIssuer):
            raise NotFoundError("There is no such way to sign in.", "The sign-in page lists those there are.")
        with self._refusals(issuer, network):
            if not browser:
                raise SignInRefusedError("browser_unknown")
            if not self._begun.take(network):
                raise SignInRefusedError("too_many_tries")
            begun = self._sessions.of_cookie(cookie)
            document = {
                "browser": handle_hash(browser).hex(),
                "sign_in": None if begun is None else begun.id,
                "step_up": step_up,
            }
            if isinstance(known, OidcIssuer):
                return await self._begin_oidc(known, relative_path(next_path), step_up, document)
            return await self._begin_saml(known, relative_path(next_path), step_up, document)

    async def finish_oidc(self, issuer: str, browser: str, parameters: Mapping[str, str], visit: Visit) -> Opened:
        """`parameters` are the callback's query, none of them given twice."""
        known = self._issuer(issuer, OidcIssuer)
        with self._refusals(issuer, visit.network):
            state = parameters.get("state")
            if not state:
                raise SignInRefusedError("state_missing")
            document = await self._take(_OIDC, state, browser)
            attempt = Attempt.from_json({**document["attempt"], "state": state})
            if attempt.issuer != issuer or document["provider"] != known.issuer:
                raise SignInRefusedError("answer_of_other_issuer")
            code = callback_code(parameters, attempt, await self._providers.metadata(known))
            claims, tokens = await self._oidc.of_code(known, attempt, code, self._log.now)
            profile = await self._oidc.profile(known, claims, tokens.access_token)
            proved_at = authenticated_at(claims, has_checked_age=attempt.max_age_s is not None)
            proof = Proof(proved_at, issuer, session_of(claims), tokens)
            return await self._open(profile, proof, visit, document, attempt.next_path)

    async def finish_saml(
        self, issuer: str, browser: str, saml_response: str, relay_state: str, visit: Visit
    ) -> Opened:
        """A browser brings no console cookie here; the one it began with counts."""
        from ostiary.control.services.saml_by_metadata import by_metadata
        from ostiary.control.services.saml_checks import checked_response, use_once
        from ostiary.identity.saml.profile import profile_of

        known = self._issuer(issuer, SamlIssuer)
        with self._refusals(issuer, visit.network):
            if not relay_state:
                raise SignInRefusedError("state_missing")
            document = await self._take(_SAML, relay_state, browser)
            if document["issuer"] != issuer:
                raise SignInRefusedError("answer_of_other_issuer")
            url = self._console_url()
            check = partial(
                checked_response,
                saml_response,
                sp_entity_id=sp_entity_id(url, issuer),
                acs_url=acs_url(url, issuer),
                request_id=document["request_id"],
                now=self._log.now(),
            )
            assertion = await by_metadata(self._providers, known, check)
            await use_once(self._one_time, assertion)
            if document["step_up"] and assertion.authenticated_at < document["started_at"] - SKEW_S:
                raise SignInRefusedError("auth_time_too_old")
            profile = profile_of(known, assertion, wanted_claims(known, self._configuration().groups))
            proof = Proof(
                assertion.authenticated_at, issuer, assertion.session_index, ends_at=assertion.session_ends_at
            )
            return await self._open(profile, proof, visit, document, document["next_path"])

    async def saml_metadata(self, issuer: str) -> bytes:
        """What the SAML provider `issuer` needs to know of us, as XML. Raises `NotFoundError`."""
        from ostiary.identity.saml.request import sp_metadata

        known = self._issuer(issuer, SamlIssuer)
        signing = await self._saml_keys.signing()
        try:
            signs_requests = (await self._providers.saml(known)).wants_signed_requests
        except OstiaryError:
            signs_requests = False  # we are told first, before the provider has metadata to read
        url = self._console_url()
        return sp_metadata(sp_entity_id(url, issuer), acs_url(url, issuer), signing.certificate, signs_requests)

    async def sign_out(self, cookie: str | None) -> str | None:
        """End the browser's sign-in here; the URL that ends it at the provider too, where it has one. Tools that were
        signed in from this browser stay."""
        sign_in = self._sessions.of_cookie(cookie)
        if sign_in is None:
            return None
        tokens = await asyncio.to_thread(self._held.of, sign_in.id)
        await self._sessions.close(sign_in, "signed out")
        if sign_in.issuer is not None and sign_in.idp_session is not None:
            # The ID token is about to stand in an address; what it says opens nothing from now on.
            now = self._log.now()
            await asyncio.to_thread(self._ended.end, sign_in.issuer, sign_in.idp_session, now, now)
        known = next((each for each in self._configuration().issuers if each.name == sign_in.issuer), None)
        if not isinstance(known, OidcIssuer) or not self._arrivals.is_still_of(sign_in.user_id, known):
            return None
        try:
            metadata = await self._providers.metadata(known)
        except OstiaryError:
            return None  # signed out here all the same
        id_token = None if tokens is None else tokens.id_token
        return end_session_url(metadata, known, id_token, signed_out_url(self._console_url()))

    async def back_channel(self, issuer: str, logout_token: str, *, network: str = "") -> None:
        """End what an OpenID provider says has ended (Back-Channel Logout 1.0): one of its sessions with the browsers
        and tools that were signed in by it, or everything of a person at this issuer."""
        known = self._issuer(issuer, OidcIssuer)
        with self._refusals(issuer, network):
            notice = await self._oidc.logout(known, logout_token, self._log.now)
            now = self._log.now()
            if notice.iat < now - LOGOUT_LIFE_S - SKEW_S:
                raise SignInRefusedError("expired")
            used = handle_hash(f"{issuer} {notice.jti}")
            if self._one_time.peek(_LOGOUT, used, now) is not None:
                raise SignInRefusedError("used_before")
            user = self._arrivals.known(issuer, notice.subject) if notice.subject is not None else None
            why = "ended by the identity provider"
            if notice.session is None and user is not None:
                await self._end.of_identity(user, why, notice.iat)
            elif notice.session is not None:
                await asyncio.to_thread(self._ended.end, issuer, notice.session, max(now, notice.iat), now)
                for sign_in in await asyncio.to_thread(self._live, issuer, None if user is None else user.id):
                    if sign_in.idp_session == notice.session:
                        await self._end.of_sign_in(sign_in, why)
            # Only now: what failed on the way is sent again by the provider.
            await asyncio.to_thread(self._one_time.put, _LOGOUT, used, {}, now + 2 * LOGOUT_LIFE_S)

    def _live(self, issuer: str, user_id: str | None) -> list[SignIn]:
        return self._sign_ins.live(issuer=issuer, user_id=user_id, limit=1_000_000)

    # -- the ways out

    async def _begin_oidc(self, issuer: OidcIssuer, next_path: str, step_up: bool, document: dict[str, Any]) -> str:
        metadata = await self._providers.metadata(issuer)
        attempt = Attempt(
            issuer=issuer.name,
            state=new_handle(self._randomness),
            nonce=new_handle(self._randomness),
            verifier=new_verifier(self._randomness(32)),
            redirect_uri=callback_url(self._console_url(), issuer.name),
            next_path=next_path,
            started_at=self._log.now(),
            max_age_s=0 if step_up else None,
        )
        url = authorization_url(metadata, issuer, attempt, prompt_login=step_up)
        kept = {name: value for name, value in attempt.to_json().items() if name != "state"}
        await self._keep(_OIDC, attempt.state, {**document, "provider": issuer.issuer, "attempt": kept})
        return url

    async def _begin_saml(self, issuer: SamlIssuer, next_path: str, step_up: bool, document: dict[str, Any]) -> str:
        from ostiary.identity.saml.request import authn_redirect

        metadata = await self._providers.saml(issuer)
        relay_state, request_id, now = new_handle(self._randomness), "_" + self._randomness(20).hex(), self._log.now()
        signing = await self._saml_keys.signing() if metadata.wants_signed_requests else None
        url = await asyncio.to_thread(
            authn_redirect,
            metadata,
            request_id=request_id,
            acs_url=acs_url(self._console_url(), issuer.name),
            sp_entity_id=sp_entity_id(self._console_url(), issuer.name),
            relay_state=relay_state,
            issued_at=now,
            force_authn=step_up,
            signing=signing,
        )
        more = {"issuer": issuer.name, "request_id": request_id, "next_path": next_path, "started_at": now}
        await self._keep(_SAML, relay_state, {**document, **more})
        return url

    # -- within

    async def _open(
        self, profile: Profile, proof: Proof, visit: Visit, document: Mapping[str, Any], next_path: str
    ) -> Opened:
        user = await self._arrivals.user_of(profile)
        cookie = await self._sessions.open(
            user, proof, visit, is_step_up=document["step_up"], began_as=document["sign_in"]
        )
        self._log.signed_in(user, profile.issuer, "console", visit.network, profile.groups_missing)
        return Opened(cookie, relative_path(next_path), user)

    async def _keep(self, purpose: str, state: str, document: Mapping[str, Any]) -> None:
        expires_at = self._log.now() + ATTEMPT_S
        await asyncio.to_thread(self._attempts.put, purpose, handle_hash(state), document, expires_at)

    async def _take(self, purpose: str, state: str, browser: str) -> Mapping[str, Any]:
        """What the attempt began with. It is used up, whoever brings it."""
        document = await asyncio.to_thread(self._one_time.take, purpose, handle_hash(state), self._log.now())
        if document is None:
            raise SignInRefusedError("attempt_unknown")
        if not browser or handle_hash(browser).hex() != document["browser"]:
            raise SignInRefusedError("another_browser")
        return document

    def _issuer(self, name: str, kind: type[_Issuer]) -> _Issuer:
        for known in self._configuration().issuers:
            if known.name == name and isinstance(known, kind):
                return known
        raise NotFoundError("There is no such way to sign in.", "The sign-in page lists those there are.")

    @contextmanager
    def _refusals(self, issuer: str, network: str) -> Iterator[None]:
        """What is refused within, or fails on the provider's side, is an audit entry."""
        try:
            yield
        except SignInRefusedError as refused:
            self._log.refused(issuer, refused.reason, network)
            raise
        except OperatorError as failure:
            self._log.refused(issuer, f"provider_{failure.code}", network)
            raise


def relative_path(text: str) -> str:
    """`text`, where a browser that is sent there stays on this site; else `/`."""
    return text if is_relative_path(text) else "/"
