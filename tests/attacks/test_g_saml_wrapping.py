"""G17: every published way to wrap a signature, around a signed assertion, a signed response, and both.

XSW 1 to 8 are those of Somorovsky and others, "On Breaking SAML: Be Whoever You Want to Be", built as SAML Raider does;
what came later follows them.
"""

import random
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from lxml import etree

from ostiary.identity.saml.assertion import Assertion
from ostiary.identity.saml.response import check_response
from ostiary.model.errors import SignInRefusedError
from support import saml_idp as idp

ASSERTION = f"{{{idp.SAML}}}Assertion"
SIGNATURE = f"{{{idp.DS}}}Signature"
EVIL = "eve@example.com"
WHAT = ["assertion", "response", "both"]


def check(document: Any) -> Assertion:
    return check_response(
        idp.post(document),
        metadata=idp.metadata(),
        sp_entity_id=idp.SP,
        acs_url=idp.ACS,
        request_id=idp.REQUEST,
        now=idp.NOW,
    )


def refused(document: Any) -> str:
    with pytest.raises(SignInRefusedError) as caught:
        check(document)
    return caught.value.reason


def evil(element: Any) -> Any:
    """Say somebody else's name wherever one is said."""
    for name in element.iter(f"{{{idp.SAML}}}NameID"):
        name.text = EVIL
    return element


def unsigned(element: Any) -> Any:
    """Without the first signature in it."""
    for signature in list(element.iter(SIGNATURE))[:1]:
        signature.getparent().remove(signature)
    return element


def said(root: Any) -> Any:
    return root.find(ASSERTION)


def first_signature(element: Any) -> Any:
    return next(element.iter(SIGNATURE))


def xsw1(root: Any) -> None:
    """The signed response within the signature of an evil one."""
    original = unsigned(deepcopy(root))
    evil(root)
    first_signature(root).append(original)
    root.set("ID", "_evil_response_ID")


def xsw2(root: Any) -> None:
    """The signed response before the signature of an evil one."""
    original = unsigned(deepcopy(root))
    evil(root)
    first_signature(root).addprevious(original)
    root.set("ID", "_evil_response_ID")


def xsw3(root: Any) -> None:
    """An evil assertion before the signed one."""
    copy = unsigned(evil(deepcopy(said(root))))
    copy.set("ID", "_evil_assertion_ID")
    said(root).addprevious(copy)


def xsw4(root: Any) -> None:
    """The signed assertion within an evil one."""
    original = said(root)
    copy = unsigned(evil(deepcopy(original)))
    copy.set("ID", "_evil_assertion_ID")
    root.append(copy)
    copy.append(original)


def xsw5(root: Any) -> None:
    """The signed assertion without its signature behind an evil one that has it."""
    original = unsigned(deepcopy(said(root)))
    evil(said(root)).set("ID", "_evil_assertion_ID")
    root.append(original)


def xsw6(root: Any) -> None:
    """The signed assertion within its signature, which an evil one has."""
    original = unsigned(deepcopy(said(root)))
    evil(said(root)).set("ID", "_evil_assertion_ID")
    first_signature(root).append(original)


def xsw7(root: Any) -> None:
    """An evil assertion with the same ID within Extensions, which may hold anything."""
    extensions = etree.Element("Extensions")
    said(root).addprevious(extensions)
    extensions.append(unsigned(evil(deepcopy(said(root)))))


def xsw8(root: Any) -> None:
    """The signed assertion within an Object of its signature, which an evil one with the same ID has."""
    original = unsigned(deepcopy(said(root)))
    evil(said(root))
    etree.SubElement(first_signature(root), "Object").append(original)


def _with_original_in(root: Any, place: Any) -> None:
    original = deepcopy(said(root))
    place.append(original)
    copy = evil(said(root))
    for signature in copy.findall(SIGNATURE):
        if place not in signature.iter():
            copy.remove(signature)
    copy.set("ID", "_evil_assertion_ID")


def in_protocol_extensions(root: Any) -> None:
    extensions = etree.Element(f"{{{idp.SAMLP}}}Extensions")
    root.insert(1, extensions)
    _with_original_in(root, extensions)


def in_signature_object(root: Any) -> None:
    _with_original_in(root, etree.SubElement(first_signature(root), f"{{{idp.DS}}}Object"))


def in_advice(root: Any) -> None:
    advice = etree.Element(f"{{{idp.SAML}}}Advice")
    said(root).insert(len(said(root)) - 2, advice)
    _with_original_in(root, advice)


def in_attribute_value(root: Any) -> None:
    _with_original_in(root, next(said(root).iter(f"{{{idp.SAML}}}AttributeValue")))


def in_status_detail(root: Any) -> None:
    status = root.find(f"{{{idp.SAMLP}}}Status")
    _with_original_in(root, etree.SubElement(status, f"{{{idp.SAMLP}}}StatusDetail"))


def in_key_info(root: Any) -> None:
    _with_original_in(root, next(root.iter(f"{{{idp.DS}}}KeyInfo")))


def behind_the_original(root: Any) -> None:
    """CVE-2022-41912: the first is checked, the last is read."""
    copy = unsigned(evil(deepcopy(said(root))))
    copy.set("ID", "_assertion-1_attack")
    root.append(copy)


