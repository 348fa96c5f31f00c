"""Folders, files, commands and keyrings that have the values of secrets."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from attrs import field, frozen

from octossh.errors import ModelError
from octossh.keyrings import ask_keyring

__all__ = [
    "CommandSecrets",
    "FileSecrets",
    "FolderSecrets",
    "KeyringSecrets",
]


def _read(path: Path, what: str) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ModelError(f"{what} {path} cannot be read ({error.strerror}); see who may") from None
    except UnicodeDecodeError:
        raise ModelError(f"{what} {path} is not text in UTF-8; a secret is text") from None


@frozen
class FolderSecrets:
    """One file for each secret, named as it is: as Docker, Kubernetes and systemd hand secrets out.

    The value is the text of the file without the line break at its end.

    Attributes:
        folder: Such as ``/run/secrets`` or ``$CREDENTIALS_DIRECTORY``.
    """

    folder: str | Path

    def __call__(self, name: str) -> str | None:
        """The value of the secret *name*; None if it has no file.

        Raises:
            ModelError: The file cannot be read, or the name leads out of the folder.
        """
        if any(part in {"", ".", ".."} for part in name.split("/")):
            raise ModelError(f"the secret {name!r} is no name of a file below {self.folder}; give it another name")
        value = _read(Path(self.folder).expanduser() / name, "the secret's file")
        return None if value is None else value.removesuffix("\n")


_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_.]*)\s*=\s*(.*)", re.DOTALL)


@frozen
class FileSecrets:
    """A file with a line ``NAME=value`` for each secret.

    Empty lines and those that begin with ``#`` do not count. Quotes around a value are taken off; nothing in it is
    expanded.

    Attributes:
        file: Its path. Who may read it is up to you: ``chmod 600``.
    """

    file: str | Path

    def __call__(self, name: str) -> str | None:
        """The value of the secret *name*; None if no line has it.

        Raises:
            ModelError: There is no such file, or it cannot be read.
        """
        path = Path(self.file).expanduser()
        text = _read(path, "the file of secrets")
        if text is None:
            raise ModelError(f"there is no file of secrets {path}; give another path")
        held: dict[str, str] = {}
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            found = _LINE.fullmatch(line.strip())
            if found is None:
                # The line is not shown: it may be the rest of a secret.
                raise ModelError(f"the file of secrets {path}, line {number}: this is not NAME=value; mend it")
            held[found[1]] = _unquoted(found[2])
        return held.get(name)


def _unquoted(value: str) -> str:
    quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value


def _words(value: Iterable[str]) -> tuple[str, ...]:
    words = () if isinstance(value, str) else tuple(value)
    if not words or not all(isinstance(word, str) for word in words):
        raise ModelError(f"the command {value!r} is no list of words; write ['pass', 'show', 'shop/{{name}}']")
    if not any("{name}" in word for word in words):
        raise ModelError(f"the command {' '.join(words)!r} does not say which secret; put {{name}} where its name goes")
    return words


@frozen
class CommandSecrets:
    """A command that prints the value of a secret: of a password manager, a cloud, or your own.

    It is not run by a shell. The value is what it prints, without the line break at its end.

    Attributes:
        command: Its words; ``{name}`` in them stands for the name of the secret.
        missing: Exit codes by which it says that there is no such secret. Every other one but 0 is an error.
        timeout_s: Seconds that it may take.
    """

    command: tuple[str, ...] = field(converter=_words)
    missing: tuple[int, ...] = field(default=(), kw_only=True, converter=tuple)
    timeout_s: float = field(default=60.0, kw_only=True)

    def __call__(self, name: str) -> str | None:
        """The value of the secret *name*; None if the command says that there is none.

        Raises:
            ModelError: The command is not there, failed, or took too long.
        """
        words = [word.replace("{name}", name) for word in self.command]
        shown = " ".join(words)
        program = shutil.which(words[0])
        if program is None:
            raise ModelError(f"secret {name!r}: there is no command {words[0]!r}; install it, or put it on the PATH")
        try:
            done = subprocess.run(  # noqa: S603  # no shell, and the words are the user's own
                [program, *words[1:]],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self.timeout_s,
                check=False,
            )
            value = done.stdout.decode().removesuffix("\n")
        except subprocess.TimeoutExpired:
            raise ModelError(
                f"secret {name!r}: {shown!r} took longer than {self.timeout_s:g} s; run it by hand to see why"
            ) from None
        except OSError as error:
            raise ModelError(f"secret {name!r}: {shown!r} cannot be started: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ModelError(f"secret {name!r}: {shown!r} printed what is not text in UTF-8") from None
        if done.returncode in self.missing:
            return None
        if done.returncode:
            # What it printed is not shown: it may hold what nobody should see.
            raise ModelError(
                f"secret {name!r}: {shown!r} failed with exit code {done.returncode}; run it by hand to see why"
            )
        return value


@frozen
class KeyringSecrets:
    """The keyring of the system; it needs ``pip install 'octossh[keyring]'``.

    Attributes:
        service: Under which the secrets are filed: ``keyring set SERVICE NAME`` puts one there.
    """

    service: str

    def __call__(self, name: str) -> str | None:
        """The value of the secret *name*; None if the keyring has none.

        Raises:
            ModelError: The keyring cannot be asked.
        """
        return ask_keyring(self.service, name)
