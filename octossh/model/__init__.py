"""What is: the nouns of octossh as frozen values, checked when they are made."""

from octossh.model._values import Described, Pairs, slug
from octossh.model.catalogs import Catalog
from octossh.model.checkups import Checkup, Finding, Grade
from octossh.model.credentials import Anonymous, Basic, CredentialHelper, DockerConfig, Keyring, Token
from octossh.model.deployments import Deployment, Event, Mode, Outcome, State
from octossh.model.images import Image, Pin, Registry
from octossh.model.lifecycles import Channel, Lifecycle
from octossh.model.projects import Process, Project
from octossh.model.releases import Release
from octossh.model.rollout import Rolling
from octossh.model.secrets import SecretRef, secret
from octossh.model.snapshots import LABELS, Resource, Snapshot
from octossh.model.steps import (
    KINDS,
    Command,
    CreateNetwork,
    CreateVolume,
    Evaluated,
    Http,
    LogLine,
    Part,
    Probe,
    PullImage,
    Replace,
    RunContainer,
    RunScript,
    Step,
    StopResource,
    Strategy,
    Tcp,
    mapped,
    texts,
)
from octossh.model.targets import Environment, Target
from octossh.model.variables import Value, Variable, value_of
from octossh.model.views import History, Standing, Status, columns

__all__ = [
    "KINDS",
    "LABELS",
    "Anonymous",
    "Basic",
    "Catalog",
    "Channel",
    "Checkup",
    "Command",
    "CreateNetwork",
    "CreateVolume",
    "CredentialHelper",
    "Deployment",
    "Described",
    "DockerConfig",
    "Environment",
    "Evaluated",
    "Event",
    "Finding",
    "Grade",
    "History",
    "Http",
    "Image",
    "Keyring",
    "Lifecycle",
    "LogLine",
    "Mode",
    "Outcome",
    "Pairs",
    "Part",
    "Pin",
    "Probe",
    "Process",
    "Project",
    "PullImage",
    "Registry",
    "Release",
    "Replace",
    "Resource",
    "Rolling",
    "RunContainer",
    "RunScript",
    "SecretRef",
    "Snapshot",
    "Standing",
    "State",
    "Status",
    "Step",
    "StopResource",
    "Strategy",
    "Target",
    "Tcp",
    "Token",
    "Value",
    "Variable",
    "columns",
    "mapped",
    "secret",
    "slug",
    "texts",
    "value_of",
]
