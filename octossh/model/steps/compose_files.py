"""Compose files as the steps need them: services with an image each, and the variables that they read."""

from __future__ import annotations

import copy
import functools
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from octossh.documents import read_yaml
from octossh.errors import ModelError, did_you_mean
from octossh.model._values import Pairs
from octossh.model.images import Image, check_digest
from octossh.model.references import Reference, split_reference

__all__ = [
    "Document",
    "active_document",
    "check_document",
    "check_pinned",
    "compose_text",
    "image_pairs",
    "labels_of",
    "reads",
    "secret_places",
    "services_of",
    "variables_of",
]

Document = dict[str, Any]

_SUBJECT = "the compose file"


def compose_text(value: Any) -> str:
    """The text of a compose file: as it is given, or read from the path that is given. It ends with a line break.

    Raises:
        ModelError: The file cannot be read.
    """
    if not isinstance(value, str | os.PathLike):
        raise ModelError(f"{value!r} is neither the text of a compose file nor its path")
    if isinstance(value, str) and "\n" in value:
        return value
    try:
        text = Path(value).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ModelError(f"the compose file {os.fspath(value)!r} cannot be read: {reason}; give another path") from None
    return text if text.endswith("\n") else f"{text}\n"


@functools.lru_cache(maxsize=64)
def _parsed(text: str) -> Any:
    return read_yaml(text, _SUBJECT)


def active_document(text: str, profiles: Collection[str] = ()) -> Document:
    """The compose file with the services that the *profiles* bring, and without what stands there for people.

    Labels and environment of a service are mappings in it; a variable without a value reads the one of its name.
    """
    document: Document = copy.deepcopy(_parsed(text))
    services: Document = {}
    for name, service in document["services"].items():
        of = service.pop("profiles", None)
        if of and not set(of) & set(profiles):
            continue
        for field in ("labels", "environment"):
            if field in service:
                service[field] = _mapping(service[field], reading=field == "environment")
        services[name] = service
    return {**{key: value for key, value in document.items() if key not in {"name", "services"}}, "services": services}


def labels_of(entry: Mapping[str, Any]) -> dict[str, str]:
    """The labels of a service, network or volume, which may stand as a mapping or as a list."""
    return _mapping(entry.get("labels"), reading=False)


def _mapping(value: Any, *, reading: bool) -> dict[str, Any]:
    if isinstance(value, list):
        pairs = [(name, text if equals else None) for name, equals, text in (str(i).partition("=") for i in value)]
    else:
        pairs = list((value or {}).items())
    return {str(k): _plain(v) if v is not None else f"${{{k}}}" if reading else "" for k, v in pairs}


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# --------------------------------------------------------------- variables

_READS = re.compile(r"\$(?:\$|(?P<bare>[_a-zA-Z]\w*)|\{(?P<braced>[_a-zA-Z]\w*)(?P<operator>:?[-?+])?)", re.ASCII)


def reads(value: Any) -> Iterator[tuple[str, bool]]:
    """The variables that the texts in *value* read, and whether each has a value to fall back to."""
    if isinstance(value, str):
        for found in _READS.finditer(value):
            if name := found["bare"] or found["braced"]:
                yield name, (found["operator"] or "").endswith(("-", "+"))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from reads(item)
    elif isinstance(value, list):
        for item in value:
            yield from reads(item)


def variables_of(value: Any) -> dict[str, bool]:
    """The variables that *value* reads, by name: whether each can be left out."""
    made: dict[str, bool] = {}
    for name, optional in reads(value):
        made[name] = made.get(name, True) and optional
    return dict(sorted(made.items()))


def secret_places(document: Document) -> Document:
    """The document without the places in which a variable may be a secret: values of environments and of secrets."""
    services = {name: {**service, "environment": {}} for name, service in document["services"].items()}
    return {**document, "services": services, "secrets": {}, "configs": {}}


# ------------------------------------------------------------------ checks

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]*")


