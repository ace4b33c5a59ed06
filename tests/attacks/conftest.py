"""The attack suite runs against one shared installation; a scene per test."""

from support.fixtures import closed_port, installation, scene, traps

__all__ = ["closed_port", "installation", "scene", "traps"]
