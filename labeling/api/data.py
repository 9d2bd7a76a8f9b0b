"""Prompts, exports, corpora and snapshots; imports are in `imports.py`."""

import json
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from django.http import FileResponse, StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import errors
from labeling.api import shapes
from labeling.api.base import paged, uploaded, user
from labeling.api.json import OrjsonParser
from labeling.api.projects import choice
from labeling.formats.items import Unreadable
from labeling.models.prompts import Prompt as PromptRow
from labeling.models.records import Corpus as CorpusRow
from labeling.models.records import Snapshot as SnapshotRow
from labeling.selectors import access, exports
from labeling.services import corpora, exporting, prompts, snapshots
from labeling.services.bodies import Body


class Prompts(APIView):
    @extend_schema(
        parameters=[choice("split", PromptRow.Split.values)], responses=shapes.Prompt(many=True),
        operation_id="prompts_list",
    )  # fmt: skip
    def get(self, request: Request, slug: str) -> Response:
        project = access.require(user=user(request), slug=slug, action="view_data").project
        rows = PromptRow.objects.filter(project=project)
        if split := request.query_params.get("split"):
            rows = rows.filter(split=split)
        return paged(request, rows, describe_prompt)

    @extend_schema(request=shapes.NewPrompts, responses={201: shapes.StoredPrompts})
    def post(self, request: Request, slug: str) -> Response:
        """Add conversations that wait for a reply. One that is there already is not stored twice."""
        project = access.require(user=user(request), slug=slug, action="add_data").project
        new, open_demonstrations = prompts.read(request.data)
        stored, fresh = prompts.add(
            project=project, prompts=new, open_demonstrations=open_demonstrations, by=user(request), now=timezone.now()
        )
        body = {"stored": fresh, "duplicates": len(new) - fresh, "prompts": [prompt.uuid for prompt in stored]}
        return Response(body, status=201)


class Corpora(APIView):
    parser_classes = [MultiPartParser, OrjsonParser]

    @extend_schema(responses=shapes.Corpus(many=True), operation_id="corpora_list")
    def get(self, request: Request, slug: str) -> Response:
        project = access.require(user=user(request), slug=slug, action="view_data").project
        return paged(request, CorpusRow.objects.filter(project=project), describe_corpus)

    @extend_schema(
        request={"multipart/form-data": shapes.NewCorpus, "application/json": shapes.NewCorpus},
        responses={201: shapes.Corpus},
    )
    def post(self, request: Request, slug: str) -> Response:
        """Add a text to pretrain on, as a file or as `text`."""
        project = access.require(user=user(request), slug=slug, action="add_data").project
        file = uploaded(request)
        if file is not None:
            name, blocks = dict(request.data).get("name", [file.name])[0], file.chunks()
        else:
            body = Body(dict(request.data))
            name, text = body.text("name", most=120), body.text("text", most=1 << 30, required=True)
            body.finish()
            blocks = iter([text.encode()])
        corpus = corpora.store(
            project=project, name=str(name or "corpus")[:120], blocks=blocks, by=user(request), now=timezone.now()
        )
        return Response(describe_corpus(corpus), status=201)


class Snapshots(APIView):
    @extend_schema(
        parameters=[choice("kind", SnapshotRow.Kind.values)], responses=shapes.Snapshot(many=True),
        operation_id="snapshots_list",
    )  # fmt: skip
    def get(self, request: Request, slug: str) -> Response:
        project = access.require(user=user(request), slug=slug, action="view_data").project
        rows = SnapshotRow.objects.filter(project=project).select_related("created_by")
        if kind := request.query_params.get("kind"):
            rows = rows.filter(kind=kind)
        return paged(request, rows, describe_snapshot)

    @extend_schema(request=shapes.NewSnapshot, responses={201: shapes.Snapshot})
    def post(self, request: Request, slug: str) -> Response:
        """Freeze annotations. The same content as an earlier snapshot is that snapshot."""
        project = access.require(user=user(request), slug=slug, action="add_data").project
        body = Body(request.data)
        kind, filters = body.text("kind", most=20, required=True), body.mapping("filters")
        body.finish()
        snapshot = snapshots.freeze(project=project, kind=kind, filters=filters, by=user(request), now=timezone.now())
        return Response(describe_snapshot(snapshot), status=201)


