"""Imports: a file in pieces, a look at what it holds, and the import itself by a worker; or a small file at once."""

import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import errors
from labeling.api import import_shapes, shapes
from labeling.api.base import found, paged, uploaded, user
from labeling.formats.items import Unreadable
from labeling.models.imports import Import as ImportRow
from labeling.selectors import access
from labeling.services import imports, uploads
from labeling.services.bodies import Body
from labeling.services.import_options import Options

TRUE = ("1", "true", "on")
BLOCK = 1 << 20


class Bytes(BaseParser):
    """Leaves the body in the stream, where the view reads it in blocks."""

    media_type = "application/octet-stream"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        return stream


class Imports(APIView):
    @extend_schema(responses=import_shapes.Import(many=True), operation_id="imports_list")
    def get(self, request: Request, slug: str) -> Response:
        """The project's imports, newest first."""
        project = access.require(user=user(request), slug=slug, action="view_data").project
        return paged(request, ImportRow.objects.filter(project=project).select_related("created_by"), describe)

    @extend_schema(request=import_shapes.NewImport, responses={201: import_shapes.Import})
    def post(self, request: Request, slug: str) -> Response:
        """Begin an upload in pieces."""
        project = access.require(user=user(request), slug=slug, action="add_data").project
        body = Body(request.data)
        name, size = body.text("name", most=200, required=True), body.take("bytes")
        if type(size) is not int:
            body.problem("bytes", "must be a whole number", code="wrong_type")
        body.finish()
        row = uploads.begin(project=project, name=name, size=size, by=user(request), now=timezone.now())
        return Response(describe(row), status=201)


class Import(APIView):
    @extend_schema(responses=import_shapes.Import)
    def get(self, request: Request, import_id: UUID) -> Response:
        """How far it is, and what came of it."""
        return Response(describe(_row(request, import_id, "view_data")))

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, import_id: UUID) -> Response:
        """Stop it and forget the file. What is stored stays."""
        uploads.cancel(row=_row(request, import_id, "add_data"), by=user(request), now=timezone.now())
        return Response(status=204)


class ImportContent(APIView):
    parser_classes = [Bytes]

    @extend_schema(
        parameters=[OpenApiParameter("offset", OpenApiTypes.INT, required=True, description="the piece's first byte")],
        request={"application/octet-stream": OpenApiTypes.BINARY},
        responses=import_shapes.Import,
    )
    def put(self, request: Request, import_id: UUID) -> Response:
        """Send the next piece. 409 `wrong_offset` says which byte is wanted; `received` of the import does so too."""
        row = _row(request, import_id, "add_data")
        offset = request.query_params.get("offset", "")
        if not offset.isascii() or not offset.isdigit() or len(offset) > 15:
            raise errors.Invalid(code="wrong_type", fields={"offset": "must be a whole number from 0"})
        return Response(describe(uploads.append(row=row, offset=int(offset), blocks=_blocks(request))))


class ImportPreview(APIView):
    @extend_schema(request=import_shapes.ImportOptions, responses=import_shapes.ImportPreview)
    def post(self, request: Request, import_id: UUID) -> Response:
        """The first records, what they would become, and what the import would store. Stores nothing."""
        row = _row(request, import_id, "add_data")
        return Response(uploads.preview(row=row, options=Options.from_plain(request.data), now=timezone.now()))


class ImportStart(APIView):
    @extend_schema(request=import_shapes.ImportOptions, responses={202: import_shapes.Import})
    def post(self, request: Request, import_id: UUID) -> Response:
        """Put the file in the workers' queue."""
        row = _row(request, import_id, "add_data")
        options = Options.from_plain(request.data)
        started = uploads.start(row=row, options=options, by=user(request), now=timezone.now())
        return Response(describe(started), status=202)


class ImportAtOnce(APIView):
    parser_classes = [MultiPartParser]

    @extend_schema(request={"multipart/form-data": shapes.Upload}, responses=import_shapes.ImportReport)
    def post(self, request: Request, slug: str) -> Response:
        """Store a small file's records while you wait; the format is told from the content."""
        project = access.require(user=user(request), slug=slug, action="add_data").project
        file = uploaded(request)
        if file is None:
            raise errors.Invalid(fields={"file": "is missing"})
        form = {key: str(dict(request.data).get(key, [""])[0]) for key in ("format", "dry_run", "open_demonstrations")}
        wanted = {"format": form["format"], "open_demonstrations": form["open_demonstrations"] in TRUE}
        options = Options.from_plain(wanted)
        name = str(file.name)[:100]
        suffix = "".join(Path(name).suffixes[-2:])[:20]
        with tempfile.NamedTemporaryFile(prefix="rankloop-import-", suffix=suffix) as stream:
            for block in file.chunks():
                stream.write(block)
            stream.flush()
            try:
                report = imports.run(
                    project=project, path=Path(stream.name), name=name, options=options,
                    dry_run=form["dry_run"] in TRUE, by=user(request), now=timezone.now(),
                )  # fmt: skip
            except Unreadable as error:
                sentence = str(error).replace(Path(stream.name).name, name)
                raise errors.Invalid(sentence, code="unreadable_file", fields={"file": sentence}) from None
        return Response(asdict(report))


def describe(row: ImportRow) -> dict[str, Any]:
    return {
        "id": row.uuid,
        "name": row.name,
        "state": row.state,
        "bytes": row.bytes,
        "received": row.received,
        "share": row.share,
        "records": row.records,
        "options": row.options,
        "report": row.report or None,
        "error": row.error.replace(row.path.name, row.name) if row.location else row.error,
        "created_by": row.created_by.username if row.created_by else None,
        "created_at": row.created_at,
        "finished_at": row.finished_at,
    }


def _row(request: Request, import_id: UUID, action: str) -> ImportRow:
    row = found(ImportRow.objects.select_related("project", "created_by"), uuid=import_id)
    access.of_project(user=user(request), project=row.project).require(action)
    return cast(ImportRow, row)


def _blocks(request: Request) -> Iterator[bytes]:
    """The body as it comes. One that breaks off ends early: what came is kept, and the next piece goes on there."""
    stream, left = request.stream, min(int(request.META.get("CONTENT_LENGTH") or 0), uploads.PIECE + 1)
    if left > uploads.PIECE:
        raise errors.TooLarge(fields={"body": f"a piece has at most {uploads.PIECE} bytes"})
    while left and stream is not None:
        try:
            block = stream.read(min(BLOCK, left))
        except OSError:
            return
        if not block:
            return
        left -= len(block)
        yield block
