"""Health, the OpenAPI schema and a page that lists it."""

import time
from html import escape

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling.api import shapes
from labeling.selectors import invariants

FRESH = 60  # seconds for which one check of the invariants counts: it reads whole tables
_checked: tuple[dict[str, int], float] | None = None


class Health(APIView):
    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(responses={200: shapes.Health, 503: shapes.Health}, operation_id="health")
    def get(self, request: Request) -> Response:
        """503 where the database does not answer or a promise of hand-out is broken."""
        try:
            found = _invariants()
        except DatabaseError:
            return Response({"status": "broken", "database": "unreachable", "invariants": {}}, status=503)
        broken = any(found.values())
        return Response(
            {"status": "broken" if broken else "ok", "database": connection.vendor, "invariants": found},
            status=503 if broken else 200,
        )


def docs(request: HttpRequest) -> HttpResponse:
    """Every operation on one page, without a script."""
    schema = SchemaGenerator().get_schema(public=True)
    rows = "".join(
        f"<tr><td><code>{method.upper()}</code></td><td><code>{escape(path)}</code></td>"
        f"<td>{escape(operation.get('description', ''))}</td></tr>"
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    )
    page = (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Rankloop API</title><h1>Rankloop API</h1>"
        "<p>The whole of it, with forms: <a href=schema>the OpenAPI schema</a>.</p>"
        f"<table><tr><th>Method<th>Route<th>What</tr>{rows}</table></html>"
    )
    return HttpResponse(page)


def _invariants() -> dict[str, int]:
    global _checked
    if _checked is None or _checked[1] < time.monotonic():
        _checked = invariants.violations(), time.monotonic() + FRESH
    else:
        connection.ensure_connection()
    return _checked[0]


def forget() -> None:
    """Check the invariants anew when next asked."""
    global _checked
    _checked = None
