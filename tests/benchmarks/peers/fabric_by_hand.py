"""A script written by hand, sent to all hosts by Fabric: one connection and one exec for each."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fabric
import paramiko


def send(address: str) -> None:
    kwargs = {"key_filename": os.environ["BENCH_KEY"], "allow_agent": False, "look_for_keys": False}
    connection = fabric.Connection(
        address, user="deploy", connect_kwargs=kwargs, config=fabric.Config(overrides={"load_ssh_configs": False})
    )
    connection.client.load_host_keys(os.environ["BENCH_KNOWN_HOSTS"])
    connection.client.set_missing_host_key_policy(paramiko.RejectPolicy())
    connection.run(script, in_stream=False, hide=True)  # as the command: its standard input goes by single characters
    connection.close()


script = Path(sys.argv[1]).read_text()
addresses = [host.split("=")[1] for host in os.environ["BENCH_HOSTS"].split()]
with ThreadPoolExecutor(len(addresses)) as pool:
    list(pool.map(send, addresses))
