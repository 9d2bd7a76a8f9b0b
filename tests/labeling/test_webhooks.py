"""Webhooks: signed, tried again until they arrive, committed with what they tell of. A real server receives them."""

import json
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from labeling.models.records import OutboxEvent
from labeling.models.webhooks import Delivery, Webhook
from labeling.services import audit, webhooks
from tests.labeling.work import rank


class Receiver:
    """Keeps what it is sent, and answers with the statuses in `statuses`, then with 204."""

    def __init__(self) -> None:
        self.got: list[tuple[dict, bytes]] = []
        self.statuses: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


@pytest.fixture
def hook(project, caller, ada, receiver):
    """hook(kinds=[…]) registers the receiver; gives the API's answer."""

    def hook(**body):
        made = caller(ada).post("projects/garden/webhooks", {"url": receiver.url, **body})
        assert made.status_code == 201, made.content
        return made.json()

    return hook


@pytest.fixture
def deliver(now):
    def deliver(after=timedelta()):
        with httpx.Client(timeout=5) as client:
            return webhooks.deliver(now=now + after, client=client)

    return deliver


def test_the_signature_is_that_of_the_standards_own_example():
    signature = webhooks.sign(
        secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=1614265330,
        body=b'{"test": 2432232314}',
    )  # fmt: skip
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_an_answer_is_told_once_signed_and_what_came_before_is_not(
    publish, next_task, caller, alice, ada, hook, receiver, deliver
):
    publish(2)
    lease = next_task(alice)
    caller(alice).post(f"leases/{lease['token']}/ranking", rank(lease))
    made = hook()
    lease = next_task(alice)
    receipt = caller(alice).post(f"leases/{lease['token']}/ranking", rank(lease)).json()
    assert (deliver(timedelta(minutes=1)), deliver(timedelta(minutes=2))) == (1, 0)
    ((headers, body),) = receiver.got
    told = json.loads(body)
    assert (told["type"], told["data"]["answer"], told["data"]["project"]) == (
        "answer_submitted", receipt["id"], "garden",
    )  # fmt: skip
    expected = webhooks.sign(
        secret=made["secret"], id=headers["webhook-id"], timestamp=int(headers["webhook-timestamp"]), body=body
    )
    assert headers["webhook-signature"] == expected
    assert headers["webhook-id"] == str(OutboxEvent.objects.latest("id").uuid)
    (row,) = caller(ada).get(f"webhooks/{made['id']}/deliveries").json()["results"]
    assert (row["state"], row["attempts"], row["status"]) == ("delivered", 1, 204)
    assert "secret" not in caller(ada).get("projects/garden/webhooks").json()["results"][0]


def test_what_fails_is_tried_again_later_with_the_same_id_and_in_the_end_given_up(
    project, now, hook, receiver, deliver, caller, ada
):
    made = hook()
    audit.announce(project=project, kind="something", payload={"a": 1}, now=now)
    receiver.statuses = [500] * 10
    after = timedelta()
    for delay in (*webhooks.DELAYS, 0):
        assert deliver(after) == 1
        assert deliver(after + timedelta(seconds=0.8 * delay)) == 0
        after += timedelta(seconds=1.2 * delay)
    assert len(receiver.got) == 10 and len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts, delivery.status) == ("failed", 10, 500)
    assert deliver(after + timedelta(days=9)) == 0
    assert caller(ada).post(f"webhooks/{made['id']}/retry").json() == {"deliveries": 1}
    assert deliver(timedelta(days=9)) == 1
    assert Delivery.objects.get().state == "delivered"


