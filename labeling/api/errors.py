"""The one map from errors to HTTP statuses. Every error's body is {"code", "detail", "fields"}."""

from http import HTTPStatus
from typing import Any

import orjson
from django.core.exceptions import PermissionDenied, RequestDataTooBig, TooManyFilesSent
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.response import Response
from rest_framework.settings import api_settings

from labeling import errors

STATUSES: dict[type[errors.Refused], HTTPStatus] = {
    errors.Invalid: HTTPStatus.BAD_REQUEST,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.Missing: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.TooMany: HTTPStatus.TOO_MANY_REQUESTS,
    errors.WrongMethod: HTTPStatus.METHOD_NOT_ALLOWED,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}


def body_and_status(error: Exception) -> tuple[dict[str, Any], int] | None:
    """None for an error that is our own bug: it becomes a logged 500."""
    if isinstance(error, errors.Refused):
        status = next(status for kind, status in STATUSES.items() if isinstance(error, kind))
        return _body(error.code, error.detail, error.fields), status
    if isinstance(error, Http404):
        return body_and_status(errors.Missing())
    if isinstance(error, PermissionDenied):
        return body_and_status(errors.Forbidden())
    if isinstance(error, (RequestDataTooBig, TooManyFilesSent)):
        return body_and_status(errors.TooLarge())
    if isinstance(error, ValidationError):
        return _body("invalid", errors.Invalid.detail, _sentences(error.detail)), HTTPStatus.BAD_REQUEST
    if isinstance(error, APIException):
        code = error.get_codes() if isinstance(error.detail, str) else error.default_code
        return _body(str(code), str(error.detail), {}), error.status_code
    return None


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """REST framework's exception handler."""
    answer = body_and_status(error)
    if answer is None:
        return None
    body, status = answer
    headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else None
    if isinstance(error, errors.TooMany):
        headers = {"Retry-After": str(error.seconds)}
    return Response(body, status=status, headers=headers)


def as_response(error: errors.Refused | RequestDataTooBig) -> HttpResponse:
    """For views outside REST framework."""
    answer = body_and_status(error)
    assert answer is not None
    return HttpResponse(orjson.dumps(answer[0]), status=answer[1], content_type="application/json")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return as_response(errors.Forbidden(f"The CSRF check failed: {reason}", code="csrf_failed"))


def _body(code: str, detail: str, fields: dict[str, str]) -> dict[str, Any]:
    return {"code": code, "detail": detail, "fields": fields}


def _sentences(detail: Any, path: str = "") -> dict[str, str]:
    """REST framework's nested lists and dicts of messages as {dotted field: sentence}."""
    if isinstance(detail, dict):
        found: dict[str, str] = {}
        for name, inner in detail.items():
            whole = name == api_settings.NON_FIELD_ERRORS_KEY
            found.update(_sentences(inner, path if whole else f"{path}.{name}" if path else str(name)))
        return found
    if isinstance(detail, list):
        if all(isinstance(item, str) for item in detail):
            return {path or "body": " ".join(str(item) for item in detail)}
        found = {}
        for index, item in enumerate(detail):
            found.update(_sentences(item, f"{path}.{index}" if path else str(index)))
        return found
    return {path or "body": str(detail)}
