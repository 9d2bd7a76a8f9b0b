"""A large backlog, made inside the database: copies of one task with its prompt, response and slots."""

from django.core.management.color import no_style
from django.db import connection
from django.db.models import Max, Model

from labeling.models.prompts import Prompt, Response, RolloutSet
from labeling.models.work import LabelingTask, Slot

_UUID = {"sqlite": "lower(hex(randomblob(16)))", "postgresql": "gen_random_uuid()"}
_RANDOM = {"sqlite": "(random() + 9223372036854775808.0) / 18446744073709551616.0", "postgresql": "random()"}


def repeat_last_task(count: int) -> None:
    """Add `count` open tasks like the newest one, each with a prompt, a set of one response, and a slot."""
    task = LabelingTask.objects.latest("pk")
    slot = Slot.objects.get(task=task)
    response = Response.objects.filter(rollout_set_id=task.rollout_set_id).earliest("index")
    firsts = {model: _free_from(model) for model in (Prompt, RolloutSet, LabelingTask)}
    key = {model: f"{first} + numbers.i" for model, first in firsts.items()}
    fresh, drawn = _UUID[connection.vendor], _RANDOM[connection.vendor]
    name = "CAST(numbers.i AS text)"
    _repeat(task.prompt, count, {"id": key[Prompt], "uuid": fresh, "content_hash": f"'copy ' || {name}"})
    assert task.rollout_set is not None
    _repeat(
        task.rollout_set,
        count,
        {"id": key[RolloutSet], "uuid": fresh, "prompt_id": key[Prompt], "content_hash": f"'copy ' || {name}"},
    )
    _repeat(
        response, count, {"id": f"{_free_from(Response)} + numbers.i", "uuid": fresh, "rollout_set_id": key[RolloutSet]}
    )
    _repeat(
        task,
        count,
        {"id": key[LabelingTask], "uuid": fresh, "prompt_id": key[Prompt], "rollout_set_id": key[RolloutSet]},
    )
    _repeat(
        slot,
        count,
        {"id": f"{_free_from(Slot)} + numbers.i", "task_id": key[LabelingTask], "shuffle": drawn},
    )
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(
            no_style(), [Prompt, RolloutSet, Response, LabelingTask, Slot]
        ):
            cursor.execute(statement)
        cursor.execute("ANALYZE")


def _free_from(model: type[Model]) -> int:
    return int(model._default_manager.aggregate(most=Max("pk"))["most"])


def _repeat(row: Model, count: int, replaced: dict[str, str]) -> None:
    """Copies of a stored row, numbered from 1 as `numbers.i`, with some columns replaced by SQL expressions."""
    table = connection.ops.quote_name(row._meta.db_table)
    columns = [
        str(field.column) for field in row._meta.concrete_fields if field.column in replaced or field.column != "id"
    ]
    quoted = {column: connection.ops.quote_name(column) for column in columns}
    values = ", ".join(replaced.get(column, f"original.{quoted[column]}") for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""INSERT INTO {table} ({", ".join(quoted.values())})
            WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < {count})
            SELECT {values} FROM numbers CROSS JOIN {table} AS original WHERE original.id = {row.pk}"""
        )