class Export(APIView):
    @extend_schema(
        parameters=[
            choice("kind", exports.KINDS),
            choice("format", exports.FORMATS),
            choice("split", PromptRow.Split.values),
            choice("pseudonyms", ["1"]),
            OpenApiParameter("filters", OpenApiTypes.STR, description="a JSON object, as snapshots take it"),
            choice("package", ["1"]),
        ],
        responses={
            (200, "application/x-ndjson"): OpenApiTypes.STR,
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/zip"): OpenApiTypes.BINARY,
        },
    )
    def get(self, request: Request, slug: str) -> StreamingHttpResponse | FileResponse:
        """Annotations as lines of a format; with `package`, a zip of files by split, a card and a manifest."""
        project = access.require(user=user(request), slug=slug, action="export").project
        choices = _choices(request)
        name = f"{slug}-{choices.kind}"
        if request.query_params.get("package"):
            with tempfile.TemporaryDirectory(prefix="rankloop-export-") as folder:
                place = Path(folder) / name
                packed = tempfile.TemporaryFile(prefix="rankloop-export-")  # noqa: SIM115  the response closes it
                try:
                    exporting.write(
                        project=project, choices=choices, folder=place, by=user(request), now=timezone.now()
                    )
                except Unreadable as error:
                    raise errors.Invalid(fields={"format": str(error)}) from None
                exporting.zipped(place, packed)
            packed.seek(0)
            return FileResponse(packed, as_attachment=True, filename=f"{name}.zip", content_type="application/zip")
        lines = exports.lines(project=project, choices=choices)
        is_csv = choices.format == "csv"
        response = StreamingHttpResponse(_blocks(lines), content_type="text/csv" if is_csv else "application/x-ndjson")
        response["Content-Disposition"] = f'attachment; filename="{name}.{"csv" if is_csv else "jsonl"}"'
        return response


def _choices(request: Request) -> exports.Choices:
    given = request.query_params
    try:
        filters = json.loads(given.get("filters") or "{}")
    except (ValueError, RecursionError):
        filters = None
    if not isinstance(filters, dict):
        raise errors.Invalid(fields={"filters": "must be a JSON object"})
    if split := given.get("split"):
        filters["split"] = split
    return exports.Choices(
        kind=given.get("kind", ""), format=given.get("format") or "rankloop", filters=filters,
        pseudonyms=bool(given.get("pseudonyms")),
    )  # fmt: skip


def _blocks(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Lines put together: a web server sends each piece by itself."""
    while block := b"".join(islice(lines, 500)):
        yield block


def describe_prompt(prompt: PromptRow) -> dict[str, Any]:
    return {
        "id": prompt.uuid,
        "messages": prompt.messages,
        "split": prompt.split,
        "content_hash": prompt.content_hash,
        "meta": prompt.meta,
        "created_at": prompt.created_at,
    }


def describe_corpus(corpus: CorpusRow) -> dict[str, Any]:
    return {
        "id": corpus.uuid,
        "name": corpus.name,
        "bytes": corpus.bytes,
        "sha256": corpus.sha256,
        "created_at": corpus.created_at,
    }


def describe_snapshot(snapshot: SnapshotRow) -> dict[str, Any]:
    return {
        "id": snapshot.uuid,
        "kind": snapshot.kind,
        "sha256": snapshot.sha256,
        "rows": snapshot.rows,
        "filters": snapshot.filters,
        "created_by": snapshot.created_by.username if snapshot.created_by else None,
        "created_at": snapshot.created_at,
    }
