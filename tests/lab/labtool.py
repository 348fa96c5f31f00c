#!/usr/bin/env python3
"""What lab.sh leaves to Python: choosing a subnet, watching the owner, the status report."""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import select
import subprocess
import sys
from pathlib import Path

MARK = "OCTOSSH_LAB_MARK"


def started(pid: int | str) -> str | None:
    """Return the start time of a process, or None when it is dead (a zombie is)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] in "ZX" else fields[19]


def watch(pid: int, start: str, command: list[str]) -> None:
    """Wait until that process ends, then become the command, without the lab's mark."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        pass
    else:
        if started(pid) == start:  # else the pid is another process's by now
            select.select([fd], [], [])
    env = {k: v for k, v in os.environ.items() if k != MARK}
    os.execvpe(command[0], command, env)


def routed() -> list[ipaddress.IPv4Network]:
    """Return the IPv4 nets that this machine has a route for."""
    out = subprocess.run(
        ["ip", "-4", "-j", "route", "show", "table", "all"], capture_output=True, text=True, check=True
    ).stdout
    nets = []
    for route in json.loads(out or "[]"):
        try:
            nets.append(ipaddress.IPv4Network(route["dst"], strict=False))
        except ValueError:
            continue  # "default"
    return [net for net in nets if net.prefixlen]


def subnet(base: Path, name: str) -> str:
    """Return the first two octets of a free /16: 10.77 for the lab named 'lab', if it can be."""
    theirs = {f.read_text().strip() for f in base.glob("*/net")}
    routes = routed()
    first = 77 if name == "lab" else 78
    # A route for the whole of 10.0.0.0/8 (a VPN) must not leave us without a net.
    for limit in (0, 8):
        taken = [net for net in routes if net.prefixlen > limit]
        for octet in [*range(first, 127), *range(64, first)]:
            net = ipaddress.IPv4Network(f"10.{octet}.0.0/16")
            if f"10.{octet}" not in theirs and not any(net.overlaps(other) for other in taken):
                return f"10.{octet}"
    raise SystemExit("lab: no net is free")


def pss_mb(pid: str) -> float:
    """Return the proportional memory of a process, in MB."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


def host_facts(triples: list[tuple[str, str, str]]) -> dict[str, dict[str, object]]:
    """Return what runs on each host, from (name, address, pid of its PID 1 or 0)."""
    children: dict[str, list[str]] = {}
    cpu: dict[str, float] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            children.setdefault(fields[1], []).append(entry.name)
            cpu[entry.name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    facts: dict[str, dict[str, object]] = {}
    for name, address, pid in triples:
        todo, mine = [pid] if pid != "0" else [], []
        while todo:
            mine.append(todo.pop())
            todo += children.get(mine[-1], [])
        facts[name] = {
            "address": address,
            "up": pid != "0",
            "pid": int(pid),
            "processes": len(mine),
            "pss_mb": round(sum(map(pss_mb, mine)), 1),
            "cpu_s": round(sum(cpu.get(p, 0.0) for p in mine), 1),
        }
    return facts


def read(path: Path) -> float | None:
    """Return the number in a file, None when there is none."""
    try:
        return float(path.read_text())
    except (OSError, ValueError):
        return None


def status(args: list[str], *, as_json: bool) -> None:
    """Print what a lab is and what runs in it."""
    name, state, folder, net, registry, owner, owner_alive, *rest = args
    hosts = host_facts(list(zip(rest[::3], rest[1::3], rest[2::3], strict=True)))
    facts = {
        "name": name,
        "status": state,  # up, down, or partial: an up is under way or was cut short
        "state": folder,
        "net": f"{net}.0.0/16" if net else None,
        "rtt_ms": read(Path(folder, "rtt")),
        "loss_pct": read(Path(folder, "loss")),
        "owner": {"pid": int(owner), "alive": owner_alive == "1"} if owner != "0" else None,
        "registry": {"address": f"{net}.0.2:5000", "processes": int(registry)} if net else None,
        "hosts": hosts,
    }
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    print(f"{name}: {state}")
    if state == "down":
        return
    print(f"net {facts['net']}, RTT {facts['rtt_ms']} ms, loss {facts['loss_pct']} %")
    print(f"registry {net}.0.2:5000: {registry} processes")
    if owner != "0":
        print(f"owner {owner}: {'alive' if owner_alive == '1' else 'dead'}")
    print(f"{'host':6}{'address':14}{'pid':>8}{'procs':>7}{'PSS MB':>9}{'CPU s':>8}")
    for host, f in hosts.items():
        row = f"{f['pid']:>8}{f['processes']:>7}{f['pss_mb']:>9}{f['cpu_s']:>8}" if f["up"] else "    DOWN"
        print(f"{host:6}{f['address']:14}{row}")


def main() -> None:
    """Run one of the three."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    p = commands.add_parser("watch", help="PID START COMMAND...")
    p.add_argument("pid", type=int)
    p.add_argument("start")
    p.add_argument("then", nargs=argparse.REMAINDER)
    p = commands.add_parser("subnet", help="BASE NAME")
    p.add_argument("base", type=Path)
    p.add_argument("name")
    p = commands.add_parser("status")
    p.add_argument("--json", action="store_true")
    p.add_argument("facts", nargs="*")
    args = parser.parse_args()
    if args.command == "watch":
        watch(args.pid, args.start, args.then)
    elif args.command == "subnet":
        print(subnet(args.base, args.name))
    else:
        status(args.facts, as_json=args.json)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