def test_a_receiver_that_is_not_there_is_tried_again_and_one_that_is_gone_is_not(project, now, hook, receiver, deliver):
    made = hook()
    audit.announce(project=project, kind="something", payload={}, now=now)
    Webhook.objects.update(url="http://127.0.0.1:1/nobody")
    assert deliver() == 1
    delivery = Delivery.objects.get()
    assert delivery.state == "pending" and delivery.status is None and "ConnectError" in delivery.error
    Webhook.objects.update(url=receiver.url)
    receiver.statuses = [410]
    assert deliver(timedelta(minutes=1)) == 1
    assert Delivery.objects.get().state == "failed"
    assert not Webhook.objects.get(uuid=made["id"]).is_active


def test_a_redirect_is_a_failure_and_is_not_followed(project, now, hook, receiver, deliver):
    hook()
    audit.announce(project=project, kind="something", payload={}, now=now)
    receiver.statuses = [302]
    assert deliver() == 1
    assert (Delivery.objects.get().state, len(receiver.got)) == ("pending", 1)


def test_only_the_kinds_that_were_asked_for_are_told(project, now, hook, receiver, deliver):
    hook(kinds=["wanted"])
    for kind in ("wanted", "unwanted", "wanted"):
        audit.announce(project=project, kind=kind, payload={}, now=now)
    assert deliver() == 2
    assert {json.loads(body)["type"] for _, body in receiver.got} == {"wanted"}


def test_an_event_that_commits_late_among_older_ones_is_told_too(project, now, hook, receiver, deliver):
    """Keys are given before transactions commit: a newer event may be there while an older one is not yet."""
    hook()
    audit.announce(project=project, kind="newer", payload={}, now=now)
    OutboxEvent.objects.update(id=100)
    deliver(timedelta(seconds=30))
    OutboxEvent.objects.create(pk=99, project=project, kind="older", payload={}, created_at=now)
    deliver(timedelta(seconds=40))
    assert [json.loads(body)["type"] for _, body in receiver.got] == ["newer", "older"]


def test_two_workers_send_each_event_once(shared_database, receiver):
    from django.utils import timezone

    from tests.labeling.test_concurrency import in_threads
    from tests.labeling.work import set_up

    now = timezone.now()
    project = set_up(tasks=1, overlap=1, labelers=0, now=now)
    Webhook.objects.create(project=project, url=receiver.url, secret="whsec_AAAA", after=0, created_at=now)
    for number in range(20):
        audit.announce(project=project, kind=f"event{number}", payload={}, now=now)

    def work(_: int) -> None:
        with httpx.Client(timeout=10) as client:
            webhooks.deliver(now=now, client=client)

    in_threads(3, work)
    ids = [headers["webhook-id"] for headers, _ in receiver.got]
    assert len(ids) == len(set(ids)) == 20
    assert set(Delivery.objects.values_list("state", flat=True)) == {"delivered"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": "ftp://example.org"}, "url"),
        ({"url": "http://"}, "url"),
        ({"url": "http://a b"}, "url"),
        ({"url": "http://host:99999/"}, "url"),
        ({"url": 7}, "url"),
        ({"url": "http://localhost/", "kinds": "all"}, "kinds"),
        ({"url": "http://localhost/", "kinds": [""]}, "kinds"),
        ({"url": "http://localhost/", "secret": "mine"}, "secret"),
    ],
)
def test_a_bad_webhook_is_refused_by_field(body, field, project, caller, ada):
    answer = caller(ada).post("projects/garden/webhooks", body)
    assert answer.status_code == 400
    assert field in answer.json()["fields"]
    assert Webhook.objects.count() == 0


def test_a_webhook_is_paused_changed_and_deleted(project, now, hook, receiver, deliver, caller, ada):
    made = hook()
    assert caller(ada).patch(f"webhooks/{made['id']}", {"is_active": False}).json()["is_active"] is False
    audit.announce(project=project, kind="something", payload={}, now=now)
    assert deliver() == 0
    assert caller(ada).patch(f"webhooks/{made['id']}", {"is_active": True, "kinds": ["something"]}).status_code == 200
    assert deliver() == 1
    assert caller(ada).delete(f"webhooks/{made['id']}").status_code == 204
    assert Delivery.objects.count() == 0
