"""Whatever is sent wrong: a 4xx with a code and the field, nothing stored, nothing lost."""

import json
import uuid

import pytest
from django.utils import timezone

from labeling.models.answers import Answer, RankedResponse
from labeling.models.people import ApiToken
from labeling.models.projects import Project
from labeling.models.work import Draft, Slot

MEGABYTE = "x" * (1 << 20)


@pytest.fixture
def lease(publish, caller, alice):
    publish(2)
    return caller(alice).post("projects/garden/next", {}).json()


@pytest.fixture
def ranking(lease):
    ids = [response["id"] for response in lease["task"]["responses"]]
    return {"idempotency_key": "k", "ranks": {id: place for place, id in enumerate(ids, 1)}}


def ids(ranking):
    return list(ranking["ranks"])


def foreign_id(body):
    body["ranks"][str(uuid.uuid4())] = 1


def response_of_another_task(body):
    from labeling.models.prompts import Response

    other = Response.objects.exclude(uuid__in=ids(body)).first()
    body["ranks"][str(other.uuid)] = 4


def gap(body):
    body["ranks"][ids(body)[2]] = 4


def gap_within_reach(body):
    body["ranks"] = dict(zip(ids(body), (1, 3, 3), strict=True))


def no_first_place(body):
    body["ranks"] = dict(zip(ids(body), (2, 2, 3), strict=True))


def rank(value):
    def spoil(body):
        body["ranks"][ids(body)[0]] = value

    spoil.__name__ = f"rank_{type(value).__name__}_{value}"
    return spoil


def put(**fields):
    def spoil(body):
        body.update(fields)

    spoil.__name__ = "_".join(f"{name}_{str(value)[:20]}" for name, value in fields.items())
    return spoil


def incomplete(body):
    body["ranks"].pop(ids(body)[2])


def nothing_decided(body):
    body["ranks"] = {id: None for id in ids(body)}


def unacceptable_twice(body):
    body["unacceptable"] = [ids(body)[0]] * 2


def unknown_flag(body):
    body["flags"] = {ids(body)[0]: ["rude"]}


def flags_as_text(body):
    body["flags"] = {ids(body)[0]: "harmful"}


def likert_where_none_is_asked(body):
    body["likert"] = {ids(body)[0]: 3}


def no_key(body):
    del body["idempotency_key"]


BAD = [
    (foreign_id, "foreign_response", "ranks"),
    (response_of_another_task, "invalid", "ranks"),
    (gap, "out_of_range", "ranks."),
    (gap_within_reach, "ranks_have_gaps", "ranks"),
    (no_first_place, "ranks_have_gaps", "ranks"),
    (rank("1"), "wrong_type", "ranks."),
    (rank(1.0), "wrong_type", "ranks."),
    (rank(True), "wrong_type", "ranks."),
    (rank([1]), "wrong_type", "ranks."),
    (rank(0), "out_of_range", "ranks."),
    (rank(-1), "out_of_range", "ranks."),
    (rank(10**30), "out_of_range", "ranks."),
    (put(ranks=[1, 2, 3]), "wrong_type", "ranks"),
    (put(ranks="best first"), "wrong_type", "ranks"),
    (incomplete, "incomplete", "ranks"),
    (nothing_decided, "incomplete", "ranks"),
    (unacceptable_twice, "duplicate_response", "unacceptable"),
    (put(unacceptable=["nobody"]), "foreign_response", "unacceptable"),
    (put(unacceptable={"a": 1}), "wrong_type", "unacceptable"),
    (unknown_flag, "unknown_flag", "flags."),
    (flags_as_text, "wrong_type", "flags."),
    (put(flags={"nobody": []}), "foreign_response", "flags"),
    (likert_where_none_is_asked, "not_asked", "likert"),
    (put(rationale=MEGABYTE), "too_long", "rationale"),
    (put(rationale="a\x00b"), "bad_characters", "rationale"),
    (put(confidence=3), "not_asked", "confidence"),
    (put(active_ms=-5), "out_of_range", "active_ms"),
    (put(active_ms=2**40), "out_of_range", "active_ms"),
    (put(active_ms="long"), "wrong_type", "active_ms"),
    (no_key, "missing", "idempotency_key"),
    (put(idempotency_key="k" * 101), "too_long", "idempotency_key"),
    (put(idempotency_key=7), "wrong_type", "idempotency_key"),
    (put(surprise=1), "unknown_field", "surprise"),
]


@pytest.mark.parametrize(("spoil", "code", "field"), BAD, ids=[spoil.__name__ for spoil, _, _ in BAD])
def test_a_bad_ranking_is_refused_by_field_and_the_lease_goes_on(spoil, code, field, lease, ranking, caller, alice):
    good = json.loads(json.dumps(ranking))
    spoil(ranking)
    answer = caller(alice).post(f"leases/{lease['token']}/ranking", ranking)
    assert answer.status_code == 400, answer.content
    assert answer.json()["code"] == code, answer.json()
    assert any(name.startswith(field) for name in answer.json()["fields"]), answer.json()
    assert Answer.objects.count() == RankedResponse.objects.count() == 0
    assert caller(alice).post(f"leases/{lease['token']}/ranking", good).status_code == 201


