"""`RunScript`: run a script of the user's own."""

from __future__ import annotations

import re
from typing import ClassVar

from attrs import field, frozen
from attrs.validators import optional

from octossh.errors import ModelError
from octossh.model._values import Pairs, checked, of, telling
from octossh.model.images import Image
from octossh.model.secrets import SecretRef
from octossh.model.steps.base import LITERAL, MAY_BE_SECRET, SHELL, Evaluated, Step, check_controller
from octossh.model.steps.fields import check_idle, check_place, env_pairs, matching, seconds

__all__ = ["RunScript"]


_NETWORK = matching(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*(:[a-zA-Z0-9][a-zA-Z0-9_.-]*)?", "a network, or container:NAME")
_HALVES = re.compile("[\ud800-\udfff]")
_LOST = ("continue", "abort")
_SHELLS = ("sh", "bash", "python3")


@frozen(field_transformer=telling)
class RunScript(Step):
    """Run a script: on each target, in a container there, or on the machine that deploys.

    Each ``{{ }}`` in it becomes exactly one shell word, quoted as it needs, or in Python one literal; so it stands
    outside of quotes. ``octossh_output NAME VALUE`` in the script makes ``steps.<name>.outputs.NAME`` for later
    steps; ``octossh_output NAME <file`` takes any bytes, and ``octossh_output --secret NAME VALUE`` gives a secret.
    In Python it is a function, ``octossh_output(name, value, secret=False)``. A value has at most 1 MiB.

    Nothing of the script stands in a command line or on a disk. Its standard input is empty.

    Attributes:
        script: The text.
        shell: ``sh``, ``bash`` or ``python3``. Where it is not there, nothing runs.
        env: Environment variables for it: text, numbers, or `octossh.secret`.
        where: ``host``; or ``controller``: here, once, by the user who deploys. There it sees PATH, HOME, USER,
            LOGNAME, LANG, TMPDIR and ``env``, and starts in the home folder.
        image: Run it in a new container of this image, which is removed afterwards; by the digest that the release
            pins. The shell has to be in the image; the image's entrypoint is not used.
        network: Of that container: a name, ``host``, ``none`` or ``container:NAME``.
        reads_only: It changes nothing: a plan that only runs such scripts counts as "no changes".
        on_lost_link: What becomes of it on a target when the link is lost: it goes on by itself (``continue``), and
            octossh comes back for it; or all its processes are ended (``abort``), and its container with them, once
            the sshd there sees that the link is gone, be it one by which octossh had come back.
        idle_timeout_s: Seconds for which it may print nothing on a target. Then all its processes are ended, its
            container with them, and it has failed. While the link is lost, this does not run. None: ``timeout_s``
            alone counts.
    """

    kind: ClassVar[str] = "run_script"
    repeatable: ClassVar[bool] = False

    script: str = field(kw_only=True, validator=of(str), metadata=SHELL)
    shell: str = field(default="sh", kw_only=True, metadata=LITERAL)
    env: Pairs[str | SecretRef] = field(factory=Pairs, kw_only=True, converter=env_pairs, metadata=MAY_BE_SECRET)
    where: str = field(default="host", kw_only=True, validator=checked(check_place), metadata=LITERAL)
    image: Image | None = field(default=None, kw_only=True, validator=of(Image, optional=True))
    network: str | None = field(default=None, kw_only=True, validator=checked(_NETWORK, optional=True))
    reads_only: bool = field(default=False, kw_only=True, validator=of(bool))
    on_lost_link: str = field(default="continue", kw_only=True, metadata=LITERAL)
    idle_timeout_s: float | None = field(default=None, kw_only=True, validator=optional(seconds))

    @shell.validator
    def _check_shell(self, _attribute: object, shell: object) -> None:
        if shell not in _SHELLS:
            raise ModelError(f"RunScript {self.name!r}: shell {shell!r} is none of {', '.join(_SHELLS)}")

    def __attrs_post_init__(self) -> None:
        if "\0" in self.script or "\r" in self.script:
            raise ModelError(f"RunScript {self.name!r}: the script holds a NUL or a carriage return; take it out")
        if _HALVES.search(self.script):
            raise ModelError(f"RunScript {self.name!r}: the script holds half of a surrogate pair; take it out")
        if not isinstance(self.script, Evaluated) and (line := _quoted_expression(self.script, self.language)):
            raise ModelError(
                f"RunScript {self.name!r}: in line {line} an expression stands inside quotes; each {{{{ }}}} is "
                "quoted already, so close the quotes before it, or add '| raw' to take the text as it is"
            )
        check_controller(self, self.where)
        if self.on_lost_link not in _LOST:
            lost = self.on_lost_link
            raise ModelError(f"RunScript {self.name!r}: on_lost_link {lost!r} is none of {', '.join(_LOST)}")
        if self.idle_timeout_s is not None and self.where == "controller":
            raise ModelError(
                f"RunScript {self.name!r}: idle_timeout_s is for scripts on targets; give timeout_s on the controller"
            )
        check_idle(self, self.idle_timeout_s)
        if self.network is not None and self.image is None:
            raise ModelError(f"RunScript {self.name!r}: only a container has a network; add image=..., or leave it out")

    @property
    def runs_on(self) -> str:
        """``each`` of its targets, or the ``controller``."""
        return "controller" if self.where == "controller" else "each"

    @property
    def makes(self) -> str:
        """A container, for as long as it runs, where it has an image."""
        return "container" if self.image is not None else ""

    @property
    def language(self) -> str:
        """``shell`` or ``python``."""
        return "python" if self.shell == "python3" else "shell"


_RAW = re.compile(r"\{%-?\s*raw\s*-?%\}.*?\{%-?\s*endraw\s*-?%\}", re.DOTALL)
_INSIDE = r"\{\{(?P<inside>.*?)\}\}"
_TOKENS = {
    "shell": {
        "": re.compile(rf"{_INSIDE}|\\.|(?<![^\s;&|(])#[^\n]*|(?P<mark>['\"])", re.DOTALL),
        "'": re.compile(rf"{_INSIDE}|(?P<mark>')", re.DOTALL),  # a backslash is only a backslash there
        '"': re.compile(rf'{_INSIDE}|\\.|(?P<mark>")', re.DOTALL),
    },
    "python": {
        "": re.compile(rf"{_INSIDE}|#[^\n]*|(?P<mark>'''|\"\"\"|['\"])", re.DOTALL),
        **{mark: re.compile(rf"{_INSIDE}|\\.|(?P<mark>{mark})", re.DOTALL) for mark in ("'''", '"""', "'", '"')},
    },
}


def _quoted_expression(script: str, language: str) -> int:
    """The number of the first line in which ``{{`` stands inside quotes, or 0. A quote in a heredoc counts as one."""
    script = _RAW.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), script)
    quote, start = "", 0
    while found := _TOKENS[language][quote].search(script, start):
        inside = found["inside"]
        if inside is not None and quote and not re.search(r"\|\s*raw\s*$", inside):
            return script.count("\n", 0, found.start()) + 1
        if found["mark"]:
            quote = "" if quote else found["mark"]
        start = found.end()
    return 0
