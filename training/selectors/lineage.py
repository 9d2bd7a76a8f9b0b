"""From a checkpoint to the people whose answers made it, and from an answer to the checkpoints it is in.

Edges point from what was used to what was made of it. Answers are counted per labeler, not drawn one by one:
a snapshot has thousands.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from contracts import snapshots as files
from labeling.models.projects import Project
from labeling.models.records import Snapshot
from training.models.checkpoints import Checkpoint
from training.models.runs import Run, RunInput
from training.selectors import runs as run_reads


@dataclass
class Graph:
    """Nodes by id, and edges once each."""

    nodes: dict[str, dict[str, str]] = field(default_factory=dict)
    edges: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)

    def node(self, identity: Any, type: str, label: str) -> str:
        self.nodes.setdefault(str(identity), {"id": str(identity), "type": type, "label": label})
        return str(identity)

    def edge(self, start: str, end: str, role: str) -> None:
        self.edges.setdefault((start, end), {"from": start, "to": end, "role": role})

    def plain(self) -> dict[str, Any]:
        return {"nodes": list(self.nodes.values()), "edges": list(self.edges.values())}


def of_checkpoint(checkpoint: Checkpoint) -> dict[str, Any]:
    """Everything that the checkpoint came from, and everything that was made of it."""
    graph = Graph()
    _add_ancestors(graph, checkpoint)
    _add_descendants(graph, checkpoint)
    return graph.plain()


def of_prompt(project: Project, prompt: uuid.UUID) -> dict[str, Any]:
    """Where a prompt went: snapshots that hold it or an answer to it, runs, checkpoints and what came of these."""
    graph = Graph()
    for snapshot in Snapshot.objects.filter(project=project).exclude(kind=Snapshot.Kind.CORPUS).order_by("id"):
        key = "id" if snapshot.kind == Snapshot.Kind.PROMPTS else "prompt_id"
        count = sum(row[key] == str(prompt) for row in _rows(snapshot))
        if count:
            graph.node(snapshot.uuid, "snapshot", f"{snapshot.rows} {snapshot.kind}")
            _add_uses(graph, snapshot)
    return graph.plain()


def of_answers(project: Project, *, labeler: str = "", answer: uuid.UUID | None = None) -> dict[str, Any]:
    """Where one labeler's answers went, or one answer: snapshots, runs, checkpoints and what came of these."""
    graph = Graph()
    kinds = [Snapshot.Kind.RANKINGS, Snapshot.Kind.DEMONSTRATIONS]
    for snapshot in Snapshot.objects.filter(project=project, kind__in=kinds).order_by("id"):
        counts = _labelers(snapshot, answer=answer)
        counts = Counter({labeler: counts[labeler]}) if labeler else counts
        if not any(counts.values()):
            continue
        _add_snapshot(graph, snapshot, counts)
        _add_uses(graph, snapshot)
    return graph.plain()


def _add_uses(graph: Graph, snapshot: Snapshot) -> None:
    """The runs that read the snapshot, and all that came of them."""
    for row in RunInput.objects.filter(snapshot=snapshot).select_related("run__checkpoint"):
        made = _add_run(graph, row.run)
        graph.edge(str(snapshot.uuid), str(row.run_id), row.name)
        if made is not None:
            _add_descendants(graph, made)


def _add_ancestors(graph: Graph, checkpoint: Checkpoint) -> None:
    waiting, seen = [checkpoint], set()
    while waiting:
        current = waiting.pop()
        if current.id in seen:
            continue
        seen.add(current.id)
        _add_run(graph, current.run)
        rows = current.run.input_rows.select_related("checkpoint__run", "snapshot", "corpus")
        for row in rows:
            shown = run_reads.describe_input(row)
            if row.snapshot is not None:
                _add_snapshot(graph, row.snapshot, _labelers(row.snapshot))
            elif row.checkpoint is not None:
                waiting.append(row.checkpoint)
            else:
                graph.node(shown["id"], shown["kind"], shown["label"])
            graph.edge(shown["id"], str(current.run_id), row.name)


def _add_descendants(graph: Graph, checkpoint: Checkpoint) -> None:
    waiting, seen = [checkpoint], set()
    while waiting:
        current = waiting.pop()
        if current.id in seen:
            continue
        seen.add(current.id)
        graph.node(current.id, "checkpoint", current.name)
        for row in current.used_in.select_related("run__checkpoint"):
            made = _add_run(graph, row.run)
            graph.edge(str(current.id), str(row.run_id), row.name)
            if made is not None:
                waiting.append(made)


def _add_run(graph: Graph, run: Run) -> Checkpoint | None:
    """The run, and the checkpoint it made, if it made one."""
    graph.node(run.id, "run", run.name)
    made: Checkpoint | None = getattr(run, "checkpoint", None)
    if made is not None:
        graph.node(made.id, "checkpoint", made.name)
        graph.edge(str(run.id), str(made.id), "made")
    return made


def _add_snapshot(graph: Graph, snapshot: Snapshot, labelers: Counter[str]) -> None:
    """The snapshot, who wrote its rows, and which checkpoints wrote the responses that were ranked."""
    identity = graph.node(snapshot.uuid, "snapshot", f"{snapshot.rows} {snapshot.kind}")
    if snapshot.kind == Snapshot.Kind.RANKINGS:
        policies = Checkpoint.objects.filter(project_id=snapshot.project_id)
        for policy in policies.filter(source__reference__in=_policies(snapshot)):
            graph.edge(graph.node(policy.id, "checkpoint", policy.name), identity, "rollouts")
    for labeler, count in sorted(labelers.items()):
        graph.edge(graph.node(f"labeler:{labeler}", "labeler", labeler), identity, f"{count} {snapshot.kind}")


def _labelers(snapshot: Snapshot, *, answer: uuid.UUID | None = None) -> Counter[str]:
    """How many answers in the snapshot each labeler wrote, of all or of the one; a merged row is made of several."""
    if snapshot.kind not in (Snapshot.Kind.RANKINGS, Snapshot.Kind.DEMONSTRATIONS):
        return Counter()
    return Counter(
        labeler
        for row in _rows(snapshot)
        for identity, labeler in (row.get("merged_from") or {row["id"]: row["labeler"]}).items()
        if labeler and (answer is None or identity == str(answer))
    )


def _policies(snapshot: Snapshot) -> set[str]:
    """References of the checkpoints whose responses the snapshot's rankings order."""
    sources = {response["source"] for row in _rows(snapshot) for response in row["responses"]}
    return {source.removeprefix("checkpoint:") for source in sources if source.startswith("checkpoint:")}


def _rows(snapshot: Snapshot) -> Iterable[dict[str, Any]]:
    """The stored rows, unchecked: few of their keys are read. None where the files are elsewhere."""
    path = snapshot.path / files.ROWS
    if path.exists():
        with path.open(encoding="utf-8") as stream:
            yield from (json.loads(line) for line in stream)
