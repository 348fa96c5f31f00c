"""Tables: as text for a terminal, and as HTML for a notebook, with nothing in them that could act."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

import octossh as oc
from octossh.model import Standing, Table
from octossh.planning import compare, plan

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
EVIL = "<script>alert(\"1\")</script><img src=x onerror='y'>&amp;"


class Page(HTMLParser):
    """What a browser would see: the tags with their attributes, and the text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.said = [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.said.append(data)


def deployment(**changes):
    done = oc.Outcome(
        step=EVIL, target="h01", state=oc.State.SUCCEEDED, action="created", started_at=NOW, finished_at=NOW
    )
    bad = oc.Outcome(step="web", target=EVIL, state=oc.State.FAILED, why=EVIL)
    made = {
        "project": EVIL,
        "release": "1",
        "environment": "Dev",
        "mode": oc.Mode.DEPLOY,
        "state": oc.State.FAILED,
        "outcomes": (done, bad),
    }
    return oc.Deployment(id="d1", started_at=NOW, error=EVIL, by=EVIL, **{**made, **changes})


def release(script):
    process = oc.Process([oc.RunScript("<script>", script="true", env={"WHAT": script})])
    return oc.Release(project=EVIL, number="1", channel="a", process=process, created_at=NOW)


def test_an_empty_list_of_releases_says_so_and_names_nothing_that_is_not_there():
    made = oc.Releases(())
    (table,) = made.tables()
    assert (str(made), table.caption) == ("there is no release yet", "Releases, newest first")


NOUNS = {
    "deployment": deployment,
    "history": lambda: oc.History((deployment(),)),
    "status": lambda: oc.Status((Standing(project=EVIL, environment=EVIL, release="1", by=EVIL, seen="healthy"),)),
    "releases": lambda: oc.Releases((release(EVIL),)),
    "empty releases": lambda: oc.Releases(()),
    "empty history": lambda: oc.History(()),
    "checkup": lambda: oc.Checkup((oc.model.Finding(target=EVIL, subject="x", grade=oc.model.Grade.OK, found=EVIL),)),
    "executions": lambda: oc.Executions(
        (EVIL,), (oc.Execution(target=EVIL, step=EVIL, container=EVIL, why=EVIL, output=EVIL),)
    ),
    "drift": lambda: oc.Drifts(
        (
            oc.Drift(
                project=EVIL,
                environment="Dev",
                release="1",
                deployment="d1",
                unseen=((EVIL, EVIL),),
                notes=(EVIL,),
                deviations=(
                    oc.Deviation(target=EVIL, step="web", kind="container", name=EVIL, problem=oc.Problem.EXTRA, found=EVIL),
                ),
            ),
        )
    ),
    "whereabouts": lambda: oc.Whereabouts(EVIL, (oc.model.Runner(source="host", target=EVIL, image=EVIL),), ((EVIL, EVIL),)),
    "plan": lambda: plan(release(EVIL), "Dev", [oc.Target("h01", "h01", environments=["Dev"])]),
    "diff": lambda: compare(release("true"), release("false")),
    "table of nothing": lambda: Table(head=("a",), rows=(), caption=EVIL, empty=EVIL, notes=(EVIL,)),
    "release": lambda: oc.Release(project=EVIL, number="1", channel="a", process=oc.Process([oc.RunScript("a", script="b")]), created_at=NOW),
}  # fmt: skip


@pytest.mark.parametrize("noun", NOUNS)
def test_html_lets_nothing_through_that_a_browser_would_take_for_markup(noun):
    made = NOUNS[noun]()
    html = made.html() if isinstance(made, Table) else made._repr_html_()
    page = Page(html)
    assert {tag for tag, _ in page.tags} <= {"table", "caption", "thead", "tbody", "tr", "th", "td", "p", "br", "pre"}
    assert {name for _, attrs in page.tags for name in attrs} <= {"scope", "style"}
    if not noun.startswith("empty "):
        assert "<script>" in "".join(page.said), "it is shown as the text that it is"


@pytest.mark.parametrize("noun", ["deployment", "history", "status", "checkup", "drift", "whereabouts", "plan", "diff"])
def test_a_table_says_to_a_screen_reader_what_it_is_and_what_each_cell_belongs_to(noun):
    page = Page(NOUNS[noun]()._repr_html_())
    tags = [tag for tag, _ in page.tags]
    assert tags.count("table") == tags.count("caption") == 1
    scopes = [attrs.get("scope") for tag, attrs in page.tags if tag == "th"]
    assert scopes.count("row") == tags.count("tr") - 1
    assert set(scopes) == {"row", "col"}


@pytest.mark.parametrize("noun", NOUNS)
def test_html_brings_no_colours_of_its_own(noun):
    made = NOUNS[noun]()
    html = made.html() if isinstance(made, Table) else made._repr_html_()
    for style in re.findall(r'style="([^"]*)"', html):
        for name, value in re.findall(r"([\w-]*color|background)\s*:\s*([^;]+)", style):
            assert value in {"inherit", "transparent"}, name


def test_long_tables_end_early_in_html_and_say_so():
    table = Table(head=("n",), rows=[(str(number),) for number in range(250)], caption="many")
    page = Page(table.html())
    assert [tag for tag, _ in page.tags].count("tr") == 201
    assert "... and 50 more" in page.said
    assert str(table).endswith("\n249")


def test_text_keeps_its_rows_whatever_stands_in_a_cell():
    table = Table(head=("a", "b"), rows=[("one\ntwo\x1b[2J", "right\u202eleft"), ("x", "y\r")], caption="odd")
    assert str(table) == "a            b\none two?[2J  right?left\nx            y?"


def test_the_states_of_a_deployment_stand_in_a_grid_of_steps_and_hosts():
    (table,) = deployment(project="shop").tables()
    assert table.head == ("step", "h01", EVIL)
    assert [row[1:] for row in table.rows] == [("created 0.0 s", ""), ("", f"failed: {EVIL}")]


def test_a_plan_says_for_each_step_on_each_host_what_would_be_done_and_why():
    targets = [oc.Target(name, name, environments=["Dev"]) for name in ("h01", "h02")]
    (table,) = plan(release("x"), "Dev", targets).tables()
    assert [row[:2] for row in table.rows] == [("h01", "<script>"), ("h02", "<script>")]
    assert {row[2] for row in table.rows} == {"> run"}


def test_a_diff_says_of_each_thing_what_it_was_and_is():
    (table,) = compare(release("old"), release("new")).tables()
    ((of, told),) = table.rows
    assert of == "steps"
    assert "old" in told
    assert "new" in told


def test_many_hosts_go_down_the_grid():
    hosts = [oc.Outcome(step="web", target=f"h{n}", state=oc.State.SUCCEEDED, action="created") for n in range(9)]
    (table,) = deployment(outcomes=tuple(hosts)).tables()
    assert table.head == ("host", "web")
    assert len(table.rows) == 9


def test_the_status_is_a_grid_of_projects_and_environments_with_an_attempt_that_did_not_succeed():
    made = oc.Status(
        (
            Standing(project="a", environment="Dev", release="2", by="ada", since=NOW, seen="healthy", last=oc.State.FAILED, last_release="3"),
            Standing(project="a", environment="Test"),
            Standing(project="b", environment="Dev", release="1", by="bob", since=NOW, seen="unhealthy", seen_why="h01 web: stopped", last=oc.State.RUNNING, last_release="2", running="d9"),
        )
    )  # fmt: skip
    (table,) = made.tables()
    assert table.head == ("project", "Dev", "Test")
    assert table.rows == (
        ("a", "2, healthy\n2026-03-04 05:06:07 by ada\n3 failed", "-"),
        ("b", "1, unhealthy: h01 web: stopped\n2026-03-04 05:06:07 by bob\ndeploying 2 now", ""),
    )
    assert made.to_dict()["standings"][2]["running"] == "d9"
