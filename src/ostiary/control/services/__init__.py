"""The use-cases. Authorisation is asked here, first thing in every one of them, and nowhere else."""

from dataclasses import dataclass

from ostiary.control.services.approvals import ApprovalService
from ostiary.control.services.audit import AuditService
from ostiary.control.services.configuration import ConfigurationService
from ostiary.control.services.history import HistoryService
from ostiary.control.services.people import PeopleService
from ostiary.control.services.secrets import SecretService
from ostiary.control.services.status import StatusService
from ostiary.control.services.tokens import TokenService

__all__ = [
    "ApprovalService",
    "AuditService",
    "ConfigurationService",
    "HistoryService",
    "PeopleService",
    "SecretService",
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
    people: PeopleService = None  # type: ignore[assignment]  # until every caller gives one
