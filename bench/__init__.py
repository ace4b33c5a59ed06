"""Ostiary measured end to end against nginx and Envoy: `python -m bench [--quick]`."""
