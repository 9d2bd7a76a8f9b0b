import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.records import (
    DemonstrationRecord,
    Message,
    PromptRecord,
    RankedResponse,
    RankingRecord,
    RecordError,
    Rollout,
    RolloutSetRecord,
)

ASK = Message(role="user", content="What is 2 plus 2?")
RANKING = RankingRecord(
    id="r",
    prompt_id="p",
    group="g",
    prompt=(ASK,),
    responses=(
        RankedResponse(id="a", text="4", rank=1, token_ids=(5, 2), flags=("short",)),
        RankedResponse(id="b", text="5", rank=None, unacceptable=True),
    ),
    weight=0.5,
)


messages = st.builds(Message, role=st.sampled_from(["system", "user", "assistant", "tool"]), content=st.text())


@given(
    st.builds(PromptRecord, id=st.text(), messages=st.lists(messages, min_size=1).map(tuple), meta=st.just({"a": 1}))
)
def test_a_prompt_survives_json(record):
    assert PromptRecord.from_json(json.loads(json.dumps(record.to_json()))) == record


def test_nested_records_survive_json():
    sets = RolloutSetRecord(
        prompt_id="p",
        rollouts=(
            Rollout(index=0, text="4", token_ids=(5, 2), token_logprobs=(-0.5, 0.0), finish_reason="stop", seed=3),
        ),
    )
    for record in (RANKING, sets):
        assert type(record).from_json(json.loads(json.dumps(record.to_json()))) == record


def changed(**changes):
    plain = json.loads(json.dumps(RANKING.to_json()))
    for path, value in changes.items():
        *parents, last = path.split("__")
        target = plain
        for name in parents:
            target = target[int(name)] if name.isdigit() else target[name]
        if value is KeyError:
            del target[last]
        else:
            target[last] = value
    return plain


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"surprise": 1}, "surprise"),
        ({"group": KeyError}, "group"),
        ({"responses__1__text": 7}, "responses.1.text"),
        ({"responses__0__rank": True}, "responses.0.rank"),
        ({"responses__0__rank": 0}, "responses.0.rank"),
        ({"responses__0__token_ids": [1, "2"]}, "responses.0.token_ids.1"),
        ({"prompt__0__role": "human"}, "prompt.0.role"),
        ({"prompt": "What?"}, "prompt"),
        ({"responses__1__id": "a"}, "responses"),
        ({"weight": float("nan")}, "weight"),
        ({"split": "test"}, "split"),
    ],
)
def test_a_bad_row_is_refused_by_its_path(changes, field):
    with pytest.raises(RecordError) as caught:
        RankingRecord.from_json(changed(**changes))
    assert caught.value.field == field


def test_a_demonstration_needs_an_assistant_message():
    with pytest.raises(RecordError, match="assistant"):
        DemonstrationRecord(id="d", prompt_id="p", prompt=(ASK,), reply=(ASK,))


def test_a_rollout_needs_a_logprob_per_token():
    with pytest.raises(RecordError, match="token_logprobs"):
        Rollout(index=0, text="4", token_ids=(5, 2), token_logprobs=(-0.5,), finish_reason="stop", seed=0)
