import uuid

import pytest

from contracts.records import Rollout, RolloutSetRecord
from labeling.models.prompts import RolloutSet
from labeling.models.work import LabelingTask
from labeling.services import rollouts, sources

pytestmark = pytest.mark.django_db


def row(prompt, texts):
    return RolloutSetRecord(
        prompt_id=str(prompt.uuid),
        rollouts=tuple(
            Rollout(index=i, text=text, token_ids=(i,), token_logprobs=(-1.0,), finish_reason="stop", seed=i)
            for i, text in enumerate(texts)
        ),
    )


@pytest.mark.parametrize(("texts", "opened"), [(["Yes.", "Yes."], 0), (["Yes.", "No."], 1)])
def test_responses_that_all_read_the_same_are_stored_and_not_ranked(project, prompt, now, texts, opened):
    source = sources.register(project=project, kind="checkpoint", name="policy", reference="1", now=now)
    one = prompt("Is it so?") if callable(prompt) else prompt
    stored = rollouts.publish(
        project=project,
        source=source,
        run_id=uuid.uuid4(),
        sampling={},
        rows=[row(one, texts)],
        open_tasks=True,
        now=now,
    )
    assert stored == RolloutSet.objects.count() == 1
    assert LabelingTask.objects.count() == opened
