"""Timings of octossh beside others, as ratios within one run.

    ./dev bench deploy [--hosts 1,10] [--rtt 0,50] [--rounds 5] [--only ssh,octossh] [--against COMMIT] [--write]
    ./dev bench choosing [--rounds 5]

*deploy*: one network, one volume and one container (a port, three variables, a restart policy) on each host of a lab.
*fresh*: only the images are there; *no-op*: once more; *change*: another version of the image. Every run is a new
process with new connections, but for the ways called warm. The ways take turns on the same hosts, so that the
machine's noise is in all of them: what counts is the ratio to the first one. ``--against`` adds octossh as it was
at another commit.

*choosing*: one of 100,000 tags, beside reading and sorting as many versions with packaging; it needs no hosts.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import deploying
import ways
from test_versions_speed import beside_packaging


def numbers(text: str) -> list[float]:
    return [float(number) for number in text.split(",")]


def names(text: str) -> list[str]:
    for name in text.split(","):
        if name not in ways.WAYS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(ways.WAYS)}")
    return text.split(",")


def deploy(given: argparse.Namespace) -> None:
    only = list(given.only)
    if given.against:
        ways.Before.commit = given.against
        only += ["before"]
    elif "before" in only:
        sys.exit("bench: before what? Give --against COMMIT")
    for hosts in given.hosts:
        for block in deploying.measure(int(hosts), given.rtt, given.rounds, only):
            deploying.show(block)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="./dev bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = parser.add_subparsers(required=True)
    one = kinds.add_parser("deploy", help="octossh and its peers")
    one.add_argument("--hosts", type=numbers, default=[1, 10], help="such as 1,10,50")
    one.add_argument("--rtt", type=numbers, default=[0, 50], help="round-trip times in ms, such as 0,50,200")
    one.add_argument("--rounds", type=int, default=5)
    one.add_argument(
        "--only", type=names, default=[name for name in ways.WAYS if name != "before"], help="such as ssh,octossh"
    )
    one.add_argument("--against", metavar="COMMIT", help="octossh as it was there, too")
    one.set_defaults(act=deploy)
    one = kinds.add_parser("choosing", help="how fast tags are chosen")
    one.add_argument("--rounds", type=int, default=5)
    one.set_defaults(act=lambda given: beside_packaging(given.rounds, scheme="dotted"))
    given = parser.parse_args()
    given.act(given)


if __name__ == "__main__":
    main()
