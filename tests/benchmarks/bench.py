"""Timings of octossh beside others, as ratios within one run.

    ./dev bench deploy [--hosts 1,10] [--rtt 0,50] [--rounds 5] [--only ssh,octossh] [--against COMMIT] [--write]
    ./dev bench thin [--hosts 200] [--rtt 50] [--rounds 3] [--write]
    ./dev bench fleet [--hosts 100,1000,10000] [--parallel 64] [--write]
    ./dev bench pure [--against COMMIT] [--most 1.05] [--write]
    ./dev bench overlap [--rounds 5] [--write]
    ./dev bench store [--scale 0.02] [--write]
    ./dev bench cold [--rounds 5] [--against COMMIT] [--write]
    ./dev bench choosing [--rounds 5]
    ./dev bench page [--minutes 15]
    ./dev bench pages

*deploy*: one network, one volume and one container (a port, three variables, a restart policy) on each host of a lab.
*fresh*: only the images are there; *no-op*: once more; *change*: another version of the image. Every run is a new
process with new connections, but for the ways called warm. The ways take turns on the same hosts, so that the
machine's noise is in all of them: what counts is the ratio to the first one. ``--against`` adds octossh as it was
at another commit.

*thin*: a file with some text on each of many hosts, beside as many ssh at once. *fleet*: simulated hosts: time,
memory, threads, descriptors. *pure*: instructions of Python for planning, rendering and choosing, beside those that the
page shows, or those of another commit; it ends with 1 where one takes more than ``--most`` times as many. *overlap*: what
waits for the pulls of other hosts and for a registry. *store*: how long a store of so much of 200,000 deployments takes
to answer, in SQLite and in PostgreSQL. *cold*: time, CPU, memory and modules of a new process that imports octossh,
prints its help, or deploys to hosts that answer at once. *choosing*: one of 100,000 tags, beside reading and sorting as
many versions with packaging. The last six need no lab.

``--write`` puts the figures into docs/performance/, as JSON, as tables that a page includes, and as plots. *page*
measures all that docs/performance.rst shows, in half an hour of a machine that does nothing else, or what fits into so
many minutes, the most important first. It writes after each part; what is broken off leaves the rest as it was.
*pages* makes tables and plots anew of the figures that are there.
"""

from __future__ import annotations

import argparse
import math
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import counting
import deploying
import fleets
import overlapping
import starting
import stores
import ways
from pages import Figures
from test_versions_speed import beside_packaging

# What the page shows, the most important first, and the minutes that it takes on two cores that do nothing else.
QUICK = "ssh,octossh,fabric,ssh warm,octossh warm,pyinfra"
PAGE = {
    "pure": 0.5,
    "cold": 0.5,
    "overlap": 0.2,
    "store": 1,
    "deploy --hosts 10 --rtt 50 --rounds 3": 9,
    "deploy --hosts 10 --rtt 0,200 --rounds 3 --only ssh,octossh,pyinfra": 4,
    f"deploy --hosts 1 --rtt 50 --rounds 3 --only '{QUICK},ansible,kamal'": 3.5,
    "thin --hosts 10 --rounds 2": 0.5,
    "thin --hosts 200 --rounds 2": 2.5,
    "fleet --hosts 100,1000,10000": 2,
    # No aim is held against what follows.
    f"deploy --hosts 1 --rtt 0,200 --rounds 1 --only '{QUICK}'": 2,
    "deploy --hosts 50 --rtt 50 --rounds 1 --only ssh,octossh": 3.5,
}


def numbers(text: str) -> list[float]:
    return [float(number) for number in text.split(",")]


def names(text: str) -> list[str]:
    for name in text.split(","):
        if name not in ways.WAYS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(ways.WAYS)}")
    return text.split(",")


