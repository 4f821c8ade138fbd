"""Sphinx: pages whose code runs while they are built, without a network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

import xent

HERE = Path(__file__).parent
ROOT = HERE.parent
GENERATED = HERE / "_build" / "generated"
SCRIPTS = HERE / "_build" / "scripts"
sys.path.insert(0, str(HERE / "_support"))

import live

project = "xent"
author = "the xent contributors"
project_copyright = "the xent contributors"
version = release = xent.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "jupyter_execute", "_support"]
nitpicky = False

# Pages: every cell runs, from nothing, at every build; a cell that raises stops the build.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_execution_show_tb = True
nb_merge_streams = True
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
# What the pages share lies beside them; the kernels that run them find it by this.
os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE / "_support"), *filter(None, [os.environ.get("PYTHONPATH")])])

# The kernels start from nothing: no start-up files of whoever builds, and no word on their local sockets.
# TensorFlow's first words on stderr would stand in the pages.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ["IPYTHONDIR"] = str(HERE / "_build" / "ipython")

# Reference: types and defaults are in the docstrings, once.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_use_rtype = False
napoleon_use_param = True
napoleon_use_ivar = True

html_theme = "pydata_sphinx_theme"
html_title = "xent"
SCRIPTS.mkdir(parents=True, exist_ok=True)
html_static_path = ["_static", str(SCRIPTS.relative_to(HERE))]
html_css_files = ["xent.css"]
html_copy_source = False
html_show_sourcelink = False
GENERATED.mkdir(parents=True, exist_ok=True)
html_extra_path = [str(GENERATED.relative_to(HERE))]
html_theme_options = {
    "logo": {"text": "xent"},
    "navbar_end": ["theme-switcher"],
    "navbar_persistent": ["search-button"],
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "navigation_with_keys": False,
    "show_nav_level": 2,
    "header_links_before_dropdown": 8,
}
# A page that stands alone has no section to navigate, and gives the room to its text.
ALONE = ("index", "tutorial", "which", "edges", "disagreements", "precision", "study-squared-error")
html_sidebars = {page: [] for page in ALONE}


def _write_example_report(app: Sphinx) -> None:
    """The report that the README's first command writes, from the real command, as a page beside these."""
    command = [sys.executable, "-m", "xent", "evaluate", "examples/digits.parquet", "--truth", "digit"]
    command += ["--logits", "ce_*", "--against", "se_*", "--id", "id"]
    command += ["--html", str(GENERATED / "digits-report.html")]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def _write_live_script(app: Sphinx) -> None:
    live.write_script(SCRIPTS)


def _add_live_script(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Only the pages whose charts answer the pointer load what they need for it."""
    if live.MARK in context.get("body", ""):
        app.add_js_file("live.js", loading_method="defer")


def _quiet_kernels(app: Sphinx) -> None:
    profile = Path(os.environ["IPYTHONDIR"]) / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text("get_config().IPKernelApp.log_level = 'ERROR'\n")


def setup(app: Sphinx) -> None:
    app.connect("builder-inited", _quiet_kernels)
    app.connect("builder-inited", _write_example_report)
    app.connect("builder-inited", _write_live_script)
    app.connect("html-page-context", _add_live_script)
