"""Expressions in the fields of steps, and the environment that renders scripts. The door of jinja2."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import io
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, NoReturn

from attrs import frozen

from octossh import shell
from octossh.errors import ModelError, did_you_mean
from octossh.shell import Words, quote

if TYPE_CHECKING:
    import jinja2

__all__ = [
    "NotYetKnown",
    "References",
    "as_text",
    "check_syntax",
    "compiled",
    "evaluate",
    "has_expression",
    "references",
    "rendered",
    "script_environment",
    "value_alone",
]

_EXPRESSION = re.compile(r"\{[{%#]")
_compiling = threading.Lock()


class NotYetKnown(Exception):
    """An expression reads what only an earlier step will bring about.

    Attributes:
        step: The name of that step.
    """

    def __init__(self, step: str) -> None:
        super().__init__(step)
        self.step = step


@frozen
class References:
    """What an expression reads: names of variables, and names of steps."""

    names: frozenset[str]
    steps: frozenset[str]


def has_expression(text: str) -> bool:
    """Whether *text* holds a Jinja expression, statement or comment."""
    return _EXPRESSION.search(text) is not None


def as_text(text: str) -> str:
    """*text* as an expression that gives it: braces in it are only braces."""
    return _EXPRESSION.sub(lambda found: f"{{{{ '{found[0]}' }}}}", text)


def _text(value: object) -> str:
    """Values in fields as docker and environment variables write them."""
    if value is None:
        raise ModelError("an expression gives nothing (None); name a value, or add | default('...')")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        raise ModelError("an expression gives bytes that are no text in UTF-8; pass them on in base64")
    return str(value)


def _literal(value: object) -> str:
    """Values in Python scripts; what is marked as raw stays as it is."""
    if value is None or isinstance(value, Words):
        return _text(value)
    return repr(value if isinstance(value, bool | int | float) else _text(value))


def _raw(value: object) -> Words:
    return Words(_text(value))


_FINALIZE: dict[str, Callable[[Any], str]] = {"": _text, "shell": quote, "python": _literal}


@functools.cache
def _environment(language: str) -> jinja2.Environment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def finalize(value: object) -> object:
        # StrictUndefined raises its own error, which names what is missing, as soon as it is turned into text.
        if isinstance(value, StrictUndefined):
            return str(value)
        return _FINALIZE[language](value)

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True, finalize=finalize
    )
    environment.filters["raw"] = _raw
    return environment


@functools.lru_cache(maxsize=4096)
def _template(text: str, language: str) -> jinja2.Template:
    return _environment(language).from_string(text)


def evaluate(text: str, values: Mapping[str, object], *, where: str, language: str = "") -> str:
    """Replace the expressions in *text*.

    Args:
        text: May hold ``{{ ... }}``; without one it comes back as it is.
        values: What the expressions may read.
        where: The subject of an error message, such as ``shop: step 'web', field env``.
        language: Of a script: each expression becomes exactly one word of the ``shell``, or one literal of
            ``python``; ``| raw`` leaves one as it is.

    Raises:
        ModelError: The text is no Jinja, reads an unknown name, or fails.
        NotYetKnown: It reads what an earlier step has not brought about yet.
    """
    if not has_expression(text):
        return text
    from jinja2 import TemplateError, TemplateSyntaxError, UndefinedError

    try:
        return _template(text, language).render(values)
    except NotYetKnown:
        raise
    except ModelError as error:
        raise ModelError(f"{where}: {error}") from error
    except TemplateSyntaxError as error:
        raise _no_jinja(where, text, error) from error
    except UndefinedError as error:
        known = [name for name in values if name != "steps"]
        missing = re.match(r"'(\w+)' is undefined", str(error))
        advice = did_you_mean(missing[1], known) if missing else "check the path in the inspect output"
        raise ModelError(f"{where}: {error.message}; {advice}") from error
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        raise ModelError(f"{where}: {text!r} cannot be evaluated: {error}") from error


def value_alone(text: str, values: Mapping[str, object]) -> object:
    """The value itself, where *text* is one expression and nothing else; None otherwise, and where it fails.

    Raises:
        NotYetKnown: It reads what an earlier step has not brought about yet.
    """
    inner = re.fullmatch(r"\s*\{\{(?P<inner>(?:(?!\}\}).)*)\}\}\s*", text, re.DOTALL)
    if inner is None:
        return None
    from jinja2 import TemplateError

    try:
        return _expression(inner["inner"])(**values)
    except (TemplateError, ModelError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError):
        return None  # whoever evaluates the text gets to say so


@functools.lru_cache(maxsize=4096)
def _expression(text: str) -> jinja2.environment.TemplateExpression:
    return _environment("").compile_expression(text, undefined_to_none=True)


def _no_jinja(where: str, text: str, error: jinja2.TemplateSyntaxError) -> ModelError:
    return ModelError(
        f"{where}: {text[:80]!r} is not a Jinja expression (line {error.lineno}: {error.message}); "
        "write {{ Name }}, or {{ '{{' }} for the braces themselves"
    )


def references(text: str, *, where: str) -> References:
    """The variables and steps that *text* reads, without evaluating it.

    Raises:
        ModelError: The text is no Jinja.
    """
    if not has_expression(text):
        return References(frozenset(), frozenset())
    from jinja2 import TemplateSyntaxError

    try:
        return _references(text)
    except TemplateSyntaxError as error:
        raise _no_jinja(where, text, error) from error


@functools.lru_cache(maxsize=4096)
def _references(text: str) -> References:
    from jinja2 import meta, nodes

    tree = _environment("").parse(text)

    def steps() -> Iterator[str]:
        for path in tree.find_all(nodes.Getattr):
            if isinstance(path.node, nodes.Name) and path.node.name == "steps":
                yield path.attr
        for item in tree.find_all(nodes.Getitem):
            of_steps = isinstance(item.node, nodes.Name) and item.node.name == "steps"
            if of_steps and isinstance(item.arg, nodes.Const):
                yield str(item.arg.value)

    return References(frozenset(meta.find_undeclared_variables(tree)), frozenset(steps()))


def script_environment(
    load: Callable[[str], str | None], tests: Mapping[str, Callable[..., bool]] | None = None
) -> jinja2.Environment:
    """The environment for script templates: each ``{{ }}`` is exactly one shell word unless it is `Words`.

    Args:
        load: Gives the text of a template by name, or None where there is none.
        tests: More Jinja tests.
    """
    from jinja2 import FunctionLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def finalize(value: Any) -> object:
        return str(value) if isinstance(value, StrictUndefined) else quote(value)

    environment = ImmutableSandboxedEnvironment(
        loader=FunctionLoader(load),
        undefined=StrictUndefined,
        autoescape=False,
        finalize=finalize,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=_kept(),
    )
    environment.tests.update(tests or {})
    environment.globals["fail"] = _fail
    return environment


def _kept() -> jinja2.BytecodeCache | None:
    """What compiled templates are kept in: beside the bytecode that Python keeps of this module, and as that is.

    Whoever may write there may change octossh itself. Where nobody may, nothing is kept.
    """
    from jinja2 import FileSystemBytecodeCache, compiler
    from jinja2.bccache import Bucket

    try:
        # What constants in a template come out as is compiled with it, and the first two say what that is.
        makers = (__file__, shell.__file__, compiler.__file__)
        made_by = "".join(f"{Path(str(file)).stat().st_mtime_ns} " for file in makers)
        folder = Path(importlib.util.cache_from_source(__file__)).parent
    except (OSError, NotImplementedError):
        return None

    class Sealed(Bucket):
        """With its digest ahead: a machine that goes down may leave a part of a file, and Python runs what it finds."""

        def load_bytecode(self, f: BinaryIO) -> None:
            seal, code = f.read(hashlib.sha256().digest_size), f.read()
            if seal == hashlib.sha256(code).digest():
                super().load_bytecode(io.BytesIO(code))

        def write_bytecode(self, f: IO[bytes]) -> None:
            made = io.BytesIO()
            super().write_bytecode(made)
            f.write(hashlib.sha256(made.getvalue()).digest() + made.getvalue())

    class Kept(FileSystemBytecodeCache):
        def get_source_checksum(self, source: str) -> str:
            return super().get_source_checksum(made_by + source)

        def get_bucket(self, environment: jinja2.Environment, name: str, filename: str | None, source: str) -> Bucket:
            bucket = Sealed(environment, self.get_cache_key(name, filename), self.get_source_checksum(source))
            try:
                self.load_bytecode(bucket)
            except Exception:  # noqa: BLE001 - whatever is wrong there, it is compiled and written anew
                bucket.reset()
            return bucket

        def dump_bytecode(self, bucket: Bucket) -> None:
            if not sys.dont_write_bytecode:
                with contextlib.suppress(OSError):
                    super().dump_bytecode(bucket)

    return Kept(str(folder), "template-%s.cache")


def page_environment(load: Callable[[str], str], text: Callable[[str], str]) -> jinja2.Environment:
    """The environment for pages of HTML: each ``{{ }}`` is escaped.

    Args:
        load: Gives the text of a template by name.
        text: Takes out of a text what no page shall hold.
    """
    from jinja2 import FunctionLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from markupsafe import Markup

    def finalize(value: Any) -> object:
        if isinstance(value, StrictUndefined):
            return str(value)
        return value if isinstance(value, Markup) else text(str(value))

    return ImmutableSandboxedEnvironment(
        loader=FunctionLoader(load),
        undefined=StrictUndefined,
        autoescape=True,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def compiled(environment: jinja2.Environment, name: str) -> jinja2.Template:
    """The template *name*, compiled once, however many threads ask for it.

    Raises:
        ModelError: There is none, or it is no Jinja.
    """
    from jinja2 import TemplateError

    try:
        with _compiling:
            return environment.get_template(name)
    except TemplateError as error:
        raise ModelError(f"template {name} cannot be rendered: {error}") from error


def rendered(environment: jinja2.Environment, name: str, values: Mapping[str, Any]) -> str:
    """The template *name* with its values.

    Raises:
        ModelError: It reads what there is not, or fails.
    """
    from jinja2 import TemplateError

    try:
        return compiled(environment, name).render(values)
    except ModelError:
        raise  # of a value, which says so itself
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        known = ", ".join(sorted(values))
        raise ModelError(f"template {name} cannot be rendered: {error}; what it may read: {known}") from error


def check_syntax(text: str, where: str) -> None:
    """Check that a template is Jinja.

    Raises:
        ModelError: It is none.
    """
    from jinja2 import TemplateSyntaxError

    try:
        script_environment(lambda _: None).parse(text)
    except TemplateSyntaxError as error:
        raise ModelError(f"{where}, line {error.lineno}: it is no Jinja: {error.message}; correct it there") from error


def _fail(message: str) -> NoReturn:
    raise ModelError(message)
