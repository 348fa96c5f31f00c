"""The work of the benchmark, for python-on-whales: docker's own command goes to each host by ssh://, a thread each."""

import os
from concurrent.futures import ThreadPoolExecutor

from python_on_whales import DockerClient
from python_on_whales.exceptions import NoSuchContainer, NoSuchNetwork, NoSuchVolume

way, port, image = os.environ["BENCH_WAY"], int(os.environ["BENCH_PORT"]), os.environ["BENCH_IMAGE"]


def bring(host: str) -> None:
    docker = DockerClient(host=f"ssh://deploy@{host}")
    try:
        docker.network.inspect(f"net-{way}")
    except NoSuchNetwork:
        docker.network.create(f"net-{way}")
    try:
        docker.volume.inspect(f"vol-{way}")
    except NoSuchVolume:
        docker.volume.create(f"vol-{way}")
    try:
        there = docker.container.inspect(f"web-{way}")
        if there.config.image == image and there.state.running:
            return
        docker.container.stop(there)
        docker.container.remove(there)
    except NoSuchContainer:
        pass
    docker.run(
        image,
        detach=True,
        name=f"web-{way}",
        networks=[f"net-{way}"],
        volumes=[(f"vol-{way}", "/data")],
        publish=[(port, 8080)],
        restart="unless-stopped",
        envs={"LEVEL": "info", "REGION": "eu", "WORKERS": "4"},
    )


names = [host.split("=")[0] for host in os.environ["BENCH_HOSTS"].split()]
with ThreadPoolExecutor(len(names)) as pool:
    list(pool.map(bring, names))
