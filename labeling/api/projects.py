"""Projects, guidelines, progress, the queue, and answers."""

from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import errors
from labeling.api import automation_shapes, shapes, work_shapes
from labeling.api.base import found, paged, user
from labeling.models.answers import Answer as AnswerRow
from labeling.models.people import Role, User
from labeling.models.projects import Guideline
from labeling.models.projects import Project as ProjectRow
from labeling.models.work import Kind, LabelingTask
from labeling.selectors import access, answers, progress, work
from labeling.services import answers as answering
from labeling.services import comparisons, demonstrations, items, projects, quality, quality_rules, rankings, tasks
from labeling.services.bodies import Body


def choice(name: str, values: Any) -> OpenApiParameter:
    return OpenApiParameter(name, OpenApiTypes.STR, enum=list(values))


class Projects(APIView):
    @extend_schema(
        parameters=[choice("archived", ["1"])], responses=shapes.Project(many=True), operation_id="projects_list"
    )
    def get(self, request: Request) -> Response:
        """The projects that you belong to; an admin belongs to all. `archived=1` lists archived ones instead."""
        rows = ProjectRow.objects.prefetch_related("guidelines")
        if request.query_params.get("archived") == "1":
            rows = rows.filter(status=ProjectRow.Status.ARCHIVED)
        else:
            rows = rows.exclude(status=ProjectRow.Status.ARCHIVED)
        person = user(request)
        if person.role == Role.ADMIN:
            return paged(request, rows, lambda row: describe(row, Role.ADMIN))
        roles = dict(person.memberships.values_list("project_id", "role"))
        return paged(request, rows.filter(pk__in=roles), lambda row: describe(row, roles[row.pk]))

    @extend_schema(request=shapes.NewProject, responses={201: shapes.Project})
    def post(self, request: Request) -> Response:
        access.require_admin(user=user(request))
        project = projects.create(plain=request.data, by=user(request), now=timezone.now())
        access.forget()
        return Response(describe(project, Role.ADMIN), status=201)


class Project(APIView):
    @extend_schema(responses=shapes.Project)
    def get(self, request: Request, slug: str) -> Response:
        member = access.require(user=user(request), slug=slug, action="view_project")
        return Response(describe(member.project, member.role))

    @extend_schema(request=shapes.ProjectChange, responses=shapes.Project)
    def patch(self, request: Request, slug: str) -> Response:
        """Change rules for tasks that are handed out from now on. Archiving asks for the slug as `confirm`."""
        access.require(user=user(request), slug=slug, action="manage_project")
        project = found(ProjectRow.objects.all(), slug=slug)
        project = projects.change(project=project, plain=request.data, by=user(request), now=timezone.now())
        access.forget()
        return Response(describe(project, Role.ADMIN))


class Guidelines(APIView):
    @extend_schema(responses=work_shapes.Guideline(many=True), operation_id="guidelines_list")
    def get(self, request: Request, slug: str) -> Response:
        """All versions, newest first."""
        project = access.require(user=user(request), slug=slug, action="view_project").project
        return paged(request, Guideline.objects.filter(project=project), describe_guideline, ordering="-version")

    @extend_schema(request=work_shapes.GuidelineRequest, responses={201: work_shapes.Guideline})
    def post(self, request: Request, slug: str) -> Response:
        project = access.require(user=user(request), slug=slug, action="manage_project").project
        body = Body(request.data)
        text = body.text("text", most=projects.GUIDELINE, required=True)
        body.finish()
        guideline = projects.add_guideline(project=project, text=text, by=user(request), now=timezone.now())
        access.forget()
        return Response(describe_guideline(guideline), status=201)


class Progress(APIView):
    @extend_schema(responses=shapes.ProjectProgress)
    def get(self, request: Request, slug: str) -> Response:
        """How far the project is. Who did what is shown to reviewers, engineers and admins."""
        member = access.require(user=user(request), slug=slug, action="view_project")
        return Response(
            progress.progress(
                project=member.project, user=member.user, with_labelers=member.may("view_people"), now=timezone.now()
            )
        )


class Standing(APIView):
    @extend_schema(responses=work_shapes.Standing, operation_id="standing")
    def get(self, request: Request, slug: str) -> Response:
        """Your own: whether you were warned or paused, and by which rules."""
        member = access.require(user=user(request), slug=slug, action="label").membership
        return Response(quality.notice(member) or {"state": "good", "reasons": [], "since": None})


