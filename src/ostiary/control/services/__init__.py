"""The use-cases. Authorisation is asked here, first thing in every one of them, and nowhere else."""

from dataclasses import dataclass

from ostiary.control.services.approvals import ApprovalService
from ostiary.control.services.audit import AuditService
from ostiary.control.services.configuration import ConfigurationService
from ostiary.control.services.connections import ConnectionService
from ostiary.control.services.history import HistoryService
from ostiary.control.services.identity import IdentityService
from ostiary.control.services.owner import OwnerService
from ostiary.control.services.people import PeopleService
from ostiary.control.services.secrets import SecretService
from ostiary.control.services.service_accounts import ServiceAccountService
from ostiary.control.services.status import StatusService
from ostiary.control.services.tokens import TokenService

__all__ = [
    "ApprovalService",
    "AuditService",
    "ConfigurationService",
    "ConnectionService",
    "HistoryService",
    "IdentityService",
    "OwnerService",
    "PeopleService",
    "SecretService",
    "ServiceAccountService",
    "Services",
    "StatusService",
    "TokenService",
]


@dataclass(frozen=True, slots=True)
class Services:
    status: StatusService
    configuration: ConfigurationService
    secrets: SecretService
    tokens: TokenService
    history: HistoryService
    audit: AuditService
    approvals: ApprovalService
    people: PeopleService
    service_accounts: ServiceAccountService
    identity: IdentityService
    owner: OwnerService
    connections: ConnectionService
