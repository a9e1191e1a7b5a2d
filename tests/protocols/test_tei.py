import httpx
import pytest

from tests.support.native_scores import LONG, TEXTS, assert_same_scores, native_scores


def classify(client: httpx.Client, inputs: object, **more: object) -> httpx.Response:
    return client.post("/tei/predict", json={"inputs": inputs} | more)


def read_error(response: httpx.Response) -> str:
    assert response.status_code == 422, response.text
    assert response.json().keys() == {"error", "error_type"}
    assert response.json()["error_type"] == "Validation"
    return response.json()["error"]


@pytest.mark.parametrize("text", [*TEXTS, LONG])
def test_one_text_has_a_flat_list_of_labels(client: httpx.Client, text: str) -> None:
    response = classify(client, text)
    assert response.headers["content-type"] == "application/json"
    assert response.json()[0].keys() == {"label", "score"}
    assert_same_scores(response.json(), native_scores(client, text))
    assert classify(client, [text]).json() == response.json()


def test_a_batch_of_lists_of_one_text_has_a_list_of_labels_for_each(client: httpx.Client) -> None:
    answers = classify(client, [[text] for text in TEXTS]).json()
    for scores, text in zip(answers, TEXTS, strict=True):
        assert_same_scores(scores, native_scores(client, text))
    assert classify(client, [["the goal"]]).json() == [classify(client, "the goal").json()]
    assert classify(client, []).json() == []


@pytest.mark.parametrize("pair", [["a", "b"], ["a", "b", "c"], ["a", ["b"]]])
def test_a_pair_is_refused_with_the_form_of_a_batch(client: httpx.Client, pair: list) -> None:
    assert '[["a"], ["b"]]' in read_error(classify(client, pair))


@pytest.mark.parametrize("batch", [[["a", "b"]], [["a"], ["b", "c"]], [[]], [["a"], "b"]])
def test_a_batch_of_other_than_single_texts_is_refused(client: httpx.Client, batch: list) -> None:
    assert '[["a"], ["b"]]' in read_error(classify(client, batch))


@pytest.mark.parametrize(
    ("inputs", "more", "expected"),
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
def test_an_invalid_request_is_422_with_the_place(
    client: httpx.Client, inputs: object, more: dict, expected: str
) -> None:
    assert expected in read_error(classify(client, inputs, **more))


@pytest.mark.parametrize("truncate", [True, False, None])
def test_truncate_cuts_nothing(client: httpx.Client, truncate: bool | None) -> None:
    response = classify(client, LONG, truncate=truncate, truncation_direction="right", raw_scores=False)
    assert_same_scores(response.json(), native_scores(client, LONG))


def test_health_is_200_without_a_body(client: httpx.Client) -> None:
    response = client.get("/tei/health")
    assert (response.status_code, response.content) == (200, b"")
