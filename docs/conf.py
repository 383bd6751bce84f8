"""Sphinx's options: the pages are Markdown (MyST), the reference is made of the docstrings (numpydoc)."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import centerloss_mx

project = 'centerloss_mx'
author = 'The centerloss_mx developers'
copyright = author
release = version = centerloss_mx.__version__

extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.autosummary', 'numpydoc']
exclude_patterns = ['_build']
default_role = 'py:obj'  # a name in single backticks is code, and a link where it is one of ours

myst_enable_extensions = ['colon_fence']
myst_heading_anchors = 3
suppress_warnings = ['myst.xref_missing']  # tests/docs checks links, anchors too

autodoc_default_options = {'members': True, 'undoc-members': True, 'member-order': 'bysource'}
autodoc_typehints = 'none'  # the docstrings have types, and shapes with them
autosummary_generate = False
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
add_module_names = False
add_function_parentheses = False  # narrow pages would break names before them
toc_object_entries_show_parents = 'hide'

html_title = 'centerloss_mx'
html_theme = 'pydata_sphinx_theme'
html_static_path = ['_static']
templates_path = ['_templates']
html_sidebars = {'**': ['site-toc']}
html_css_files = ['site.css']
html_copy_source = html_show_sourcelink = False
html_theme_options = {
    'navigation_with_keys': False,
    'shorten_urls': False,  # the links of faults name file and line
    'show_toc_level': 2,
    'navbar_center': [],
    'navbar_end': ['theme-switcher'],
    'footer_start': ['copyright'],
    'footer_end': ['sphinx-version'],
    'secondary_sidebar_items': ['page-toc'],
}


def skip_field(app, what, name, member, skip, options):
    """Leave fields of a NamedTuple out: its docstring describes them."""
    return True if (member.__doc__ or '').startswith('Alias for field number') else None


def without_type(app, what, name, member, options, lines):
    """Leave the docstring of a constant's type out: the page describes the constant."""
    of_type = (type(member).__doc__ or '').strip().splitlines()
    if what == 'data' and lines[:1] == of_type[:1]:
        lines.clear()


def setup(app):
    """Connect what autodoc calls."""
    app.connect('autodoc-skip-member', skip_field)
    app.connect('autodoc-process-docstring', without_type, priority=100)
