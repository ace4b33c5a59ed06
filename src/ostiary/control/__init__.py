"""What people do with an installation: use-cases, and the API they reach them through."""
