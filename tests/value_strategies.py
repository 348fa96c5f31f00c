"""Hypothesis strategies: texts, times, images and logins, which the other ones are made of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

import octossh as oc
from octossh.model import Repositories
from octossh.model.variables import RESERVED

ODD = "aZ09 ._-'\"\\$`{%#}\n\té€𝄞\u2028&;|<>()*?!~="
TEXT = st.text(st.sampled_from(ODD), max_size=12).filter(lambda text: "{" not in text) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0{"), max_size=12
)
NAMES = st.from_regex(r"[a-z0-9]([A-Za-z0-9 _.é'\"$-]{0,18}[a-z0-9])?", fullmatch=True)
WORDS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True).filter(lambda word: word not in RESERVED)
ZONES = st.just(UTC) | st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(datetime(1971, 1, 2), datetime(9998, 12, 30), timezones=ZONES)  # noqa: DTZ001
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
DATA = st.dictionaries(TEXT, JSON, max_size=3)


def not_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return True
    return False


def few(items: st.SearchStrategy[Any], **more: Any) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(items, max_size=3, **more).map(tuple)


SECRETS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_./:-]{0,9}", fullmatch=True).map(oc.secret)
AUTHS: dict[type, st.SearchStrategy[Any]] = {
    oc.Anonymous: st.builds(oc.Anonymous),
    oc.Basic: st.builds(oc.Basic, TEXT, SECRETS),
    oc.CredentialHelper: st.builds(oc.CredentialHelper, st.from_regex(r"[a-z0-9.-]{1,9}", fullmatch=True)),
    oc.DockerConfig: st.builds(oc.DockerConfig, TEXT),
    oc.Keyring: st.builds(oc.Keyring, TEXT, st.none() | TEXT),
    oc.Token: st.builds(oc.Token, SECRETS, refresh=st.booleans()),
}
REGISTRIES = st.builds(
    oc.Registry,
    NAMES,
    st.sampled_from(
        ["https://registry.example.com", "http://127.0.0.1:5000", "https://docker.io", "https://[::1]:5000"]
    ),
    auth=st.none() | st.one_of(*AUTHS.values()),
    ca=st.none() | TEXT,
    host_login=st.sampled_from(["auto", "token", "password", "none"]),
    registry_path=st.sampled_from([None, "pull.example.com:5000", "example.com/acme", "docker.io"]),
)
FOUND = st.builds(Repositories, registry=NAMES, text=TEXT, names=few(TEXT), complete=st.booleans())
REPOSITORIES = st.from_regex(r"[a-z0-9]{1,4}((__|[._]|-{1,2})[a-z0-9]{1,3})?(/[a-z0-9]{1,4}){0,2}", fullmatch=True)
# On Docker Hub no first part has a dot: that would be a host.
IMAGES = st.builds(oc.Image, REGISTRIES, REPOSITORIES.filter(lambda name: "." not in name or "/" not in name))
DIGESTS = st.integers(0, 2**256 - 1).map(lambda number: f"sha256:{number:064x}")
PINS = st.builds(
    oc.Pin,
    image=IMAGES,
    tag=st.sampled_from(["1.0", "1.27.3-alpine", "latest"]),
    digest=DIGESTS,
    media_type=TEXT,
    size=st.integers(0, 2**53),
    resolved_at=st.none() | TIMES,
    platforms=few(st.sampled_from(["linux/amd64", "linux/arm/v6", "windows/amd64"])),
)
