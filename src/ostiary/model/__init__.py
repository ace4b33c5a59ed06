"""The nouns of Ostiary as frozen dataclasses; standard library only."""