@pytest.mark.parametrize(("words", "asked", "code"), [(MEGABYTE, True, "too_long"), ("a\x00b", True, "bad_characters"), ("half \ud83d", True, "bad_characters"), ("why", False, "not_asked")], ids=["megabyte", "nul", "surrogate", "not asked"])  # fmt: skip
def test_a_bad_rationale_is_refused(words, asked, code, lease, ranking, caller, alice):
    Project.objects.update(ask_rationale=asked)
    body = json.dumps({**ranking, "rationale": words})
    answer = caller(alice).post(f"leases/{lease['token']}/ranking", body)
    assert (answer.status_code, answer.json()["code"], list(answer.json()["fields"])) == (400, code, ["rationale"])
    assert Answer.objects.count() == 0


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "not_json"),
        (b"\xff\xfe", "not_json"),
        (b'{"idempotency_key": NaN}', "not_json"),
        (b"[" * 100_000, "not_json"),
        (b"[]", "invalid"),
        (b"null", "invalid"),
        (b'"text"', "invalid"),
        (b'{"ranks": {"a": 1, "a": 2}}', "duplicate_key"),
        (b'{"ranks": 1' + b"0" * 5000 + b"}", "not_json"),
    ],
    ids=["cut off", "not utf-8", "nan", "deep", "list", "null", "text", "a key twice", "huge number"],
)
def test_a_body_that_is_no_object_is_refused(body, code, lease, caller, alice):
    answer = caller(alice).post(f"leases/{lease['token']}/ranking", body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert answer.json()["fields"]


def test_a_body_beyond_the_limit_is_refused(lease, caller, alice):
    answer = caller(alice).post(f"leases/{lease['token']}/ranking", b'{"rationale": "' + b"x" * (11 << 20) + b'"}')
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_ties_are_refused_where_the_project_has_none(lease, ranking, caller, alice):
    Project.objects.update(allow_ties=False)
    ranking["ranks"] = {id: 1 for id in ranking["ranks"]}
    answer = caller(alice).post(f"leases/{lease['token']}/ranking", ranking)
    assert (answer.status_code, answer.json()["code"]) == (400, "ties_not_allowed")


def test_unacceptable_is_refused_where_the_project_has_none(lease, ranking, caller, alice):
    Project.objects.update(allow_unacceptable=False)
    ranking["unacceptable"] = ids(ranking)[:1]
    answer = caller(alice).post(f"leases/{lease['token']}/ranking", ranking)
    assert (answer.status_code, answer.json()["code"]) == (400, "not_allowed")


def test_likert_points_beyond_the_scale_are_refused(lease, ranking, caller, alice):
    Project.objects.update(likert_points=7)
    first = ids(ranking)[0]
    for points in (0, 8, "3", 2.5):
        answer = caller(alice).post(f"leases/{lease['token']}/ranking", {**ranking, "likert": {first: points}})
        assert (answer.status_code, list(answer.json()["fields"])) == (400, [f"likert.{first}"])


def test_somebody_elses_lease_is_refused(lease, ranking, caller, bob):
    for method, route, body in (
        ("post", "ranking", ranking),
        ("post", "renew", {}),
        ("put", "draft", {"body": {}}),
        ("post", "skip", {"reason": "mine"}),
    ):
        answer = getattr(caller(bob), method)(f"leases/{lease['token']}/{route}", body)
        assert (answer.status_code, answer.json()["code"], list(answer.json()["fields"])) == (
            403,
            "lease_of_another",
            ["token"],
        )
    assert Slot.objects.filter(state="leased").count() == 1
    assert Draft.objects.count() == 0


def test_an_unknown_lease_is_refused(ranking, caller, alice):
    answer = caller(alice).post(f"leases/{uuid.uuid4()}/ranking", ranking)
    assert (answer.status_code, answer.json()["code"]) == (404, "lease_unknown")


def test_a_lease_of_another_kind_is_refused(lease, caller, alice):
    answer = caller(alice).post(f"leases/{lease['token']}/demonstration", {"idempotency_key": "k", "text": "Soil."})
    assert (answer.status_code, answer.json()["code"]) == (400, "wrong_kind")


def test_a_revoked_token_is_refused_within_seconds(settings, lease, ranking, caller, alice):
    settings.TOKEN_CACHE_SECONDS = 0
    client = caller(alice)
    assert client.post(f"leases/{lease['token']}/renew").status_code == 200
    ApiToken.objects.update(revoked_at=timezone.now())
    answer = client.post(f"leases/{lease['token']}/ranking", ranking)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_unknown")
    assert Answer.objects.count() == 0


def test_a_closed_project_takes_nothing_and_keeps_the_draft(lease, ranking, caller, alice, ada):
    assert caller(ada).patch("projects/garden", {"status": "closed"}).status_code == 200
    answer = caller(alice).post(f"leases/{lease['token']}/ranking", ranking)
    assert (answer.status_code, answer.json()["code"], list(answer.json()["fields"])) == (
        409,
        "project_closed",
        ["project"],
    )
    assert caller(alice).post("projects/garden/next").status_code == 409
    assert caller(alice).put(f"leases/{lease['token']}/draft", {"body": ranking}).status_code == 200
    assert caller(ada).patch("projects/garden", {"status": "open"}).status_code == 200
    assert caller(alice).post(f"leases/{lease['token']}/ranking", ranking).status_code == 201


def test_a_draft_of_what_cannot_be_stored_is_refused(lease, caller, alice):
    for draft, code in (({"a": ["x\x00"]}, "bad_characters"), ({"a\x00": 1}, "bad_characters"), ([1], "wrong_type")):
        answer = caller(alice).put(f"leases/{lease['token']}/draft", {"body": draft})
        assert (answer.status_code, answer.json()["code"], list(answer.json()["fields"])) == (400, code, ["body"])
    answer = caller(alice).put(f"leases/{lease['token']}/draft", {"body": {"a": MEGABYTE}})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert Draft.objects.count() == 0


def test_unknown_kinds_are_refused(lease, caller, alice):
    for kinds in (["rating"], "ranking", [1]):
        answer = caller(alice).post("projects/garden/next", {"kinds": kinds})
        assert (answer.status_code, list(answer.json()["fields"])) == (400, ["kinds"])


def test_a_skip_needs_a_reason(lease, caller, alice):
    answer = caller(alice).post(f"leases/{lease['token']}/skip", {})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["reason"])


