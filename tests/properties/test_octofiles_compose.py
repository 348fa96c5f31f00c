"""What a container says in a compose file comes back from there as the same container, whatever stands in it."""

from __future__ import annotations

import json
import re
from typing import Any

import attrs
import step_strategies
from hypothesis import given
from hypothesis import strategies as st
from value_strategies import TEXT

import octossh as oc
from octossh.model import Pairs
from octossh.octofiles import expression, from_compose, from_kamal
from octossh.octofiles.carrying import _SECRET_NAME, _hides
from octossh.octofiles.compose import _plain_keys

HUB = oc.Registry("hub", "https://docker.io")


def said(field: str, value: Any) -> Any:
    """A field as a compose file has it; every other word of the same is tried where lists and mappings stand."""
    if isinstance(value, Pairs):
        return {name: escaped(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return [escaped(str(item)) for item in value]
    return escaped(value)


def escaped(value: Any) -> Any:
    return value.replace("$", "$$") if isinstance(value, str) else value


def document_of(data: Any) -> str:
    """JSON that YAML reads as the same: it knows no pairs of surrogates."""
    pairs = re.compile(r"\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})")
    return pairs.sub(lambda pair: f"\\U{ord(json.loads(chr(34) + pair[0] + chr(34))):08x}", json.dumps(data))


def composed(step: oc.RunContainer) -> str:
    """The step as a compose file: what one can say."""
    service: dict[str, Any] = {"image": step.image.repository}
    for key, field in _plain_keys().items():
        value = getattr(step, field)
        if value != attrs.evolve(oc.RunContainer("x", image=step.image)).__getattribute__(field):
            service[key] = said(field, value)
    service["environment"] = [f"{name}={escaped(value)}" for name, value in step.env.items()]
    service["ports"] = list(step.publish)
    service["volumes"] = [place for place in step.volumes if place.startswith("/")]
    if step.network_mode is None:
        service["networks"] = {name: {"aliases": list(step.aliases)} for name in step.networks}
    service |= {"command": said("command", step.command)} if step.command else {}
    service |= {"ulimits": said("ulimits", step.ulimits)} if step.ulimits else {}
    service["stop_grace_period"] = f"{step.stop_grace_s}s"
    networks = {name: {"external": True} for name in step.networks}
    return document_of({"name": "shop", "services": {step.name: service}, "networks": networks})


SAYABLE = {*_plain_keys().values(), "image", "env", "publish", "command", "ulimits", "stop_grace_s"}


@st.composite
def sayable(draw: st.DrawFn) -> oc.RunContainer:
    """A container of which a compose file can say all, without expressions, and whose texts hide no secrets."""
    whole = draw(step_strategies.RUN_CONTAINERS)
    fields = {name: getattr(whole, name) for name in SAYABLE}
    env = {name: draw(TEXT) for name in whole.env if not _SECRET_NAME.search(name)}
    fields |= {"env": env, "image": HUB.image("web"), "command": draw(st.lists(TEXT, max_size=3))}
    fields["volumes"] = [place for place in whole.volumes if place.startswith("/")]
    if whole.network_mode is None:
        fields |= {"networks": ["back"], "aliases": ["web"]}
    plain = {}
    for name, value in fields.items():
        text = str(value)
        joined = " ".join(map(str, value)) if isinstance(value, list) else text
        named = isinstance(value, Pairs) and any(map(_SECRET_NAME.search, value))
        if not re.search(r"\{[{%#]|<%", text) and not _hides(text) and not _hides(joined) and not named:
            plain[name] = value
    try:
        return oc.RunContainer("web", **{"image": HUB.image("web"), **plain})
    except oc.ModelError:
        return oc.RunContainer("web", image=HUB.image("web"), networks=["back"], aliases=["web"])


@given(sayable())
def test_a_container_comes_back_from_a_compose_file(step):
    made = from_compose(composed(step))
    assert [str(note) for note in made.notes] == []
    (back,) = made.project.process.steps
    joined = [one.network if isinstance(one, oc.Join) else one for one in back.networks]
    assert attrs.evolve(back, networks=joined) == step


@given(st.dictionaries(st.sampled_from(["A", "B"]), TEXT, min_size=1), TEXT)
def test_no_text_of_a_compose_file_becomes_code_or_an_expression(env, command):
    document = {"name": "shop", "services": {"web": {"image": "web", "environment": env, "command": [command]}}}
    made = from_compose(document_of(document))
    assert eval(expression(made.project), {"oc": oc}) == made.project
    read = {name for variable in made.project.variables for name in [variable.name]}
    assert read <= set(re.findall(r"[A-Za-z_]\w*", "".join(env.values()) + command))


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "a", "8080:80", "${X", "$X", "a=b", "1m", "<%= x %>"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "source", "target", "type"]), inner, max_size=2),
    max_leaves=5,
)  # fmt: skip
KEYS = ["environment", "ports", "volumes", "networks", "healthcheck", "logging", "ulimits", "deploy", "secrets", "configs",
        "depends_on", "labels", "command", "restart", "dns", "text", "service", "init", "read", "key_ports"]  # fmt: skip


@given(st.dictionaries(st.sampled_from(KEYS), JUNK, max_size=4), JUNK, JUNK)
def test_whatever_stands_in_a_compose_file_is_carried_or_told(fields, networks, secrets):
    document = {
        "services": {"web": {"image": "web", **fields}},
        "networks": networks,
        "secrets": secrets,
        "volumes": secrets,
    }
    made = from_compose(document_of(document), name="shop")
    assert eval(expression(made.project), {"oc": oc}) == made.project


KAMAL_KEYS = ["servers", "registry", "env", "ssh", "volumes", "labels", "logging", "accessories", "proxy", "boot",
              "deploy_timeout", "stop_timeout", "builder", "hooks"]  # fmt: skip


@given(st.dictionaries(st.sampled_from(KAMAL_KEYS), JUNK, max_size=4), JUNK)
def test_whatever_stands_in_a_file_of_kamal_is_carried_or_told(fields, role):
    document = {
        "service": "shop",
        "image": "acme/shop",
        **fields,
        "accessories": {"db": role, "x": {"image": "x", "env": role}},
    }
    try:
        made = from_kamal(document_of(document))
    except oc.ModelError:
        return
    assert eval(expression(made.project), {"oc": oc}) == made.project
