"""The OAuth 2.0 server for our own command line and for machines."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ostiary.control.caller import Caller
from ostiary.control.services.console_sessions import Visitor
from ostiary.control.services.oauth.requests import Asked, AuthorizationRequest, Form


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """What the confirming page shows. `network` is where the device asked from."""

    user_code: str
    asked: Asked
    network: str
    requested_at: float
    expires_at: float


class OAuthService:
    """Every method raises `OAuthError` for what it refuses."""

    def metadata(self) -> Mapping[str, Any]:
        """The document of /.well-known/oauth-authorization-server (RFC 8414)."""
        raise NotImplementedError

    def check(self, parameters: Form) -> AuthorizationRequest:
        """What is to be confirmed on the page of /oauth/authorize."""
        raise NotImplementedError

    async def authorize(self, visitor: Visitor, request: AuthorizationRequest, approve: bool = True) -> str:
        """Where to send the browser: the client's address with a code, or with `access_denied`."""
        raise NotImplementedError

    async def device_begin(self, form: Form, network: str, proof: str | None = None) -> Mapping[str, Any]:
        """The answer of /oauth/device-authorization."""
        raise NotImplementedError

    async def device_show(self, visitor: Visitor, user_code: str, network: str) -> DeviceRequest:
        """What waits under the code that the visitor typed."""
        raise NotImplementedError

    async def device_decide(self, visitor: Visitor, user_code: str, approve: bool, network: str) -> None:
        """Let the device have a sign-in of the visitor's, or refuse it. Works once."""
        raise NotImplementedError

    async def token(self, form: Form, network: str, proof: str | None = None) -> Mapping[str, Any]:
        """The answer of /oauth/token. `proof` is the `DPoP` field; several of them joined with a comma are none."""
        raise NotImplementedError

    async def revoke(self, form: Form, network: str) -> None:
        """RFC 7009: a refresh token ends its sign-in. What is not known is no error."""
        raise NotImplementedError

    async def caller_of(
        self, bearer: str, network: str, *, method: str = "", path: str = "", proof: str | None = None
    ) -> Caller | None:
        """Whose API token this is; None for every other token. A bound one takes its `DPoP` proof for the request."""
        raise NotImplementedError

    async def is_scim(self, bearer: str, network: str) -> bool:
        """Whether this token opens /scim/v2."""
        raise NotImplementedError
