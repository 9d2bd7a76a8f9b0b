"""Turns the loop: each step of a round starts a run, and the run's success moves the round on.

    collecting   --advance-->  freezing  -->  fitting      (rankings frozen, a reward_model run started)
    fitting      --success-->  reward_gated                (a person looks at the report)
    reward_gated --advance-->  optimizing                  (a ppo run started)   or, rejected, collecting
    optimizing   --success-->  policy_gated
    policy_gated --advance-->  sampling                    (a sample run started) or, rejected, collecting
    sampling     --success-->  closed, and the next round collects rankings of the new policy's rollouts

Each arrow is a compare-and-swap on the state, so two people who advance at once start one run.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max

from labeling.models.people import User
from labeling.models.projects import Project
from training import errors
from training.models.checkpoints import Checkpoint
from training.models.rounds import Round
from training.models.runs import Run
from training.services import runs

State = Round.State
# Where the success of the run that a state waits for leads.
AFTER_SUCCESS = {
    State.FITTING: State.REWARD_GATED,
    State.OPTIMIZING: State.POLICY_GATED,
    State.SAMPLING: State.CLOSED,
}
# The state that `advance` leads to, and the kind of run that it starts.
STEPS = {
    State.COLLECTING: (State.FITTING, "reward_model"),
    State.FREEZING: (State.FITTING, "reward_model"),
    State.REWARD_GATED: (State.OPTIMIZING, "ppo"),
    State.POLICY_GATED: (State.SAMPLING, "sample"),
}


def open_round(*, project: Project, policy: Checkpoint, by: User | None, now: datetime) -> Round:
    """A new round in `collecting`. The project must have no other open one."""
    last = Round.objects.filter(project=project).aggregate(last=Max("number"))["last"] or 0
    try:
        with transaction.atomic():
            return Round.objects.create(project=project, number=last + 1, policy=policy, created_by=by, created_at=now)
    except IntegrityError:
        raise errors.RoundOpen from None


def advance(
    *, round: Round, by: User | None, now: datetime, config: Any = None, seed: int | None = None, accept: bool = True
) -> Round:
    """Take the round's next step. `accept=False` at a gate sends it back to `collecting`.

    The step's run takes `config` over its kind's defaults. Raises `RoundWaits` while a run is under way,
    and `BadRun`, with the round where it was, where the run is refused.
    """
    _settle(round, now=now)
    state = State(round.state)
    if state not in STEPS:
        raise errors.RoundWaits(_waiting(round))
    if not accept:
        if state not in (State.REWARD_GATED, State.POLICY_GATED):
            raise errors.RoundWaits("There is nothing to reject: the round is not at a gate.")
        _move(round, state, State.COLLECTING, current_run=None)
        return round
    following, kind = STEPS[state]
    if state == State.COLLECTING:
        _move(round, state, State.FREEZING)
    try:
        with transaction.atomic():
            run = runs.start(
                project=round.project,
                kind=kind,
                config={} if config is None else config,
                given=_inputs(round, kind),
                by=by,
                now=now,
                seed=seed,
                name=f"round {round.number}: {kind}",
                round=round,
            )
            _move(round, State(round.state), following, current_run=run)
    except errors.BadRun:
        if round.state == State.FREEZING:
            _move(round, State.FREEZING, State.COLLECTING)
        raise
    return round


def settle(*, run: Run, now: datetime) -> None:
    """Move on the round that waits for this run, if one does. Called when the run succeeds."""
    round = Round.objects.select_related("project", "policy", "current_run").filter(current_run=run).first()
    if round is not None:
        _settle(round, now=now)


@transaction.atomic
def _settle(round: Round, *, now: datetime) -> None:
    state = State(round.state)
    if state not in AFTER_SUCCESS or round.current_run is None or round.current_run.status != Run.Status.SUCCEEDED:
        return
    following = AFTER_SUCCESS[state]
    if following != State.CLOSED:
        _move(round, state, following, current_run=None)
        return
    _move(round, state, following, current_run=None, closed_at=now)
    open_round(project=round.project, policy=_made(round, "ppo"), by=None, now=now)


def _move(round: Round, before: Round.State, after: Round.State, **values: Any) -> None:
    if not Round.objects.filter(id=round.id, state=before).update(state=after, **values):
        raise errors.RoundMoved
    round.state = after
    for name, value in values.items():
        setattr(round, name, value)


def _inputs(round: Round, kind: str) -> dict[str, Any]:
    if kind == "reward_model":
        return {"base": str(round.policy_id)}
    if kind == "ppo":
        return {"policy": str(round.policy_id), "reward_model": str(_made(round, "reward_model").id)}
    return {"policy": str(_made(round, "ppo").id)}


def _made(round: Round, kind: str) -> Checkpoint:
    """The newest checkpoint that a run of this kind made in this round."""
    return Checkpoint.objects.filter(run__round=round, run__kind=kind).latest("created_at")


def _waiting(round: Round) -> str:
    if round.state == State.CLOSED:
        return f"Round {round.number} is closed; the next one is open."
    run = round.current_run
    if run is not None and run.status in (Run.Status.FAILED, Run.Status.CANCELLED):
        return f"Run {run.name!r} {run.status}; resume it, and the round goes on when it succeeds."
    return f"Round {round.number} is {round.state}; it goes on when its run succeeds."
