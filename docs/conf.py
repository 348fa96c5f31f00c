"""How Sphinx makes the documentation. It needs no network."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from commands import Commands
from kinds import Kinds
from sphinx.ext.napoleon.docstring import GoogleDocstring

import octossh

project = "octossh"
author = "the octossh contributors"
project_copyright = author
version = release = octossh.__version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "myst_nb"]
html_theme = "furo"
html_title = f"octossh {release}"
html_show_sphinx = False
html_static_path = ["notebooks/static"]
html_css_files = ["notebooks.css"]
exclude_patterns = ["_build"]
nitpicky = True
default_role = "py:obj"
suppress_warnings = ["ref.python"]

# Notebooks come with their outputs, which the tests hold against what the cells give.
nb_execution_mode = "off"
# Nothing is loaded from elsewhere.
nb_ipywidgets_js = {}

napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = [("Hosts", "returns_style"), ("Source", "returns_style")]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
python_maximum_signature_line_length = 100
python_use_unqualified_type_names = True

# Without intersphinx, names of the standard library lead nowhere.
nitpick_ignore_regex = [
    (r"py:.*", r"(collections|datetime|enum|os|pathlib|types|typing|abc|functools)\..*"),
    (r"py:.*", (r"(str|int|float|bool|bytes|dict|list|tuple|object|type|None|True|False|Any|Self|Mapping|Sequence|"
               r"Iterable|Iterator|Callable|Path|datetime|TracebackType|BaseException|Exception|ValueError|KeyError|"
               r"KeyboardInterrupt|TypeError|Enum|ClassVar|Protocol)")),
    (r"py:class", r"octossh\.(model\.(Catalog|ScheduleList|OptionFields)|sinks\.\w+\.(Sink|Hook)|recording\.Record)"),
    (r"py:class", r"octossh\.model\.Held|(octossh\.shell\.)?Look"),
    (r"py:class", r"octossh\.(model\.credentials\.Callback|versions\.intervals\.Interval|planning\.Came)"),
    (r"py:class", r"(Auth|Given|Names|TargetSource|NOTHING|optional|.*RuleFields|.*\.[NTV]|[NTV]|attr\..*|attrs\..*)"),
]  # fmt: skip

# A name is documented where it is imported from: octossh.Image, not octossh.model.images.Image.
_DOORS = ["octossh", "octossh.versions", "octossh.model", "octossh.planning", "octossh.recording", "octossh.registry",
          "octossh.transport", "octossh.testing"]  # fmt: skip
for _door in _DOORS:
    _module = importlib.import_module(_door)
    for _name in _module.__all__:
        _thing = getattr(_module, _name)
        if getattr(_thing, "__module__", "").startswith("octossh.") and _thing.__module__ not in _DOORS:
            _thing.__module__ = _door


def _load_what_type_checkers_see(module):
    """Annotations name what is imported for type checkers alone; they are shown, and lead to where it is documented."""
    for block in ast.parse(inspect.getsource(module)).body:
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING":
            for line in block.body:
                if isinstance(line, ast.ImportFrom) and line.module.startswith("octossh"):
                    exec(ast.unparse(line), vars(module))  # noqa: S102 - our own source


for _name in [name for name in sys.modules if name.startswith("octossh.")]:
    _load_what_type_checkers_see(sys.modules[_name])

# The first line of a property's docstring is a sentence: a colon in it does not part a type from it.
GoogleDocstring._consume_inline_attribute = lambda self: ("", self._consume_to_end())


def _signature(app, what, name, obj, options, signature, returns):
    if what == "class" and issubclass(obj, octossh.Step):
        return "(name, **fields)", None  # they stand in a table: reference/kinds
    return (signature.replace("NOTHING", "..."), returns) if signature else None


def _text(app, env, node, contnode):
    """A name in single backquotes that is documented nowhere is code, and no mistake."""
    return contnode if node.get("reftype") == "obj" else None


def _reachable(app, pagename, templatename, context, doctree):
    """What scrolls in a notebook can be scrolled without a mouse, too: long lines, and tables of many columns."""
    if pagename.startswith("notebooks/"):
        box = '<div class="cell_output docutils container"'
        first, *cells = context["body"].replace("<pre>", '<pre tabindex="0">').split(box)
        wide = [' tabindex="0"' if cell.count('scope="col"') > 6 else "" for cell in cells]
        context["body"] = first + "".join(f"{box}{mark}{cell}" for mark, cell in zip(wide, cells, strict=True))


def setup(app):
    app.add_directive("commands", Commands)
    app.add_directive("kinds", Kinds)
    app.connect("autodoc-process-signature", _signature)
    app.connect("missing-reference", _text)
    app.connect("html-page-context", _reachable)
