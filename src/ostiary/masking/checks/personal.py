"""Checks for personal data, by the names that the data files of detectors use."""

from collections.abc import Callable, Mapping

from ostiary.masking.checks.addresses import public_ipv4, public_ipv6
from ostiary.masking.checks.bank import iban, payment_card
from ostiary.masking.checks.mail import email
from ostiary.masking.checks.national import NATIONAL_NUMBERS, check_for
from ostiary.masking.checks.numbers import br_cpf, us_ssn
from ostiary.masking.checks.telephone import (
    phone_encoded,
    phone_international,
    phone_named,
    phone_national,
    phone_north_american,
)

PERSONAL_CHECKS: Mapping[str, Callable[[bytes, bytes], int]] = {
    "email": email,
    "phone-international": phone_international,
    "phone-encoded": phone_encoded,
    "phone-north-american": phone_north_american,
    "phone-national": phone_national,
    "phone-named": phone_named,
    "payment-card": payment_card,
    "iban": iban,
    "us-ssn": us_ssn,
    "br-cpf": br_cpf,
    "public-ipv4": public_ipv4,
    "public-ipv6": public_ipv6,
    **{name: check_for(name) for name in NATIONAL_NUMBERS},
}
