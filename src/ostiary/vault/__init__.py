"""Keys at rest and keys at work: sealing and injection. Pure rules."""
