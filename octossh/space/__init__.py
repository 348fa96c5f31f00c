"""The facade that wires projects, targets, registries, hosts and the store together."""

from __future__ import annotations

from octossh.space.audits import Audits
from octossh.space.checking import Checking
from octossh.space.containers import Containers
from octossh.space.freezes import Freezes
from octossh.space.interventions import Interventions
from octossh.space.looking import Looking
from octossh.space.records import Records
from octossh.space.retention import Retention
from octossh.space.schedules import Schedules, Scheduling
from octossh.space.values import Values

__all__ = ["Freezes", "Schedules", "Space", "Values"]


class Space(Checking, Interventions, Scheduling, Records, Looking, Containers, Audits, Retention):
    """Projects, targets and environments that share one store.

    Making one touches nothing: the store, the registries and the hosts are opened when they are needed, and
    closed by ``close()`` or at the end of a ``with`` block.

    Args:
        store: URL of the record: ``sqlite:///octossh.db`` (a path relative to the working directory).
        projects: What can be deployed.
        targets: Where to: a list of `Target`; the path of a YAML file of targets; a source of them, such as
            `AnsibleTargets`, `SSHConfigTargets`, `CommandTargets` or a function that gives targets, or their fields by
            name; or a list of all these. Sources are asked once, when the space is made.
        environments: Further ones, besides those of lifecycles and targets.
        transport: How hosts are reached: a transport, or ``"ssh"`` or ``"openssh"`` for one of these as it comes.
            Default: `SSH`, with the configuration, known_hosts and keys of the user.
        secrets: A mapping or a function that gives the value of a secret by name, or None; such as
            `FolderSecrets` or `CommandSecrets`; or a list of them, of which the first that knows a name counts.
            Default: the environment variables of this process.
        approve: Who is asked by `Approve`: a function that is called with an `ApprovalRequest`, in the thread that
            deploys, and gives an `Approval`; or the answers themselves, by the name of the step.
        ask: Who is asked for variables with a prompt: a function that is called with the `Variable`, and gives its
            value, a `Secret` where it is sensitive, or None for what holds without an answer. None: nobody.
        on_failure: Who says what to do when a step has failed on a host: a function that is called with a
            `FailureRequest`, in the thread that deploys, and gives a `Decision`; or always the same: ``ignore``,
            ``exclude`` or ``abort``. Default: the `Rollout` says how many hosts may fail.
        templates: A folder of templates for scripts; those in it stand before octossh's own of the same name.
        on_event: Is called with each `Event` while something is deployed. None: nobody is, but a notebook shows how
            far it has come.
        on_moved_tag: What is done when a tag of a release means another image by now, or is gone, or its registry
            cannot be asked. The image that the release pins is deployed in any case. ``"warn"``: it is said, and
            recorded. ``"fail"``: nothing is deployed; a rollback is all the same. ``"ignore"``: nobody asks.
        key: A source, such as `KeyringSecrets`, that gives the key of the stored values under the name
            ``OCTOSSH_KEY``; see `Values`. Default: the environment variable of that name, or the file that
            ``OCTOSSH_KEY_FILE`` names.
        anchors: Whether the head of the audit chain is left on the hosts that a deployment has changed, for
            `ask_hosts`.
        sinks: Where events are sent while they happen: `SyslogSink`, `HttpSink`, or anything with a ``name`` and a
            ``send()`` that takes a list of `AuditEntry`. Nothing waits for them.
        hooks: What is called at the moments of a deployment: functions that are called with a `HookCall`,
            `CommandHook` and `Webhook`. One that fails before a deployment stops it.
        spans: Whether deployments are told as spans of OpenTelemetry, where its library is installed.
        lock_wait_s: Whole seconds that a step waits on its host while a step of another deployment of the same project
            to the same environment is at work there, such as one with another store. After that it is refused, and
            the reason says who that is, and since when.

    Raises:
        ModelError: Two projects or targets have one name, or the file of targets or a template is wrong.
    """
