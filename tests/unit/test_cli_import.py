"""`octossh import`: an octofile out of the files of other tools, and a word on each thing that it lacks."""

from __future__ import annotations

import json
import os
import sys
import tokenize

import pytest
from terminals import typed

import octossh as oc
from octossh.cli.options import load

COMPOSE = """
name: shop
services:
  web:
    build: .
    image: registry.example.com/acme/web:${TAG:-1.4.0}
    ports: ["8080:80", {target: 9000, published: "9000", protocol: udp}]
    environment:
      GREETING: "hello ${WHO:-you} {{ x }} $$5"
      DATABASE_URL: postgres://shop:hush@db/shop
      API_TOKEN:
      LEVEL: ${LEVEL}
    depends_on: [db]
    healthcheck: {test: [CMD, curl, -f, "http://localhost/a b"], interval: 1m30s}
    deploy: {resources: {limits: {memory: 512m, cpus: "0.5"}}, replicas: 2}
    labels: [traefik.enable=true]
    networks: {back: {aliases: [w]}, front: }
    secrets: [db_password]
    volumes: ["./conf:/etc/x:ro", "data:/data", {type: tmpfs, target: /tmp, tmpfs: {mode: 448}}]
    frobnicate: 1
  db:
    image: postgres:15-alpine
    command: postgres -c 'max_connections=10'
    environment: [POSTGRES_PASSWORD=hush, PGDATA=/data]
    volumes: ["pg:/var/lib/postgresql/data"]
    networks: [back]
    restart: unless-stopped
  tests: {image: acme/tests, profiles: [test]}
networks: {back: {ipam: {config: [{subnet: 172.28.6.0/24}]}}, front: {external: true}}
volumes: {pg: , data: {external: true}}
secrets: {db_password: {file: ./x}}
"""


def loaded(path) -> oc.Space:
    space = load(str(path))
    space.close()
    return space


def test_a_compose_file_becomes_an_octofile_that_loads(octossh, in_tmp):
    (in_tmp / "compose.yml").write_text(COMPOSE)
    code, out, err = octossh("import", "compose", "compose.yml", "-o", "octofile.py", "--host", "deploy@10.0.0.11")
    assert code == 0
    assert out == "octofile.py: written\ntargets.yml: written\nnext:\n  octossh check\n"
    assert "hush" not in (in_tmp / "octofile.py").read_text() + err
    space = loaded(in_tmp / "octofile.py")
    assert space.targets == (oc.Target("h01", "10.0.0.11", user="deploy", environments=["Production"]),)
    back, db, web = space.project("shop").process.steps
    assert back == oc.CreateNetwork("back", subnet="172.28.6.0/24")
    assert db == oc.RunContainer(
        "db",
        image=oc.Registry("hub", "https://docker.io").image("postgres"),
        command=["postgres", "-c", "max_connections=10"],
        env={"PGDATA": "/data", "POSTGRES_PASSWORD": oc.secret("POSTGRES_PASSWORD")},
        networks=["{{ steps.back.inspect.Name }}"],
        aliases=["db"],
        volumes=["shop_pg:/var/lib/postgresql/data"],
        restart="unless-stopped",
    )
    assert web == oc.RunContainer(
        "web",
        image=oc.Registry("registry.example.com", "https://registry.example.com").image("acme/web"),
        publish=["8080:80", "9000:9000/udp"],
        env={
            "GREETING": "hello {{ WHO }} {{ '{{' }} x }} $5",
            "DATABASE_URL": oc.secret("DATABASE_URL"),
            "API_TOKEN": oc.secret("API_TOKEN"),
            "LEVEL": "{{ LEVEL }}",
        },
        healthcheck=oc.HealthCheck("curl -f 'http://localhost/a b'", interval_s=90),
        memory="512m",
        cpus="0.5",
        labels={"traefik.enable": "true"},
        networks=[oc.Join("{{ steps.back.inspect.Name }}", aliases=["w"]), "front"],
        aliases=["web"],
        secret_files={"/run/secrets/db_password": oc.secret("db_password")},
        volumes=["data:/data"],
        mounts=[oc.Mount("/tmp", type="tmpfs", tmpfs_mode="0700")],
    )
    assert [(one.name, one.value) for one in space.project("shop").variables] == [("WHO", "you"), ("LEVEL", None)]


