"""A board in a real browser: what somebody sees and does who opens it from a folder, or has it served."""

from __future__ import annotations

import contextlib
import os
import platform
import queue
import threading
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import documents
import pytest
from browsers import browsing

import octossh as oc
from octossh.testing import Hosts

pytestmark = pytest.mark.slow

START = datetime(2026, 1, 1, tzinfo=UTC)
HOSTILE = "</script><img src=x onerror=document.title='broken'>"


@pytest.fixture(scope="module")
def browser():
    with browsing() as opened:
        yield opened


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    """105 deployments, the first of which failed, and a name that no page may take for its own."""
    project = oc.Project(
        "shop", process=[oc.RunScript("hello", script="echo hi"), oc.RunScript(HOSTILE, script="true")]
    )
    store = f"sqlite:///{tmp_path_factory.mktemp('store')}/octossh.db"
    with oc.Space(
        store, projects=[project], targets=[oc.Target("h01", "h01", environments=["Dev", "Live"])], transport=oc.Local()
    ) as made:
        release = made.create_release("shop", notes=HOSTILE)
        for number in range(105):
            record(made, release, number)
        yield made


def record(space, release, number):
    failed, started = number == 0, START + timedelta(hours=number)
    running = oc.Deployment(
        id=f"d{number:03}",
        project="shop",
        release=release.number,
        environment="Live" if number % 5 == 0 else "Dev",
        mode=oc.Mode.DEPLOY,
        state=oc.State.RUNNING,
        started_at=started,
        by=f"user{number}",
    )
    state = oc.State.FAILED if failed else oc.State.SUCCEEDED
    log = f"log of {number} {HOSTILE}\n"
    outcomes = [oc.Outcome(step=step, target="h01", state=state, log=log) for step in ("hello", HOSTILE)]
    space.store.start(running)
    ended = {"state": state, "finished_at": started + timedelta(seconds=2), "error": "no space left" if failed else ""}
    space.store.finish(attrs.evolve(running, outcomes=outcomes, **ended))


@pytest.fixture(scope="module")
def folder(space, tmp_path_factory):
    made = tmp_path_factory.mktemp("board")
    oc.Board(space).write(made)
    return made


def rows(browser):
    return browser.run("return document.querySelectorAll('#list tbody tr').length")


def opened(browser, folder, page):
    browser.open((folder / page).as_uri())
    if page in {"deployments.html", "releases.html", "drift.html", "audit.html"} or "#" in page:
        browser.wait("!document.getElementById('search').hidden")


def test_a_list_from_a_folder_finds_by_words_in_all_rows_and_tells_how_many(browser, folder):
    opened(browser, folder, "deployments.html")
    assert rows(browser) == 100
    browser.run("document.getElementById('words').focus()")
    browser.keys(*"user3")
    # 3, and 30 to 39
    assert browser.wait("document.getElementById('count').textContent.startsWith('11 of 11 shown') && 1") == 1
    assert rows(browser) == 11


def test_what_is_searched_for_stands_in_the_address_and_outlives_a_new_load(browser, folder):
    opened(browser, folder, "deployments.html")
    script = "const one = document.getElementById(arguments[0]); one.value = arguments[1]; "
    browser.run(script + "one.dispatchEvent(new Event('input', {bubbles: true}))", "choice5", "failed")
    assert rows(browser) == 1
    browser.run("location.reload()")
    browser.wait("document.getElementById('search') && !document.getElementById('search').hidden")
    assert rows(browser) == 1
    assert browser.run("return document.getElementById('choice5').value") == "failed"


def test_more_rows_are_shown_by_the_keyboard_which_goes_on_at_the_first_of_them(browser, folder):
    opened(browser, folder, "deployments.html")
    browser.run("document.getElementById('more').focus()")
    browser.keys("enter")
    assert rows(browser) == 105
    assert browser.run("return document.activeElement.rowIndex") == 101


def test_the_first_stroke_of_tab_leads_past_the_menu(browser, folder):
    opened(browser, folder, "index.html")
    browser.keys("tab", "enter")
    assert browser.run("return document.activeElement.id") == "main"


@pytest.mark.parametrize("page", ["index", "deployments", "releases", "drift", "audit"])
def test_in_a_narrow_window_times_stay_on_one_line_and_only_tables_are_wider_than_the_page(browser, folder, page):
    browser.picture(500, 900)
    opened(browser, folder, f"{page}.html")
    heights = browser.run(
        "const time = /\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d(:\\d\\d)?/; return [...document.querySelectorAll("
        "'main td, main th, main td a, main th a, .since')].map((one) => one.firstChild).filter((text) => text && "
        "text.nodeType === Node.TEXT_NODE && time.test(text.data)).map((text) => {"
        "const range = document.createRange(), found = time.exec(text.data); range.setStart(text, found.index); "
        "range.setEnd(text, found.index + found[0].length); return range.getClientRects().length; })"
    )
    assert set(heights) == {1}, page
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    menu = browser.run("return new Set([...document.querySelectorAll('nav a')].map((one) => one.offsetTop)).size")
    assert menu == 1, "all of the menu is on one line"


