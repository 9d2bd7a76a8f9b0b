"""What the server says in a sentence has one in the web's other language."""

from pathlib import Path

import pytest

import labeling.errors
import training.errors

GERMAN = Path(__file__).resolve().parents[2] / "frontend" / "src" / "texts" / "de" / "server.ts"


@pytest.mark.parametrize("module", [labeling.errors, training.errors], ids=["labeling", "training"])
def test_every_kind_of_refusal_is_said_in_german(module):
    known = GERMAN.read_text(encoding="utf-8")
    kinds = [one for one in vars(module).values() if isinstance(one, type) and hasattr(one, "detail")]
    assert len(kinds) > 5
    assert {one.detail for one in kinds if f'"{one.detail}"' not in known} == set()
