"""Every list that grows with the work reads about a page of rows, whatever the filter and however many there are.

The rows that a filter takes are the oldest, so whoever walks a list in its order and filters as he goes reads it all.
"""

import json
import uuid
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from labeling.models.answers import Answer, RankedResponse
from labeling.models.measurements import LabelerMeasure, Measurement, SetMeasure
from labeling.models.people import Membership, User
from labeling.models.projects import Project
from labeling.models.prompts import Prompt, Response, RolloutSet, Source
from labeling.models.quality import ReviewCase
from labeling.models.records import AuditEntry, OutboxEvent
from labeling.models.webhooks import Delivery, Webhook
from labeling.models.work import LabelingTask, Lease, Slot

P = "projects/field"
ROWS, RARE, PAGE = 2_000, 100, 20
# Lists that grow with the work, with each filter and order that they take.
GROWING = [
    "tasks",
    "tasks?kind=comparison",
    "tasks?state=halted",
    "tasks?kind=comparison&state=halted",
    "answers",
    "answers?mine=1",
    "answers?kind=comparison",
    "answers?labeler=rare",
    "answers?labeler=common&kind=comparison",
    "prompts",
    "prompts?split=heldout",
    "events",
    "audit",
    "agreement/items",
    "agreement/items?order=agreement",
    "agreement/items?ambiguous=1",
    "agreement/labelers",
    "rollouts",
    "rollouts?order=best",
    "rollouts?order=worst",
    "rollouts?order=disagreement",
    "rollouts?policy={policy_id}",
    "rollouts?policy={policy_id}&order=best",
    "rollouts?policy={policy_id}&order=worst",
    "rollouts?policy={policy_id}&order=disagreement",
    "review",
    "review?state=left",
    "webhooks/{webhook_id}/deliveries",
]
# Bounded by people, or by what people start one at a time.
SMALL = {
    "gold",
    "anchors",
    "webhooks",
    "run-kinds",
    "runs",
    "tokens",
    "projects",
    "people",
    "guidelines",
    "members",
    "invitations",
    "corpora",
    "snapshots",
    "measurements",
    "imports",
    "policies",
}
NOW = datetime(2030, 1, 1, tzinfo=UTC)


def fill():
    """ROWS of everything in a project; the RARE oldest ones are what the filters take."""
    field = Project.objects.create(slug="field", name="Field", created_at=NOW)
    rare, common, ada = (User.objects.create(username=name, password="!") for name in ("rare", "common", "ada"))
    Membership.objects.create(project=field, user=ada, role="admin")
    numbers = range(ROWS)
    prompts = Prompt.objects.bulk_create(
        Prompt(project=field, content_hash=str(n), messages=[{"role": "user", "content": "?", "name": ""}],
               split="heldout" if n < RARE else "train", created_at=NOW)
        for n in numbers
    )  # fmt: skip
    source = Source.objects.create(project=field, kind="outside", name="o", reference="o", created_at=NOW)
    scarce = Source.objects.create(project=field, kind="checkpoint", name="c", reference="c", created_at=NOW)
    sets = RolloutSet.objects.bulk_create(
        RolloutSet(project=field, prompt=prompts[n], content_hash=str(n), created_at=NOW, run_id=uuid.UUID(int=n),
                   source=scarce if n < RARE else source, best_score=n, worst_score=-n, disagreement=n / ROWS)
        for n in numbers
    )  # fmt: skip
    kinds = ["comparison" if n < RARE else "ranking" for n in numbers]
    tasks = LabelingTask.objects.bulk_create(
        LabelingTask(project=field, kind=kinds[n], prompt=prompts[n], rollout_set=sets[n], created_at=NOW,
                     state="halted" if n < RARE else "done")
        for n in numbers
    )  # fmt: skip
    labelers = [rare if n < RARE else common for n in numbers]
    slots = Slot.objects.bulk_create(
        Slot(task=tasks[n], number=0, project=field, kind=kinds[n], priority=0, shuffle=0, state="answered",
             labeler=labelers[n])
        for n in numbers
    )  # fmt: skip
    leases = Lease.objects.bulk_create(
        Lease(token=uuid.uuid4(), slot=slots[n], task=tasks[n], labeler=labelers[n], drawn_at_random=False,
              selection_probability=1, created_at=NOW)
        for n in numbers
    )  # fmt: skip
    answers = Answer.objects.bulk_create(
        Answer(project=field, kind=kinds[n], prompt=prompts[n], rollout_set=sets[n], task=tasks[n], created_at=NOW,
               labeler=labelers[n], lease=leases[n], idempotency_key=str(n), body_hash=str(n))
        for n in numbers
    )  # fmt: skip
    responses = Response.objects.bulk_create(
        Response(rollout_set=one, index=0, text="Yes.", source=source) for one in sets
    )
    RankedResponse.objects.bulk_create(
        RankedResponse(answer=answers[n], response=responses[n], rank=1) for n in numbers
    )
    AuditEntry.objects.bulk_create(AuditEntry(project=field, action="a", created_at=NOW) for _ in numbers)
    OutboxEvent.objects.bulk_create(OutboxEvent(project=field, kind="k", created_at=NOW) for _ in numbers)
    ReviewCase.objects.bulk_create(
        ReviewCase(task=tasks[n], project=field, why="skips", state="left" if n < RARE else "open", opened_at=NOW,
                   closed_at=NOW if n < RARE else None, closed_by=rare if n < RARE else None)
        for n in numbers
    )  # fmt: skip
    events = OutboxEvent.objects.all()
    for url in ("https://one.example", "https://other.example"):
        webhook = Webhook.objects.create(project=field, url=url, secret="s", after=0, created_at=NOW)
        Delivery.objects.bulk_create(
            Delivery(webhook=webhook, event=one, state="delivered", created_at=NOW, ended_at=NOW) for one in events
        )
    SetMeasure.objects.bulk_create(
        SetMeasure(rollout_set=sets[n], project=field, rankings=2, agreeing_pairs=n, decided_pairs=ROWS,
                   pairwise_agreement=n / ROWS, ambiguous=n < RARE)
        for n in numbers
    )  # fmt: skip
    # Of earlier measurements: those of the newest are few.
    for _ in range(2):
        measurement = Measurement.objects.create(project=field, requested_at=NOW, started_at=NOW, finished_at=NOW)
    old = Measurement.objects.first()
    LabelerMeasure.objects.bulk_create(LabelerMeasure(measurement=old, origin=str(n), numbers={}) for n in numbers)
    LabelerMeasure.objects.create(measurement=measurement, labeler=rare, numbers={})
    return ada


