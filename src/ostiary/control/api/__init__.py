"""The REST API under /api/v1."""

from ostiary.control.api.application import create_api

__all__ = ["create_api"]
