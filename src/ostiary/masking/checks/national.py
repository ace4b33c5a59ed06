"""National numbers of persons: python-stdnum knows their check digits; their names say what bare digits are."""

import re
from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple, Protocol, cast

from ostiary.masking.checks import identities
from ostiary.masking.checks.words import Words, listed


class Number(NamedTuple):
    """`validator` is a module of python-stdnum or a function of `identities`. Without words the way the number is
    written tells enough."""

    validator: str
    words: tuple[str, ...] = ()


def _row(validator: str, words: str = "") -> Number:
    return Number(validator, listed(words))


NATIONAL_NUMBERS: dict[str, Number] = {
    "ar-cuit": _row("ar.cuit"),
    "ar-cuit-named": _row("ar.cuit", "cuit,cuil"),
    "at-vnr": _row("at.vnr", "svnr,sozialversicherungsnummer,versicherungsnummer,sv-nummer,sozialversicherung"),
    "au-medicare": _row("au_medicare", "medicare"),
    "au-tfn": _row("au.tfn", "tfn,tax file"),
    "be-nn": _row("be.nn"),
    "be-nn-named": _row(
        "be.nn", "rijksregister,registre national,numéro national,numero national,nationaal nummer,niss,insz,nrn"
    ),
    "bg-egn": _row("bg.egn", "egn,егн,единен граждански"),
    "br-cnpj": _row("br.cnpj"),
    "ca-sin": _row("ca.sin", "sin,nas,social insurance,social_insurance,assurance sociale"),
    "ch-ahv": _row("ch.ssn"),
    "ch-ahv-named": _row("ch.ssn", "ahv,avs,oasi,ahvn13,navs13,sozialversicherungsnummer,assurance sociale"),
    "cl-rut": _row("cl.rut"),
    "cl-rut-named": _row("cl.rut", "rut,rol único,rol unico"),
    "cn-ric": _row("cn_resident"),
    "cz-rc": _row("cz.rc"),
    "cz-rc-named": _row("cz.rc", "rodné číslo,rodne cislo,rodné čislo,rodne číslo,birth number,rodné"),
    "de-idnr": _row("de.idnr", "steuer,idnr,steuerid,tax id,tax_id,taxid,tin,identifikationsnummer"),
    "dk-cpr": _row("dk.cpr", "cpr,personnummer,cpr-nr,cprnr"),
    "do-cedula": _row("do.cedula", "cédula,cedula"),
    "ec-ci": _row("ec.ci", "cédula,cedula"),
    "ee-ik": _row("ee.ik", "isikukood,isikukoodi,personal code,personal_code"),
    "es-dni": _row("es.dni"),
    "es-nie": _row("es.nie"),
    "fi-hetu": _row("fi.hetu"),
    "fr-nir": _row("fr.nir"),
    "fr-nir-named": _row(
        "fr.nir", "nir,insee,sécurité sociale,securite sociale,sécu,numéro de sécu,social security,nss"
    ),
    "gb-nhs": _row("gb.nhs", "nhs"),
    "gb-nino": _row("gb_nino"),
    "gb-nino-named": _row("gb_nino", "nino,ni number,national insurance,national_insurance,ni no,insurance number"),
    "gr-amka": _row("gr.amka", "amka,αμκα,α.μ.κ.α"),
    "hk-id": _row("hk_identity"),
    "hr-oib": _row("hr.oib", "oib,osobni identifikacijski"),
    "id-nik": _row("id_nik", "nik,ktp,e-ktp,kependudukan"),
    "ie-pps": _row("ie.pps", "pps,ppsn,personal public service"),
    "il-idnr": _row("il.idnr", "teudat,ת.ז,תעודת זהות,israeli id,zehut"),
    "in-aadhaar": _row("in_.aadhaar", "aadhaar,aadhar,adhaar,uidai,आधार"),
    "in-pan": _row("in_.pan"),
    "is-kennitala": _row("is_.kennitala", "kennitala,kt,kennitölu"),
    "it-codice-fiscale": _row("it.codicefiscale"),
    "jp-my-number": _row("jp.in_", "my number,mynumber,my_number,マイナンバー,個人番号"),
    "kr-rrn": _row("kr_resident"),
    "kr-rrn-named": _row("kr_resident", "rrn,주민등록,주민번호,resident registration"),
    "lt-asmens-kodas": _row("lt.asmens", "asmens kodas,asmens_kodas,asmens,personal code,personal_code"),
    "lv-personas-kods": _row("lv.pvn", "personas kods,personas_kods,personas koda"),
    "mx-curp": _row("mx.curp"),
    "mx-rfc": _row("mx.rfc", "rfc,registro federal"),
    "my-nric": _row("my_nric", "mykad,nric,ic number,ic no,kad pengenalan"),
    "nl-bsn": _row("nl.bsn", "bsn,burgerservice,sofi,citizen service"),
    "no-fodselsnummer": _row("no.fodselsnummer", "fødselsnummer,fodselsnummer,fødselsnr,fnr,personnummer,personnr"),
    "nz-ird": _row("nz.ird", "ird"),
    "pl-pesel": _row("pl.pesel", "pesel"),
    "pt-nif": _row("pt.nif", "nif,contribuinte,identificação fiscal,identificacao fiscal"),
    "ro-cnp": _row("ro.cnp", "cnp,cod numeric personal,codul numeric"),
    "rs-jmbg": _row("si.emso", "jmbg,emšo,emso,ембг,јмбг"),
    "ru-inn": _row("ru.inn", "inn,инн"),
    "ru-snils": _row("ru_snils"),
    "ru-snils-named": _row("ru_snils", "snils,снилс"),
    "se-personnummer": _row("se.personnummer"),
    "se-personnummer-named": _row("se.personnummer", "personnummer,personnr,pnr,samordningsnummer,personal identity"),
    "sg-nric": _row("sg_nric"),
    "th-pin": _row("th.pin"),
    "th-pin-named": _row("th.pin", "บัตรประชาชน,เลขประจำตัวประชาชน,thai id,citizen id,national id"),
    "tr-kimlik": _row("tr.tckimlik", "tckn,tc kimlik,t.c. kimlik,tckimlik,kimlik"),
    "tw-id": _row("tw_identity"),
    "ua-rntrc": _row("ua.rntrc", "рнокпп,іпн,rnokpp,ipn,rntrc"),
    "us-itin": _row("us.itin"),
    "za-idnr": _row(
        "za.idnr",
        "south african id,sa id,sa_id,rsa id,id number,id_number,idnumber,id no,identity number,identity_number",
    ),
}
"""By format, each its own check."""

_LONGER_BEFORE = re.compile(rb"[0-9][-.,/]$|[0-9A-Za-z]-$")
_KEY_OF_DIGITS = re.compile(rb"[^0-9]")


class _Validator(Protocol):
    def is_valid(self, number: str) -> bool: ...


def check_for(name: str) -> Callable[[bytes, bytes], int]:
    """The check of a format: the whole value if its check digits are right and its name stands in front."""
    number = NATIONAL_NUMBERS[name]
    words = Words(number.words)
    is_valid = _validator(number.validator)

    def check(value: bytes, before: bytes) -> int:
        if _LONGER_BEFORE.search(before) or len(set(_KEY_OF_DIGITS.sub(b"", value))) < 2:
            return 0
        if number.words and not words.found_in(before):
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
