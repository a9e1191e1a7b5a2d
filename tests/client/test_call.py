import json
import os
import pickle
import subprocess
import sys
import threading
import time
from email.utils import formatdate

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
from tests.support.faulty_proxy import Fault, Reply, running_proxy
from tests.support.ports import free_port
from tests.support.service import Server, wait_until

BUSY = Reply.problem(429, "the queue is full", retry_after="1")


def test_an_answer_has_its_fields(opened, server: Server) -> None:
    with opened(server.url) as client:
        answer = client.predict("the late goal quux", top_k=1, explain=True)
        assert client.health().version == answer.version
    assert (answer.tokens, answer.unknown_tokens, len(answer.scores)) == (4, 1, 1)
    assert answer.scores[0].label == answer.label
    assert answer.explanation.words[3].start == 14


def test_unknown_fields_of_an_answer_are_ignored(opened, server: Server) -> None:
    def newer_service(*_: object) -> Reply:
        answer = {"label": "a", "score": 1.0, "scores": [{"label": "a", "score": 1.0, "new": 1}], "tokens": 1}
        return Reply(200, json.dumps(answer | {"unknown_tokens": 0, "version": "v", "language": {"en": 1}}).encode())

    with running_proxy(server.url, newer_service) as proxy, opened(proxy.url) as client:
        assert client.predict("goal").label == "a"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, Refused), (401, Unauthorized), (403, Unauthorized), (404, Refused), (413, TooLarge), (422, Refused)],
)
def test_a_refusal_is_raised_at_once_with_its_problem_document(opened, server: Server, status: int, kind: type) -> None:
    with (
        running_proxy(server.url, lambda *_: Reply.problem(status, "do it so")) as proxy,
        opened(proxy.url) as client,
        pytest.raises(kind, match="do it so") as raised,
    ):
        client.predict("goal")
    assert type(raised.value) is kind
    assert raised.value.status == raised.value.problem.status == status
    assert len(proxy.requests) == 1


def test_the_errors_of_an_invalid_request_name_their_places(opened, server: Server) -> None:
    with opened(server.url) as client, pytest.raises(Refused) as raised:
        client.predict(" ", top_k=0)
    assert [entry["place"] for entry in raised.value.problem.errors] == ["top_k", "text"]


@pytest.mark.parametrize("fault", [Fault.DROP, Fault.DROP_ANSWERED, *map(Reply, (408, 429, 500, 502, 503, 504))])
def test_a_temporary_failure_is_retried(opened, server: Server, fault: Fault | Reply) -> None:
    with (
        running_proxy(server.url, lambda number, _: fault if number < 1 else None) as proxy,
        opened(proxy.url) as client,
    ):
        assert client.predict("the goal").tokens == 2
    assert len(proxy.requests) == 2


@pytest.mark.parametrize("after", ["1", lambda: formatdate(time.time() + 2, usegmt=True)], ids=["seconds", "date"])
def test_a_retry_waits_for_retry_after(opened, server: Server, after) -> None:
    begin = time.monotonic()
    busy = Reply.problem(503, "it drains", retry_after=after if isinstance(after, str) else after())
    with (
        running_proxy(server.url, lambda number, _: None if number else busy) as proxy,
        opened(proxy.url) as client,
    ):
        client.predict("goal")
    assert time.monotonic() - begin >= 1


@pytest.mark.parametrize("after", ["-5", "soon", ""])
def test_an_invalid_retry_after_is_ignored(opened, server: Server, after: str) -> None:
    busy = Reply.problem(429, "full", retry_after=after)
    with (
        running_proxy(server.url, lambda number, _: None if number else busy) as proxy,
        opened(proxy.url) as client,
    ):
        assert client.predict("goal").tokens == 1


