"""The store of the one who deploys vanishes in the middle: hosts get what they were to get, and it is told later."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from functools import partial

import shops
from integration.faults.grounds import NEW, Fault, Ground

import octossh as oc


def removed(ground: Ground) -> None:
    """Its file is removed."""
    for path in ground.folder.glob("octossh.db*"):
        path.unlink()


def mounted(options: str) -> Callable[[Ground], None]:
    def mount(ground: Ground) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", ground.folder], check=True)

    return mount


def filled(ground: Ground) -> None:
    """Its disk is full."""
    with (ground.folder / "ballast").open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            return


def emptied(ground: Ground) -> None:
    (ground.folder / "ballast").unlink()


def vanishes(strike: Callable[[Ground], None], mend: Callable[[Ground], None], ground: Ground) -> None:
    """It goes while a container is being replaced: the deployment comes to its end, and is known when it is back."""
    steps = [ground.web(), oc.RunScript("last", script="echo done >/tmp/last")]
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", ground.folder], check=True)
    try:
        ground.stand(*steps)
        ground.sh("rm /tmp/last")
        with ground.space(*steps, on_event=shops.when("replacing", lambda: strike(ground))) as space:
            ended = ground.deploy(space, NEW)
        assert ended.ok, str(ended)
        assert ground.sh("cat /tmp/last") == "done\n"
        mend(ground)
        newest = ground.holds(*steps, stood=True)
        if newest is not None:
            assert (newest.id, newest.state) == (ended.id, oc.State.SUCCEEDED)
        else:
            # The new store knows nothing of the release, so what was kept of the deployment is in its chain alone.
            assert strike is removed
            with ground.space(*steps) as space:
                assert ended.id in str([entry.data for entry in space.audit()])
        ground.settles(*steps)
    finally:
        subprocess.run(["umount", "-l", ground.folder], check=True)


CASES: dict[str, Fault] = {
    "the store is removed": partial(vanishes, removed, lambda _ground: None),
    "the store becomes read-only": partial(vanishes, mounted("ro"), mounted("rw")),
    "the disk of the store fills up": partial(vanishes, filled, emptied),
}
