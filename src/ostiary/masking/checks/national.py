"""National numbers of persons: python-stdnum knows their check digits."""

import re
from collections.abc import Callable
from importlib import import_module
from typing import Protocol, cast

from ostiary.masking.checks import identities

NATIONAL_NUMBERS: dict[str, str] = {
    "ar-cuit": "ar.cuit",
    "ar-cuit-named": "ar.cuit",
    "at-vnr": "at.vnr",
    "au-medicare": "au_medicare",
    "au-tfn": "au.tfn",
    "be-nn": "be.nn",
    "be-nn-named": "be.nn",
    "bg-egn": "bg.egn",
    "br-cnpj": "br.cnpj",
    "ca-sin": "ca.sin",
    "ch-ahv": "ch.ssn",
    "ch-ahv-named": "ch.ssn",
    "cl-rut": "cl.rut",
    "cl-rut-named": "cl.rut",
    "cn-ric": "cn_resident",
    "cz-rc": "cz.rc",
    "cz-rc-named": "cz.rc",
    "de-idnr": "de.idnr",
    "dk-cpr": "dk.cpr",
    "do-cedula": "do.cedula",
    "ec-ci": "ec.ci",
    "ee-ik": "ee.ik",
    "es-dni": "es.dni",
    "es-nie": "es.nie",
    "fi-hetu": "fi.hetu",
    "fr-nir": "fr.nir",
    "fr-nir-named": "fr.nir",
    "gb-nhs": "gb.nhs",
    "gb-nino": "gb_nino",
    "gb-nino-named": "gb_nino",
    "gr-amka": "gr.amka",
    "hk-id": "hk_identity",
    "hr-oib": "hr.oib",
    "id-nik": "id_nik",
    "ie-pps": "ie.pps",
    "il-idnr": "il.idnr",
    "in-aadhaar": "in_.aadhaar",
    "in-pan": "in_.pan",
    "is-kennitala": "is_.kennitala",
    "it-codice-fiscale": "it.codicefiscale",
    "jp-my-number": "jp.in_",
    "kr-rrn": "kr_resident",
    "kr-rrn-named": "kr_resident",
    "lt-asmens-kodas": "lt.asmens",
    "lv-personas-kods": "lv.pvn",
    "mx-curp": "mx.curp",
    "mx-rfc": "mx.rfc",
    "my-nric": "my_nric",
    "nl-bsn": "nl.bsn",
    "no-fodselsnummer": "no.fodselsnummer",
    "nz-ird": "nz.ird",
    "pl-pesel": "pl.pesel",
    "pt-nif": "pt.nif",
    "ro-cnp": "ro.cnp",
    "rs-jmbg": "si.emso",
    "ru-inn": "ru.inn",
    "ru-snils": "ru_snils",
    "ru-snils-named": "ru_snils",
    "se-personnummer": "se.personnummer",
    "se-personnummer-named": "se.personnummer",
    "sg-nric": "sg_nric",
    "th-pin": "th.pin",
    "th-pin-named": "th.pin",
    "tr-kimlik": "tr.tckimlik",
    "tw-id": "tw_identity",
    "ua-rntrc": "ua.rntrc",
    "us-itin": "us.itin",
    "za-idnr": "za.idnr",
}
"""By format: a module of python-stdnum, or a function of `identities`."""

_LONGER_BEFORE = re.compile(rb"[0-9][-.,/]$|[0-9A-Za-z]-$")
_NOT_DIGITS = re.compile(rb"[^0-9]")


class _Validator(Protocol):
    def is_valid(self, number: str) -> bool: ...


def check_for(name: str) -> Callable[[bytes, bytes], int]:
    """The check of a format: the whole value if its check digits are right."""
    is_valid = _validator(NATIONAL_NUMBERS[name])

    def check(value: bytes, before: bytes) -> int:
        if _LONGER_BEFORE.search(before) or len(set(_NOT_DIGITS.sub(b"", value))) < 2:
            return 0
        return len(value) if is_valid(value.decode()) else 0

    return check


def _validator(name: str) -> Callable[[str], bool]:
    own = identities.IDENTITIES.get(name)
    if own is not None:
        return own

    def is_valid(text: str) -> bool:
        # Imported when a number is met: few installations meet many of them.
        module = cast(_Validator, import_module(f"stdnum.{name}"))
        return module.is_valid(text)

    return is_valid
