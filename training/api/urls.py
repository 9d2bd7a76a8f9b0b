"""Every route of the training side. All are for engineers and admins of the project."""

from django.urls import path

from training.api import checkpoints, erasures, playground, rounds, runs

urlpatterns = [
    path("run-kinds", runs.kinds),
    path("projects/<slug:slug>/runs", runs.of_project),
    path("runs/<uuid:run_id>", runs.one),
    path("runs/<uuid:run_id>/cancel", runs.cancel),
    path("runs/<uuid:run_id>/resume", runs.resume),
    path("runs/<uuid:run_id>/metrics", runs.metrics),
    path("runs/<uuid:run_id>/samples", runs.samples),
    path("runs/<uuid:run_id>/log", runs.log),
    path("runs/<uuid:run_id>/report", runs.report),
    path("runs/<uuid:run_id>/rollouts", runs.rollouts),
    path("runs/<uuid:run_id>/output.zip", runs.output),
    path("runs/<uuid:run_id>/compare", runs.compare),
    path("projects/<slug:slug>/checkpoints", checkpoints.of_project),
    path("projects/<slug:slug>/lineage", checkpoints.of_answers),
    path("projects/<slug:slug>/erasures", erasures.of_project),  # admins
    path("checkpoints/<uuid:checkpoint_id>", checkpoints.one),
    path("checkpoints/<uuid:checkpoint_id>/lineage", checkpoints.of_checkpoint),
    path("checkpoints/<uuid:checkpoint_id>/replies", playground.replies),
    path("checkpoints/<uuid:checkpoint_id>/inspections", playground.inspections),
    path("replies/<uuid:request_id>", playground.reply),
    path("replies/<uuid:request_id>/cancel", playground.cancel),
    path("inspections/<uuid:request_id>", playground.inspection),
    path("projects/<slug:slug>/rounds", rounds.of_project),
    path("rounds/<uuid:round_id>", rounds.one),
    path("rounds/<uuid:round_id>/advance", rounds.advance),
]
