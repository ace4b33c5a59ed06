"""The detectors a masking rule may name."""

MINTED_CREDENTIAL = "minted-credential"
"""Not found by its form: the fields of an answer in which the Kind says that a new credential stands."""

_BUILT_IN = (
    "secrets", "email", "phone", "payment-card", "iban", "us-ssn", "br-cpf", "national-id", "ip-address",
)  # fmt: skip


def detector_names() -> tuple[str, ...]:
    return (*_BUILT_IN, MINTED_CREDENTIAL)
