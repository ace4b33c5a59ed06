"""A25: whatever is done to a Secret, its value does not come out."""

import copy
import dataclasses
import json
import logging
import pickle
import pprint
import traceback
from collections.abc import Callable

import orjson
import pytest

from ostiary.model.secret import Secret

VALUE = b"sk-never-to-be-seen-0123456789"


def secret() -> Secret:
    return Secret("cursor-key", 3, VALUE)


REFUSED: dict[str, Callable[[Secret], object]] = {
    "str": str,
    "format": format,
    "f-string with a width": lambda one: f"{one:>40}",
    "percent s": lambda one: "%s" % one,  # noqa: UP031
    "bytes": bytes,
    "percent b": lambda one: b"%b" % one,
    "list": list,
    "len": len,
    "truth": bool,
    "equality": lambda one: one == one,
    "equality with bytes": lambda one: one == VALUE,
    "difference": lambda one: one != secret(),
    "hash": hash,
    "key of a mapping": lambda one: {one: 1},
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": pickle.dumps,
    "old pickle": lambda one: pickle.dumps(one, 0),
    "json": json.dumps,
    "orjson": orjson.dumps,
    "state": lambda one: one.__getstate__(),  # type: ignore[func-returns-value]
    "vars": vars,
    "addition": lambda one: b"" + one,  # type: ignore[operator]
    "index": lambda one: one[0],  # type: ignore[index]
    "search": lambda one: b"s" in one,  # type: ignore[operator]
}


@pytest.mark.parametrize("way", REFUSED)
def test_every_form_but_repr_is_refused(way: str) -> None:
    with pytest.raises((TypeError, AttributeError)) as caught:
        REFUSED[way](secret())
    assert "never-to-be-seen" not in "".join(traceback.format_exception(caught.value))


def test_repr_shows_name_and_version_only() -> None:
    assert repr(secret()) == "<Secret 'cursor-key' v3>"
    assert "never" not in pprint.pformat([secret()]) + repr({"a": secret()}) + f"{secret()!r}"


def test_a_dataclass_that_holds_one_does_not_show_it() -> None:
    @dataclasses.dataclass
    class Holder:
        held: Secret

    assert "never" not in repr(Holder(secret()))
    with pytest.raises(TypeError):
        dataclasses.asdict(Holder(secret()))


def test_logging_one_by_mistake_does_not_show_it(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.Logger("mistake")
    logger.addHandler(logging.StreamHandler())
    logger.warning("key is %r", secret())
    logger.warning("key is %s", secret())
    shown = capsys.readouterr()
    assert "never" not in shown.out + shown.err


def test_a_traceback_with_local_variables_does_not_show_it() -> None:
    def use(held: Secret) -> None:
        raise RuntimeError(f"failed with {held!r}")

    with pytest.raises(RuntimeError) as caught:
        use(secret())
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "never" not in "".join(shown.format()).replace("never-to-be-seen-in-tests", "")


def test_it_is_revealed_for_injection_and_has_no_other_attributes() -> None:
    held = secret()
    assert held.reveal_for_injection() == VALUE
    with pytest.raises(AttributeError):
        held.__dict__  # noqa: B018
    with pytest.raises(AttributeError):
        held.other = 1  # type: ignore[attr-defined]