def test_each_thing_that_is_not_as_it_was_is_told_with_its_place_and_what_to_do(octossh, in_tmp):
    (in_tmp / "compose.yml").write_text(COMPOSE)
    code, out, err = octossh("import", "compose", "compose.yml", "--json")
    notes = [(note["place"], note["advice"]) for note in json.loads(out)["notes"]]
    assert code == 0
    assert notes == [
        ("services.db.environment.POSTGRES_PASSWORD", "set POSTGRES_PASSWORD where octossh runs"),
        ("services.tests", "write a step where it shall"),
        ("services.web.build", "push the image that CI builds"),
        ("services.web.environment.DATABASE_URL", "set DATABASE_URL where octossh runs"),
        ("services.web.environment.API_TOKEN", "set API_TOKEN where octossh runs"),
        ("services.web.deploy.replicas", "see oc.SwarmService, or leave it out"),
        ("services.web.secrets.db_password", "set db_password where octossh runs"),
        ("services.web.volumes.0", "put it there by oc.PutFile"),
        ("services.web.frobnicate", "leave it out, or do it by a step of its own"),
        ("services", "for the same ones: octossh release create --set postgres=15-alpine"),
        ("${LEVEL}", "give the Variable one"),
    ]
    assert all(f"octossh: {place}: " in err for place, _ in notes)
    assert "octossh: no hosts stand there; " in err


WORDS = {
    "a nested default": ("command: ['${A:-${B}}']", "services.web.command: what stands in '${A:-' is not read here"),
    "an alternative": ("command: ['${A:+x}']", "services.web.command: ${A:+x} is not read here"),
    "a password in a command": ("command: app --password=hush", "services.web.command: a secret seems to stand in it"),
    "a file of the environment": ("env_file: .env", "services.web.env_file: what stands in that file is not written"),
    "what ends": (
        "depends_on: {web: {condition: service_completed_successfully}}",
        "services.web.depends_on.web: it shall end, and not keep running; make it an oc.RunOnce",
    ),
    "a wrong value": ("mem_limit: much", "services.web.mem_limit: "),
    "a wrong form": ("ports: 5", "services.web.ports: compose has another form for it"),
    "a network of another service": ("network_mode: 'service:db'", "services.web.network_mode: "),
}  # fmt: skip


@pytest.mark.parametrize("what", WORDS)
def test_what_cannot_be_said_is_told(what, octossh, in_tmp):
    line, said = WORDS[what]
    (in_tmp / "compose.yml").write_text(f"services:\n  web:\n    image: nginx\n    {line}\n")
    code, out, err = octossh("import", "compose", "compose.yml", "--project", "shop")
    assert (code, "hush" in out + err) == (0, False)
    assert f"octossh: {said}" in err
    assert "RunContainer" in out


