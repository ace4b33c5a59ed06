"""Makes `support` importable for every suite below this directory."""