def signature_moved_up(root: Any) -> None:
    """CVE-2025-23369: the assertion's signature at the response, with the assertion in its Object."""
    signature = deepcopy(
        first_signature(said(root)) if said(root).find(SIGNATURE) is not None else first_signature(root)
    )
    original = deepcopy(said(root))
    for each in list(root.iter(SIGNATURE)):
        each.getparent().remove(each)
    etree.SubElement(signature, f"{{{idp.DS}}}Object").append(original)
    root.insert(1, signature)
    evil(said(root)).set("ID", "_assertion-1ffff")
    root.set("ID", original.get("ID"))


def two_signed_infos(root: Any) -> None:
    """CVE-2025-29774: the first is verified, the second says the digest."""
    signature = first_signature(root)
    evil(root)
    forged = deepcopy(signature[0])
    signature.insert(1, forged)


def second_signature(root: Any) -> None:
    """A signature of the attacker before the provider's."""
    target = said(root) if said(root).find(SIGNATURE) is not None else root
    idp.sign(target, idp.pair("attacker"))
    evil(root)


def whole_response_within(root: Any) -> None:
    """The signed response within the Extensions of an evil one."""
    original = deepcopy(root)
    extensions = etree.Element(f"{{{idp.SAMLP}}}Extensions")
    extensions.append(original)
    for each in list(root.iter(SIGNATURE)):
        each.getparent().remove(each)
    evil(root).set("ID", "_evil_response_ID")
    said(root).set("ID", "_evil_assertion_ID")
    root.insert(1, extensions)


def other_namespace(root: Any) -> None:
    """An evil assertion that only looks like one, for those who read by local name."""
    copy = unsigned(evil(deepcopy(said(root))))
    copy.set("ID", "_evil_assertion_ID")
    text = etree.tostring(copy).replace(idp.SAML.encode(), b"urn:oasis:names:tc:SAML:1.0:assertion")
    root.append(etree.fromstring(text))


PUBLISHED = [xsw1, xsw2, xsw3, xsw4, xsw5, xsw6, xsw7, xsw8]
LATER = [
    in_protocol_extensions,
    in_signature_object,
    in_advice,
    in_attribute_value,
    in_status_detail,
    in_key_info,
    behind_the_original,
    signature_moved_up,
    two_signed_infos,
    second_signature,
    whole_response_within,
    other_namespace,
]


@pytest.mark.parametrize("what", WHAT)
@pytest.mark.parametrize("attack", PUBLISHED + LATER, ids=lambda attack: attack.__name__)
def test_G17_a_wrapped_signature_is_refused(attack: Callable[[Any], None], what: str) -> None:
    root = idp.signed_response(what=what)
    attack(root)
    assert EVIL in etree.tostring(root).decode()
    assert refused(root) in ("shape", "id", "several_assertions", "signature_shape", "signature")


@pytest.mark.parametrize("what", WHAT)
@pytest.mark.parametrize("attack", [xsw3, xsw4, xsw5, xsw7], ids=lambda attack: attack.__name__)
def test_G17_two_signed_assertions_are_refused_too(attack: Callable[[Any], None], what: str) -> None:
    """Nobody may have to say which of them was meant: also where all are honest and signed again as a whole."""
    root = idp.signed_response(what="assertion")
    attack(root)
    assert refused(idp.sign(root)) in ("several_assertions", "id")


@pytest.mark.parametrize("what", WHAT)
def test_G17_a_changed_name_breaks_the_signature(what: str) -> None:
    assert refused(evil(idp.signed_response(what=what))) == "signature"


def test_G17_of_two_signatures_both_must_hold() -> None:
    root = idp.response(idp.Words(), idp.sign(idp.assertion(idp.Words()), idp.pair("attacker")))
    assert refused(idp.sign(root)) == "signature"
    root = idp.response(idp.Words(), idp.sign(idp.assertion(idp.Words())))
    assert refused(idp.sign(root, idp.pair("attacker"))) == "signature"


def test_G17_a_signed_assertion_of_another_sign_in_under_a_new_response() -> None:
    """What is not signed may say what it likes of whose answer it is: the assertion says it too."""
    stolen = idp.sign(idp.assertion(replace(idp.Words(), confirmation_answers="_request-of-somebody-else")))
    assert refused(idp.response(idp.Words(), stolen)) == "in_response_to"


@pytest.mark.parametrize("what", WHAT)
def test_G17_no_rearrangement_says_anything_but_what_was_signed(what: str) -> None:
    """Elements copied, moved, dropped and renamed at random, with another name in what was copied."""
    honest = check(idp.signed_response(what=what))
    source = random.Random(what)
    for _ in range(150):
        root = idp.signed_response(what=what)
        for _ in range(source.randint(1, 3)):
            _rearrange(root, source)
        try:
            found = check(root)
        except SignInRefusedError:
            continue
        assert found == honest


def _rearrange(root: Any, source: random.Random) -> None:
    elements = list(root.iter())[1:]
    if not elements:
        return
    element = source.choice(elements)
    match source.randrange(5):
        case 0:
            copy = evil(deepcopy(element))
            copy.attrib.pop("ID", None)
            source.choice(elements).append(copy)
        case 1:
            target = source.choice([root, *elements])
            if element not in target.iterancestors() and target is not element:
                target.insert(source.randint(0, len(target)), evil(element))
        case 2:
            element.getparent().remove(element)
        case 3:
            element.addprevious(evil(deepcopy(element)))
        case _:
            evil(element).text = source.choice(["", idp.SP, EVIL])
