"""What a person who was refused is shown, and whoever runs the installation finds in the audit log."""

from contextvars import ContextVar

REFERENCE: ContextVar[str] = ContextVar("reference", default="")
"""Of the request that is being answered; empty where nobody is shown one."""
