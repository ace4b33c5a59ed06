"""Signing in a machine without a browser (RFC 8628): a code is shown there and confirmed in a browser elsewhere."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ostiary.control.identity_ports import OneTime
from ostiary.control.services.console_sessions import Visitor
from ostiary.control.services.handles import Randomness, handle_hash, new_handle
from ostiary.control.services.oauth.errors import OAuthError
from ostiary.control.services.oauth.requests import Asked, asked_of, check_client, needed
from ostiary.control.services.oauth.tool_tokens import Confirmed, ToolTokens, invalid_grant
from ostiary.control.services.outstanding import Outstanding
from ostiary.control.services.sign_in_log import SignInLog
from ostiary.identity.limits import Limiter, NetworkLimiter

DEVICE_CODES = "device-code"
USER_CODES = "device-user-code"
LIFE_S = 600.0
INTERVAL_S = 5.0
SLOWER_S = 5.0
PACES_MAX = 10_000

ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so no words, and nothing that is read as a digit (RFC 8628 section 6.1). Of 25 billion codes at most some
100,000 wait: one guess in a quarter of a million is right even then."""
CODE_LETTERS = 8

GUESS_RATE = 1 / 60
NETWORK_GUESSES = 20
VISITOR_GUESSES = 5
BEGIN_RATE = 1 / 6
BEGIN_BURST = 20


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """What the confirming page shows. `network` is where the device asked from; all else is what it says of itself."""

    user_code: str
    asked: Asked
    network: str
    requested_at: float
    expires_at: float


class Pace:
    """When each device may ask next. Asking too early makes its interval longer (RFC 8628 section 3.5)."""

    def __init__(self, most: int = PACES_MAX) -> None:
        self._most = most
        self._next: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def is_due(self, device: bytes, now: float) -> bool:
        due_at, interval_s = self._next.get(device, (0.0, INTERVAL_S))
        is_due = now >= due_at
        if not is_due:
            interval_s += SLOWER_S
        # A little less than the interval: the network's delay is not the client's fault.
        self._next[device] = (now + interval_s - 0.5, interval_s)
        self._next.move_to_end(device)
        if len(self._next) > self._most:
            self._next.popitem(last=False)
        return is_due

    def forget(self, device: bytes) -> None:
        self._next.pop(device, None)


