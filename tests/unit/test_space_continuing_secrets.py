"""What is secret in a deployment that waits for an approval: kept encrypted, or the deployment does not begin."""

from __future__ import annotations

import pytest
from waiting import FIRST, GO, THEN, Telling
from worlds import says

import octossh as oc
from octossh.recording.sealing import new_key

DATABASE = oc.RunScript("then", script="echo $P", env={"P": "{{ Password }}"})
PASSWORD = oc.Variable("Password", prompt="Which?", sensitive=True)


def with_password(shops, *steps, **more):
    return shops(*(steps or (FIRST, GO, DATABASE)), variables=[oc.Variable("Count", 2), PASSWORD], **more)


def test_a_secret_that_was_said_is_kept_encrypted_or_the_deployment_does_not_begin(shops):
    said = {"variables": {"Password": oc.Secret("geheim/& value")}}
    shop = with_password(shops, key=lambda name: None)
    space = shop.space
    with pytest.raises(oc.Refused, match=r"since the value of 'Password' is a secret .* set OCTOSSH_KEY"):
        space.deploy(space.create_release(), "Dev", **said)
    assert (shop.sent, len(space.history())) == ([], 0)
    key = new_key().reveal()
    shop.more["key"] = lambda name: key
    made = shop.waiting(**said)
    kept = repr([event.to_dict() for event in shop.space.store.events()])
    assert "geheim" not in kept
    shop.approve(made)
    shop.go_on()
    assert shop.ended(made).ok
    assert "geheim/& value" in Telling.values


def test_an_output_that_is_secret_is_kept_encrypted_and_masked_behind_the_approval(shops):
    def secret_output():
        return [oc.Frame("begin"), oc.Frame("secret", "token Z2VoZWltLzEyMzQ="), oc.Frame("end", "succeeded ran yes ")]

    reads = oc.RunScript("then", script="true", env={"T": "{{ steps.first.outputs.token }}"})
    shop = shops(FIRST, GO, reads, hosts=1, key=lambda name: None)
    shop.answers["first"] = secret_output
    space = shop.space
    ended = space.deploy(space.create_release(), "Dev", check=False)
    assert ended.state is oc.State.FAILED
    assert "step 'Go live' failed: nobody has answered, and it cannot wait for that: " in ended.error
    key = new_key().reveal()
    shop.more["key"] = lambda name: key
    made = shop.waiting()
    assert "geheim" not in repr([event.to_dict() for event in shop.space.store.events()])
    shop.approve(made)
    shop.answers["then"] = says(outputs={"said": "geheim/1234"})
    shop.go_on()
    assert "geheim/1234" in Telling.values
    assert shop.ended(made).ok
    assert shop.ended(made).outcome("then", "h1").outputs["said"] == "***"


def test_what_was_masked_is_not_taken_for_a_value(shops):
    def tells():
        return says(outputs={"token": "pass=word-1234"})

    last = oc.RunScript("last", script="true", env={"P": "{{ Password }}"})
    variables = [oc.Variable("Count", 2), oc.Variable("Password", oc.secret("P"))]
    shop = shops(FIRST, GO, THEN, last, hosts=1, variables=variables)
    shop.more["secrets"] = {"P": "word-1234"}
    shop.answers["first"] = tells
    made = shop.waiting()
    shop.approve(made)
    shop.go_on()
    ended = shop.ended(made)
    assert "a secret stands in it, so it was not kept while the deployment waited" in ended.outcome("then", "h1").why
