"""Sphinx: MyST pages, the furo theme, nothing fetched from anywhere."""

from ostiary import __version__

project = "Ostiary"
author = "The Ostiary maintainers"
copyright = "The Ostiary maintainers"
release = version = __version__
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"Ostiary {__version__}"
html_static_path: list[str] = []
html_copy_source = False
html_show_sphinx = False
