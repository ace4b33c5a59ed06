"""SCIM 2.0: an identity provider adds people, changes and removes them, and says which groups they are in."""

from ostiary.control.scim.application import create_scim

__all__ = ["create_scim"]
