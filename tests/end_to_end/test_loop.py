"""The whole loop at a small size: the architecture document that runs.

Real SQLite file, real web server, real worker and run processes, real HTTP. The worker is killed with -9 in
the middle of PPO, and the round ends as if it had not been.
"""

import io
import os
import signal
import threading
import time

import pytest
from rich.console import Console

from contracts.run_dir import read_json, verify_manifest
from demo import play, seeding
from demo.client import ApiError, Client
from demo.scale import SMALL
from tests.end_to_end.conftest import make_run_process

pytestmark = [pytest.mark.loop, pytest.mark.torch]

PROJECT = seeding.slug(1)


@pytest.fixture(scope="module")
def erin(system, chosen, played):
    with Client.login(chosen.address, seeding.ENGINEER, seeding.PASSWORD) as client:
        yield client


@pytest.fixture(scope="module")
def played(system, chosen):
    """The report of the round, during which the worker was killed once."""
    killed = threading.Event()
    saboteur = threading.Thread(target=kill_worker_during_ppo, args=(system, chosen, killed), daemon=True)
    saboteur.start()
    report = play_round(chosen)
    assert killed.is_set(), "PPO was over before the worker was killed"
    return report


def play_round(chosen):
    console = Console(file=io.StringIO(), width=200)
    return play.play(chosen.address, seed=1, scale=SMALL, folder=chosen.reports, console=console)


def kill_worker_during_ppo(system, chosen, killed):
    client = None
    while not killed.is_set():
        time.sleep(0.1)
        try:
            client = client or Client.login(chosen.address, seeding.ADMIN, seeding.PASSWORD)
            running = list(client.all(f"projects/{PROJECT}/runs", kind="ppo", status="running"))
        except ApiError:
            continue
        if running and running[0]["progress"]["done"] >= 1:
            os.kill(system.pid("worker"), signal.SIGKILL)
            killed.set()


def runs_by_kind(erin):
    found = {}
    for run in erin.all(f"projects/{PROJECT}/runs"):
        found.setdefault(run["kind"], []).append(run)
    return found


def test_the_round_ends_with_a_report(played, chosen):
    assert read_json(chosen.reports / "report.json") == played
    assert set(played["stages"]) == {"project", *(name for name, _, _ in play.STAGES)}
    assert played["counts"] == {
        "prompts": SMALL.train_prompts + SMALL.heldout_prompts,
        "rollouts": 5 * (SMALL.train_prompts + SMALL.heldout_prompts) + 5 * SMALL.train_prompts,
        "rankings": SMALL.overlap * (SMALL.train_prompts + SMALL.heldout_prompts),
        "demonstrations": SMALL.train_prompts,
    }
    low, high = played["policy"]["win_rate_ci"]
    assert 0 <= low <= played["policy"]["win_rate"] <= high <= 1
    assert 0 <= played["reward_model"]["accuracy"] <= 1
    assert played["reward_model"]["ceiling"]["pairs"] > 0
    assert abs(played["policy"]["kl"]) < 1, (
        "after three updates, and an estimate from few samples, which may be below 0"
    )
    assert all(played["checkpoints"].values())


def test_every_run_succeeded_and_the_killed_one_went_on(erin):
    runs = runs_by_kind(erin)
    assert {kind: len(of_kind) for kind, of_kind in runs.items()} == {
        "pretrain": 1, "sft": 1, "sample": 2, "reward_model": 1, "ppo": 1, "evaluate": 1,
    }  # fmt: skip
    assert {run["status"] for of_kind in runs.values() for run in of_kind} == {"succeeded"}
    (ppo,) = runs["ppo"]
    assert ppo["attempt"] == 2
    rows = erin.get(f"runs/{ppo['id']}/metrics", after=0)["rows"]
    assert sorted({row["step"] for row in rows if row["step"] > 0}) == list(
        range(1, SMALL.configs["ppo"]["updates"] + 1)
    )


