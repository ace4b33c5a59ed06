"""Wires who is asking: people, sign-ins, tokens, the local owner, and the issuers that speak for them."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.routing import Mount

from ostiary.adapters.identity_providers import IdentityProviderBook
from ostiary.adapters.saml_keys import StoredSamlKeys
from ostiary.adapters.sealer import Sealer
from ostiary.adapters.stores.sqlite import Store
from ostiary.control.ports import DecisionDesk, Revoked
from ostiary.control.scim import create_scim
from ostiary.control.services import (
    ConfigurationService,
    IdentityService,
    OwnerService,
    PeopleService,
    ServiceAccountService,
    Services,
    TokenService,
)
from ostiary.control.services.admin_log import AdminLog
from ostiary.control.services.arrivals import Arrivals
from ostiary.control.services.callers import Callers
from ostiary.control.services.console_sessions import ConsoleSessions
from ostiary.control.services.end_of_access import EndOfAccess
from ostiary.control.services.handles import new_handle
from ostiary.control.services.oauth import OAuthService
from ostiary.control.services.provider_tokens import HeldTokens
from ostiary.control.services.recheck import Recheck
from ostiary.control.services.sign_in import SignInService
from ostiary.control.services.sign_in_log import SignInLog
from ostiary.control.web.application import create_console
from ostiary.control.web.console import WebServices
from ostiary.model.configuration import Configuration
from ostiary.protocols.forwarded import TrustedProxies
from ostiary.settings import Settings
from ostiary.vault.sealing import RootKey


@dataclass(frozen=True, slots=True)
class Reception:
    callers: Callers
    sessions: ConsoleSessions
    sign_in: SignInService
    owner: OwnerService
    oauth: OAuthService
    tokens: TokenService
    accounts: ServiceAccountService
    people: PeopleService
    identity: IdentityService
    end: EndOfAccess
    recheck: Recheck


def open_reception(
    settings: Settings,
    store: Store,
    root_key: RootKey,
    *,
    configuration: ConfigurationService,
    in_force: Callable[[], Configuration],
    desk: DecisionDesk,
    providers: IdentityProviderBook,
    revoked: Revoked,
    access_changed: Callable[[], None],
    console_url: Callable[[], str],
    gateway_url: Callable[[], str],
    log: AdminLog,
    clock: Callable[[], float] = time.time,
) -> Reception:
    """`in_force` answers at once with the configuration in force; the URLs are those that people and tools see."""
    sealer = Sealer(root_key, store.installation, "identity")
    sign_in_log = SignInLog(log)
    callers = Callers(store.people, in_force, clock)
    held = HeldTokens(store.sign_ins, sealer.seal, sealer.open)
    end = EndOfAccess(
        people=store.people,
        sign_ins=store.sign_ins,
        tokens=store.tokens,
        desk=desk,
        access_changed=access_changed,
        log=sign_in_log,
    )
    sessions = ConsoleSessions(
        sign_ins=store.sign_ins,
        people=store.people,
        callers=callers,
        end=end,
        held=held,
        configuration=in_force,
        clock=clock,
        randomness=os.urandom,
    )
    arrivals = Arrivals(store.people, in_force, access_changed, sign_in_log, os.urandom)
    tokens = TokenService(
        store.tokens,
        configuration,
        desk,
        ttl_s=settings.token_ttl_s,
        ttl_max_s=settings.token_ttl_max_s,
        randomness=os.urandom,
        revoked=revoked,
        log=log,
        accounts=store.service_accounts,
        machine_ttl_max_s=settings.service_key_ttl_max_s,
    )
    return Reception(
        callers=callers,
        sessions=sessions,
        sign_in=SignInService(
            providers=providers,
            saml_keys=StoredSamlKeys(
                store, Sealer(root_key, store.installation, "saml"), f"Ostiary {store.installation}", clock
            ),
            arrivals=arrivals,
            sign_ins=store.sign_ins,
            one_time=store.one_time,
            sessions=sessions,
            held=held,
            end=end,
            configuration=in_force,
            console_url=console_url,
            log=sign_in_log,
            randomness=os.urandom,
        ),
        owner=OwnerService(
            people=store.people,
            credentials=store.owner_credentials,
            one_time=store.one_time,
            sessions=sessions,
            seal=sealer.seal,
            unseal=sealer.open,
            console_url=console_url,
            log=sign_in_log,
            randomness=os.urandom,
        ),
        oauth=OAuthService(
            people=store.people,
            sign_ins=store.sign_ins,
            one_time=store.one_time,
            tokens=store.tokens,
            token_service=tokens,
            accounts=store.service_accounts,
            providers=providers,
            arrivals=arrivals,
            callers=callers,
            end=end,
            held=held,
            configuration=in_force,
            console_url=console_url,
            gateway_url=gateway_url,
            access_ttl_s=settings.access_ttl_s,
            randomness=os.urandom,
            log=log,
            sign_in_log=sign_in_log,
        ),
        tokens=tokens,
        accounts=ServiceAccountService(
            store.service_accounts,
            store.tokens,
            tokens,
            end,
            randomness=os.urandom,
            log=log,
            key_ttl_s=settings.service_key_ttl_s,
            key_ttl_max_s=settings.service_key_ttl_max_s,
        ),
        people=PeopleService(store.people, store.scim_groups, store.sign_ins, end, in_force, log),
        identity=IdentityService(configuration, providers, console_url, clock, store.people),
        end=end,
        recheck=Recheck(
            providers=providers,
            people=store.people,
            arrivals=arrivals,
            sign_ins=store.sign_ins,
            one_time=store.one_time,
            sessions=sessions,
            held=held,
            end=end,
            configuration=in_force,
            clock=clock,
        ),
    )


def console_app(
    reception: Reception,
    services: Services,
    settings: Settings,
    console_url: Callable[[], str],
    in_force: Callable[[], Configuration],
    store: Store,
    log: AdminLog,
    trusted: TrustedProxies,
) -> Starlette:
    """The console's listener: pages, sign-in, the OAuth server, the API and SCIM."""
    web = WebServices(
        services, reception.callers, reception.sessions, reception.sign_in, reception.owner, reception.oauth, in_force
    )

    def scim_issuer() -> str | None:
        scim = in_force().scim
        return None if scim is None else scim.issuer

    scim = create_scim(
        store.people,
        store.scim_groups,
        reception.end,
        log,
        issuer=scim_issuer,
        is_scim=reception.oauth.is_scim,
        new_id=lambda: new_handle(os.urandom),
        base_url=lambda: f"{console_url()}/scim/v2",
    )
    return create_console(
        web,
        console_url=console_url,
        allowed_hosts=settings.allowed_hosts,
        trusted=trusted,
        more=[Mount("/scim/v2", scim)],
    )
