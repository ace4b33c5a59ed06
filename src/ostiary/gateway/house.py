"""What every exchange needs, in one place."""

import asyncio
from dataclasses import dataclass

from ostiary.gateway.admission import HostList
from ostiary.gateway.asking import Asking
from ostiary.gateway.authenticator import Authenticator
from ostiary.gateway.judged import Verdicts
from ostiary.gateway.live import LiveExchanges
from ostiary.gateway.metrics import Metrics
from ostiary.gateway.refusals import RefusalBook
from ostiary.gateway.route import Snapshot
from ostiary.gateway.state import Identities
from ostiary.ports import Chronicle
from ostiary.protocols.forwarded import NOBODY, TrustedProxies
from ostiary.recording.sessions import SessionBook
from ostiary.settings import Settings


@dataclass(slots=True)
class House:
    """What a journey needs; `snapshot` is replaced when the configuration changes."""

    snapshot: Snapshot
    settings: Settings
    loop: asyncio.AbstractEventLoop
    authenticator: Authenticator
    chronicle: Chronicle
    sessions: SessionBook
    asking: Asking
    hosts: HostList
    live: LiveExchanges
    metrics: Metrics
    refusals: RefusalBook
    identities: Identities
    verdicts: Verdicts
    trusted: TrustedProxies = NOBODY
    accepting: bool = True
