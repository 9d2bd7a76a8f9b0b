"""Guessing passwords gets slower and slower; others' guesses lock nobody out for long."""

from datetime import timedelta

import pytest

from labeling import errors
from labeling.models.people import SignInFailures, User
from labeling.services import people, sign_in
from tests.conftest import PASSWORD


@pytest.fixture(autouse=True)
def quick_hashes(settings):
    """Hashing slowly is what passwords need and these tests do not."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def alice(db, quick_hashes):
    return User.objects.create_user("alice", password=PASSWORD)


@pytest.fixture
def attempt(now):
    def attempt(password, *, username="alice", address="10.0.0.1", after=0.0):
        return people.check_password(
            username=username, password=password, address=address, now=now + timedelta(seconds=after)
        )

    return attempt


def wrong(attempt, times, **where):
    for _ in range(times):
        with pytest.raises(errors.Unauthenticated):
            attempt("wrong", **where)


def test_after_some_wrong_passwords_one_has_to_wait_even_with_the_right_one(alice, attempt):
    wrong(attempt, 5)
    with pytest.raises(errors.TooMany) as refused:
        attempt(PASSWORD)
    assert refused.value.seconds == 2
    assert attempt(PASSWORD, after=3) == alice
    wrong(attempt, 4, after=4)


def test_the_wait_doubles_up_to_a_quarter_of_an_hour():
    assert [sign_in.delay(failures, free=5) for failures in (0, 4, 5, 6, 7, 8)] == [0, 0, 2, 4, 8, 16]
    assert sign_in.delay(10_000, free=5) == 900


def test_the_owner_signs_in_from_elsewhere_meanwhile(alice, attempt):
    wrong(attempt, 5)
    assert attempt(PASSWORD, address="10.0.0.2") == alice


def test_guessing_from_many_addresses_slows_down_too(alice, attempt, now):
    for number in range(50):
        sign_in.failed(username="alice", address=f"10.0.1.{number}", now=now)
    with pytest.raises(errors.TooMany):
        attempt("wrong", address="10.0.2.1")


def test_guessing_at_many_names_from_one_address_slows_down_too(db, attempt, now):
    for number in range(100):
        sign_in.failed(username=f"name{number}", address="10.0.0.9", now=now)
    with pytest.raises(errors.TooMany):
        attempt("wrong", username="another", address="10.0.0.9")


def test_failures_are_forgotten_after_an_hour(alice, attempt):
    wrong(attempt, 5)
    wrong(attempt, 4, after=3_700)
    assert attempt(PASSWORD, after=3_701) == alice


def test_the_api_answers_429_and_says_when_to_come_back(alice, caller):
    nobody = caller(None)
    body = {"username": "alice", "password": "wrong"}
    assert [nobody.post("auth/token", body).status_code for _ in range(5)] == [401] * 5
    refused = nobody.post("auth/token", {"username": "ALICE", "password": PASSWORD})
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_attempts")
    assert 1 <= int(refused.headers["Retry-After"]) <= 2
    assert nobody.post("auth/login", body).status_code == 429
    assert not SignInFailures.objects.filter(key__contains="alice").exists()


def test_a_client_cannot_name_its_own_address_unless_our_proxy_writes_it(alice, settings):
    from django.test import Client

    def post(forwarded):
        body = {"username": "alice", "password": "wrong"}
        headers = {"X-Forwarded-For": forwarded}
        return Client().post("/api/v1/auth/token", body, content_type="application/json", headers=headers).status_code

    assert [post(f"10.0.0.{number}") for number in range(6)] == [401] * 5 + [429]
    SignInFailures.objects.all().delete()
    settings.BEHIND_TLS = True
    assert [post(f"10.9.9.{number}, 10.0.0.1") for number in range(6)] == [401] * 5 + [429]
    assert post("10.0.0.1, 10.0.0.2") == 401
