"""Where the values of secrets come from: folders, files, commands, keyrings, one after the other."""

from __future__ import annotations

from octossh.lazily import lazily

with lazily(globals()):
    from octossh.vaults.finding import SecretSource, find_secret, sources_of
    from octossh.vaults.sources import CommandSecrets, FileSecrets, FolderSecrets, KeyringSecrets

__all__ = [
    "CommandSecrets",
    "FileSecrets",
    "FolderSecrets",
    "KeyringSecrets",
    "SecretSource",
    "find_secret",
    "sources_of",
]