REFUSED = {
    "no yaml": ("a: [", ["the compose file is not YAML"]),
    "no services": ("a: 1", ["the compose file has no services", "'services:' at its top"]),
    "nothing to carry over": ("services: {web: {build: .}}", ["no service can be carried over", "it has no image"]),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_compose_file_is_told(what, octossh, in_tmp):
    text, words = REFUSED[what]
    (in_tmp / "compose.yml").write_text(text)
    code, out, err = octossh("import", "compose", "compose.yml")
    assert (code, out) == (2, "")
    assert [word for word in words if word not in err] == [], err


def test_files_that_are_there_stay_and_the_project_is_called_as_the_folder(octossh, in_tmp):
    (in_tmp / "shop").mkdir()
    (in_tmp / "shop" / "compose.yml").write_text("services: {web: {image: nginx}}")
    (in_tmp / "octofile.py").write_text("mine")
    code, _, err = octossh("import", "compose", "shop/compose.yml", "-o", "octofile.py")
    assert code == 2
    assert "octofile.py would be written over; give --force" in err
    assert (in_tmp / "octofile.py").read_text() == "mine"
    assert octossh("import", "compose", "shop/compose.yml", "-o", "octofile.py", "--force")[0] == 0
    space = loaded(in_tmp / "octofile.py")
    assert list(space.projects) == ["shop"]
    network, web = space.project().process.steps
    assert (network.name, web.networks, web.aliases) == ("default", ("{{ steps.default.inspect.Name }}",), ("web",))


KAMAL = """
service: shop
image: acme/shop
servers:
  web:
    hosts: [10.0.0.11, 10.0.0.12]
    options: {memory: 512m, cap-add: [NET_ADMIN], foo: 1}
  job:
    hosts: [10.0.0.11]
    cmd: bin/jobs --queue 'a b'
    env: {clear: {QUEUE: all}}
proxy: {ssl: true, host: shop.example.com, app_port: 3000, healthcheck: {path: /health}}
registry: {server: registry.example.com, username: shop, password: [REGISTRY_PASSWORD]}
env:
  clear: {RAILS_ENV: production, HOST: <%= ENV["HOST"] %>, API_KEY: hush, MARKS: "{{ x }}"}
  secret: [RAILS_MASTER_KEY, "DB_PASSWORD:PROD_DB_PASSWORD"]
ssh: {user: deploy, port: 2222, proxy: bastion.example.com, keys: [a]}
builder: {arch: amd64}
boot: {limit: 1, wait: 5}
deploy_timeout: 40
accessories:
  db:
    image: mysql:8.0
    host: 10.0.0.12
    port: "127.0.0.1:3306:3306"
    directories: ["data:/var/lib/mysql"]
  cache: {image: "valkey/valkey:8", roles: [web]}
frobnicate: 1
"""


def test_kamals_file_becomes_an_octofile_and_targets_that_load(octossh, in_tmp):
    (in_tmp / "deploy.yml").write_text(KAMAL)
    code, out, err = octossh("import", "kamal", "deploy.yml", "-o", "octofile.py")
    assert (code, out.splitlines()[:2]) == (0, ["octofile.py: written", "targets.yml: written"])
    assert "hush" not in (in_tmp / "octofile.py").read_text() + err
    space = loaded(in_tmp / "octofile.py")
    there = {"user": "deploy", "port": 2222, "jump": "bastion.example.com", "environments": ["Production"]}
    assert space.targets == (
        oc.Target("h01", "10.0.0.11", roles=["job", "web"], **there),
        oc.Target("h02", "10.0.0.12", roles=["db", "web"], **there),
    )
    hub = oc.Registry("hub", "https://docker.io")
    login = oc.Basic("shop", oc.secret("REGISTRY_PASSWORD"))
    shop = oc.Registry("registry.example.com", "https://registry.example.com", auth=login).image("acme/shop")
    shared = {"networks": ["{{ steps.kamal.inspect.Name }}"], "restart": "unless-stopped"}
    env = {
        "RAILS_ENV": "production",
        "API_KEY": oc.secret("API_KEY"),
        "MARKS": "{{ '{{' }} x }}",
        "RAILS_MASTER_KEY": oc.secret("RAILS_MASTER_KEY"),
        "DB_PASSWORD": oc.secret("PROD_DB_PASSWORD"),
    }
    app = {**shared, "image": shop, "rolling": oc.Rolling([1], pause_s=5), "healthy_timeout_s": 40, "stop_grace_s": 30}
    assert space.project("shop").process.steps == (
        oc.CreateNetwork("kamal"),
        oc.RunContainer(
            "db", image=hub.image("mysql"), roles=["db"], publish=["127.0.0.1:3306:3306"], aliases=["shop-db"], **shared
        ),
        oc.RunContainer("cache", image=hub.image("valkey/valkey"), roles=["web"], aliases=["shop-cache"], **shared),
        oc.RunContainer(
            "web",
            roles=["web"],
            env=env,
            memory="512m",
            cap_add=["NET_ADMIN"],
            health=oc.Http(3000, "/health"),
            aliases=["shop-web"],
            **app,
        ),
        oc.RunContainer(
            "job",
            roles=["job"],
            command=["bin/jobs", "--queue", "a b"],
            env={**env, "QUEUE": "all"},
            aliases=["shop-job"],
            **app,
        ),
    )


def test_what_kamal_has_and_octossh_has_not_is_told_once_each(octossh, in_tmp):
    (in_tmp / "deploy.yml").write_text(KAMAL)
    code, out, _ = octossh("import", "kamal", "deploy.yml", "--environment", "Live", "--json")
    assert code == 0
    document = json.loads(out)
    assert 'environments=["Live"]' in document["octofile"]
    assert [note["place"] for note in document["notes"]] == [
        "registry.password",
        "servers.web.options.foo",
        "servers.web.proxy",
        "env.HOST",
        "env.API_KEY",
        "env.secret.RAILS_MASTER_KEY",
        "env.secret.DB_PASSWORD",
        "accessories.db.directories",
        "builder",
        "frobnicate",
        "image",
        "accessories",
        "ssh.keys",
    ]
    told = {note["place"]: note["advice"] for note in document["notes"]}
    assert told["servers.web.proxy"] == "publish=['80:3000'], or run one as a step of its own"
    assert told["env.HOST"] == "write what it gives, or an expression {{ }}"


NO_KAMAL = {
    "another file": ("a: 1", ["no service and image", "config/deploy.yml"]),
    "ERB around lines": ("<% if a %>\nservice: [\n<% end %>", ["not YAML", "ERB", "'kamal config'"]),
    "an image in ERB": ("service: a\nimage: <%= b %>", ["image:", "names no image by itself"]),
    "no host name": ("service: a\nimage: b\nservers: ['a b']", ["'a b' is neither a host name"]),
}


@pytest.mark.parametrize("what", NO_KAMAL)
def test_what_is_no_file_of_kamal_is_told(what, octossh, in_tmp):
    text, words = NO_KAMAL[what]
    (in_tmp / "deploy.yml").write_text(text)
    code, out, err = octossh("import", "kamal", "deploy.yml")
    assert (code, out) == (2, "")
    assert [word for word in words if word not in err] == [], err


HIDDEN_BY_COMPOSE = {
    "a name with PWD": ("environment: {MYSQL_PWD: hush}", "environment.MYSQL_PWD: it looks like a secret"),
    "a name with a number": ("environment: {PASSWORD1: hush}", "environment.PASSWORD1: it looks like a secret"),
    "two words": ("command: redis-server --requirepass hush", "command: a secret seems to stand in it"),
    "two words of a list": ("command: [app, --db-password, hush]", "command: a secret seems to stand in it"),
    "a letter": ("healthcheck: {test: [CMD, redis-cli, -a, hush, ping]}", "healthcheck: a secret seems to stand"),
    "a letter and a word": ("healthcheck: {test: mysqladmin ping -uroot -phush}", "healthcheck: a secret seems to"),
    "a login": ("healthcheck: {test: 'curl -u me:hush http://x'}", "healthcheck: a secret seems to stand in it"),
    "a quoted name": ("""labels: {a: '{"password": "hush"}'}""", "labels.a: a secret seems to stand in it"),
    "a label by its name": ("labels: {api_token: hush, a: b}", "labels.api_token: a secret seems to stand in it"),
    "an option of a log": ("logging: {options: {token: hush, a: b}}", "logging.options.token: a secret seems to"),
    "a default by its name": ("hostname: ${DB_PASS:-hush}", "hostname: a secret seems to stand in it"),
    "a default in an address": (
        "environment: {DB: 'postgres://app:${X:-hush}@db'}",
        "environment.DB: it looks like a secret, so its value is not written; set DB where octossh runs",
    ),
    "a default behind an equals sign": ("command: a 'password=${X-hush}'", "command: a secret seems to stand in it"),
    "a default behind an option": ("command: ['--password=${X:-hush}']", "command: a secret seems to stand in it"),
    "a default that is not read": ("command: ['${DB_PASS:-hush{x}']", "command: what stands in '${DB_PASS:-' is not"),
    "an alternative": ("command: ['${DB_PASS:+hush}']", "command: a secret seems to stand in it"),
}  # fmt: skip


@pytest.mark.parametrize("what", HIDDEN_BY_COMPOSE)
def test_no_secret_of_a_compose_file_is_written_or_shown(what, octossh, in_tmp):
    line, said = HIDDEN_BY_COMPOSE[what]
    (in_tmp / "compose.yml").write_text(f"services:\n  web:\n    image: nginx\n    {line}\n")
    code, out, err = octossh("import", "compose", "compose.yml", "--project", "shop")
    assert (code, "hush" in out + err) == (0, False)
    assert f"octossh: services.web.{said}" in err


OPEN = ["redis-cli -a $$PW ping", "mysqladmin ping -P3306 --protocol=tcp", "app --no-password -v", "a '--password=${X}'",
        "app --token-file /run/secrets/x", "curl -u '$$ME:$$PW' http://x", "sh -c 'password=\"$$PW\" app'"]  # fmt: skip


@pytest.mark.parametrize("command", OPEN)
def test_what_only_reads_a_secret_is_carried_over(command, octossh, in_tmp):
    (in_tmp / "compose.yml").write_text(json.dumps({"services": {"web": {"image": "nginx", "command": command}}}))
    code, out, err = octossh("import", "compose", "compose.yml", "--project", "shop")
    assert (code, "a secret seems" in err, "command=[" in out) == (0, False, True)


NETWORKS = {
    "no configuration": ("{ipam: {config: null}}", "networks.back.ipam: compose has another form for it", {}),
    "a word": ("{ipam: {config: [abc]}}", "networks.back.ipam: compose has another form for it", {}),
    "a secret": ("{labels: {a: 'password=hush', b: c}}", "networks.back.labels.a: a secret", {"labels": {"b": "c"}}),
    "a secret by its name": ("{labels: {api_token: hush}}", "networks.back.labels.api_token: a secret seems", {}),
    "braces": ("{labels: {a: '{{ 7*7 }}'}}", "", {"labels": {"a": "{{ '{{' }} 7*7 }}"}}),
    "a list": ("{labels: ['a=${X:-1}']}", "", {"labels": {"a": "{{ X }}"}}),
    "options": ("{driver_opts: {mtu: 1400}, enable_ipv6: true}", "", {"options": {"mtu": "1400"}, "ipv6": True}),
    "nothing": ("{driver: null, internal: false}", "", {}),
}  # fmt: skip


@pytest.mark.parametrize("what", NETWORKS)
def test_what_stands_at_a_network_is_carried_over_or_told(what, octossh, in_tmp):
    fields, said, meant = NETWORKS[what]
    file = f"services: {{web: {{image: nginx, networks: [back]}}}}\nnetworks: {{back: {fields}}}\n"
    (in_tmp / "compose.yml").write_text(file)
    code, out, err = octossh("import", "compose", "compose.yml", "--project", "shop", "-o", "octofile.py")
    assert (code, "hush" in out + err) == (0, False)
    assert said in err
    assert loaded(in_tmp / "octofile.py").project().process.steps[0] == oc.CreateNetwork("back", **meant)


READ = {
    "aliases that are none": ("networks: {back: {aliases: 5}}", "web.networks.back: compose has another form", {}),
    "no address": ("networks: {back: {ipv4_address: x}}", "web.networks.back: compose has another form for it", {}),
    "a variable in an address": (
        "networks: {back: {ipv4_address: '${IP:-10.0.0.3}'}}", "",
        {"networks": [oc.Join("{{ steps.back.inspect.Name }}", ip="{{ IP }}")]},
    ),
    "a word of Jinja": ("hostname: ${not:-y}", "web.hostname: ", {}),
    "a constant of Jinja": ("hostname: ${none:-y}", "web.hostname: ${none} is no variable for an expression", {}),
    "a name that is too long": (f"hostname: ${{{'x' * 101}:-y}}", "web.hostname: variable 'xxx", {}),
    "limits with braces": ("ulimits: {nofile: {soft: '{{ 7*7 }}', hard: 9}}", "", {"ulimits": {"nofile": "{{ '{{' }} 7*7 }}:9"}}),
}  # fmt: skip


@pytest.mark.parametrize("what", READ)
def test_what_cannot_be_read_at_a_service_costs_no_more_than_itself(what, octossh, in_tmp):
    line, said, meant = READ[what]
    (in_tmp / "compose.yml").write_text(
        f"services:\n  web:\n    image: nginx\n    {line}\n  db: {{image: postgres, networks: [back]}}\nnetworks: {{back: }}\n"
    )
    code, _, err = octossh("import", "compose", "compose.yml", "--project", "shop", "-o", "octofile.py")
    assert code == 0
    assert said in err
    steps = loaded(in_tmp / "octofile.py").project().process.steps
    web = next(step for step in steps if step.name == "web")
    assert {name: getattr(web, name) for name in meant} == {
        name: tuple(value) if isinstance(value, list) else value for name, value in meant.items()
    }


def test_an_image_that_no_registry_can_have_costs_its_own_service(octossh, in_tmp):
    (in_tmp / "compose.yml").write_text("services: {web: {image: nginx}, odd: {image: 'EVIL\"/x'}}")
    code, out, err = octossh("import", "compose", "compose.yml", "--project", "shop")
    assert (code, "EVIL" in out) == (0, False)
    assert "octossh: services.odd: registry" in err


def test_kamals_secrets_are_not_written_and_braces_in_its_log_options_are_only_braces(octossh, in_tmp):
    (in_tmp / "deploy.yml").write_text(
        """
service: shop
image: acme/shop
servers: [10.0.0.11]
env: {clear: {MYSQL_PWD: hush}}
logging: {driver: json-file, options: {tag: "{{.Name}}", url: "http://me:hush@x", splunk-token: hush}}
accessories: {cache: {image: redis, host: 10.0.0.11, cmd: redis-server --requirepass hush}}
"""
    )
    code, out, err = octossh("import", "kamal", "deploy.yml", "-o", "octofile.py")
    assert (code, "hush" in (in_tmp / "octofile.py").read_text() + out + err) == (0, False)
    told = ["env.MYSQL_PWD: ", "logging.options.url: ", "logging.options.splunk-token: ", "accessories.cache.cmd: "]
    assert [place for place in told if f"octossh: {place}" not in err] == []
    web = loaded(in_tmp / "octofile.py").project().process.steps[-1]
    assert (web.log_driver, web.log_options) == ("json-file", {"tag": "{{ '{{' }}.Name}}"})
    assert web.env == {"MYSQL_PWD": oc.secret("MYSQL_PWD")}


@pytest.mark.parametrize("name", [b"x coding=utf7 .yml", b"x coding: utf7 .yml", b"caf\xe9.yml"])
def test_the_name_of_a_file_is_only_a_name(name, octossh, in_tmp):
    path = os.fsdecode(name)
    (in_tmp / path).write_text("services: {web: {image: nginx, labels: {a: '+AGEAYg-'}}}")
    code, _, err = octossh("import", "compose", path, "--project", "shop", "-o", "octofile.py")
    assert code == 0, err
    with (in_tmp / "octofile.py").open("rb") as file:
        assert tokenize.detect_encoding(file.readline)[0] == "utf-8"
    assert octossh("import", "compose", path, "--project", "shop")[0] == 0


def test_the_next_command_can_be_typed_as_it_stands(octossh, in_tmp):
    (in_tmp / "compose.yml").write_text("services: {web: {image: nginx}}")
    _, out, _ = octossh("import", "compose", "compose.yml", "--project", "shop", "-o", "my file.py")
    assert out.endswith("next:\n  octossh -f 'my file.py' check\n")


def test_octofile_and_targets_are_two_files(octossh, in_tmp):
    (in_tmp / "compose.yml").write_text("services: {web: {image: nginx}}")
    call = ["import", "compose", "compose.yml", "--project", "shop", "-o", "targets.yml"]
    code, out, err = octossh(*call, "--host", "10.0.0.11")
    assert (code, out) == (2, "")
    assert "the octofile cannot be 'targets.yml': the targets are written there" in err
    assert not (in_tmp / "targets.yml").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("hosts", "beside"), [((), ""), (("--host", "10.0.0.11"), ", and the hosts beside it")])
def test_at_a_terminal_it_is_said_that_what_is_printed_is_not_written(in_tmp, hosts, beside):
    (in_tmp / "compose.yml").write_text("services: {web: {image: nginx}}")
    command = [sys.executable, "-m", "octossh", "import", "compose", "compose.yml", *hosts]
    code, screen = typed(command, in_tmp, dict(os.environ), (), ())
    assert code == 0, screen
    said = next(line.strip() for line in screen.splitlines() if "nothing is written" in line)
    assert said.endswith(f"-o octofile.py writes it{beside}")
    assert [file.name for file in in_tmp.iterdir()] == ["compose.yml"]
