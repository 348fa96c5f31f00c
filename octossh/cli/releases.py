"""Commands about tags, images and releases."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

import octossh as oc
from octossh.cli.mistakes import ThereIs
from octossh.cli.options import Options, command, octossh


@command(octossh, "tags")
@click.argument("image")
@click.option("--project", help="Whose channels; default: the first that runs the image.")
@click.option("--channel", help="Default: the first of the project.")
@click.option("--explain", is_flag=True, help="Say for each tag why it was picked or not.")
@click.option("--range", help="Try this range instead of the channel's, such as '[1.0,2.0)'; likewise:")
@click.option("--variant", help="Such as alpine; '*' for all of them, '' for none.")
@click.option("--prefix", help="Such as release-.")
@click.option("--prerelease", metavar="REGEX", help="Such as '^rc'.")
@click.option("--tag", metavar="REGEX", help="What the tag itself has to match.")
@click.option("--scheme", help="How versions count: dotted, calver, date or number.")
@click.option("--mode", help="How tags are read, such as docker or semver.")
@click.option("--downgrade", is_flag=True, default=None, help="Take older versions than the last release has, too.")
@click.option("--max-major-jump", type=int, metavar="N", help="So many major versions further at most.")
@click.option("--min-age-days", type=float, metavar="DAYS", help="Take tags that have been there for so long.")
def _tags(
    options: Options, image: str, project: str | None, channel: str | None, *, explain: bool, **changes: Any
) -> None:
    """Show the tags of IMAGE, and which one a release would pick."""
    tried = {name: value for name, value in changes.items() if value is not None}
    explanation = options.space().tags(image, channel=channel, project=project, **tried)
    options.show(explanation, None if explain else _tags_text(explanation))


def _tags_text(explanation: oc.versions.Explanation) -> str:
    accepted = [verdict.tag for verdict in explanation.verdicts if verdict.accepted]
    picked = explanation.chosen.tag if explanation.chosen else "none"
    more = f" and {len(accepted) - 10} more" if len(accepted) > 10 else ""
    lines = [
        f"picked: {picked}",
        f"fitting: {' '.join(accepted[:10]) or 'none'}{more}",
        f"others: {len(explanation.verdicts) - len(accepted)} (--explain says why)",
    ]
    lines += [f"ambiguous: {explanation.ambiguous}"] if explanation.ambiguous else []
    return "\n".join([*lines, *(f"note: {note}" for note in explanation.notes)])


@command(octossh, "images")
@click.argument("text", default="")
@click.option("--registry", metavar="NAME", help="Default: the only one that projects have images of.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
def _images(options: Options, text: str, registry: str | None, limit: int) -> None:
    """List repositories of a registry that have TEXT in their name. Not every registry tells."""
    options.show(options.space().images(text, registry=registry, limit=limit))


@octossh.group("release")
def _release() -> None:
    """Make releases, compare them, carry them over, hold them back."""


@command(_release, "create")
@click.argument("project", required=False)
@click.option("--channel", help="Default: the first of the project.")
@click.option("--number", help="Default: the next one.")
@click.option("--set", "versions", multiple=True, metavar="IMAGE=TAG", help="Take this tag instead of choosing.")
@click.option("--notes", default="", help="Markdown.")
@click.option("--notes-file", type=ThereIs(allow_dash=True), help="A file of it.")
@click.option("--commit", help="Default: that of the CI job, or what is checked out here.")
@click.option("--link", metavar="URL", help="A page about it. Default: that of the CI job.")
def _release_create(
    options: Options, project: str | None, versions: tuple[str, ...], notes: str, notes_file: Path | None, **given: Any
) -> None:
    """Pick versions, pin them to digests, and store a release of PROJECT."""
    if notes and notes_file is not None:
        raise click.UsageError("--notes and --notes-file are two ways to say one thing; give one of them")
    pairs = dict(_pair(text) for text in versions)
    # The octofile is loaded in its own folder; the file was named from this one.
    text = notes if notes_file is None else _read(notes_file)
    options.show(options.space().create_release(project, versions=pairs, notes=text, **given))


def _read(file: Path) -> str:
    return sys.stdin.read() if str(file) == "-" else oc.read_text(file)


def _pair(text: str) -> tuple[str, str]:
    image, equals, tag = text.partition("=")
    if not (image and equals and tag):
        raise click.BadParameter(f"{text!r}: write IMAGE=TAG, such as acme/web=1.2.0", param_hint="--set")
    return image, tag


@command(_release, "list")
@click.argument("project", required=False)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
def _release_list(options: Options, project: str | None, limit: int) -> None:
    """List the releases of PROJECT, newest first."""
    found = options.space().releases(project, limit=limit)
    options.show(found, None if found else f"{found}; make one with 'octossh release create'")


@command(_release, "show")
@click.argument("release", default="latest")
@click.option("--project", help="Default: the only one.")
def _release_show(options: Options, release: str, project: str | None) -> None:
    """Show all of RELEASE (default: the latest): its images by digest, its steps, its notes."""
    found = options.space().release(project, release)
    options.show(found, found.described())


@command(_release, "prevent")
@click.argument("release")
@click.option("--project", help="Default: the only one.")
@click.option("--why", required=True, help="The reason, in words.")
def _release_prevent(options: Options, release: str, project: str | None, why: str) -> None:
    """Hold RELEASE back: it goes to no phase that it has not reached yet."""
    options.show(options.space().prevent(project, release, why=why))


@command(_release, "allow")
@click.argument("release")
@click.option("--project", help="Default: the only one.")
@click.option("--why", default="", help="The reason, in words.")
def _release_allow(options: Options, release: str, project: str | None, why: str) -> None:
    """Let RELEASE go on that was held back."""
    held = options.space().allow(project, release, why=why)
    options.show({"allowed": held.to_dict()}, f"{held.project} {held.release} may go on")


@command(_release, "prevented")
@click.argument("project", required=False)
def _release_prevented(options: Options, project: str | None) -> None:
    """List the releases of PROJECT (default: of all) that are held back, and why."""
    held = options.space().preventions(project)
    rows = [(p.project, p.release, f"{p.at:%Y-%m-%d %H:%M:%S}", p.by, p.why) for p in held]
    from octossh.model import columns

    text = columns(rows, ("project", "release", "since (UTC)", "by", "why")) if rows else "no release is held back"
    options.show({"prevented": [one.to_dict() for one in held]}, text)


@command(_release, "diff")
@click.argument("release")
@click.argument("other", required=False)
@click.option(
    "--in", "environment", metavar="ENVIRONMENT", help="In place of OTHER: from what stands there to RELEASE."
)
@click.option("--project", help="Default: the only one.")
def _release_diff(
    options: Options, release: str, other: str | None, environment: str | None, project: str | None
) -> None:
    """Show what differs from RELEASE to OTHER: images, steps by field, variables, templates."""
    options.show(options.space().diff(release, other, project=project, environment=environment))


_key = click.option(
    "--key",
    type=ThereIs(resolve_path=True),
    help="An Ed25519 key, or a secret of 16 characters or more. Default: what OCTOSSH_RELEASE_KEY holds, if anything.",
)
_file = click.argument("file", type=click.Path(dir_okay=False, resolve_path=True, path_type=Path))


@command(_release, "export")
@click.argument("release")
@_file
@click.option("--project", help="Default: the only one.")
@_key
def _release_export(options: Options, release: str, file: Path, project: str | None, key: Path | None) -> None:
    """Write RELEASE into FILE, hashed and, with a key, signed, for a place without access to the store."""
    options.show(options.space().export_release(release, file, project=project, key=key))


@command(_release, "import")
@_file
@_key
def _release_import(options: Options, file: Path, key: Path | None) -> None:
    """Store the release in FILE, if nothing in it was changed and, with a key, if that has signed it."""
    options.show(options.space().import_release(file, key=key))
