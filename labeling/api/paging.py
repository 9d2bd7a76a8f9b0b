"""Cursor paging: a page costs the same however far along it is, and rows added meanwhile shift nothing."""

from rest_framework.pagination import CursorPagination


class Paging(CursorPagination):
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500
    ordering = "-id"
