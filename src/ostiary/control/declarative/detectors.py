"""The detectors a masking rule may name."""

from ostiary.masking.catalog import load_detectors

MINTED_CREDENTIAL = "minted-credential"
"""Not found by its form: the fields of an answer in which the Kind says that a new credential stands."""


def detector_names() -> tuple[str, ...]:
    return (*load_detectors(), MINTED_CREDENTIAL)