def test_a_retry_after_beyond_the_deadline_is_raised_at_once(opened, server: Server) -> None:
    busy = Reply.problem(429, "the queue is full", retry_after="100")
    with (
        running_proxy(server.url, lambda *_: busy) as proxy,
        opened(proxy.url) as client,
        pytest.raises(Overloaded, match="the queue is full") as raised,
    ):
        client.predict("goal")
    assert raised.value.retry_after == 100
    assert len(proxy.requests) == 1


def test_a_call_ends_at_its_deadline(opened, server: Server) -> None:
    with running_proxy(server.url, lambda *_: Fault.KEEP) as proxy, opened(proxy.url, timeout=0.3) as client:
        with pytest.raises(TimedOut, match=r"in 0\.3 s"):
            client.predict("goal")
        with pytest.raises(TimedOut, match=r"in 0\.2 s"):
            client.predict("goal", timeout=0.2)
        with pytest.raises(TimedOut):
            list(client.predict_many(["goal"], timeout=0.2))


def test_the_timeout_error_names_the_last_failure(opened) -> None:
    with opened(f"http://127.0.0.1:{free_port()}", timeout=0.5) as client:
        with pytest.raises(TimedOut, match=r"the last attempt failed: .*cannot be reached") as raised:
            client.predict("goal")
        assert isinstance(raised.value.__cause__, Unavailable)


def test_each_attempt_sends_the_remaining_time(opened, server: Server) -> None:
    with (
        running_proxy(server.url, lambda number, _: None if number else BUSY) as proxy,
        opened(proxy.url) as client,
    ):
        client.predict("goal", timeout=10)
    first, second = (float(request.headers["x-request-timeout"]) for request in proxy.requests)
    assert 9 < first <= 10
    assert second <= first - 1


def test_the_key_is_sent_and_in_no_message(opened, server: Server) -> None:
    with running_proxy(server.url, lambda *_: Reply(401)) as proxy, opened(proxy.url, "s3cret") as client:
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
def test_the_answer_of_another_service_is_unexpected(opened, server: Server, reply: Reply, sentence: str) -> None:
    with (
        running_proxy(server.url, lambda *_: reply) as proxy,
        opened(proxy.url) as client,
        pytest.raises(Unexpected, match=sentence),
    ):
        client.predict("goal")


def test_health_is_not_retried(opened, server: Server) -> None:
    drains = Reply.problem(503, "it drains", retry_after="1")
    with (
        running_proxy(server.url, lambda *_: drains) as proxy,
        opened(proxy.url) as client,
        pytest.raises(Unavailable, match="it drains"),
    ):
        client.health()
    assert len(proxy.requests) == 1


def test_a_service_may_be_below_a_path(opened, server: Server) -> None:
    with (
        running_proxy(server.url, lambda *_: Reply(404)) as proxy,
        opened(proxy.url + "/docket/") as client,
        pytest.raises(Refused, match="/docket/predict answered 404 Not Found"),
    ):
        client.predict("goal")


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://here", ""])
def test_an_invalid_address_is_refused(opened, url: str) -> None:
    with pytest.raises(ValueError, match="begins with http"):
        opened(url)


def test_an_exception_can_be_pickled() -> None:
    error = pickle.loads(pickle.dumps(Overloaded("full", status=429)))
    assert (type(error), str(error), error.status) == (Overloaded, "full", 429)
    assert issubclass(Overloaded, DocketError)


def test_a_call_of_a_closed_client_is_an_error(server: Server) -> None:
    client = Client(server.url)
    client.close()
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.predict("goal")


def test_closing_a_client_ends_the_calls_of_other_threads(server: Server) -> None:
    ended = []

    def ask() -> None:
        try:
            client.predict("goal")
        except BaseException as error:
            ended.append(error)

    with running_proxy(server.url, lambda *_: Fault.KEEP) as proxy, Client(proxy.url) as client:
        thread = threading.Thread(target=ask)
        thread.start()
        wait_until(lambda: proxy.requests != [])
        client.close()
        thread.join()
    assert [type(error) for error in ended] == [RuntimeError]


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
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], timeout=30, check=False)
    assert run.returncode == 7
