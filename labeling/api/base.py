"""What views of the calmer endpoints share."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Model, QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import errors
from labeling.api.paging import Paging
from labeling.models.people import User


def user(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user


def paged(request: Request, rows: QuerySet[Any], describe: Any, *, ordering: str | tuple[str, ...] = "-id") -> Response:
    """One page of `rows`, newest first unless said otherwise."""
    paging = Paging()
    paging.ordering = ordering  # type: ignore[assignment]
    page = paging.paginate_queryset(rows, request)
    return paging.get_paginated_response([describe(row) for row in page or []])


def found(rows: QuerySet[Any], **lookup: Any) -> Any:
    row: Model | None = rows.filter(**lookup).first()
    if row is None:
        raise errors.Missing
    return row


def uploaded(request: Request) -> UploadedFile | None:
    file = request.FILES.get("file")
    if file is not None and (file.size or 0) > settings.UPLOAD_LIMIT:
        raise errors.TooLarge(fields={"file": f"is larger than {settings.UPLOAD_LIMIT >> 20} MiB"})
    return file


def as_uuid(value: str) -> UUID | None:
    try:
        return UUID(value)
    except ValueError:
        return None