def check_document(text: str) -> None:
    """Raise `ModelError` unless *text* is a compose file that stands on its own."""
    document = _parsed(text)
    services = document.get("services") if isinstance(document, dict) else None
    if not isinstance(services, dict) or not services:
        raise ModelError(f"{_SUBJECT} has no services; write 'services:' at its top, and below it one entry for each")
    if "include" in document:
        raise ModelError(f"{_SUBJECT} includes others; make one file of them with 'docker compose config'")
    for name, service in services.items():
        where = f"{_SUBJECT}, service {name!r}"
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ModelError(f"{where}: a name is made of letters, digits and . _ -")
        if not isinstance(service, dict):
            raise ModelError(f"{where} has no fields; give it an image")
        _check_service(where, service)
    for kind in ("secrets", "configs"):
        for name, entry in (document.get(kind) or {}).items():
            if isinstance(entry, dict) and "file" in entry:
                _check_path(f"{_SUBJECT}, {kind} {name!r}", entry["file"], only_absolute=True)


def _check_service(where: str, service: Mapping[str, Any]) -> None:
    if "build" in service:
        raise ModelError(f"{where} is built; octossh does not build images: push one, and give its name as image")
    if "extends" in service:
        raise ModelError(f"{where} extends another one; write it out, as 'docker compose config' does")
    if not isinstance(service.get("image"), str) or not service["image"]:
        raise ModelError(f"{where} has no image; give it one")
    for field in ("labels", "environment"):
        if not isinstance(service.get(field) or {}, dict | list):
            raise ModelError(f"{where}: {field} is neither a mapping nor a list")
    for label in labels_of(service):
        if label.startswith("octossh."):
            raise ModelError(f"{where}: the labels 'octossh.' are octossh's own; take {label!r} out")
    if not isinstance(service.get("profiles") or [], list):
        raise ModelError(f"{where}: profiles is not a list")
    for path in _listed(service.get("env_file")):
        _check_path(f"{where}: env_file", path.get("path") if isinstance(path, dict) else path, only_absolute=True)
    for volume in _listed(service.get("volumes")):
        source = volume.get("source") if isinstance(volume, dict) else str(volume).partition(":")[0]
        _check_path(f"{where}: volume", source, only_absolute=False)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _check_path(where: str, path: Any, *, only_absolute: bool) -> None:
    text = str(path or "")
    if text.startswith(".") or (only_absolute and not text.startswith(("/", "~", "$"))):
        raise ModelError(
            f"{where}: {text!r} is a path beside the compose file, which does not go to the host; write where it "
            "stands on the host, from / on"
        )


# ------------------------------------------------------------------ images


def services_of(text: str) -> dict[str, str]:
    """The image of each service, as the compose file has it."""
    return {name: service["image"] for name, service in _parsed(text)["services"].items()}


def image_pairs(text: str, images: Any) -> Pairs[Image]:
    """The image that a release pins, for each service that runs it.

    Args:
        text: The compose file.
        images: The same as a mapping, or a list of images: each is for all services of its repository.

    Raises:
        ModelError: A service or an image is not in the file.
    """
    there = services_of(text)
    if isinstance(images, Mapping):
        for name, image in images.items():
            if name not in there:
                raise ModelError(f"{_SUBJECT} has no service {name!r}; {did_you_mean(str(name), there)}")
            _check_image(image)
        return Pairs(images)
    if isinstance(images, str | Image) or not isinstance(images, Iterable):
        raise ModelError("it takes a list of images, or a mapping of services to images; write images=[...]")
    made: dict[str, Image] = {}
    for image in images:
        _check_image(image)
        assert isinstance(image, Image)
        found = [name for name, given in there.items() if Reference.of(given).name in {image.name, image.pull_name}]
        if not found:
            raise ModelError(
                f"no service of {_SUBJECT} runs {image.name}; its images are {', '.join(sorted(set(there.values())))}. "
                "Say for which service it is: images={'SERVICE': ...}"
            )
        made |= dict.fromkeys(found, image)
    return Pairs(made)


def _check_image(image: Any) -> None:
    if not isinstance(image, Image):
        raise ModelError(f"{image!r} is not an image; make one with octossh.Registry(...).image('acme/web')")


def check_pinned(text: str, active: Collection[str], images: Mapping[str, Image]) -> None:
    """Raise `ModelError` where one of the *active* services runs an image that nothing pins."""
    for name, image in services_of(text).items():
        if name in active and name not in images:
            try:
                check_digest(split_reference(image)[2])
            except ModelError:
                raise ModelError(
                    f"{_SUBJECT}, service {name!r}: nothing says which {image} it is; give images=[...] this one, "
                    "write it with its digest (name@sha256:...), or allow it with allow_unpinned=True"
                ) from None
