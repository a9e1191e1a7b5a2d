"""A call of the client: its answer, its retries, its deadline and its exceptions."""

import json
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from email.utils import formatdate
from typing import Any

import pytest

from docket_client import (
    Client,
    DocketError,
    Overloaded,
    Refused,
    TimedOut,
    TooLarge,
    Unauthorized,
    Unavailable,
    Unexpected,
)
from tests.support.faulty_proxy import Fault, Proxy, Reply, Request, running_proxy
from tests.support.ports import free_port
from tests.support.service import Server, wait_until

Connect = Callable[..., AbstractContextManager[tuple[Proxy, Any]]]


def first(failure: Fault | Reply) -> Callable[[int, Request], Fault | Reply | None]:
    """Fail the first request and pass on the others."""
    return lambda number, _: None if number else failure


def test_an_answer_has_its_fields(connect: Connect) -> None:
    with connect() as (_, client):
        answer = client.predict("the late goal quux", top_k=1, explain=True)
        assert client.health().version == answer.version
    assert (answer.tokens, answer.unknown_tokens, len(answer.scores)) == (4, 1, 1)
    assert answer.scores[0].label == answer.label
    assert answer.explanation.words[3].start == 14


def test_unknown_fields_of_an_answer_are_ignored(connect: Connect) -> None:
    answer = {"label": "a", "score": 1.0, "scores": [{"label": "a", "score": 1.0, "new": 1}], "tokens": 1}
    body = json.dumps(answer | {"unknown_tokens": 0, "version": "v", "language": {"en": 1}}).encode()
    with connect(lambda *_: Reply(200, body)) as (_, client):
        assert client.predict("goal").label == "a"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, Refused), (401, Unauthorized), (403, Unauthorized), (404, Refused), (413, TooLarge), (422, Refused)],
)
def test_a_refusal_is_raised_at_once_with_its_problem_document(
    connect: Connect, status: int, kind: type[DocketError]
) -> None:
    with connect(lambda *_: Reply.problem(status, "do it so")) as (proxy, client):
        with pytest.raises(kind, match="do it so") as raised:
            client.predict("goal")
        assert type(raised.value) is kind
        assert raised.value.problem
        assert raised.value.status == raised.value.problem.status == status
        assert len(proxy.requests) == 1


def test_the_errors_of_an_invalid_request_name_their_places(connect: Connect) -> None:
    with connect() as (_, client), pytest.raises(Refused) as raised:
        client.predict(" ", top_k=0)
    assert raised.value.problem
    assert [error["place"] for error in raised.value.problem.errors or ()] == ["top_k", "text"]


@pytest.mark.parametrize(
    "failure",
    [
        *(Fault.DROP, Fault.DROP_ANSWERED),
        *map(Reply, (408, 429, 500, 502, 503, 504)),
        *(Reply.problem(429, "full", retry_after=invalid) for invalid in ("-5", "soon", "")),
    ],
)
def test_a_temporary_failure_is_retried(connect: Connect, failure: Fault | Reply) -> None:
    with connect(first(failure)) as (proxy, client):
        assert client.predict("the goal").tokens == 2
    assert len(proxy.requests) == 2


@pytest.mark.parametrize("after", ["seconds", "date"])
def test_a_retry_waits_for_retry_after_and_sends_the_remaining_time(connect: Connect, after: str) -> None:
    begin = time.monotonic()
    retry_after = "1" if after == "seconds" else formatdate(time.time() + 2, usegmt=True)
    with connect(first(Reply.problem(503, "the service drains", retry_after=retry_after))) as (proxy, client):
        client.predict("goal", timeout=100)
    assert time.monotonic() - begin >= 1
    timeouts = [float(request.headers["x-request-timeout"]) for request in proxy.requests]
    assert 90 < timeouts[0] <= 100
    assert timeouts[1] <= timeouts[0] - 1


def test_a_retry_after_beyond_the_deadline_is_raised_at_once(connect: Connect) -> None:
    with connect(lambda *_: Reply.problem(429, "the queue is full", retry_after="100")) as (proxy, client):
        with pytest.raises(Overloaded, match="the queue is full") as raised:
            client.predict("goal")
        assert raised.value.retry_after == 100
        assert len(proxy.requests) == 1


