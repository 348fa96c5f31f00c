"""The values for ``run_script.sh.j2``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from octossh.errors import ModelError
from octossh.model import RunScript
from octossh.rendering.orders import Env, label_options
from octossh.rendering.pulls import pulling

if TYPE_CHECKING:
    from octossh.rendering.orders import Order, Secrets

__all__ = ["run_script"]

# What the interpreters are started with: it stands in a command line, so nothing of the script is in it. The nonce and
# the script come on standard input. What the script says goes to the log; outputs go to the answer, and secret ones
# into the log too, so that they are known before any line behind them: of a long log, that place may not be kept.
_SHELL = r"""IFS= read -r octossh_nonce
octossh_text=$(cat)
exec 3>&1 4>&2 1>&2 </dev/null
octossh_output() {
    octossh_kind=output
    [ "${1-}" != --secret ] || { octossh_kind=secret; shift; }
    case ${1-} in
        "" | *[!A-Za-z0-9_]*)
            echo "octossh: octossh_output: ${1-} is no name; use letters, digits and _" >&2
            return 1
            ;;
    esac
    octossh_value=$(if [ "$#" -gt 1 ]; then printf %s "$2"; else cat; fi | head -c 1048577 | base64 | tr -d "\n")
    octossh_value="##octossh $octossh_nonce $octossh_kind $1 $octossh_value"
    [ "$octossh_kind" = output ] || printf "%s\n" "$octossh_value" >&4
    printf "%s\n" "$octossh_value" >&3
}
eval "$octossh_text"
"""
_PYTHON = r"""import base64, os, re, sys
def begin():
    nonce, _, text = sys.stdin.buffer.read().partition(b"\n")
    answer, log = os.fdopen(os.dup(1), "wb"), os.fdopen(os.dup(2), "wb")
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    def octossh_output(name, value, secret=False):
        if not re.fullmatch("[A-Za-z0-9_]+", name):
            raise ValueError("octossh_output: %r is no name; use letters, digits and _" % (name,))
        data = value if isinstance(value, bytes) else str(value).encode()
        kind = b"secret" if secret else b"output"
        for to in (log, answer) if secret else (answer,):
            to.write(b" ".join([b"##octossh", nonce, kind, name.encode(), base64.b64encode(data[:1048577])]) + b"\n")
            to.flush()
    return text, {"__name__": "__main__", "octossh_output": octossh_output}
text, names = begin()
exec(compile(text, "script", "exec"), names)
"""
_WORDS = {"sh": ["sh", "-c", _SHELL], "bash": ["bash", "-c", _SHELL], "python3": ["python3", "-u", "-c", _PYTHON]}


def run_script(order: Order, secrets: Secrets) -> dict[str, Any]:
    """What the template needs besides what all templates get."""
    step, wanted = order.step, order.wanted
    assert isinstance(step, RunScript)
    env = Env(step.env, secrets)
    if env.lines:
        raise ModelError(
            f"step {step.name!r}: the shell itself uses the variable {env.lines[0][0]!r}; choose another name"
        )
    options: list[str] = []
    name = f"{wanted.name}--{order.deployment}" if wanted is not None else ""
    if wanted is not None:
        options = ["--name", name, *label_options(order, wanted, {})]
        options += ["--network", step.network] if step.network else []
        options += [word for name, _ in env.exported for word in ("--env", name)]
    return {
        "script": step.script,
        "shell": step.shell,
        "words": _WORDS[step.shell],
        "name": name,
        "options": options,
        "exported": env.exported,
        "changed": "no" if step.reads_only else "yes",
        "needs_docker": step.image is not None,
        "on_host": step.where == "host",
        **pulling(order, secrets),
    }
