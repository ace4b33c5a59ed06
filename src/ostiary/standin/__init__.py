"""Local stand-ins for upstream APIs: for demos, tests and trying things out without an account."""
