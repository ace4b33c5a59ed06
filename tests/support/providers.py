"""An `IdentityProviderBook` on its own, with a clock that tests turn."""

from dataclasses import replace
from typing import Any

from ostiary.adapters.identity_providers import IdentityProviderBook
from ostiary.gateway.dialling import dial
from ostiary.model.errors import SecretUnavailableError
from ostiary.model.issuer import OidcIssuer, SamlIssuer, WorkloadIssuer
from ostiary.model.secret import Secret
from ostiary.ports import Dialler, OpenedSecret
from support.oidc_provider import OidcProvider


class Secrets:
    """A `ports.SecretKeeper` with these values."""

    def __init__(self, **values: str) -> None:
        self.values = values

    def peek(self, name: str) -> OpenedSecret | None:
        return None

    async def open(self, name: str) -> OpenedSecret:
        if name not in self.values:
            raise SecretUnavailableError(f"The secret `{name}` has no value yet.", f"Run `ostiary secret set {name}`.")
        secret = Secret(name, 1, self.values[name].encode())
        return OpenedSecret(secret, (secret,))


class Turned:
    """A clock; `now` may be set."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def a_book(clock: Turned, dial: Dialler = dial, secret: str = "the-client-secret") -> IdentityProviderBook:
    return IdentityProviderBook(dial, Secrets(idp=secret), clock)


def an_issuer(provider: OidcProvider, **changes: Any) -> OidcIssuer:
    known = OidcIssuer("company", provider.issuer, provider.client_id, "idp", allow_private=True)
    if provider.client_secret is None:
        known = replace(known, client_secret=None)
    return replace(known, algorithms=(provider.algorithm,), **changes)


def a_workload_issuer(provider: OidcProvider, **changes: Any) -> WorkloadIssuer:
    return replace(WorkloadIssuer("ci", provider.issuer, "https://ostiary.test", (), allow_private=True), **changes)


def a_saml_issuer(**changes: Any) -> SamlIssuer:
    return replace(SamlIssuer("saml", allow_private=True), **changes)
