"""How long somebody stays signed in whom nobody confirms any more."""

import math
from collections.abc import Callable

from ostiary.control.identity_ports import SignIns
from ostiary.control.services.provider_tokens import HeldTokens
from ostiary.model.configuration import Configuration
from ostiary.model.issuer import SamlIssuer
from ostiary.model.person import SignIn


class Confirmation:
    """Methods that say so touch the disk."""

    def __init__(self, sign_ins: SignIns, held: HeldTokens, configuration: Callable[[], Configuration]) -> None:
        self._sign_ins = sign_ins
        self._held = held
        self._configuration = configuration

    def is_recent(self, sign_in: SignIn, now: float) -> bool:
        """Whether it was confirmed within `unchecked_s`. At once, without the disk."""
        return now < _confirmed_at(sign_in) + self._configuration().sign_in.unchecked_s

    def ends_at(self, sign_in: SignIn, now: float) -> float:
        """When it ends unless somebody confirms it after the last moment that its identity provider can be asked.
        Infinity for the local owner, where SCIM tells who leaves, and where there is a refresh token: its own, or one
        of another sign-in from the same session at the provider. Reads from the disk."""
        configuration = self._configuration()
        is_told = configuration.scim is not None and configuration.scim.issuer == sign_in.issuer
        if sign_in.issuer is None or is_told:
            return math.inf
        is_saml = any(isinstance(each, SamlIssuer) and each.name == sign_in.issuer for each in configuration.issuers)
        asked_until = 0.0 if is_saml else self._asked_until(sign_in, now)
        return max(_confirmed_at(sign_in), asked_until) + configuration.sign_in.unchecked_s

    def _asked_until(self, sign_in: SignIn, now: float) -> float:
        others = self._sign_ins.live(user_id=sign_in.user_id, issuer=sign_in.issuer)
        same_session = [
            other.id
            for other in others
            if other.id != sign_in.id and other.idp_session == sign_in.idp_session and other.is_live(now)
        ]
        return max(self._usable_until(holder, now) for holder in (sign_in.id, *same_session))

    def _usable_until(self, sign_in_id: str, now: float) -> float:
        tokens = self._held.of(sign_in_id)
        if tokens is None:
            return 0.0
        if tokens.refresh_token is not None:
            return math.inf
        is_usable = tokens.access_token is not None and tokens.expires_at is not None and now < tokens.expires_at
        return tokens.expires_at or 0.0 if is_usable else 0.0


def _confirmed_at(sign_in: SignIn) -> float:
    """The provider confirmed whom it let in when they came, however long before they proved who they are."""
    return sign_in.checked_at or sign_in.created_at
