import httpx
import pytest

from tests.support.native_scores import LONG, TEXTS, assert_same_scores, native_scores


def ask(client: httpx.Client, inputs: object, **more: object) -> httpx.Response:
    return client.post("/tei/predict", json={"inputs": inputs} | more)


def refused(response: httpx.Response) -> str:
    assert response.status_code == 422, response.text
    assert response.json().keys() == {"error", "error_type"}
    assert response.json()["error_type"] == "Validation"
    return response.json()["error"]


@pytest.mark.parametrize("text", [*TEXTS, LONG])
def test_one_text_has_a_flat_list_of_labels_by_itself_or_alone_in_a_list(client: httpx.Client, text: str) -> None:
    response = ask(client, text)
    assert response.headers["content-type"] == "application/json"
    assert response.json()[0].keys() == {"label", "score"}
    assert_same_scores(response.json(), native_scores(client, text))
    assert ask(client, [text]).json() == response.json()


def test_a_batch_is_of_lists_of_one_and_has_a_list_each_in_their_order(client: httpx.Client) -> None:
    told = ask(client, [[text] for text in TEXTS]).json()
    for each, text in zip(told, TEXTS, strict=True):
        assert_same_scores(each, native_scores(client, text))
    assert ask(client, [["the goal"]]).json() == [ask(client, "the goal").json()]
    assert ask(client, []).json() == []


@pytest.mark.parametrize("pair", [["a", "b"], ["a", "b", "c"], ["a", ["b"]]])
def test_a_pair_is_refused_and_the_batch_that_was_meant_is_shown(client: httpx.Client, pair: list) -> None:
    assert '[["a"], ["b"]]' in refused(ask(client, pair))


@pytest.mark.parametrize("batch", [[["a", "b"]], [["a"], ["b", "c"]], [[]], [["a"], "b"]])
def test_a_batch_of_anything_but_single_texts_is_refused(client: httpx.Client, batch: list) -> None:
    assert '[["a"], ["b"]]' in refused(ask(client, batch))


@pytest.mark.parametrize(
    ("inputs", "more", "named"),
    [
        ("", {}, "blank"),
        ([["the goal"], [" "]], {}, "document 2: text: the text is blank"),
        (None, {}, "document 1"),
        (5, {}, "document 1"),
        ([["a"], [5]], {}, "document 2"),
        ("a", {"raw_scores": True}, "calibrated"),
        ("a", {"top_k": 1}, "top_k"),
    ],
)
def test_what_is_not_of_its_shape_is_refused_by_its_place(
    client: httpx.Client, inputs: object, more: dict, named: str
) -> None:
    assert named in refused(ask(client, inputs, **more))


@pytest.mark.parametrize("truncate", [True, False, None])
def test_nothing_is_cut_even_where_that_is_allowed(client: httpx.Client, truncate: bool | None) -> None:
    response = ask(client, LONG, truncate=truncate, truncation_direction="right", raw_scores=False)
    assert_same_scores(response.json(), native_scores(client, LONG))


def test_health_is_200_and_says_nothing(client: httpx.Client) -> None:
    response = client.get("/tei/health")
    assert (response.status_code, response.content) == (200, b"")
