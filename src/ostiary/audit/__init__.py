"""Entries, the Merkle tree over them, signed checkpoints and their verification. Pure."""
