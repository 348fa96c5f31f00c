"""Expressions in fields, and the environment of script templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octossh.errors import ModelError
from octossh.templating import (
    NotYetKnown,
    References,
    evaluate,
    has_expression,
    references,
    script_environment,
)

WHERE = "shop: step 'web', field env"


def test_an_expression_is_replaced_by_its_value_as_docker_writes_it() -> None:
    values = {"PingCount": 5, "Debug": False, "On": True, "Rate": 0.5, "Name": "it's"}
    text = "{{ PingCount }} {{ Debug }} {{ On }} {{ Rate }} {{ Name }} {{ Name | upper }}"
    assert evaluate(text, values, where=WHERE) == "5 false true 0.5 it's IT'S"


@given(st.text().filter(lambda text: not has_expression(text)))
def test_text_without_an_expression_comes_back_as_it_is(text: str) -> None:
    assert evaluate(text, {}, where=WHERE) == text
    assert evaluate(text, {}, where=WHERE, language="shell") == text


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_a_value_is_never_evaluated_again(text: str) -> None:
    assert evaluate("{{ x }}", {"x": text + "{{ 1 + 1 }}"}, where=WHERE) == text + "{{ 1 + 1 }}"


def test_in_scripts_each_expression_is_one_word_unless_it_is_raw() -> None:
    values = {"x": "a b; rm -rf /"}
    assert evaluate("echo {{ x }}\n", values, where=WHERE, language="shell") == "echo 'a b; rm -rf /'\n"
    assert evaluate("echo {{ x | raw }}\n", values, where=WHERE, language="shell") == "echo a b; rm -rf /\n"


def test_an_unknown_name_is_named_with_the_nearest_known_one() -> None:
    with pytest.raises(ModelError) as caught:
        evaluate("{{ PingCuont }}", {"PingCount": 5, "steps": {}}, where=WHERE)
    assert str(caught.value) == f"{WHERE}: 'PingCuont' is undefined; did you mean 'PingCount'?"


def test_a_path_that_is_not_there_says_so() -> None:
    with pytest.raises(ModelError, match=r"has no attribute 'IPAdress'; check the path in the inspect output"):
        evaluate("{{ net.IPAdress }}", {"net": {"IPAddress": "x"}}, where=WHERE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ x", "is not a Jinja expression"),
        ("{{ }}", "is not a Jinja expression"),
        ("{% if %}", "is not a Jinja expression"),
        ("{{ none }}", "gives nothing"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ 1 + 'a' }}", "unsupported operand"),
        ("{{ x | nofilter }}", "nofilter"),
        ("{{ x.y.z }}", "has no attribute 'y'"),
    ],
)
def test_an_expression_that_fails_is_a_model_error_that_says_where(text: str, said: str) -> None:
    with pytest.raises(ModelError, match=said) as caught:
        evaluate(text, {"x": {}}, where=WHERE)
    assert said == "gives nothing" or str(caught.value).startswith(WHERE)


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__ }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ x.__init__.__globals__ }}",
        "{{ x['__class__'] }}",
        "{{ x | attr('__class__') }}",
        "{{ '{0.__class__}'.format(x) }}",
        "{{ items.append(1) }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ self.__init__ }}",
        "{% include 'run_container.sh.j2' %}",
        "{% import 'os' as os %}",
        "{{ range(10 ** 9) | list }}",
    ],
)
def test_an_expression_cannot_leave_its_sandbox(text: str) -> None:
    items: list[int] = []
    with pytest.raises(ModelError):
        evaluate(text, {"x": object(), "items": items}, where=WHERE)
    assert items == []


class Later(Mapping[str, Any]):
    def __getitem__(self, name: str) -> Any:
        raise NotYetKnown(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


@pytest.mark.parametrize(
    "text", ["{{ steps['net'] }}", "{{ steps.net.x | default('y') }}", "a{% if steps.net %}b{% endif %}"]
)
def test_what_an_earlier_step_will_bring_about_is_not_yet_known_and_no_error(text: str) -> None:
    with pytest.raises(NotYetKnown) as caught:
        evaluate(text, {"steps": Later()}, where=WHERE)
    assert caught.value.step == "net"


@pytest.mark.parametrize(
    ("text", "names", "steps"),
    [
        ("plain", set(), set()),
        ("{{ a }} {{ b.c[d] }}", {"a", "b", "d"}, set()),
        ("{{ steps.net.inspect.Name }}", {"steps"}, {"net"}),
        ("{{ steps['Custom Network'].on['h01'].outputs.x }}", {"steps"}, {"Custom Network"}),
        ("{% for a in b %}{{ a }}{% endfor %}", {"b"}, set()),
    ],
)
def test_what_an_expression_reads_is_known_without_evaluating_it(text: str, names: set[str], steps: set[str]) -> None:
    assert references(text, where=WHERE) == References(frozenset(names), frozenset(steps))


def test_what_is_no_expression_has_no_references() -> None:
    with pytest.raises(ModelError, match="is not a Jinja expression"):
        references("{{ a", where=WHERE)


def environment(text: str) -> jinja2.Template:
    return script_environment({"x": text, "y": "{{ a }}"}.get).get_template("x")


def test_a_script_template_quotes_each_value_and_keeps_its_lines() -> None:
    made = environment("{% if a %}\n  run {{ a }}{% for b in c %} {{ b }}{% endfor %}\n\n{% endif %}\nend\n")
    assert made.render(a="it's", c=["x y", 1, True]) == "  run 'it'\"'\"'s' 'x y' 1 true\nend\n"


def test_a_script_template_refuses_what_is_missing_or_is_no_word() -> None:
    with pytest.raises(jinja2.UndefinedError, match="'a' is undefined"):
        environment("{{ a }}").render()
    with pytest.raises(ModelError, match="a list cannot stand in a script"):
        environment("{{ a }}").render(a=["x"])
    with pytest.raises(jinja2.TemplateNotFound):
        script_environment(lambda _name: None).get_template("none")


def test_a_script_template_includes_others_quotes_their_values_too_and_can_give_up() -> None:
    assert environment("{% include 'y' %}").render(a="a b") == "'a b'"
    with pytest.raises(ModelError, match="no such thing"):
        environment("{{ fail('no such thing') }}").render()