def test_the_new_policy_remembers_where_it_came_from(erin, played):
    lineage = erin.get(f"checkpoints/{played['checkpoints']['ppo']}/lineage")
    ids = {node["id"] for node in lineage["nodes"]}
    assert set(played["checkpoints"].values()) <= ids
    types = {node["type"] for node in lineage["nodes"]}
    assert {"checkpoint", "run", "snapshot"} <= types


def test_artifacts_are_what_their_manifests_say(erin, chosen):
    for runs in runs_by_kind(erin).values():
        for run in runs:
            verify_manifest(chosen.var / "runs" / run["id"] / "output")


def test_the_new_policys_rollouts_wait_for_a_person(played, chosen, erin):
    assert played["queue"]["ranking_tasks"] == SMALL.train_prompts
    with Client.login(chosen.address, "alice", seeding.PASSWORD) as alice:
        lease = alice.post(f"projects/{PROJECT}/next", {"kinds": ["ranking"]})
        shown = lease["task"]["responses"]
        assert len(shown) == 5
        assert all(set(response) == {"id", "text", "tokens"} for response in shown), "identity must stay hidden"
        ranks = {response["id"]: place for place, response in enumerate(shown, start=1)}
        answer = alice.post(
            f"leases/{lease['token']}/ranking", {"idempotency_key": "by hand", "ranks": ranks, "active_ms": 9_000}
        )
        assert answer["kind"] == "ranking"
        again = alice.post(
            f"leases/{lease['token']}/ranking", {"idempotency_key": "by hand", "ranks": ranks, "active_ms": 9_000}
        )
        assert again["id"] == answer["id"]
    progress = erin.get(f"projects/{PROJECT}/progress")
    assert progress["answers"]["rankings"] == played["counts"]["rankings"] + 1


def test_playing_again_starts_nothing_anew(played, chosen, erin):
    before = {run["id"]: run["attempt"] for runs in runs_by_kind(erin).values() for run in runs}
    again = play_round(chosen)
    assert {run["id"]: run["attempt"] for runs in runs_by_kind(erin).values() for run in runs} == before
    assert again["checkpoints"] == played["checkpoints"]
    assert again["policy"] == played["policy"]
    assert again["stages"] == played["stages"]


def test_a_bad_config_is_refused_by_field_before_anything_is_queued(erin):
    before = len(list(erin.all(f"projects/{PROJECT}/runs")))
    for config, field in (({"speed": 3}, "speed"), ({"learning_rate": -1.0}, "learning_rate")):
        with pytest.raises(ApiError) as refused:
            erin.post(f"projects/{PROJECT}/runs", {"kind": "ppo", "config": config, "seed": 1, "inputs": {}})
        assert refused.value.status == 400
        assert any(name.endswith(field) for name in refused.value.fields)
    with pytest.raises(ApiError) as refused:
        body = {"kind": "sample", "config": {"rollouts_per_prompt": 1}, "seed": 1, "inputs": {}}
        erin.post(f"projects/{PROJECT}/runs", body)
    assert any(name.endswith("rollouts_per_prompt") for name in refused.value.fields)
    assert len(list(erin.all(f"projects/{PROJECT}/runs"))) == before


def test_the_promises_of_the_hand_out_hold(chosen, played):
    with Client(chosen.address) as anybody:
        health = anybody.get("health")
    assert health["status"] == "ok"
    assert not any(health["invariants"].values())


def test_make_run_again_only_shows_the_report(played, chosen, erin, system):
    assert len(list(erin.all(f"projects/{PROJECT}/runs"))) == 7
    written = chosen.reports.joinpath("report.json").read_bytes()
    system.stop()
    again = make_run_process(chosen, scale="SMALL")
    output, _ = again.communicate(timeout=60)
    assert again.returncode == 0, output
    assert f"KL from SFT │ {played['policy']['kl']:.2f}" in " ".join(output.split())
    assert "Pretrain" not in output
    assert chosen.reports.joinpath("report.json").read_bytes() == written
    assert len(list((chosen.var / "runs").iterdir())) == 7
