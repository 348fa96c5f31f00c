"""`PutFile`: keep a file on a host."""

from __future__ import annotations

import posixpath
import re
from typing import Any, ClassVar

from attrs import field, frozen

from octossh.errors import ModelError
from octossh.model._values import checked, telling, words
from octossh.model.secrets import SecretRef
from octossh.model.steps.base import MAY_BE_SECRET, Step
from octossh.model.steps.fields import check_content, check_plain, matching
from octossh.templating import has_expression

__all__ = ["PutFile"]

_LONGEST_NAME = 200  # bytes; Linux takes 255, and beside the file stand others with longer names for a moment


def _check_path(path: str) -> None:
    if not path.startswith("/"):
        raise ModelError(f"{path!r} is not an absolute path; begin it with '/'")
    if re.search(r"[\x00-\x1f\x7f]", path):
        raise ModelError(f"{path!r} holds a control character; take it out")
    if posixpath.normpath(path) != path or path == "/" or path.startswith("//"):
        raise ModelError(f"{path!r} is not a plain path; write it without '.', '..', '//' and '/' at its end")
    if len(posixpath.basename(path).encode(errors="replace")) > _LONGEST_NAME or len(path) > 4000:
        raise ModelError(f"{path[:60]!r}... is too long; the name of a file takes {_LONGEST_NAME} bytes here")


def _mode(value: Any) -> Any:
    if isinstance(value, bool | int):
        raise ModelError(f"{value!r} is a number, and a mode is text in octal; write mode='0644'")
    return value


_check_mode = matching(r"[0-7]{3,4}", "a mode; write it in octal, such as '0644'")
_check_owner = matching(r"[a-zA-Z0-9_][a-zA-Z0-9_.@\\-]*\$?", "a user or a group; give its name or number")


def _owner(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _command(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    made = words(value)
    if not made:
        raise ModelError("the command is empty; write a list such as ['nginx', '-t'], or leave it out")
    return made


@frozen(field_transformer=telling)
class PutFile(Step):
    """Keep a file on a host.

    Content, mode and owner are compared on the host, and only a file that differs is written: beside its place first,
    so that whoever opens the path finds the old file or the new one, and after a power cut too. Then the user who
    logs in has to be allowed to write in that folder. What is no plain file there, such as a link or a folder, is
    left alone, and the step fails.

    ``steps.<name>.outputs.changed`` is ``yes`` or empty. ``steps.<name>.inspect`` has ``Name``, ``Mode``, ``Uid``,
    ``Gid`` and ``Version``: of the content the SHA-256, of a secret a fingerprint.

    A step that is taken out of the process leaves its file where it is.

    Attributes:
        path: Absolute.
        content: Text, such as that of `octossh.read_text`, with at most 1 MiB; or `octossh.secret`. It is written as
            it is: a file mostly ends with a line break.
        mode: In octal.
        owner: Name or number of the user. None: who owns it already, or else who logs in.
        group: Likewise.
        folder_mode: Of the folders on the way that are not there.
        validate: A command that looks at the new file before it takes its place; ``{}`` in it stands for its path
            until then. Without ``{}`` it runs when the file is in its place. If it fails, so does the step, and the
            old file stays or is put back.
        reload: A command that runs after a change. If it fails, the old file is put back, and it runs once more.
    """

    kind: ClassVar[str] = "put_file"
    keeps: ClassVar[str] = "file"

    path: str = field(validator=checked(_check_path))
    content: str | SecretRef = field(kw_only=True, repr=False, metadata=MAY_BE_SECRET)
    mode: str = field(default="0644", kw_only=True, converter=_mode, validator=checked(_check_mode))
    owner: str | None = field(
        default=None, kw_only=True, converter=_owner, validator=checked(_check_owner, optional=True)
    )
    group: str | None = field(
        default=None, kw_only=True, converter=_owner, validator=checked(_check_owner, optional=True)
    )
    folder_mode: str = field(default="0755", kw_only=True, converter=_mode, validator=checked(_check_mode))
    validate: tuple[str, ...] | None = field(
        default=None, kw_only=True, converter=_command, validator=checked(check_plain, optional=True)
    )
    reload: tuple[str, ...] | None = field(
        default=None, kw_only=True, converter=_command, validator=checked(check_plain, optional=True)
    )

    @content.validator
    def _check_content(self, _attribute: object, content: object) -> None:
        where = f"PutFile {self.name!r}, field content"
        if isinstance(content, SecretRef):
            return
        if not isinstance(content, str):
            raise ModelError(f"{where}: a {type(content).__name__} is neither text nor octossh.secret(...)")
        try:
            check_content(content)
        except ModelError as error:
            raise ModelError(f"{where}: {error}") from None

    def __attrs_post_init__(self) -> None:
        if not has_expression(self.folder_mode) and not int(self.folder_mode, 8) & 0o700 == 0o700:
            raise ModelError(
                f"PutFile {self.name!r}, field folder_mode: {self.folder_mode!r} shuts out its owner; "
                "give at least '0700'"
            )

    @property
    def given_name(self) -> str | None:
        """The path."""
        return self.path
