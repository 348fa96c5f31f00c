"""Calls in threads of their own: what they give, and that nobody waits for them who has not asked."""

import contextvars
import subprocess
import sys
import threading

import pytest

from octossh.promises import NoThreads, of_each, promised


def test_what_a_call_gives_or_raises_comes_from_a_thread_of_that_name_in_the_context_of_whoever_asks():
    cell = contextvars.ContextVar("cell", default="none")
    cell.set("mine")
    assert promised(lambda: (cell.get(), threading.current_thread().name), "some-work").result(30) == (
        "mine",
        "some-work",
    )
    with pytest.raises(ZeroDivisionError):
        promised(lambda: 1 / 0, "some-work").result(30)


def test_each_thing_is_asked_beside_the_others_and_answers_come_in_the_order_of_the_things():
    together = threading.Barrier(3, timeout=30)

    def ask(number):
        if number < 3:
            together.wait()
        return -number

    assert of_each(range(9), ask, at_once=3, name="some-work") == tuple(-number for number in range(9))
    assert of_each([], ask, at_once=3, name="some-work") == ()


def test_no_more_than_so_many_are_asked_at_once():
    working, most, lock = 0, 0, threading.Lock()
    two = threading.Barrier(2, timeout=30)

    def ask(_number):
        nonlocal working, most
        with lock:
            working += 1
            most = max(most, working)
        two.wait()
        with lock:
            working -= 1

    of_each(range(10), ask, at_once=2, name="some-work")
    assert most == 2


def test_the_first_error_is_raised_while_others_still_go_on_and_what_was_not_begun_does_not_begin():
    go, begun = threading.Event(), []

    def ask(number):
        begun.append(number)
        if number == 0:
            raise ValueError("no")
        go.wait(30)

    with pytest.raises(ValueError, match="no"):
        of_each(range(9), ask, at_once=2, name="some-work")
    before = [thread for thread in threading.enumerate() if thread.name == "some-work"]
    go.set()
    for thread in before:
        thread.join(30)
    assert len(begun) <= 3


def test_a_process_ends_without_waiting_for_what_was_asked_also_after_an_interrupt():
    code = """if True:
        import _thread, threading
        from octossh.promises import of_each
        def ask(number):
            if number == 0:
                _thread.interrupt_main()
            threading.Event().wait()
        of_each(range(3), ask, at_once=3, name="some-work")
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert "KeyboardInterrupt" in done.stderr
    assert done.returncode != 0


def test_where_there_is_no_thread_things_are_asked_here_one_after_the_other_and_a_call_where_that_will_do(few):
    few["some-work"] = 0
    assert (
        of_each(range(3), lambda _: threading.current_thread(), at_once=3, name="some-work")
        == (threading.current_thread(),) * 3
    )
    with pytest.raises(ZeroDivisionError):
        of_each([0], lambda number: 1 / number, at_once=3, name="some-work")
    assert promised(lambda: "here", "some-work", or_here=True).result(0) == "here"
    with pytest.raises(ZeroDivisionError):
        promised(lambda: 1 / 0, "some-work", or_here=True).result(0)
    with pytest.raises(NoThreads, match="can have no more threads"):
        promised(lambda: "nowhere", "some-work")
