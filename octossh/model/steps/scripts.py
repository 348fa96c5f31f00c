"""`RunScript`: run a script of the user's own."""

from __future__ import annotations

import re
from typing import ClassVar

from attrs import field, frozen

from octossh.errors import ModelError
from octossh.model._values import Pairs, of, telling
from octossh.model.secrets import SecretRef
from octossh.model.steps.base import MAY_BE_SECRET, SHELL, Step
from octossh.model.steps.fields import env_pairs

__all__ = ["Evaluated", "RunScript"]


class Evaluated(str):
    """A script whose expressions have been evaluated: braces in it are only braces."""

    __slots__ = ()


@frozen(field_transformer=telling)
class RunScript(Step):
    """Run a POSIX sh script on the target.

    Each ``{{ }}`` in it becomes exactly one shell word, quoted as it needs; so it stands outside of quotes.
    ``octossh_output NAME VALUE`` in the script makes ``steps.<name>.outputs.NAME`` for later steps.

    Attributes:
        script: The text.
        env: Environment variables for it: text, numbers, or `octossh.secret`.
        reads_only: It changes nothing: a plan that only runs such scripts counts as "no changes".
    """

    kind: ClassVar[str] = "run_script"
    repeatable: ClassVar[bool] = False

    script: str = field(kw_only=True, validator=of(str), metadata=SHELL)
    env: Pairs[str | SecretRef] = field(factory=Pairs, kw_only=True, converter=env_pairs, metadata=MAY_BE_SECRET)
    reads_only: bool = field(default=False, kw_only=True, validator=of(bool))

    @script.validator
    def _check_script(self, _attribute: object, script: str) -> None:
        if "\0" in script or "\r" in script:
            raise ModelError(f"RunScript {self.name!r}: the script holds a NUL or a carriage return; take it out")
        if not isinstance(script, Evaluated) and (line := _quoted_expression(script)):
            raise ModelError(
                f"RunScript {self.name!r}: in line {line} an expression stands inside quotes; each {{{{ }}}} is "
                "quoted already, so close the quotes before it, or add '| raw' to take the text as it is"
            )


_RAW = re.compile(r"\{%-?\s*raw\s*-?%\}.*?\{%-?\s*endraw\s*-?%\}", re.DOTALL)
_INSIDE = r"\{\{(?P<inside>.*?)\}\}"
_TOKENS = {
    "": re.compile(rf"{_INSIDE}|\\.|(?<![^\s;&|(])#[^\n]*|(?P<mark>['\"])", re.DOTALL),
    "'": re.compile(rf"{_INSIDE}|(?P<mark>')", re.DOTALL),  # a backslash is only a backslash there
    '"': re.compile(rf'{_INSIDE}|\\.|(?P<mark>")', re.DOTALL),
}


def _quoted_expression(script: str) -> int:
    """The number of the first line in which ``{{`` stands inside quotes, or 0. A quote in a heredoc counts as one."""
    script = _RAW.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), script)
    quote, start = "", 0
    while found := _TOKENS[quote].search(script, start):
        inside = found["inside"]
        if inside is not None and quote and not re.search(r"\|\s*raw\s*$", inside):
            return script.count("\n", 0, found.start()) + 1
        if found["mark"]:
            quote = "" if quote else found["mark"]
        start = found.end()
    return 0
