"""The labeler's loop: next, renew, draft, submit, skip. These are the hot endpoints."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema

from labeling import errors
from labeling.api import work_shapes
from labeling.api.lean import LeanView, body, respond
from labeling.models.answers import Answer
from labeling.models.people import User
from labeling.models.work import Kind
from labeling.selectors import access, answers, work
from labeling.services import comparisons, demonstrations, leases, quality, rankings
from labeling.services.bodies import Body
from labeling.services.text import is_storable_json

# Kinds in the order in which they are tried where the labeler names none.
ORDER = (Kind.COMPARISON, Kind.RANKING, Kind.DEMONSTRATION)
DRAFT = 1 << 20  # bytes


class Next(LeanView):
    @extend_schema(
        request=work_shapes.NextRequest, responses={200: work_shapes.Lease, 204: None}, operation_id="next_task"
    )
    def post(self, request: HttpRequest, user: User, slug: str) -> HttpResponse:
        """The labeler's unfinished task, or the next one; 204 where nothing waits.

        With `ahead`, the task that comes after the unfinished one: it is kept for the labeler and begins when they
        ask for their next without `ahead`. One at most; asking again gives the same.
        `notice` tells of a warning. Who is paused gets 403 `membership_paused` once nothing is unfinished.
        """
        member = access.require(user=user, slug=slug, action="label")
        kinds, ahead = _asked(body(request))
        now = timezone.now()
        guideline = member.guideline
        found = leases.acquire(
            project=member.project,
            guideline_id=guideline.pk if guideline else None,
            labeler=user,
            kinds=kinds,
            now=now,
            paused=member.paused,
            ahead=ahead,
        )
        if found is None:
            return HttpResponse(status=204)
        lease, ends = found
        notice = quality.notice(member.membership)
        return respond(
            work.payload(lease=lease, project=member.project, guideline=guideline, ends=ends, now=now, notice=notice)
        )


class Renew(LeanView):
    @extend_schema(request=None, responses=work_shapes.Renewed, operation_id="renew_lease")
    def post(self, request: HttpRequest, user: User, token: UUID) -> HttpResponse:
        """Begin the lease's time anew."""
        return respond({"expires_at": leases.renew(token=token, labeler=user, now=timezone.now())})


class GiveBack(LeanView):
    @extend_schema(request=None, responses=work_shapes.GivenBack, operation_id="give_back_task")
    def post(self, request: HttpRequest, user: User, token: UUID) -> HttpResponse:
        """Leave a task that was fetched ahead to others. `given_back` is false where it is begun or lost."""
        given_back = leases.give_back(token=token, labeler=user, now=timezone.now())
        return respond({"given_back": given_back})


class Draft(LeanView):
    @extend_schema(request=work_shapes.DraftRequest, responses=work_shapes.DraftSaved, operation_id="save_draft")
    def put(self, request: HttpRequest, user: User, token: UUID) -> HttpResponse:
        """Keep unfinished work, whatever its form, and renew. `expires_at` is null where the lease is lost."""
        plain = body(request)
        if len(request.body) > DRAFT:
            raise errors.TooLarge(fields={"body": f"is larger than {DRAFT} bytes"})
        form = Body(plain)
        draft = form.mapping("body")
        if not is_storable_json(draft):
            form.problem("body", "contains a NUL or half a surrogate pair", code="bad_characters")
        form.finish()
        now = timezone.now()
        ends = leases.save_draft(token=token, labeler=user, body=draft, now=now)
        return respond({"saved_at": now, "expires_at": ends})


class Skip(LeanView):
    @extend_schema(request=work_shapes.SkipRequest, responses={201: work_shapes.Skipped}, operation_id="skip_task")
    def post(self, request: HttpRequest, user: User, token: UUID) -> HttpResponse:
        """Give the task back for good, with a reason."""
        form = Body(body(request))
        reason = form.text("reason", most=60, required=True)
        comment = form.text("comment", most=5_000)
        form.finish()
        skip = leases.skip(token=token, labeler=user, reason=reason, comment=comment, now=timezone.now())
        return respond({"reason": skip.reason, "created_at": skip.created_at}, status=201)


class _Submit(LeanView):
    service: Callable[..., tuple[Answer, bool]]

    def submit(self, request: HttpRequest, user: User, token: UUID) -> HttpResponse:
        answer, replayed = type(self).service(token=token, labeler=user, plain=body(request), now=timezone.now())
        return respond(answers.receipt(answer), status=200 if replayed else 201)


_ANSWER: dict[int, Any] = {201: work_shapes.Receipt, 200: work_shapes.Receipt}


class SubmitRanking(_Submit):
    service = staticmethod(rankings.submit)

    @extend_schema(request=work_shapes.RankingRequest, responses=_ANSWER, operation_id="submit_ranking")
    def post(self, request: HttpRequest, user: User, token: UUID) -> HttpResponse:
        """Best to worst: 1 is best, equal ranks tie, null leaves one out. 200 repeats what was stored before."""
        return self.submit(request, user, token)


class SubmitDemonstration(_Submit):
    service = staticmethod(demonstrations.submit)

    @extend_schema(request=work_shapes.DemonstrationRequest, responses=_ANSWER, operation_id="submit_demonstration")
    def post(self, request: HttpRequest, user: User, token: UUID) -> HttpResponse:
        """The ideal reply as `text`, or several turns as `messages`."""
        return self.submit(request, user, token)


class SubmitComparison(_Submit):
    service = staticmethod(comparisons.submit)

    @extend_schema(request=work_shapes.ComparisonRequest, responses=_ANSWER, operation_id="submit_comparison")
    def post(self, request: HttpRequest, user: User, token: UUID) -> HttpResponse:
        """`choice` is the better response's id, `tie` or `both_bad`."""
        return self.submit(request, user, token)


def _asked(plain: Any) -> tuple[list[Kind], bool]:
    form = Body(plain)
    named = form.texts("kinds")
    if unknown := set(named) - set(Kind.values):
        form.problem("kinds", f"{min(unknown)!r:.60} is not one of {', '.join(Kind.values)}", code="unknown_kind")
    ahead = form.truth("ahead")
    form.finish()
    return [Kind(name) for name in dict.fromkeys(named)] or list(ORDER), ahead
