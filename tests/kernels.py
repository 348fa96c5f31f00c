"""A real kernel of Jupyter for tests: cells are executed as a notebook does it, and interrupted as its button does."""

from __future__ import annotations

import contextlib
import os
import queue
import tempfile
from collections.abc import Callable, Mapping
from types import MappingProxyType
from unittest import mock

from environments import without_the_user
from jupyter_client.manager import KernelManager
from traitlets.config import Config

WAIT_S = 300  # a kernel loads much before it answers


class Kernel:
    """One kernel. It runs a cell, and gives its outputs as a notebook would keep them."""

    def __init__(self, manager: KernelManager) -> None:
        self._manager, self._client = manager, manager.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=WAIT_S)

    def interrupt(self) -> None:
        """As the button with the square does."""
        self._manager.interrupt_kernel()

    def run(self, code: str, moments: Mapping[str, Callable[[], object]] = MappingProxyType({})) -> list[dict]:
        """The outputs of a cell; as soon as each text of *moments* is to be seen, in order, what it names is called."""
        asked, outputs, wanted = self._client.execute(code), [], list(moments)
        while True:
            try:
                message = self._client.get_iopub_msg(timeout=WAIT_S)
            except queue.Empty:
                raise AssertionError(f"the kernel says nothing more; it has shown {outputs}") from None
            if message["parent_header"].get("msg_id") != asked:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                assert wanted == [], outputs
                return outputs
            if kind == "stream" and outputs and outputs[-1].get("name") == content["name"]:
                outputs[-1]["text"] += content["text"]  # a line and its end may come apart
            elif kind in {"display_data", "execute_result", "stream", "error"}:
                outputs.append({"kind": kind, **content})
            elif kind == "update_display_data":
                (place,) = [one for one in outputs if one.get("transient") == content["transient"]]
                place |= content
            if wanted and wanted[0] in str(content):
                moments[wanted.pop(0)]()

    def close(self) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)


@contextlib.contextmanager
def sockets():
    """Where kernels have sockets that are files, so that nobody else comes in: their paths must not be long."""
    with tempfile.TemporaryDirectory(prefix="octossh-kernel-", dir="/tmp") as folder:
        with mock.patch.dict(os.environ, JUPYTER_RUNTIME_DIR=folder):
            yield Config({"KernelManager": {"transport": "ipc", "ip": f"{folder}/socket"}})


@contextlib.contextmanager
def kernel():
    """A kernel of this Python that knows nothing of the user; gone in the end."""
    with sockets() as config, tempfile.TemporaryDirectory() as home:
        manager = KernelManager(config=config)
        manager.start_kernel(env=without_the_user(home))
        try:
            made = Kernel(manager)
            try:
                yield made
            finally:
                made.close()
        finally:
            manager.cleanup_resources()
