"""Recordings: frames as bytes, sealing of parts, sessions, and the timeline for replay. Pure."""