def visited_by_postgres(sql):
    """Rows that the plan's scans read, kept or thrown away, most of one node; and whether it sorts or reads a table."""
    with connection.cursor() as cursor:
        # A few thousand rows are read or hashed as a whole where an index would do; a million would not be.
        cursor.execute("SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_seqscan = off")
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
        found = cursor.fetchone()[0]
    plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    most, kinds, nodes = 0, [], [plan]
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        read = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        most = max(most, read)
        if node["Node Type"] in ("Sort", "Seq Scan") and read > 2 * PAGE:
            kinds.append(f"{node['Node Type']} of {read} {node.get('Relation Name', '')}")
    return most, kinds


def steps_of_sqlite(sql, parameters):
    """Instructions of SQLite's virtual machine, and the steps of its plan that sort or read a table."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)
        plan = [row[3] for row in cursor.fetchall()]
        ticks = 0

        def tick():
            nonlocal ticks
            ticks += 1

        connection.connection.set_progress_handler(tick, 100)
        cursor.execute(sql, parameters)
        cursor.fetchall()
        connection.connection.set_progress_handler(None, 0)
    few = ("labeling_project", "labeling_user", "labeling_source")
    scans = [step for step in plan if step.startswith("SCAN") and "USING" not in step and step.split()[1] not in few]
    bad = scans + [step for step in plan if "TEMP B-TREE FOR ORDER" in step]
    return ticks * 100, bad


@pytest.fixture
def explained(monkeypatch):
    """explained(queries): the worst that the database says of one of them."""

    def explained(queries):
        worst, bad = 0, []
        for query in queries:
            if not query["sql"].startswith("SELECT"):
                continue
            most, kinds = (
                visited_by_postgres(query["sql"])
                if connection.vendor == "postgresql"
                else steps_of_sqlite(query["sql"].replace("%", "%%"), None)
            )
            worst, bad = max(worst, most), bad + kinds
        return worst, bad

    return explained


def test_a_page_of_each_list_reads_about_a_page(shared_database, caller, explained):
    ada = fill()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    client = caller(ada)
    client.get(f"{P}/tasks")
    # SQLite takes 10 to 60 instructions a row and column here; PostgreSQL says how many rows.
    limit = {"postgresql": 8 * PAGE, "sqlite": 20_000}[connection.vendor]
    slow = {}
    for route in GROWING:
        filled = route.format(
            webhook_id=Webhook.objects.latest("id").uuid, policy_id=Source.objects.get(kind="checkpoint").uuid
        )
        filled = filled if filled.startswith("webhooks/") else f"{P}/{filled}"
        address = f"/api/v1/{filled}{'&' if '?' in route else '?'}page_size={PAGE}"
        for page in ("first", "next"):
            with CaptureQueriesContext(connection) as queries:
                answer = client.get(address)
            assert answer.status_code == 200, answer.content
            worst, bad = explained(queries.captured_queries)
            if worst > limit or bad or len(queries) > 9:
                slow[route, page] = (worst, bad, len(queries))
            address = answer.json()["next"]
            if address is None:
                break
    assert not slow, "\n".join(f"{key}: {value}" for key, value in slow.items())


def test_every_list_is_here_or_small():
    from drf_spectacular.generators import SchemaGenerator

    listed = {
        path.rpartition("{slug}/")[2].removeprefix("/api/v1/").removeprefix("/")
        for path, operations in SchemaGenerator().get_schema(public=True)["paths"].items()
        for method, operation in operations.items()
        if method == "get" and operation["operationId"].endswith("_list")
    }
    growing = {route.partition("?")[0] for route in GROWING}
    assert {route for route in listed if route not in growing | SMALL} == set()
