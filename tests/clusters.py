"""A real PostgreSQL of our own: a private cluster in a temporary directory, on a socket there, gone afterwards."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

_names = itertools.count()

_GUARD = """cat; kill -s QUIT "$(head -n 1 "$1/data/postmaster.pid")" 2>/dev/null; rm -rf "$1" """


def binaries() -> Path | None:
    """Where Debian has the server's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    return found[-1].parent if found else None


def _parent(stat: Path) -> str:
    try:
        return stat.read_text().rpartition(") ")[2].split()[1]
    except OSError:
        return ""  # it has ended


class Cluster:
    """One server that runs as a user without rights.

    Args:
        folder: Empty; for its data and its socket.
        settings: More lines for postgresql.conf.
    """

    def __init__(self, folder: Path, *settings: str) -> None:
        where = binaries()
        assert where is not None
        self.binaries, self.folder = where, folder
        self.data = folder / "data"
        self.user = "postgres" if os.getuid() == 0 else None
        if self.user:
            shutil.chown(folder, self.user)
        self._run("initdb", "--auth=trust", "--username=octossh", "--no-sync", "--encoding=UTF8", "-D", self.data)
        lines = [
            "listen_addresses = ''",
            f"unix_socket_directories = '{folder}'",
            "max_connections = 100",
            *settings,
        ]
        with (self.data / "postgresql.conf").open("a") as file:
            file.write("\n".join(lines) + "\n")

    def start(self) -> None:
        self._run("pg_ctl", "-D", self.data, "-l", self.folder / "log", "-w", "start")

    def stop(self, how: str = "immediate") -> None:
        """``immediate`` is as good as a crash: nothing is written any more, and links just end."""
        self._run("pg_ctl", "-D", self.data, "-m", how, "-w", "stop")

    def kill(self) -> None:
        """Send SIGKILL to the server and its children: one of these might still commit before it sees that it is gone."""
        server = (self.data / "postmaster.pid").read_text().split()[0]
        children = [found.parent.name for found in Path("/proc").glob("[0-9]*/stat") if _parent(found) == server]
        for process in (server, *children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGKILL)

    def start_again(self) -> None:
        """Start a server that was killed, once its children have seen that it is gone."""
        until = time.monotonic() + 30
        while True:
            try:
                return self.start()
            except AssertionError:
                assert time.monotonic() < until
                time.sleep(0.1)

    def _run(self, program: str, *arguments: object) -> None:
        done = subprocess.run(
            [self.binaries / program, *map(str, arguments)],
            user=self.user,
            group=self.user,
            extra_groups=[] if self.user else None,
            cwd="/",
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout

    def sql(self, *statements: str, url: str | None = None) -> None:
        """Run statements as the superuser, without triggers and without the checks of references."""
        with self.connection(url) as connection:
            for statement in statements:
                connection.execute(statement)

    @contextlib.contextmanager
    def connection(self, url: str | None = None) -> Iterator:
        import psycopg

        with psycopg.connect(url or self.url(), autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")
            yield connection

    def url(self, schema: str = "public") -> str:
        """The URL of a store in *schema*."""
        options = quote(f"-csearch_path={schema}")
        return f"postgresql://octossh@/postgres?host={quote(str(self.folder), safe='')}&options={options}"

    def place(self) -> str:
        """The URL of a store of its own that is empty."""
        name = f"s{next(_names)}"
        self.sql(f"CREATE SCHEMA {name}")
        return self.url(name)


@contextlib.contextmanager
def cluster(*settings: str) -> Iterator[Cluster]:
    """A cluster that runs, and goes with its folder at the end."""
    if binaries() is None:
        pytest.skip("Debian's package postgresql is not installed")
    folder = Path(tempfile.mkdtemp(prefix="octossh-pg-"))
    # It ends when its standard input does: so also where the tests are killed.
    with subprocess.Popen(["sh", "-c", _GUARD, "sh", folder], stdin=subprocess.PIPE, start_new_session=True):
        made = Cluster(folder, *settings)
        made.start()
        yield made