@pytest.mark.parametrize(
    ("messages", "field"),
    [
        ([], "prompts.0.messages"),
        ("hi", "prompts.0.messages"),
        ([{"role": "user"}], "prompts.0.messages.0.content"),
        ([{"role": "boss", "content": "hi"}], "prompts.0.messages.0.role"),
        ([{"role": "user", "content": "a\x00"}], "prompts.0.messages.0.content"),
        ([{"role": "user", "content": "a", "extra": 1}], "prompts.0.messages.0.extra"),
        ([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "prompts.0.messages"),
    ],
)
def test_a_bad_prompt_is_refused_by_field(messages, field, caller, erin):
    answer = caller(erin).post("projects/garden/prompts", {"prompts": [{"messages": messages}]})
    assert answer.status_code == 400
    assert field in answer.json()["fields"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"k": 1}, "k"),
        ({"k": 10}, "k"),
        ({"k": "5"}, "k"),
        ({"overlap": 0}, "overlap"),
        ({"lease_seconds": 10**9}, "lease_seconds"),
        ({"random_share": 1.5}, "random_share"),
        ({"flags": ["a", "a"]}, "flags"),
        ({"flags": [3]}, "flags"),
        ({"hourly_rate": "much"}, "hourly_rate"),
        ({"status": "gone"}, "status"),
        ({"status": "archived"}, "confirm"),
        ({"status": "archived", "confirm": "meadow"}, "confirm"),
        ({"slug": "other"}, "slug"),
        ({"allow_ties": "yes"}, "allow_ties"),
        ({"gold_share": 0.6, "repeat_share": 0.5}, "repeat_share"),
        ({"gold_share": -0.1}, "gold_share"),
        ({"repeat_distance": 0}, "repeat_distance"),
        ({"flags_to_halt": 51}, "flags_to_halt"),
        ({"retention_days": -1}, "retention_days"),
        ({"retention_days": "long"}, "retention_days"),
        ({"quality": []}, "quality"),
        ({"quality": {"mood": 1}}, "quality.mood"),
        ({"quality": {"gold_accuracy": 1.5}}, "quality.gold_accuracy"),
        ({"quality": {"window": 0}}, "quality.window"),
        ({"quality": {"window": 3, "least": 4}}, "quality.least"),
        ({"quality": {"minimum_seconds": {"rating": 1}}}, "quality.minimum_seconds"),
        ({"quality": {"minimum_seconds": {"ranking": -1}}}, "quality.minimum_seconds"),
        ({"quality": {"minimum_seconds": 5}}, "quality.minimum_seconds"),
    ],
)
def test_a_bad_project_rule_is_refused_by_field(change, field, project, caller, ada):
    answer = caller(ada).patch("projects/garden", change)
    assert answer.status_code == 400
    assert field in answer.json()["fields"]


@pytest.mark.parametrize(
    ("filters", "field"),
    [
        ({"split": "test"}, "split"),
        ({"since": "yesterday"}, "since"),
        ({"limit": 0}, "limit"),
        ({"colour": 1}, "colour"),
    ],
)
def test_a_bad_filter_is_refused_by_field(filters, field, project, caller, erin):
    answer = caller(erin).post("projects/garden/snapshots", {"kind": "rankings", "filters": filters})
    assert answer.status_code == 400
    assert field in answer.json()["fields"]


def test_an_unknown_route_and_method_answer_in_json(lease, caller, alice):
    answer = caller(alice).get("no/such/route")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_such_route")
    answer = caller(alice).get(f"leases/{lease['token']}/renew")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    answer = caller(alice).delete("projects/garden")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
