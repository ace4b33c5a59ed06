"""Authorization codes with PKCE for our command line on the person's own machine (RFC 6749 section 4.1, 7636, 8252)."""

import asyncio
from collections.abc import Mapping
from typing import Any

from ostiary.control.identity_ports import OneTime
from ostiary.control.services.console_sessions import Visitor
from ostiary.control.services.handles import Randomness, handle_hash, new_handle
from ostiary.control.services.oauth.errors import OAuthError
from ostiary.control.services.oauth.requests import (
    AuthorizationRequest,
    Form,
    asked_of,
    check_client,
    fields_of,
    is_loopback_redirect,
    is_state,
    needed,
)
from ostiary.control.services.oauth.tool_tokens import Confirmed, ToolTokens, invalid_grant
from ostiary.identity.pkce import fits, is_challenge
from ostiary.identity.urls import with_query

CODES = "oauth-code"
USED_CODES = "oauth-code-used"
CODE_LIFE_S = 60.0
REMEMBERED_S = 86_400.0
"""For so long a second use of a code ends the sign-in that its first use made."""


class Codes:
    def __init__(self, one_time: OneTime, tool_tokens: ToolTokens, randomness: Randomness) -> None:
        self._one_time = one_time
        self._tool_tokens = tool_tokens
        self._randomness = randomness

    def check(self, parameters: Form, issuer: str) -> AuthorizationRequest:
        """Raises `OAuthError`, with the address to tell the client at once its own address is known to be right."""
        fields = fields_of(parameters)
        check_client(fields)
        redirect_uri = fields.get("redirect_uri", "")
        if not is_loopback_redirect(redirect_uri):
            raise OAuthError(
                "invalid_request", "'redirect_uri' must be http://127.0.0.1:PORT/… or http://[::1]:PORT/…."
            )
        state = fields.get("state")
        if state is not None and not is_state(state):
            raise OAuthError("invalid_request", "'state' must be at most 512 visible ASCII characters.")
        try:
            return self._checked(fields, redirect_uri, state)
        except OAuthError as refusal:
            to = _redirect(
                redirect_uri, {"error": refusal.error, "error_description": refusal.description}, state, issuer
            )
            raise OAuthError(refusal.error, refusal.description, refusal.status, redirect_to=to) from None

    def _checked(self, fields: Mapping[str, str], redirect_uri: str, state: str | None) -> AuthorizationRequest:
        if needed(fields, "response_type") != "code":
            raise OAuthError("unsupported_response_type", "The response type is 'code'.")
        if fields.get("response_mode", "query") != "query":
            raise OAuthError("invalid_request", "The response mode is 'query'.")
        if not is_challenge(needed(fields, "code_challenge")) or fields.get("code_challenge_method") != "S256":
            raise OAuthError("invalid_request", "PKCE is needed, with the method S256.")
        return AuthorizationRequest(redirect_uri, fields["code_challenge"], state, asked_of(fields))

    async def authorize(
        self, visitor: Visitor, request: AuthorizationRequest, approve: bool, issuer: str, now: float
    ) -> str:
        """Where to send the browser."""
        if not approve:
            refusal = {"error": "access_denied", "error_description": "The person refused."}
            return _redirect(request.redirect_uri, refusal, request.state, issuer)
        code = "ostc_" + new_handle(self._randomness)
        confirmed = Confirmed(visitor.user.id, visitor.sign_in.id, request.asked)
        document = {
            **confirmed.document(),
            "redirect_uri": request.redirect_uri,
            "challenge": request.challenge,
        }
        await asyncio.to_thread(self._one_time.put, CODES, handle_hash(code), document, now + CODE_LIFE_S)
        return _redirect(request.redirect_uri, {"code": code}, request.state, issuer)

    async def redeem(self, fields: Mapping[str, str], network: str, key: str | None, now: float) -> dict[str, Any]:
        """The code's tokens, for its first use only; a second one ends what the first one made. A code is spent by any
        use, a wrong one too. Raises `OAuthError`."""
        code = handle_hash(needed(fields, "code"))
        redirect_uri, verifier = needed(fields, "redirect_uri"), needed(fields, "code_verifier")
        sign_in_id = self._tool_tokens.new_id()
        document = await asyncio.to_thread(self._take, code, sign_in_id, now)
        if document is None:
            used = self._one_time.peek(USED_CODES, code, now)
            if used is not None:
                await asyncio.to_thread(self._one_time.replace, USED_CODES, code, {**used, "again": True}, now)
                await self._tool_tokens.end_by_id(used["sign_in"], "its authorization code was used twice")
            raise invalid_grant()
        if redirect_uri != document["redirect_uri"] or not fits(verifier, document["challenge"]):
            raise invalid_grant()
        answer = await self._tool_tokens.open(Confirmed.of(document), sign_in_id, fields, network, key)
        used = self._one_time.peek(USED_CODES, code, now)
        if used is None or used.get("again"):
            # The second use came before there was anything to end.
            await self._tool_tokens.end_by_id(sign_in_id, "its authorization code was used twice")
            raise invalid_grant()
        return answer

    def _take(self, code: bytes, sign_in_id: str, now: float) -> Mapping[str, Any] | None:
        """What the code stands for, for exactly one caller. Who is second finds what the first one makes."""
        if self._one_time.peek(CODES, code, now) is None:
            return None
        if not self._one_time.put(USED_CODES, code, {"sign_in": sign_in_id}, now + REMEMBERED_S):
            return None
        return self._one_time.take(CODES, code, now)


def _redirect(redirect_uri: str, answer: Mapping[str, str], state: str | None, issuer: str) -> str:
    """With `iss` (RFC 9207)."""
    pairs = [*answer.items(), *([] if state is None else [("state", state)]), ("iss", issuer)]
    return with_query(redirect_uri, pairs)
