"""What hosts without a docker of their own are brought to: a file with some text."""

import os

import octossh as oc

process = [oc.PutFile("file", "/home/deploy/bench-octossh", content="{{ text }}")]
hosts = [host.split("=") for host in os.environ["BENCH_HOSTS"].split()]
space = oc.Space(
    projects=[oc.Project("bench", process=process, variables=[oc.Variable("text", os.environ["BENCH_TEXT"])])],
    targets=[oc.Target(name, address, environments=["Dev"]) for name, address in hosts],
    transport=oc.SSH(known_hosts=os.environ["BENCH_KNOWN_HOSTS"], identity=os.environ["BENCH_KEY"], user="deploy"),
)
