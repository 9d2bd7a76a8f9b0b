"""Plain SQL of the hot path, where it depends on the database."""

import pytest

from config.settings import database
from labeling.models import sql
from tests.labeling.conftest import connected_to

PREPARED = "SELECT COUNT(*) FROM pg_prepared_statements WHERE statement LIKE %s"


@pytest.mark.parametrize(("prepare", "statements"), [(2, 1), (0, 0)])
def test_postgresql_plans_a_hot_statement_once_unless_told_not_to(prepare, statements, postgres_url, django_db_blocker):
    with django_db_blocker.unblock(), connected_to(database(postgres_url, pool=0, prepare=prepare)):
        for number in range(5):
            assert sql.first("SELECT 40000 + %s", [number]) == (40000 + number,)
        assert sql.first(PREPARED, ["%40000 +%"]) == (statements,)
