"""What may reach a terminal, and how numbers read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.cli.terminal import (
    duration,
    moment,
    print_fields,
    print_json,
    print_table,
    seconds_from,
    size,
    visible,
)

HOSTILE = {
    "\x1b[2J": "‹U+001B›[2J",
    "\x1b]0;title\x07": "‹U+001B›]0;title‹U+0007›",
    "a\u202eb": "a‹U+202E›b",
    "a\u2066b\u2069": "a‹U+2066›b‹U+2069›",
    "zero\u200bwidth": "zero‹U+200B›width",
    "\x9b31m": "‹U+009B›31m",
    "line\nbreak": "line‹U+000A›break",
    "over\rwrite": "over‹U+000D›write",
    "back\x08space": "back‹U+0008›space",
    "del\x7f": "del‹U+007F›",
    "lone \udce9": "lone ‹U+DCE9›",
    "pretend ‹U+001B›": "pretend ‹U+2039›U+001B›",
    "to ‹email:1›\x1b": "to ‹email:1›‹U+001B›",
    "‹u+001b:1› ‹email:1\u200b›": "‹U+2039›u+001b:1› ‹U+2039›email:1‹U+200B››",
    "\u3164filler": "‹U+3164›filler",
}


@pytest.mark.parametrize(("text", "shown"), HOSTILE.items(), ids=range(len(HOSTILE)))
def test_what_a_terminal_could_act_on_is_shown_as_its_number(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_ordinary_text_of_any_script_stays() -> None:
    text = "GET /v1/agents?größe=3 日本語 🙂 naïve"
    assert visible(text) == text


def test_lines_and_tabs_stay_where_they_are_wanted_and_nothing_else_does() -> None:
    assert visible("a\n\tb\r\x1b", keep_lines=True) == "a\n\tb‹U+000D›‹U+001B›"


@given(st.text())
def test_nothing_invisible_ever_comes_out(text: str) -> None:
    shown = visible(text)
    assert "\n" not in shown
    assert all(character.isprintable() for character in shown)


@given(st.text())
def test_json_is_ascii_without_control_characters(text: str) -> None:
    import io
    from contextlib import redirect_stdout

    sink = io.StringIO()
    with redirect_stdout(sink):
        print_json({"value": text, text: 1})
    assert all(" " <= character <= "~" or character == "\n" for character in sink.getvalue())


def test_tables_escape_cells_before_they_measure_them(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["NAME", "WHAT"], [["a\x1b[31m", None], ["longer name", ""]])
    assert capsys.readouterr().out.splitlines() == [
        "NAME           WHAT",
        "a‹U+001B›[31m  -",
        "longer name    -",
    ]


def test_fields_without_a_value_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields([("actor", "alice\x07"), ("reason", None), ("rule", "changes wait")])
    assert capsys.readouterr().out == "actor: alice‹U+0007›\nrule:  changes wait\n"


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("15m", 900), ("12h", 43_200), ("7d", 604_800), ("30", 30)])
def test_time_spans_are_read(text: str, seconds: float) -> None:
    assert seconds_from(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "0", "-5m", "1.5h", "5w", "١h", "1h30m", "1 h x"])
def test_other_time_spans_are_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time span"):
        seconds_from(text)


def test_sizes_durations_and_moments_read_well() -> None:
    assert [size(17), size(4300), size(5 * 1024**3), size(None)] == ["17 B", "4.2 KiB", "5.0 GiB", ""]
    assert [duration(850), duration(12_345), duration(4_560_000), duration(None)] == [
        "850 µs", "12.3 ms", "4.56 s", "",
    ]  # fmt: skip
    assert moment(0) == "1970-01-01 00:00:00Z"
    assert moment("2026-01-31T12:00:00.123456Z") == "2026-01-31 12:00:00Z"
    assert moment("soon") == "soon"
    assert moment(None) == ""