def test_an_address_with_a_step_opens_its_log(browser, folder):
    page = "deployment/d000.html"
    browser.open((folder / page).as_uri())
    assert browser.run("return document.querySelectorAll('details[open]').length") == 2  # both failed
    browser.open((folder / "deployment/d001.html").as_uri())
    assert browser.run("return document.querySelectorAll('details[open]').length") == 0
    browser.run("document.querySelector('td a[href=\"#o1\"]').click()")
    assert browser.wait("document.getElementById('o1').open")
    assert "log of 1" in browser.run("return document.querySelector('#o1 pre').innerText")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_wrong_with_any_kind_of_page(browser, folder, dark):
    release = next((folder / "release").iterdir()).relative_to(folder)
    pages = [
        "index.html",
        "deployments.html",
        "releases.html",
        "drift.html",
        "audit.html",
        "deployment/d000.html",
        release,
    ]
    for page in map(str, pages):
        opened(browser, folder, page)
        if dark:
            browser.dark()
        assert browser.complaints() == [], page


def test_what_others_wrote_is_text_and_nothing_is_fetched_from_elsewhere(browser, folder):
    release = next((folder / "release").iterdir()).relative_to(folder)
    for page in ("index.html", "deployments.html", "audit.html", "deployment/d000.html", str(release)):
        opened(browser, folder, page)
        assert "broken" not in browser.run("return document.title")
        used = browser.run(
            "return [...document.querySelectorAll('link, script, img')].map((one) => one.href || one.src)"
        )
        assert len(used) >= 3
        assert all(address.startswith((folder.as_uri(), "data:")) for address in used)
    assert HOSTILE in browser.run("return document.querySelector('pre.prose').innerText")


@pytest.fixture
def address(space):
    """A board that is served, and its address."""
    told: queue.Queue[str] = queue.Queue()
    board = oc.Board(space)
    threading.Thread(target=board.serve, args=(0,), kwargs={"on_ready": told.put}, daemon=True).start()
    return told.get(timeout=30)


def test_a_page_that_is_served_takes_over_what_is_recorded_and_keeps_what_is_searched_for(browser, space, address):
    browser.open(f"{address}deployments.html#words=user999")
    browser.wait("!document.getElementById('search').hidden")
    assert rows(browser) == 0
    record(space, space.release("shop"), 999)
    assert browser.wait("document.querySelectorAll('#list tbody tr').length === 1")
    assert browser.run("return document.getElementById('words').value") == "user999"


def test_a_page_that_is_served_loads_nothing_from_elsewhere(browser, address):
    browser.open(f"{address}deployments.html")
    browser.wait("!document.getElementById('search').hidden")
    loaded = browser.run("return performance.getEntriesByType('resource').map((one) => one.name)")
    assert f"{address}data/deployments.js" in loaded
    assert all(name.startswith((address, "data:")) for name in loaded)


def test_a_name_from_elsewhere_that_leads_here_is_told_nothing(address):
    asked = urllib.request.Request(address, headers={"Host": "evil.example.com"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked)
    assert refused.value.code == 403
    refused.value.close()


def test_a_real_board_shows_what_the_picture_in_the_documentation_was_taken_of(browser, tmp_path, monkeypatch):
    """With DOCS_WRITE=1 it is taken anew. That it is the newest is not looked at: fonts differ."""
    monkeypatch.setenv("LOGNAME", documents.USER)
    monkeypatch.setattr(platform, "node", lambda: documents.MACHINE)
    with shown(tmp_path) as space:
        oc.Board(space).write(tmp_path / "board")
    opened(browser, tmp_path / "board", "index.html")
    text = browser.run("return document.body.innerText")
    assert {"shop", "blog", "search", "Test", "Staging", "Live", "1.4.0", "1.5.0"} <= set(text.split())
    file = Path(__file__).parents[2] / "docs" / "pictures" / "board.png"
    if os.environ.get("DOCS_WRITE"):
        browser.run("document.documentElement.style.overflow = 'hidden'")
        file.write_bytes(browser.picture(880, 610))
    assert file.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


@contextlib.contextmanager
def shown(folder):
    """A space with three projects, of which some releases have come further than others."""
    line = oc.Lifecycle("Test", "Staging", "Live")
    names = ("shop", "blog", "search")
    projects = [oc.Project(n, process=[oc.RunScript("web", script="true")], lifecycle=line) for n in names]
    hosts = [
        oc.Target(f"{name.lower()}{n}", f"10.0.{n}.1", environments=[name])
        for name in line.environments
        for n in (1, 2)
    ]
    with oc.Space(f"sqlite:///{folder}/octossh.db", projects=projects, targets=hosts, transport=Hosts()) as space:
        for name, furthest in zip(names, (3, 2, 3), strict=True):
            for number, places in (("1.4.0", 3), ("1.5.0", furthest - 1)):
                space.create_release(name, number=number)
                for place in line.environments[:places]:
                    space.deploy(number, place, project=name)
        space._transport.fail("web", target="test2", why="not healthy within 60 s")
        space.create_release("search", number="1.6.0")
        space.deploy("1.6.0", "Test", project="search", check=False)
        yield space
