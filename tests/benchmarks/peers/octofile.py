"""The work of the benchmark, for octossh."""

import os

import octossh as oc

way = os.environ["BENCH_WAY"]
hub = oc.Registry("hub", "http://" + os.environ["BENCH_REGISTRY"])
process = [
    oc.CreateNetwork("net", network_name=f"net-{way}"),
    oc.CreateVolume("vol", volume_name=f"vol-{way}"),
    oc.RunContainer(
        "web",
        container_name=f"web-{way}",
        image=hub.image("acme/web"),
        networks=[f"net-{way}"],
        volumes=[f"vol-{way}:/data"],
        publish=[os.environ["BENCH_PORT"] + ":8080"],
        restart="unless-stopped",
        env={"LEVEL": "info", "REGION": "eu", "WORKERS": "4"},
        monitor_s=0,
    ),
]
hosts = [host.split("=") for host in os.environ["BENCH_HOSTS"].split()]
space = oc.Space(
    projects=[oc.Project(f"bench-{way}", process=process)],
    targets=[oc.Target(name, address, environments=["Dev"]) for name, address in hosts],
    transport=oc.SSH(known_hosts=os.environ["BENCH_KNOWN_HOSTS"], identity=os.environ["BENCH_KEY"], user="deploy"),
)