def now() -> dict[str, Any]:
    """What a block says of itself: the commit, and how busy the machine is."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ways.ROOT, check=True, capture_output=True, text=True).stdout.strip()

    # What this writes into docs changes nothing of what is measured.
    changed = "-dirty" if git("status", "--porcelain", "octossh") else ""
    return {"commit": git("rev-parse", "--short", "HEAD") + changed, "load": round(os.getloadavg()[0], 1)}


def keep(given: argparse.Namespace, kind: str, key: str, said: Any) -> None:
    if given.write:
        Figures().put(kind, key, said)


def deploy(given: argparse.Namespace) -> None:
    only = list(given.only)
    if given.against:
        ways.Before.commit = given.against
        only += ["before"]
    elif "before" in only:
        sys.exit("bench: before what? Give --against COMMIT")
    for hosts in given.hosts:
        about = now()
        for block in deploying.measure(int(hosts), given.rtt, given.rounds, only):
            deploying.show(block)
            keep(given, "deploy", f"{hosts:g} {block['rtt_ms']:g}", block | about)


def thin(given: argparse.Namespace) -> None:
    for hosts in given.hosts:
        for rtt_ms in given.rtt:
            about = now()
            block = fleets.thin(int(hosts), rtt_ms, given.rounds)
            keep(given, "thin", f"{hosts:g} {rtt_ms:g}", block | about)


def fleet(given: argparse.Namespace) -> None:
    about = now()
    for run in fleets.simulated([int(hosts) for hosts in given.hosts], given.parallel):
        keep(given, "fleet", f"{run['hosts']} {run['parallel']}", run | about)


def pure(given: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        if given.against:
            ways.unpack(given.against, Path(folder))
        kept = Figures().all.get("pure", {}).get("all", {})
        found, most = counting.show(ways.ROOT, Path(folder) if given.against else None, kept)
    if given.write:
        about = now()
        keep(given, "pure", "all", found | about)
        keep(given, "pure", "large", {work: counting.seconds(work) for work in ("planning", "rendering")} | about)
    elif most > given.most:
        sys.exit(f"bench: {most:.3f} times as many instructions, more than {given.most:g}; if so it shall be: --write")


def overlap(given: argparse.Namespace) -> None:
    about = now()
    said = overlapping.measure(given.rounds)
    overlapping.show(said)
    keep(given, "overlap", "all", said | about)


def store(given: argparse.Namespace) -> None:
    about = now()
    for database, said in stores.measure(given.scale):
        stores.show(database, said)
        keep(given, "store", f"{database} {given.scale:g}", said | about)


def page(given: argparse.Namespace) -> None:
    """Each by itself: one that fails takes no other one along."""
    failed, end = [], time.monotonic() + given.minutes * 60
    for words, minutes in PAGE.items():
        if minutes * 60 > end - time.monotonic():
            print(f"bench: left as it was: {words}", flush=True)
            continue
        print(f"bench: {words} (about {minutes:g} min)", flush=True)
        if subprocess.run([sys.executable, __file__, *shlex.split(words), "--write"], check=False).returncode:
            failed.append(words)
    if failed:
        sys.exit(f"bench: not measured: {'; '.join(failed)}")


def cold(given: argparse.Namespace) -> None:
    about = now()
    with tempfile.TemporaryDirectory() as folder:
        if given.against:
            ways.unpack(given.against, Path(folder))
        found = starting.measure(ways.ROOT, Path(folder) if given.against else None, given.rounds)
    keep(given, "cold", "all", {"works": found} | about)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="./dev bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = parser.add_subparsers(required=True, metavar="KIND")
    one = kinds.add_parser("deploy", help="octossh and its peers")
    one.add_argument("--hosts", type=numbers, default=[1, 10], help="such as 1,10,50")
    one.add_argument("--rtt", type=numbers, default=[0, 50], help="round-trip times in ms, such as 0,50,200")
    one.add_argument("--rounds", type=int, default=5)
    every = [name for name in ways.WAYS if name != "before"]
    one.add_argument("--only", type=names, default=every, help="such as ssh,octossh")
    one.add_argument("--against", metavar="COMMIT", help="octossh as it was there, too")
    one.set_defaults(act=deploy)
    one = kinds.add_parser("thin", help="many hosts of the lab")
    one.add_argument("--hosts", type=numbers, default=[200])
    one.add_argument("--rtt", type=numbers, default=[50])
    one.add_argument("--rounds", type=int, default=3)
    one.set_defaults(act=thin)
    one = kinds.add_parser("fleet", help="simulated hosts")
    one.add_argument("--hosts", type=numbers, default=[100, 1000, 10_000])
    one.add_argument("--parallel", type=int, default=64)
    one.set_defaults(act=fleet)
    one = kinds.add_parser("pure", help="instructions of what needs no host")
    one.add_argument("--against", metavar="COMMIT", help="octossh as it was there, too")
    one.add_argument("--most", type=float, default=1.05, help="times as many instructions")
    one.set_defaults(act=pure)
    one = kinds.add_parser("overlap", help="what goes on beside each other")
    one.add_argument("--rounds", type=int, default=5)
    one.set_defaults(act=overlap)
    one = kinds.add_parser("store", help="large stores")
    one.add_argument("--scale", type=float, default=0.02, help="1: 200,000 deployments; a quarter of an hour and 12 GB")
    one.set_defaults(act=store)
    one = kinds.add_parser("cold", help="a new process, without hosts")
    one.add_argument("--rounds", type=int, default=5)
    one.add_argument("--against", metavar="COMMIT", help="octossh as it was there, too")
    one.set_defaults(act=cold)
    for one in kinds.choices.values():
        one.add_argument("--write", action="store_true", help="into docs/performance/")
    one = kinds.add_parser("choosing", help="how fast tags are chosen")
    one.add_argument("--rounds", type=int, default=5)
    one.set_defaults(act=lambda given: beside_packaging(given.rounds, scheme="dotted"))
    one = kinds.add_parser("page", help="all that the page on performance shows")
    one.add_argument("--minutes", type=float, default=math.inf, help="what fits into these, the most important first")
    one.set_defaults(act=page)
    one = kinds.add_parser("pages", help="tables and plots of the figures that are there")
    one.set_defaults(act=lambda given: Figures().write())
    given = parser.parse_args()
    given.act(given)


if __name__ == "__main__":
    main()
