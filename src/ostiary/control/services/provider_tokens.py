"""The identity provider's own tokens for somebody who is signed in; sealed in the store, never shown."""

from dataclasses import dataclass

from ostiary.control.identity_ports import OpenTokens, SealTokens, SignIns
from ostiary.model.person import SignIn


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
        raise NotImplementedError

    def of(self, sign_in_id: str) -> ProviderTokens | None:
        """None where there are none, or none that can be opened."""
        raise NotImplementedError

    def hand_over(self, sign_in: SignIn) -> None:
        """Before `sign_in` ends by its limits: leave its tokens to the newest tool sign-in of the same person that came
        from it and has none, so that `ostiary login` goes on being re-checked when the browser is closed."""
        raise NotImplementedError
