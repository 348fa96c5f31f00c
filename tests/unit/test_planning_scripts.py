"""Scripts of the user's own, once their expressions are evaluated."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

import octossh as oc
from octossh.planning import Facts, Resolver


def evaluated(script: str, value: str = "", name: str = "before") -> str:
    steps = [oc.RunScript(name, script="true"), oc.RunScript("it", script=script)]
    release = oc.Release(
        project="shop",
        number="1",
        channel="default",
        process=oc.Process(steps),
        variables=(oc.Variable("Name", value),),
        created_at=datetime.now(UTC),
    )
    target = oc.Target("h01", "h01", environments=["Dev"])
    known = {(name, "h01"): Facts(outputs={"A": value})}
    made = Resolver(release, "Dev", (target,)).resolve(steps[1], target, known)
    assert isinstance(made, oc.RunScript)
    return made.script


def test_a_format_of_docker_in_quotes_is_left_alone_inside_of_a_raw_block() -> None:
    script = "docker ps --format '{% raw %}{{.Names}}{% endraw %}' {{ Name }}"
    assert evaluated(script, "a b") == "docker ps --format '{{.Names}}' 'a b'"


def test_braces_and_quotes_in_a_value_are_only_text() -> None:
    assert evaluated("echo {{ Name }}", "{{ x }}' \"") == "echo '{{ x }}'\"'\"' \"'"


def test_a_step_may_bear_the_name_of_a_method() -> None:
    for name in ("items", "keys", "get", "values"):
        assert evaluated(f"echo {{{{ steps.{name}.outputs.A }}}}", "7", name) == "echo 7"


def test_half_of_a_surrogate_pair_in_a_variable_is_refused_when_the_step_is_made() -> None:
    with pytest.raises(oc.ModelError, match="environment variable A holds half of a surrogate pair"):
        oc.RunScript("it", script="true", env={"A": "\udcff"})


def test_half_of_a_surrogate_pair_in_a_script_is_refused_when_the_step_is_made() -> None:
    with pytest.raises(oc.ModelError, match="RunScript 'it': the script holds half of a surrogate pair"):
        oc.RunScript("it", script="echo \udcff")


@pytest.mark.parametrize("value", ["a\0b", "a\udcffb"])
def test_a_value_that_no_script_can_hold_is_told_with_its_step_and_field(value: str) -> None:
    with pytest.raises(oc.ModelError, match=r"shop: step 'it' on 'h01', field script: 'a.*take it out"):
        evaluated("echo {{ Name }}", value)


def test_values_that_are_equal_and_look_different_stay_apart() -> None:
    values = (0.0, -0.0, 0, False, 1, True, 1.0, "1")
    targets = tuple(oc.Target(f"h{number}", f"h{number}", environments=["Dev"]) for number in range(len(values)))
    step = oc.RunScript("it", script="{{ Name }}")
    release = oc.Release(
        project="shop",
        number="1",
        channel="default",
        process=oc.Process([step]),
        variables=[oc.Variable("Name", value, target=there.name) for value, there in zip(values, targets, strict=True)],
        created_at=datetime.now(UTC),
    )
    resolver = Resolver(release, "Dev", targets)
    made = [getattr(resolver.resolve(step, target, {}), "script") for target in targets]  # noqa: B009
    assert made == ["0.0", "-0.0", "0", "false", "1", "true", "1.0", "1"]
