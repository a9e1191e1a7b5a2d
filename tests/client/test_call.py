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


def test_fields_that_a_newer_service_adds_are_passed_over(opened, server: Server) -> None:
    def newer(*_: object) -> Reply:
        told = {"label": "a", "score": 1.0, "scores": [{"label": "a", "score": 1.0, "new": 1}], "tokens": 1}
        return Reply(200, json.dumps(told | {"unknown_tokens": 0, "version": "v", "language": {"en": 1}}).encode())

    with running_proxy(server.url, newer) as between, opened(between.url) as client:
        assert client.predict("goal").label == "a"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, Refused), (401, Unauthorized), (403, Unauthorized), (404, Refused), (413, TooLarge), (422, Refused)],
)
def test_a_refusal_is_raised_at_once_with_the_services_account(opened, server: Server, status: int, kind: type) -> None:
    with (
        running_proxy(server.url, lambda *_: Reply.problem(status, "do it so")) as between,
        opened(between.url) as client,
        pytest.raises(kind, match="do it so") as raised,
    ):
        client.predict("goal")
    assert type(raised.value) is kind
    assert raised.value.status == raised.value.problem.status == status
    assert len(between.requests) == 1


def test_what_is_wrong_with_a_request_is_said_place_by_place(opened, server: Server) -> None:
    with opened(server.url) as client, pytest.raises(Refused) as raised:
        client.predict(" ", top_k=0)
    assert [each["place"] for each in raised.value.problem.errors] == ["top_k", "text"]


@pytest.mark.parametrize("fault", [Fault.DROP, Fault.DROP_ANSWERED, *map(Reply, (408, 429, 500, 502, 503, 504))])
def test_what_may_pass_is_tried_again(opened, server: Server, fault: Fault | Reply) -> None:
    with (
        running_proxy(server.url, lambda number, _: fault if number < 1 else None) as between,
        opened(between.url) as client,
    ):
        assert client.predict("the goal").tokens == 2
    assert len(between.requests) == 2


@pytest.mark.parametrize("after", ["1", lambda: formatdate(time.time() + 2, usegmt=True)], ids=["seconds", "date"])
def test_it_comes_back_when_it_is_told_to(opened, server: Server, after) -> None:
    begin = time.monotonic()
    busy = Reply.problem(503, "it drains", retry_after=after if isinstance(after, str) else after())
    with (
        running_proxy(server.url, lambda number, _: None if number else busy) as between,
        opened(between.url) as client,
    ):
        client.predict("goal")
    assert time.monotonic() - begin >= 1


@pytest.mark.parametrize("after", ["-5", "soon", ""])
def test_a_retry_after_that_says_nothing_is_passed_over(opened, server: Server, after: str) -> None:
    busy = Reply.problem(429, "full", retry_after=after)
    with (
        running_proxy(server.url, lambda number, _: None if number else busy) as between,
        opened(between.url) as client,
    ):
        assert client.predict("goal").tokens == 1


def test_who_is_told_to_come_back_too_late_is_not_kept_waiting(opened, server: Server) -> None:
    busy = Reply.problem(429, "the queue is full", retry_after="100")
    with (
        running_proxy(server.url, lambda *_: busy) as between,
        opened(between.url) as client,
        pytest.raises(Overloaded, match="the queue is full") as raised,
    ):
        client.predict("goal")
    assert raised.value.retry_after == 100
    assert len(between.requests) == 1


def test_a_call_ends_at_its_deadline_whatever_the_service_does(opened, server: Server) -> None:
    with running_proxy(server.url, lambda *_: Fault.KEEP) as between, opened(between.url, timeout=0.3) as client:
        with pytest.raises(TimedOut, match=r"in 0\.3 s"):
            client.predict("goal")
        with pytest.raises(TimedOut, match=r"in 0\.2 s"):
            client.predict("goal", timeout=0.2)
        with pytest.raises(TimedOut):
            list(client.predict_many(["goal"], timeout=0.2))


def test_the_last_failure_is_told_at_the_deadline(opened) -> None:
    with opened(f"http://127.0.0.1:{free_port()}", timeout=0.5) as client:
        with pytest.raises(TimedOut, match=r"the last attempt failed: .*cannot be reached") as raised:
            client.predict("goal")
        assert isinstance(raised.value.__cause__, Unavailable)


def test_each_attempt_tells_the_service_how_much_time_is_left(opened, server: Server) -> None:
    with (
        running_proxy(server.url, lambda number, _: None if number else BUSY) as between,
        opened(between.url) as client,
    ):
        client.predict("goal", timeout=10)
    first, second = (float(request.headers["x-request-timeout"]) for request in between.requests)
    assert 9 < first <= 10
    assert second <= first - 1


def test_the_key_is_sent_and_never_told(opened, server: Server) -> None:
    with running_proxy(server.url, lambda *_: Reply(401)) as between, opened(between.url, "s3cret") as client:
        with pytest.raises(Unauthorized) as raised:
            client.predict("goal")
        assert "s3cret" not in repr(client) + repr(raised.value) + repr(vars(raised.value))
    assert between.requests[0].headers["authorization"] == "Bearer s3cret"


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(200, b"<h1>Welcome</h1>"), "did not answer as Docket does"),
        (Reply(200, b'{"label": 3}'), "did not answer as Docket does"),
        (Reply(308, headers={"location": "https://elsewhere"}), "ask https://elsewhere instead"),
    ],
)
def test_another_service_is_not_taken_for_docket(opened, server: Server, reply: Reply, said: str) -> None:
    with (
        running_proxy(server.url, lambda *_: reply) as between,
        opened(between.url) as client,
        pytest.raises(Unexpected, match=said),
    ):
        client.predict("goal")


def test_health_is_asked_once(opened, server: Server) -> None:
    drains = Reply.problem(503, "it drains", retry_after="1")
    with (
        running_proxy(server.url, lambda *_: drains) as between,
        opened(between.url) as client,
        pytest.raises(Unavailable, match="it drains"),
    ):
        client.health()
    assert len(between.requests) == 1


def test_a_service_may_be_below_a_path(opened, server: Server) -> None:
    with (
        running_proxy(server.url, lambda *_: Reply(404)) as between,
        opened(between.url + "/docket/") as client,
        pytest.raises(Refused, match="/docket/predict answered 404 Not Found"),
    ):
        client.predict("goal")


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://here", ""])
def test_an_address_that_is_none_is_refused(opened, url: str) -> None:
    with pytest.raises(ValueError, match="begins with http"):
        opened(url)


def test_an_exception_goes_from_process_to_process() -> None:
    error = pickle.loads(pickle.dumps(Overloaded("full", status=429)))
    assert (type(error), str(error), error.status) == (Overloaded, "full", 429)
    assert issubclass(Overloaded, DocketError)


def test_a_client_that_is_closed_says_so(server: Server) -> None:
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

    with running_proxy(server.url, lambda *_: Fault.KEEP) as between, Client(between.url) as client:
        thread = threading.Thread(target=ask)
        thread.start()
        wait_until(lambda: between.requests != [])
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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_client_of_before_a_fork_does_not_hang() -> None:
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], timeout=30, check=False)
    assert run.returncode == 7
