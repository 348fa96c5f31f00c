"""The guide's example: a network, a server, a client that reaches it by its alias, and a report."""

import os

import octossh as oc

hub = oc.Registry("hub", f"http://{os.environ['DEMO_REGISTRY']}")

process = [
    oc.CreateNetwork("Custom Network", subnet="172.28.6.0/24"),
    oc.RunContainer(
        "First Server",
        image=hub.image("demo/web"),
        roles={"server"},
        networks=["{{ steps['Custom Network'].inspect.Name }}"],
        aliases=["FirstServer"],
        publish=["8080:8080"],
        restart="unless-stopped",
        health=oc.Http(8080, "/health"),
        monitor_s=2,
        rolling=[1, "100%"],
    ),
    oc.RunContainer(
        "Second Server",
        image=hub.image("demo/pinger"),
        roles={"client"},
        networks=["{{ steps['Custom Network'].inspect.Name }}"],
        env={
            "TARGET": "FirstServer",
            "PING_COUNT": "{{ PingCount }}",
            "API_KEY": oc.secret("DEMO_API_KEY"),
        },
        monitor_s=1,
    ),
    oc.RunScript(
        "Report",
        roles={"client"},
        reads_only=True,
        script="""
            echo First Server: {{ steps["First Server"].inspect.NetworkSettings.Networks[NETWORK].IPAddress }}
            echo Second Server: {{ steps["Second Server"].inspect.NetworkSettings.Networks[NETWORK].IPAddress }}
            log() { docker logs {{ steps["Second Server"].inspect.Id }} 2>&1; }
            for _ in 1 2 3 4 5 6 7 8 9 10; do
                log | grep -q pinged && break
                sleep 1
            done
            log
        """.replace("NETWORK", "steps['Custom Network'].inspect.Name"),
    ),
]

guide = oc.Project(
    "guide",
    process=process,
    variables=[
        oc.Variable("PingCount", 1),
        oc.Variable("PingCount", 2, environment="Test"),
        oc.Variable("PingCount", 5, environment="Production"),
    ],
    channels=[oc.Channel("stable", "[1.0,2.0)")],
    lifecycle=oc.Lifecycle("Dev", "Test", "Production"),
)

space = oc.Space(
    "sqlite:///guide.db",
    projects=[guide],
    targets="targets.yml",
    transport=oc.SSH(known_hosts=os.environ["DEMO_KNOWN_HOSTS"], identity=os.environ["DEMO_KEY"], user="deploy"),
)
