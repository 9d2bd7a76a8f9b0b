"""Prompts, projects, corpora, imports, pages and health, over HTTP."""

import json
import re
import uuid
from pathlib import Path

from django.core.files.uploadedfile import SimpleUploadedFile

from labeling.formats.writing import WRITERS
from labeling.models.answers import Answer
from labeling.selectors import exports
from tests.labeling.work import rank


def test_pages_follow_each_other_without_gaps_while_rows_are_added(caller, prompt, erin):
    for number in range(7):
        prompt(f"Question {number}?")
    seen, page = [], caller(erin).get("projects/garden/prompts", page_size=3).json()
    prompt("Added meanwhile?")
    while page:
        seen += [row["messages"][0]["content"] for row in page["results"]]
        page = caller(erin).get(page["next"]).json() if page["next"] else None
    assert seen == [f"Question {number}?" for number in reversed(range(7))]


def test_prompts_are_stored_once_and_keep_their_split(caller, erin):
    body = {"prompts": [{"messages": [{"role": "user", "content": f"Number {n}?"}]} for n in range(50)]}
    first = caller(erin).post("projects/garden/prompts", body).json()
    again = (
        caller(erin).post("projects/garden/prompts", {**body, "prompts": body["prompts"] + body["prompts"][:1]}).json()
    )
    assert (first["stored"], first["duplicates"]) == (50, 0)
    assert (again["stored"], again["duplicates"]) == (0, 51)
    assert again["prompts"][:50] == first["prompts"]
    heldout = caller(erin).get("projects/garden/prompts", split="heldout", page_size=100).json()["results"]
    assert 2 <= len(heldout) <= 20


def test_guidelines_are_versions_and_answers_name_theirs(publish, next_task, caller, alice, ada):
    publish(1)
    lease = next_task(alice)
    assert caller(ada).post("projects/garden/guidelines", {"text": "Prefer what is short."}).json()["version"] == 2
    assert next_task(alice)["task"]["guideline"]["version"] == 1
    stored = caller(alice).post(f"leases/{lease['token']}/ranking", rank(lease)).json()
    assert caller(alice).get(f"answers/{stored['id']}").json()["guideline_version"] == 1
    publish(1)
    assert next_task(alice)["task"]["guideline"]["version"] == 2


def test_a_project_is_made_with_its_rules_and_archived_with_its_name(caller, ada):
    body = {
        "slug": "orchard",
        "name": "Orchard",
        "k": 4,
        "overlap": 2,
        "flags": ["rude"],
        "guideline": "Be kind.",
        "hourly_rate": "21.50",
    }
    made = caller(ada).post("projects", body)
    assert made.status_code == 201
    assert {name: made.json()[name] for name in ("slug", "k", "overlap", "flags")} == {
        "slug": "orchard",
        "k": 4,
        "overlap": 2,
        "flags": ["rude"],
    }
    assert made.json()["guideline"]["text"] == "Be kind."
    assert caller(ada).post("projects", body).json()["code"] == "slug_taken"
    assert caller(ada).patch("projects/orchard", {"status": "archived", "confirm": "orchard"}).status_code == 200
    assert caller(ada).get("projects").json()["results"] == []


def test_a_corpus_comes_as_text_or_as_a_file_and_is_kept_once(caller, project, erin, artifacts):
    text = "Soil holds water.\n" * 100
    made = caller(erin).post("projects/garden/corpora", {"name": "soil", "text": text})
    assert (made.status_code, made.json()["bytes"]) == (201, len(text))
    file = SimpleUploadedFile("soil.txt", text.encode())
    assert caller(erin).upload("projects/garden/corpora", file=file).json()["id"] == made.json()["id"]
    broken = caller(erin).upload("projects/garden/corpora", file=SimpleUploadedFile("x.txt", b"\xff\xfe\x00"))
    assert (broken.status_code, list(broken.json()["fields"])) == (400, ["file"])
    assert len(list((artifacts / "corpora").iterdir())) == 1


def test_the_web_offers_each_kind_in_the_formats_that_carry_it():
    source = (Path(__file__).parents[2] / "frontend/src/features/data/exportChoice.ts").read_text()
    table = re.search(r"FORMATS = (\{.*?\}) as const", source, re.DOTALL)[1]
    kinds = re.findall(r"(\w+): \[(.*?)\]", table, re.DOTALL)
    offered = {kind: re.findall(r'"([\w-]+)"', formats) for kind, formats in kinds}
    assert offered == {kind: [name for name, (_, kinds) in WRITERS.items() if kind in kinds] for kind in exports.KINDS}


def test_import_and_export_over_the_api(caller, project, erin):
    line = json.dumps({"prompt": "Who?", "chosen": "The gardener.", "rejected": "Nobody."})
    file = SimpleUploadedFile("pairs.jsonl", f"{line}\n{{\n".encode())
    tried = caller(erin).upload("projects/garden/import", file=file, dry_run="true").json()
    assert (tried["format"], tried["stored"], tried["refused"]) == ("pairs", 1, 1)
    assert tried["refusals"][0]["file"] == "pairs.jsonl"
    assert tried["refusals"][0]["line"] == 2
    assert Answer.objects.count() == 0
    file.seek(0)
    assert caller(erin).upload("projects/garden/import", file=file).json()["rankings"] == 1
    out = b"".join(caller(erin).get("projects/garden/export", kind="rankings").streaming_content)
    (record,) = [json.loads(line) for line in out.splitlines()]
    assert [(response["text"], response["rank"]) for response in record["responses"]] == [
        ("The gardener.", 1),
        ("Nobody.", 2),
    ]
    assert record["labeler"] == "pairs"
    unknown = caller(erin).upload("projects/garden/import", file=SimpleUploadedFile("a.bin", b"\x00\x01"))
    assert (unknown.status_code, unknown.json()["code"]) == (400, "unreadable_file")
    assert caller(erin).get("projects/garden/export", kind="everything").status_code == 400


def test_health_runs_the_invariants(publish, next_task, caller, alice):
    from labeling.api import system
    from labeling.models.work import Slot

    publish(1)
    next_task(alice)
    found = caller(None).get("health")
    assert (found.status_code, found.json()["status"]) == (200, "ok")
    assert set(found.json()["invariants"].values()) == {0}
    Slot.objects.update(token=uuid.uuid4())
    system.forget()
    found = caller(None).get("health")
    assert found.status_code == 503
    assert found.json()["invariants"]["leased_slots_without_lease"] == 1


def test_every_page_forbids_inline_scripts(client, db):
    for path in ("/", "/projects/garden", "/api/v1/health"):
        policy = client.get(path).headers["Content-Security-Policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy


def test_the_schema_has_no_warnings(tmp_path):
    from django.core.management import call_command

    call_command("spectacular", "--validate", "--fail-on-warn", "--file", tmp_path / "openapi.yaml")
