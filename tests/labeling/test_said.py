"""What the server says in a sentence has one in the web's other language."""

from pathlib import Path

from labeling import errors

GERMAN = Path(__file__).resolve().parents[2] / "frontend" / "src" / "texts" / "de" / "server.ts"


def kinds(base: type[errors.Refused]) -> set[type[errors.Refused]]:
    return {base}.union(*(kinds(one) for one in base.__subclasses__()))


def test_every_kind_of_refusal_is_said_in_german():
    known = GERMAN.read_text(encoding="utf-8")
    assert {one.detail for one in kinds(errors.Refused) if f'"{one.detail}"' not in known} == set()