class Devices:
    def __init__(self, one_time: OneTime, tool_tokens: ToolTokens, randomness: Randomness, log: SignInLog) -> None:
        self._one_time = one_time
        self._tool_tokens = tool_tokens
        self._randomness = randomness
        self._log = log
        self._codes = Outstanding(one_time)
        self._pace = Pace()
        self._begun = NetworkLimiter(BEGIN_RATE, BEGIN_BURST, log.now)
        self._network_guesses = NetworkLimiter(GUESS_RATE, NETWORK_GUESSES, log.now)
        self._visitor_guesses = Limiter(GUESS_RATE, VISITOR_GUESSES, log.now)

    async def begin(self, fields: Mapping[str, str], network: str, key: str | None, console_url: str) -> dict[str, Any]:
        """The answer of the device authorization endpoint. The code is not part of an address that could be sent to
        somebody: whoever confirms it has read and typed it (RFC 8628 section 5.4)."""
        check_client(fields)
        asked = asked_of(fields)
        if not self._begun.take(network):
            raise _too_many(self._begun.wait_s(network))
        now = self._log.now()
        device_code = "ostd_" + new_handle(self._randomness)
        device = handle_hash(device_code)
        document = {
            "state": "waiting",
            "scopes": sorted(scope.value for scope in asked.scopes),
            "agent": asked.agent,
            "device": asked.device,
            "network": network,
            "key": key,
            "requested_at": now,
            "expires_at": now + LIFE_S,
        }
        user_code = await asyncio.to_thread(self._keep, device, document)
        return {
            "device_code": device_code,
            "user_code": f"{user_code[:4]}-{user_code[4:]}",
            "verification_uri": f"{console_url}/device",
            "expires_in": int(LIFE_S),
            "interval": int(INTERVAL_S),
        }

    def show(self, visitor: Visitor, user_code: str, network: str) -> DeviceRequest:
        """Raises `OAuthError` for a code that is none, whatever the reason, and for too many of those."""
        code, _, document = self._waiting(visitor, user_code, network)
        return DeviceRequest(
            f"{code[:4]}-{code[4:]}",
            _asked(document),
            document["network"],
            document["requested_at"],
            document["expires_at"],
        )

    async def decide(self, visitor: Visitor, user_code: str, approve: bool, network: str) -> None:
        """Works for exactly one who decides."""
        code, device, document = self._waiting(visitor, user_code, network)
        now = self._log.now()
        if await asyncio.to_thread(self._one_time.take, USER_CODES, handle_hash(code), now) is None:
            raise _no_such_code()
        confirmed = Confirmed(visitor.user.id, visitor.sign_in.id, _asked(document))
        decided = {**document, **confirmed.document(), "state": "approved" if approve else "denied"}
        if not await asyncio.to_thread(self._one_time.replace, DEVICE_CODES, device, decided, now):
            raise _no_such_code()
        if not approve:
            self._log.refused(visitor.sign_in.issuer, "device_denied", document["network"])

    async def redeem(self, fields: Mapping[str, str], network: str, key: str | None) -> dict[str, Any]:
        """The device's tokens, once somebody has agreed. Raises `OAuthError`: `authorization_pending` and `slow_down`
        until then."""
        device = handle_hash(needed(fields, "device_code"))
        now = self._log.now()
        document = self._one_time.peek(DEVICE_CODES, device, now)
        if document is None:
            raise OAuthError("expired_token", "This device code is not known, or no longer.")
        if document["key"] is not None and key != document["key"]:
            raise invalid_grant()
        if not self._pace.is_due(device, now):
            raise OAuthError("slow_down", f"Ask less often: wait {SLOWER_S:.0f} seconds more each time.")
        if document["state"] == "waiting":
            raise OAuthError("authorization_pending", "Nobody has confirmed this code yet.")
        self._pace.forget(device)
        taken = await asyncio.to_thread(self._one_time.take, DEVICE_CODES, device, now)
        if taken is None:
            raise OAuthError("expired_token", "This device code is not known, or no longer.")
        if taken["state"] != "approved":
            raise OAuthError("access_denied", "The person refused.")
        return await self._tool_tokens.open(Confirmed.of(taken), self._tool_tokens.new_id(), fields, network, key)

    def _keep(self, device: bytes, document: Mapping[str, Any]) -> str:
        self._codes.put(DEVICE_CODES, device, document, document["expires_at"])
        while True:
            code = self._new_user_code()
            if self._codes.put(USER_CODES, handle_hash(code), {"device": device.hex()}, document["expires_at"]):
                return code

    def _new_user_code(self) -> str:
        most = 256 - 256 % len(ALPHABET)  # above it some letters would be likelier than others
        letters: list[str] = []
        while len(letters) < CODE_LETTERS:
            letters += [ALPHABET[byte % len(ALPHABET)] for byte in self._randomness(CODE_LETTERS) if byte < most]
        return "".join(letters[:CODE_LETTERS])

    def _waiting(self, visitor: Visitor, user_code: str, network: str) -> tuple[str, bytes, Mapping[str, Any]]:
        """The code as it is kept, its device and what that asked for. Nothing awaits here: many guesses at once are
        counted one by one."""
        if not self._visitor_guesses.take(visitor.user.id):
            raise _too_many(self._visitor_guesses.wait_s(visitor.user.id))
        if not self._network_guesses.take(network):
            raise _too_many(self._network_guesses.wait_s(network))
        code = user_code.upper().replace("-", "").replace(" ", "")
        now = self._log.now()
        found = self._one_time.peek(USER_CODES, handle_hash(code), now) if len(code) == CODE_LETTERS else None
        device = None if found is None else bytes.fromhex(found["device"])
        document = None if device is None else self._one_time.peek(DEVICE_CODES, device, now)
        if device is None or document is None or document["state"] != "waiting":
            self._log.refused(visitor.sign_in.issuer, "device_code_wrong", network)
            raise _no_such_code()
        self._network_guesses.give_back(network)
        self._visitor_guesses.give_back(visitor.user.id)
        return code, device, document


def _asked(document: Mapping[str, Any]) -> Asked:
    return Confirmed.of({**document, "user": "", "sign_in": ""}).asked


def _no_such_code() -> OAuthError:
    return OAuthError("invalid_grant", "This code is not known, was used, or has expired.", 404)


def _too_many(wait_s: float) -> OAuthError:
    return OAuthError("temporarily_unavailable", "Too many tries; wait a moment.", 429, retry_after_s=wait_s)
