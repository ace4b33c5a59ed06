"""Tokens for tools and machines over OAuth 2.0: RFC 6749, 7009, 7522, 7523, 7636, 8252, 8414, 8628, 8693, 9449."""

from ostiary.control.services.oauth.devices import DeviceRequest
from ostiary.control.services.oauth.errors import OAuthError
from ostiary.control.services.oauth.requests import Asked, AuthorizationRequest
from ostiary.control.services.oauth.service import OAuthService

__all__ = ["Asked", "AuthorizationRequest", "DeviceRequest", "OAuthError", "OAuthService"]
