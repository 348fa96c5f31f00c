"""The work of the benchmark, for pyinfra. It does not compare a container with what is wanted: a change is forced."""

import os

from pyinfra.operations import docker

way = os.environ["BENCH_WAY"]
docker.network(network=f"net-{way}")
docker.volume(volume=f"vol-{way}")
docker.container(
    container=f"web-{way}",
    image=os.environ["BENCH_IMAGE"],
    ports=[os.environ["BENCH_PORT"] + ":8080"],
    networks=[f"net-{way}"],
    volumes=[f"vol-{way}:/data"],
    env_vars=["LEVEL=info", "REGION=eu", "WORKERS=4"],
    restart_policy="unless-stopped",
    pull_always=False,
    start=True,
    force=os.environ["BENCH_WORK"] == "change",
)
