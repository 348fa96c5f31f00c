"""A host pulls, and the registry refuses, hangs, dawdles, or has lost what was pinned: what ran runs on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from http import HTTPStatus

import attrs
import shops
from integration.faults.grounds import NEW, OLD, Fault, Ground
from integration.front import Answer, Front
from lab.images import Registry

import octossh as oc


def fronted(ground: Ground) -> Front:
    """A door before the registry, for one host; octossh itself goes to the registry."""
    return Front(f"http://{ground.lab.registry}", address=f"{ground.lab.net.removesuffix('.0.0/16')}.0.1")


def pulling(ground: Ground, place: str, repository: str, **fields: float) -> oc.RunContainer:
    """The container, of which the image is pulled from *place*."""
    hub = attrs.evolve(shops.registry(ground.lab), registry_path=place)
    return attrs.evolve(ground.web(repository, **fields), image=hub.image(repository))


def refused(ground: Ground, front: Front, repository: str, **fields: float) -> oc.Outcome:
    """What comes of a deployment whose pull does not come to a good end; the old container knows nothing of it."""
    step = pulling(ground, front.place, repository, **fields)
    before = shops.inspect(ground.lab, ground.host, "shop-dev-web")["State"]["StartedAt"]
    with ground.space(step) as space:
        ended = ground.deploy(space, NEW, repository)
    assert not ended.ok, str(ended)
    assert shops.inspect(ground.lab, ground.host, "shop-dev-web")["State"]["StartedAt"] == before
    return ended.outcomes[0]


def answers(status: HTTPStatus, code: str, ground: Ground) -> None:
    """The registry answers with *status* whatever is asked."""
    repository = ground.fresh()
    with fronted(ground) as front:
        step = pulling(ground, front.place, repository)
        ground.stand(step, repository=repository)
        body = f'{{"errors": [{{"code": "{code}", "message": "so it is"}}]}}'.encode()
        front.instead = lambda _method, target: (status, {"Content-Type": "application/json"}, body)
        made = refused(ground, front, repository)
        assert made.state is oc.State.FAILED
        assert not made.changed
        assert made.why.startswith("docker pull: ")
        ground.holds(step, stood=True)
        front.instead = lambda _method, _target: None
        ground.settles(step, repository=repository)


def hangs(ground: Ground) -> None:
    """The registry takes questions and answers none, for longer than the step has."""
    repository = ground.fresh()
    thawed = threading.Event()

    def hang(_method: str, _target: str) -> None:
        thawed.wait(60)

    with fronted(ground) as front:
        step = pulling(ground, front.place, repository, timeout_s=4)
        ground.stand(step, repository=repository)
        front.instead = hang
        try:
            made = refused(ground, front, repository, timeout_s=4)
        finally:
            thawed.set()
        assert made.state is oc.State.UNKNOWN
        assert "4 s" in made.why
        ground.settles(step, repository=repository)


def dawdles(ground: Ground) -> None:
    """The registry takes its time for each answer: that is waited for."""
    repository = ground.fresh()
    with fronted(ground) as front:
        step = pulling(ground, front.place, repository)
        ground.stand(step, repository=repository)
        front.delay_s = 0.5
        with ground.space(step) as space:
            ended = ground.deploy(space, NEW, repository)
        assert ended.ok, str(ended)
        ground.settles(step, repository=repository)


def breaks_off(ground: Ground) -> None:
    """What the registry sends of a layer is something else: docker compares it with its digest."""
    repository = ground.fresh()
    with fronted(ground) as front:
        step = pulling(ground, front.place, repository)
        ground.stand(step, repository=repository)
        wrong = b"x" * 100

        def spoil(_method: str, target: str) -> Answer | None:
            return (200, {"Content-Type": "application/octet-stream"}, wrong) if "/blobs/" in target else None

        front.instead = spoil
        made = refused(ground, front, repository)
        assert made.state is oc.State.FAILED
        assert made.why.startswith("docker pull: ")
        front.instead = lambda _method, _target: None
        ground.settles(step, repository=repository)


def is_down(ground: Ground) -> None:
    """Nobody listens at the registry's port; what hosts have is deployed all the same."""
    repository = ground.fresh()
    with fronted(ground) as front:
        step = pulling(ground, front.place, repository)
        ground.stand(step, repository=repository)
    made = refused(ground, front, repository)
    assert made.state is oc.State.FAILED
    assert "connection refused" in made.why
    ground.holds(step, stood=True)
    with ground.space(step) as space:
        assert ground.deploy(space, OLD, repository).outcomes[0].action == "unchanged"


def loses(what: Callable[[Ground, str], bool], ground: Ground) -> None:
    """Between release and deployment something becomes of what the release pins, which may still be there."""
    repository = ground.fresh()
    step = ground.web(repository)
    ground.stand(step, repository=repository)
    with ground.space(step) as space:
        release = space.create_release(versions={repository: NEW})
        still = what(ground, repository)
        ended = space.deploy(release, "Dev", check=False)
    assert ended.ok is still, str(ended)
    assert still or "manifest unknown" in ended.outcomes[0].why
    ground.holds(step, stood=True)
    ground.lab.push(repository, NEW, "ok")
    ground.settles(step, repository=repository)


def moves(ground: Ground, repository: str) -> bool:
    """Its tag means another image now."""
    ground.lab.push(repository, NEW, "slow-stop")
    return True


def collects(ground: Ground, repository: str) -> bool:
    """It is collected, with its tag."""
    digest = ground.lab.push(repository, NEW, "ok")
    Registry(f"http://{ground.lab.registry}").call("DELETE", f"/v2/{repository}/manifests/{digest}").close()
    return False


CASES: dict[str, Fault] = {
    "the registry says 401 to a pull": partial(answers, HTTPStatus.UNAUTHORIZED, "UNAUTHORIZED"),
    "the registry says 404 to a pull": partial(answers, HTTPStatus.NOT_FOUND, "MANIFEST_UNKNOWN"),
    "the registry says 500 to a pull": partial(answers, HTTPStatus.INTERNAL_SERVER_ERROR, "UNKNOWN"),
    "the registry hangs in a pull": hangs,
    "the registry is slow in a pull": dawdles,
    "the registry sends something else": breaks_off,
    "the registry is down": is_down,
    "the tag moves after the release": partial(loses, moves),
    "the digest is collected after the release": partial(loses, collects),
}
