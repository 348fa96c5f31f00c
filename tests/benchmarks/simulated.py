"""simulated.py HOSTS PARALLEL DELAYS...: one deployment to simulated hosts, and what it took here, as JSON.

Each call of a host takes as long as one of the delays (seconds), drawn by chance from a fixed seed.
"""

import json
import random
import resource
import sys
import tempfile
import threading
import time
from pathlib import Path

import octossh as oc

count, parallel, delays = int(sys.argv[1]), int(sys.argv[2]), [float(text) for text in sys.argv[3:]]
chance = random.Random(7)
most = {"threads": 0, "descriptors": 0}
events = 0
over = threading.Event()
END = [oc.Frame("end", "succeeded ran yes ")]


def answer(_target: oc.Target, _script: oc.Script) -> list[oc.Frame]:
    time.sleep(chance.choice(delays))
    return END


def listen(_event: oc.Event) -> None:
    global events
    events += 1


def watch() -> None:
    while not over.wait(0.1):
        most["threads"] = max(most["threads"], threading.active_count() - 1)
        most["descriptors"] = max(most["descriptors"], sum(1 for _ in Path("/proc/self/fd").iterdir()))


def memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def deploy(hosts: int, folder: str) -> tuple[float, float]:
    """Seconds and CPU seconds of one deployment, and of nothing else."""
    with oc.Space(
        f"sqlite:///{folder}/{hosts}.db",
        projects=[
            oc.Project("bench", process=[oc.RunScript("one", script="true"), oc.RunScript("two", script="true")])
        ],
        targets=[oc.Target(f"h{number:05}", "192.0.2.1", environments=["Dev"]) for number in range(hosts)],
        transport=oc.Replay(answer),
        on_event=listen,
        anchors=False,
    ) as space:
        release = space.create_release()
        began, used = time.monotonic(), time.process_time()
        done = space.deploy(release, "Dev", rollout=oc.Rollout(parallel=parallel))
        assert done.state is oc.State.SUCCEEDED
        return time.monotonic() - began, time.process_time() - used


with tempfile.TemporaryDirectory() as folder:
    deploy(1, folder)  # imports, and the tables of a store, for the first time
    base, events = memory_mb(), 0
    threading.Thread(target=watch, daemon=True).start()
    seconds, cpu = deploy(count, folder)
    over.set()
    size = sum(path.stat().st_size for path in Path(folder).glob(f"{count}.db*"))
said = {"hosts": count, "parallel": parallel, "seconds": seconds, "cpu_s": cpu, "events": events, **most}
# What the hosts alone take, if nothing here took any time.
ideal = 2 * count * sum(delays) / len(delays) / min(parallel, count)
said |= {"ideal_s": ideal, "base_mb": base, "kb_per_host": (memory_mb() - base) * 1024 / count, "store_mb": size / 1e6}
print(json.dumps(said))