def test_a_call_ends_at_its_deadline(connect: Connect) -> None:
    with connect(lambda *_: Fault.KEEP, timeout=0.3) as (_, client):
        with pytest.raises(TimedOut, match=r"in 0\.3 s"):
            client.predict("goal")
        with pytest.raises(TimedOut, match=r"in 0\.2 s"):
            client.predict("goal", timeout=0.2)
        with pytest.raises(TimedOut):
            list(client.predict_many(["goal"], timeout=0.2))


def test_the_timeout_error_names_the_last_failure(client_class: Callable[..., Any]) -> None:
    with client_class(f"http://127.0.0.1:{free_port()}", timeout=0.5) as client:
        with pytest.raises(TimedOut, match=r"the last attempt failed: .*cannot be reached") as raised:
            client.predict("goal")
        assert isinstance(raised.value.__cause__, Unavailable)


def test_the_key_is_sent_and_in_no_message(connect: Connect) -> None:
    with connect(lambda *_: Reply(401), "s3cret") as (proxy, client):
        with pytest.raises(Unauthorized) as raised:
            client.predict("goal")
        assert "s3cret" not in repr(client) + repr(raised.value) + repr(vars(raised.value))
    assert proxy.requests[0].headers["authorization"] == "Bearer s3cret"


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (Reply(200, b"<h1>Welcome</h1>"), "did not answer as Docket does"),
        (Reply(200, b'{"label": 3}'), "did not answer as Docket does"),
        (Reply(308, headers={"location": "https://elsewhere"}), "ask https://elsewhere instead"),
    ],
)
def test_the_answer_of_another_service_is_unexpected(connect: Connect, reply: Reply, sentence: str) -> None:
    with connect(lambda *_: reply) as (_, client), pytest.raises(Unexpected, match=sentence):
        client.predict("goal")


def test_health_is_not_retried(connect: Connect) -> None:
    with connect(lambda *_: Reply.problem(503, "the service drains", retry_after="1")) as (proxy, client):
        with pytest.raises(Unavailable, match="the service drains"):
            client.health()
        assert len(proxy.requests) == 1


def test_the_address_may_have_a_path_and_must_have_a_scheme(server: Server, client_class: Callable[..., Any]) -> None:
    with (
        running_proxy(server.url, lambda *_: Reply(404)) as proxy,
        client_class(proxy.url + "/docket/") as client,
        pytest.raises(Refused, match="/docket/predict answered 404 Not Found"),
    ):
        client.predict("goal")
    for url in ("localhost:8000", "ftp://here", ""):
        with pytest.raises(ValueError, match="begins with http"):
            client_class(url)


def test_an_exception_can_be_pickled() -> None:
    error = pickle.loads(pickle.dumps(Overloaded("full", status=429)))
    assert (type(error), str(error), error.status) == (Overloaded, "full", 429)


def test_a_closed_client_raises_in_each_thread(server: Server) -> None:
    errors: list[BaseException] = []

    def predict() -> None:
        try:
            client.predict("goal")
        except BaseException as error:
            errors.append(error)

    with running_proxy(server.url, lambda *_: Fault.KEEP) as proxy, Client(proxy.url) as client:
        thread = threading.Thread(target=predict)
        thread.start()
        wait_until(lambda: proxy.requests != [])
        client.close()
        thread.join()
        assert [type(error) for error in errors] == [RuntimeError]
        with pytest.raises(RuntimeError, match="closed"):
            client.predict("goal")


FORK = """
import os, sys
from docket_client import Client
with Client("http://127.0.0.1:9") as client:
    child = os.fork()
    if child:
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    try:
        client.predict("goal")
    except RuntimeError as error:
        os._exit(7 if "process that uses it" in str(error) else 8)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_client_that_was_made_before_a_fork_does_not_hang() -> None:
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], timeout=120, check=False)
    assert run.returncode == 7
