"""Plain SQL of the hot path, where it depends on the database."""

import os
import weakref
from concurrent.futures import ThreadPoolExecutor

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


def test_a_thread_keeps_its_queue_file_open_until_it_ends_or_the_file_goes(tmp_path):
    path = tmp_path / "queue"
    first = sql._queue(str(path))
    assert sql._queue(str(path)) is first
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(lambda: weakref.ref(sql._queue(str(path)))).result()
    assert other() is None
    path.unlink()
    again = sql._queue(str(path))
    assert again is not first
    assert os.path.samestat(os.fstat(again.descriptor), path.stat())
