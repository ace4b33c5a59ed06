"""The company's identity providers over HTTP: what they publish, kept for a while, and what they answer."""

from ostiary.adapters.identity_providers.book import IdentityProviderBook

__all__ = ["IdentityProviderBook"]
