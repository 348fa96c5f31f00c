"""Modules that are loaded when they are used: each test in a Python of its own."""

import subprocess
import sys

import pytest


def printed(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


HEAD = "import sys; from octossh.transport.delaying import put_off; put_off('invoke'); import octossh.transport.links;"


@pytest.mark.slow
def test_paramiko_is_loaded_without_what_it_does_not_use_here():
    assert printed(HEAD + "print([n for n in ('fabric', 'invoke.runners', 'asyncio') if n in sys.modules])") == "[]"


@pytest.mark.slow
def test_whoever_uses_it_has_all_of_it():
    assert printed(HEAD + "from invoke import Context; print(Context().run('echo yes', hide=True).stdout)") == "yes"
    assert printed(HEAD + "import invoke; put_off('invoke'); print(invoke.run('echo yes', hide=True).stdout)") == "yes"
    code = (
        "from paramiko import SSHConfig; asked = SSHConfig.from_text('Match exec \"true\"\\n User deploy\\n');"
        "print(asked.lookup('h01')['user'])"
    )
    assert printed(HEAD + code) == "deploy"


def test_what_is_not_there_is_missed_when_it_is_imported():
    code = "from octossh.transport.delaying import put_off\nput_off('no_such_module')\ntry:\n import no_such_module\nexcept ImportError: print('missed')"
    assert printed(code) == "missed"
