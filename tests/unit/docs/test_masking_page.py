"""The page on masking counts the formats that there are."""

import re
from pathlib import Path

from ostiary.masking.catalog import load_detectors

PAGE = (Path(__file__).parents[3] / "docs" / "masking.md").read_text()
ROW = re.compile(r"^\| `([a-z-]+)` \| (\d+) \|", re.MULTILINE)


def test_the_page_has_every_detector_with_as_many_formats_as_it_has() -> None:
    table = PAGE.partition("## The detectors")[2].partition("\n## ")[0]
    written = {name: int(count) for name, count in ROW.findall(table)}
    assert written == {name: len(formats) for name, formats in load_detectors().items()}


def test_the_page_counts_the_vendors() -> None:
    vendors = {each.vendor for each in load_detectors()["secrets"] if each.vendor}
    assert f"keys and tokens of {len(vendors)} vendors" in PAGE
