"""Finding what must not be seen and putting a mark in its place. Pure rules."""
