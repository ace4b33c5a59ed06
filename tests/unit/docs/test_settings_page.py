"""The settings reference says what `settings.py` says."""

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"


def test_the_settings_page_is_the_one_that_settings_py_gives() -> None:
    description = importlib.util.spec_from_file_location("generate_settings", DOCS / "generate_settings.py")
    assert description is not None
    assert description.loader is not None
    generator = importlib.util.module_from_spec(description)
    description.loader.exec_module(generator)
    assert (DOCS / "settings.md").read_text() == generator.settings_page(), "run python docs/generate_settings.py"
