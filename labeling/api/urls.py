"""Every route of the labeling side, grouped by who uses it."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from labeling.api import (
    automation,
    data,
    imports,
    invitations,
    leases,
    measurements,
    openapi,  # noqa: F401  registers itself
    people,
    projects,
    review,
    rollouts,
    system,
    trail,
)

urlpatterns = [
    # Everyone
    path("auth/login", people.Login.as_view()),
    path("auth/logout", people.Logout.as_view()),
    path("auth/me", people.Me.as_view()),
    path("auth/token", people.TokenFromPassword.as_view()),
    path("tokens", people.Tokens.as_view()),
    path("tokens/<uuid:token_id>", people.Token.as_view()),
    path("invitations/look", invitations.LookAtInvitation.as_view()),
    path("invitations/accept", invitations.AcceptInvitation.as_view()),
    path("projects", projects.Projects.as_view()),  # POST: admins
    path("projects/<slug:slug>", projects.Project.as_view()),  # PATCH: admins
    path("projects/<slug:slug>/guidelines", projects.Guidelines.as_view()),  # POST: admins
    path("projects/<slug:slug>/progress", projects.Progress.as_view()),
    # Labelers
    path("projects/<slug:slug>/next", leases.Next.as_view()),
    path("leases/<uuid:token>/renew", leases.Renew.as_view()),
    path("leases/<uuid:token>/give-back", leases.GiveBack.as_view()),
    path("leases/<uuid:token>/draft", leases.Draft.as_view()),
    path("leases/<uuid:token>/ranking", leases.SubmitRanking.as_view()),
    path("leases/<uuid:token>/demonstration", leases.SubmitDemonstration.as_view()),
    path("leases/<uuid:token>/comparison", leases.SubmitComparison.as_view()),
    path("leases/<uuid:token>/skip", leases.Skip.as_view()),
    path("projects/<slug:slug>/standing", projects.Standing.as_view()),
    path("projects/<slug:slug>/answers", projects.Answers.as_view()),
    path("answers/<uuid:answer_id>", projects.Answer.as_view()),
    # Reviewers
    path("projects/<slug:slug>/agreement", measurements.Agreement.as_view()),
    path("projects/<slug:slug>/agreement/labelers", measurements.Labelers.as_view()),
    path("projects/<slug:slug>/agreement/items", measurements.Items.as_view()),
    path("projects/<slug:slug>/rollouts", rollouts.Rollouts.as_view()),
    path("projects/<slug:slug>/policies", rollouts.Policies.as_view()),
    path("rollout-sets/<uuid:set_id>/merged", measurements.Merged.as_view()),
    path("projects/<slug:slug>/statistics", measurements.Statistics.as_view()),
    path("projects/<slug:slug>/measurements", measurements.Measurements.as_view()),
    path("projects/<slug:slug>/tasks", projects.Tasks.as_view()),  # POST: engineers
    path("tasks/<uuid:task_id>", projects.Task.as_view()),
    path("projects/<slug:slug>/gold", review.Gold.as_view()),
    path("gold/<uuid:gold_id>/retire", review.RetireGold.as_view()),
    path("projects/<slug:slug>/review", review.Review.as_view()),
    path("review/<uuid:case_id>", review.Case.as_view()),
    # Engineers
    path("projects/<slug:slug>/prompts", data.Prompts.as_view()),
    path("projects/<slug:slug>/import", imports.ImportAtOnce.as_view()),
    path("projects/<slug:slug>/imports", imports.Imports.as_view()),
    path("imports/<uuid:import_id>", imports.Import.as_view()),
    path("imports/<uuid:import_id>/content", imports.ImportContent.as_view()),
    path("imports/<uuid:import_id>/preview", imports.ImportPreview.as_view()),
    path("imports/<uuid:import_id>/start", imports.ImportStart.as_view()),
    path("projects/<slug:slug>/export", data.Export.as_view()),
    path("projects/<slug:slug>/corpora", data.Corpora.as_view()),
    path("projects/<slug:slug>/snapshots", data.Snapshots.as_view()),
    path("projects/<slug:slug>/events", trail.Events.as_view()),
    path("projects/<slug:slug>/priorities", automation.Priorities.as_view()),
    path("projects/<slug:slug>/anchors", automation.Anchors.as_view()),
    # Admins
    path("people", people.People.as_view()),
    path("people/<uuid:user_id>", people.Person.as_view()),
    path("projects/<slug:slug>/members", people.Members.as_view()),
    path("projects/<slug:slug>/members/<uuid:user_id>", people.Member.as_view()),
    path("projects/<slug:slug>/members/<uuid:user_id>/pause", people.Pause.as_view()),
    path("projects/<slug:slug>/members/<uuid:user_id>/lift", people.Lift.as_view()),
    path("projects/<slug:slug>/invitations", invitations.Invitations.as_view()),
    path("invitations/<uuid:invitation_id>", invitations.Invitation.as_view()),
    path("projects/<slug:slug>/webhooks", automation.Webhooks.as_view()),
    path("webhooks/<uuid:webhook_id>", automation.Webhook.as_view()),
    path("webhooks/<uuid:webhook_id>/deliveries", automation.Deliveries.as_view()),
    path("webhooks/<uuid:webhook_id>/retry", automation.Retry.as_view()),
    path("projects/<slug:slug>/audit", trail.Audit.as_view()),
    # Machines
    path("health", system.Health.as_view()),
    path("schema", SpectacularAPIView.as_view(permission_classes=[], authentication_classes=[])),
    path("docs", system.docs),
]
