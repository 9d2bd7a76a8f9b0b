import dataclasses
import math

import pytest

from contracts import configs


@pytest.mark.parametrize("kind", configs.KINDS)
def test_every_kind_has_defaults_that_pass_inputs_and_a_form(kind):
    config = configs.parse(kind, {})
    assert configs.parse(kind, config.to_json()) == config
    assert configs.INPUTS[kind]
    rows = configs.schema(kind)
    assert [row["name"] for row in rows] == [f.name for f in dataclasses.fields(config)]
    assert all(row["help"] for row in rows)


@pytest.mark.parametrize(
    ("kind", "plain", "field", "words"),
    [
        ("ppo", {"learning_rat": 1e-4}, "learning_rat", "unknown key"),
        ("sft", {"learning_rate": -1e-4}, "learning_rate", "above 0"),
        ("sft", {"learning_rate": math.nan}, "learning_rate", "finite"),
        ("sft", {"learning_rate": 10**400}, "learning_rate", "expected float"),
        ("sample", {"rollouts_per_prompt": 1}, "rollouts_per_prompt", "at least 2"),
        ("sample", {"rollouts_per_prompt": 10}, "rollouts_per_prompt", "at most 9"),
        ("sample", {"rollouts_per_prompt": 5.0}, "rollouts_per_prompt", "expected int"),
        ("sample", {"publish": 1}, "publish", "expected bool"),
        ("sample", {"temperature": True}, "temperature", "expected float"),
        ("ppo", {"critic": "none"}, "critic", "separate, shared"),
        ("pretrain", {"hidden_size": 100, "heads": 3}, "heads", "divide"),
        ("pretrain", {"context": 64, "sequence_length": 65}, "sequence_length", "context 64"),
        ("train", {}, "kind", "must be one of"),
        ("ppo", [], "config", "expected an object"),
    ],
)
def test_a_bad_value_is_refused_by_name(kind, plain, field, words):
    with pytest.raises(configs.ConfigError) as caught:
        configs.parse(kind, plain)
    assert words in caught.value.fields[field]


def test_all_bad_fields_are_named_at_once():
    with pytest.raises(configs.ConfigError) as caught:
        configs.parse("ppo", {"updates": 0, "epochs": "2", "extra": None})
    assert set(caught.value.fields) == {"updates", "epochs", "extra"}


def test_a_whole_number_serves_where_a_float_is_expected():
    assert configs.parse("ppo", {"gae_lambda": 1}).to_json()["gae_lambda"] == 1.0