class Tasks(APIView):
    @extend_schema(
        parameters=[choice("kind", Kind.values), choice("state", LabelingTask.State.values)],
        responses=shapes.Task(many=True),
        operation_id="tasks_list",
    )
    def get(self, request: Request, slug: str) -> Response:
        """The queue and what became of it, newest first."""
        project = access.require(user=user(request), slug=slug, action="view_data").project
        rows = work.tasks(project=project)
        for name in ("kind", "state"):
            if value := request.query_params.get(name):
                rows = rows.filter(**{name: value})
        return paged(request, rows, work.describe_task)

    @extend_schema(request=automation_shapes.NewTasks, responses={201: automation_shapes.TasksOpened})
    def post(self, request: Request, slug: str) -> Response:
        """Have responses of any models ranked, or two of them compared blind. The same item opens one task only."""
        project = access.require(user=user(request), slug=slug, action="add_data").project
        kind, given = items.read(request.data)
        opened, known = items.open_tasks(project=project, kind=kind, items=given, by=user(request), now=timezone.now())
        body = {"opened": len(opened), "duplicates": known, "tasks": [task.uuid for task in opened]}
        return Response(body, status=201)


class Task(APIView):
    @extend_schema(request=shapes.TaskChange, responses=shapes.Task)
    def patch(self, request: Request, task_id: UUID) -> Response:
        """Reopen a halted task, close one, or change its priority."""
        task = found(LabelingTask.objects.select_related("project"), uuid=task_id)
        access.of_project(user=user(request), project=task.project).require("review")
        tasks.change(task=task, plain=request.data, by=user(request), now=timezone.now())
        return Response(work.describe_task(work.tasks(project=task.project).get(pk=task.pk)))


class Answers(APIView):
    @extend_schema(
        parameters=[choice("mine", ["1"]), choice("kind", Kind.values), choice("labeler", [])],
        responses=work_shapes.Answer(many=True),
        operation_id="answers_list",
    )
    def get(self, request: Request, slug: str) -> Response:
        """Every revision, newest first. Labelers see their own only, and ask for them with `mine=1`."""
        member = access.require(user=user(request), slug=slug, action="label")
        rows = answers.detailed(AnswerRow.objects.filter(project=member.project))
        if request.query_params.get("mine") == "1":
            rows = rows.filter(labeler=member.user)
        else:
            member.require("view_answers")
        if kind := request.query_params.get("kind"):
            rows = rows.filter(kind=kind)
        if username := request.query_params.get("labeler"):
            # Looked up first: the list's index begins with the labeler.
            labeler = User.objects.filter(username=username).first()
            rows = rows.filter(labeler=labeler) if labeler else rows.none()
        blind = not member.may("view_answers")
        return paged(request, rows, lambda row: answers.describe(row, blind=blind))


READERS = {Kind.RANKING: rankings.read, Kind.COMPARISON: comparisons.read, Kind.DEMONSTRATION: demonstrations.read}


class Answer(APIView):
    @extend_schema(responses=work_shapes.AnswerWithTexts)
    def get(self, request: Request, answer_id: UUID) -> Response:
        answer = self._answer(request, answer_id)
        member = access.of_project(user=user(request), project=answer.project)
        return Response(answers.with_texts(answer, blind=not member.may("view_answers")))

    @extend_schema(request=work_shapes.RankingRequest, responses=work_shapes.Receipt)
    def patch(self, request: Request, answer_id: UUID) -> Response:
        """A new revision of your own answer, in the form of its submission; the old one stays."""
        answer = self._answer(request, answer_id)
        revised = answering.revise(
            answer=answer,
            labeler=user(request),
            plain=request.data,
            read=READERS[Kind(answer.kind)],
            now=timezone.now(),
        )
        return Response(answers.receipt(revised))

    def _answer(self, request: Request, answer_id: UUID) -> AnswerRow:
        answer = found(answers.detailed(AnswerRow.objects.all()), uuid=answer_id)
        member = access.of_project(user=user(request), project=answer.project)
        if answer.labeler_id != member.user.pk and not member.may("view_answers"):
            raise errors.Forbidden("This answer is somebody else's.", code="answer_of_another")
        return answer


def describe(project: ProjectRow, role: str) -> dict[str, Any]:
    guideline = next(iter(project.guidelines.all()), None)
    silent = {name: getattr(project, name) for name in projects.SILENT}
    silent["quality"] = quality_rules.described(project.quality)
    return {
        "id": project.uuid,
        "slug": project.slug,
        "name": project.name,
        "description": project.description,
        "status": project.status,
        "role": role,
        "k": project.k,
        "overlap": project.overlap,
        "lease_seconds": project.lease_seconds,
        "skips_to_halt": project.skips_to_halt,
        "flags_to_halt": project.flags_to_halt,
        **(silent if role != Role.LABELER else {name: None for name in silent}),
        **({"blocked_words": project.blocked_words} if role != Role.LABELER else {}),
        "random_share": project.random_share,
        "heldout_share": project.heldout_share,
        **work.rules(project),
        "hourly_rate": project.hourly_rate,
        "guideline": describe_guideline(guideline) if guideline else None,
        "created_at": project.created_at,
        "archived_at": project.archived_at,
        "retention_days": project.retention_days,
    }


def describe_guideline(guideline: Guideline) -> dict[str, Any]:
    return {"version": guideline.version, "text": guideline.text, "created_at": guideline.created_at}
