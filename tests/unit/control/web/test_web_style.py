"""The style sheet keeps its promises of contrast, and every page's files are in the package."""

import re
from importlib import resources

import pytest

CSS = (resources.files("ostiary.control.web") / "static" / "ostiary.css").read_text()

TEXT_ON = [
    ("ink", "paper"), ("ink", "card"), ("ink", "code"), ("ink", "note"), ("ink", "bad"), ("quiet", "paper"),
    ("quiet", "card"), ("accent", "paper"), ("accent", "card"), ("accent", "bad"), ("accent", "note"),
    ("accent-strong", "card"), ("accent-strong", "paper"), ("on-accent", "accent"), ("on-accent", "accent-strong"),
    ("on-danger", "danger"), ("on-danger", "danger-strong"),
]  # fmt: skip
EDGE_ON = [("edge", "card"), ("edge", "paper"), ("focus", "paper"), ("focus", "card"), ("accent", "card")]


def tokens(scheme: str) -> dict[str, str]:
    light, dark = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light))
    return found if scheme == "light" else {**found, **dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", dark))}


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_edges_have_the_contrast_of_wcag_aa(scheme: str) -> None:
    colours = tokens(scheme)
    for least, pairs in ((4.5, TEXT_ON), (3.0, EDGE_ON)):
        for front, back in pairs:
            assert contrast(colours[front], colours[back]) >= least, (scheme, front, back)


def test_colours_are_named_once_and_used_by_name() -> None:
    rules = CSS[CSS.index("*,\n") :]
    assert not re.search(r"#[0-9a-f]{3,8}\b", rules)
    assert set(re.findall(r"var\(--([\w-]+)\)", CSS)) <= set(re.findall(r"--([\w-]+):", CSS))


def test_every_class_of_a_template_has_a_rule() -> None:
    used: set[str] = set()
    for template in (resources.files("ostiary.control.web") / "templates").iterdir():
        for names in re.findall(r'class="([\w -]+)"', template.read_text()):
            used |= set(names.split())
    assert {name for name in used if f".{name}" not in CSS} == set()
