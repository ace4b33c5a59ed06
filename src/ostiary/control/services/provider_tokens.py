"""The identity provider's own tokens for somebody who is signed in; sealed in the store, never shown."""

import json
from dataclasses import asdict, dataclass

from ostiary.control.identity_ports import OpenTokens, SealTokens, SignIns
from ostiary.model.errors import IntegrityError
from ostiary.model.person import SignIn, SignInKind


@dataclass(frozen=True, slots=True, repr=False)
class ProviderTokens:
    """`expires_at` is the access token's, None where the provider did not say."""

    id_token: str | None = None
    refresh_token: str | None = None
    access_token: str | None = None
    expires_at: float | None = None


class HeldTokens:
    """Provider tokens by sign-in. Methods touch the disk."""

    def __init__(self, sign_ins: SignIns, seal: SealTokens, unseal: OpenTokens) -> None:
        self._sign_ins = sign_ins
        self._seal = seal
        self._unseal = unseal

    def sealed(self, sign_in_id: str, tokens: ProviderTokens | None) -> bytes | None:
        """For `SignIns.add` and `SignIns.checked`."""
        return None if tokens is None else self._seal(sign_in_id, json.dumps(asdict(tokens)).encode())

    def of(self, sign_in_id: str) -> ProviderTokens | None:
        """None where there are none, or none that can be opened."""
        sealed = self._sign_ins.sealed(sign_in_id)
        if sealed is None:
            return None
        try:
            return ProviderTokens(**json.loads(self._unseal(sign_in_id, sealed)))
        except (IntegrityError, ValueError, TypeError):
            return None

    def shared_by(self, sign_in: SignIn, now: float) -> list[SignIn]:
        """The live tool sign-ins, the newest first, that came from the same session at the provider and hold no tokens:
        what it says of `sign_in` counts for them too."""
        others = self._sign_ins.live(user_id=sign_in.user_id, issuer=sign_in.issuer) if sign_in.issuer else []
        return [
            other
            for other in others
            if other.kind is SignInKind.TOOL
            and other.id != sign_in.id
            and other.idp_session == sign_in.idp_session
            and other.is_live(now)
            and self._sign_ins.sealed(other.id) is None
        ]

    def hand_over(self, sign_in: SignIn, now: float) -> None:
        """Before `sign_in` ends although its person has access: leave its tokens to the newest of `shared_by`, so that
        `ostiary login` goes on being re-checked when the browser is closed."""
        tokens = self.of(sign_in.id)
        if tokens is None or tokens.refresh_token is None:
            return
        for heir in self.shared_by(sign_in, now)[:1]:
            self._sign_ins.checked(heir.id, sign_in.checked_at or sign_in.created_at, self.sealed(heir.id, tokens))
