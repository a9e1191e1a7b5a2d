"""The network, its scripted form and its explanations against the formulas, computed word by word with NumPy."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.artifacts import torchscript
from model.network.inference_network import InferenceNetwork
from model.network.pooling import UNKNOWN_IMPORTANCE
from model.network.tanh_rnn import TanhRNN
from tests.support import tiny

WORDS, NGRAMS, LABELS, HIDDEN = 20, 6, 3, 5
BIGRAMS = sorted({1 * WORDS + 2, 2 * WORDS + 3, 3 * WORDS + 3, 7 * WORDS + 1, 19 * WORDS + 19})
KINDS: dict[str, dict[str, Any]] = {
    "default": {"bigrams": torch.tensor(BIGRAMS)},
    "without bigrams": {},
    "n-grams": {"ngrams": NGRAMS, "bigrams": torch.tensor(BIGRAMS)},
    "mean": {"pooling": "mean"},
    "short windows": {"window": 3, "bigrams": torch.tensor(BIGRAMS)},
    "two layers both ways": {"layers": 2, "pooling": "mean", "window": 7},
    "classic": {"layers": 2, "bidirectional": False, "window": 0, "pooling": "last"},
}
LENGTHS = [1, 5, 32, 33, 100]
MANY = [*LENGTHS, *[3, 64] * 40]
"""Enough windows for the folded network to use one product for each direction."""


def make(kind: str) -> TanhRNN:
    """A network in which no parameter has its initial value."""
    network = tiny.network(words=WORDS, labels=LABELS, hidden=HIDDEN, **KINDS[kind])
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for values in network.parameters():
            values.add_(0.3 * torch.randn(values.shape, generator=generator))
        network.importance.uniform_(0.3, 3, generator=generator)
    return network.eval()


def documents(kind: str, *lengths: int) -> list[list[int]]:
    rng = np.random.default_rng(sum(lengths))
    texts = [(rng.integers(WORDS, size=length) // rng.integers(1, 5)).tolist() for length in lengths]
    if "ngrams" not in KINDS[kind]:
        return texts
    ngrams = [[[number, *rng.integers(WORDS, WORDS + NGRAMS, rng.integers(4))] for number in ids] for ids in texts]
    return [[int(number) for word in ids for number in word] for ids in ngrams]


def run(network: torch.nn.Module, texts: list[list[int]]) -> NDArray[np.floating]:
    with torch.inference_mode():
        logits: torch.Tensor = network(*concatenate(texts))
    return logits.numpy()


def concatenate(texts: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    starts = np.cumsum([0] + [len(ids) for ids in texts[:-1]])
    return torch.tensor([word for ids in texts for word in ids]), torch.from_numpy(starts)


def expected_states(network: TanhRNN, ids: list[int]) -> NDArray[np.floating]:
    """h_t of the last layer for one document, [words, directions * hidden]: the first formula, word by word."""
    ids, ngrams = [number for number in ids if number < WORDS], ngrams_by_token(ids)
    value = {name: parameter.numpy().astype(float) for name, parameter in network.state_dict().items()}
    table = value["table"].reshape(network.directions, -1, HIDDEN)
    inputs, states = np.zeros((len(ids), network.directions, HIDDEN)), np.zeros(0)
    for t, word in enumerate(ids):
        for d in range(network.directions):
            inputs[t, d] = table[d, word] + value["bias"][d, 0] + table[d, ngrams[t]].sum(0)
            pair = ids[t - 1] * WORDS + word
            if t > 0 and pair in value["bigrams"]:
                inputs[t, d] += table[d, WORDS + network.ngrams + value["bigrams"].tolist().index(pair)]
    window = network.window or len(ids)
    for layer in range(len(value["recurrent"])):
        if layer > 0:
            below = states @ value[f"deeper.{layer - 1}.weight"].T + value[f"deeper.{layer - 1}.bias"]
            inputs = below.reshape(inputs.shape)
        states = np.zeros((len(ids), network.directions * HIDDEN))
        for begin in range(0, len(ids), window):
            order = list(range(begin, min(begin + window, len(ids))))
            for d in range(network.directions):
                h = np.zeros(HIDDEN)
                for t in order if d == 0 else reversed(order):
                    h = np.tanh(h @ value["recurrent"][layer, d] + inputs[t, d])
                    states[t, d * HIDDEN : (d + 1) * HIDDEN] = h
    return states


def ngrams_by_token(ids: list[int]) -> list[list[int]]:
    """The n-grams that follow each token."""
    ngrams: list[list[int]] = []
    for number in ids:
        if number < WORDS:
            ngrams.append([])
        else:
            ngrams[-1].append(number)
    return ngrams


def expected_weights(network: TanhRNN, ids: list[int]) -> NDArray[np.floating]:
    """g w_t of one document, [words]."""
    ids = [number for number in ids if number < WORDS]
    if network.pooling == "last":
        return np.array([0.0] * (len(ids) - 1) + [1.0])
    if network.pooling == "mean":
        return np.full(len(ids), 1 / len(ids))
    importance = network.importance.numpy().astype(float)
    kinds = [number or f"unknown {t}" for t, number in enumerate(ids)]  # each unknown word counts as another word
    weights = {kind: importance[n] * (1 + np.log(kinds.count(kind))) for kind, n in zip(kinds, ids, strict=True)}
    shares = np.array([weights[kind] / kinds.count(kind) for kind in kinds])
    length = np.sqrt(
        sum(UNKNOWN_IMPORTANCE**2 if "unknown" in str(kind) else weight**2 for kind, weight in weights.items())
    )
    return np.asarray(shares / length)


def expected_logits(network: TanhRNN, ids: list[int]) -> NDArray[np.floating]:
    """The second formula and the pooling."""
    y = expected_states(network, ids) @ network.output.weight.detach().numpy().T
    return np.asarray(expected_weights(network, ids) @ y + network.output.bias.detach().numpy())


@pytest.mark.parametrize("kind", KINDS)
def test_the_network_and_its_torchscript_compute_the_two_formulas(kind: str) -> None:
    network = make(kind)
    script = torchscript.from_bytes(torchscript.to_bytes(network), torch.device("cpu"))
    for lengths in (LENGTHS, MANY, *([length] for length in LENGTHS)):  # the second call of a script compiles
        texts = documents(kind, *lengths)
        expected = np.stack([expected_logits(network, ids) for ids in texts])
        np.testing.assert_allclose(run(network, texts), expected, atol=1e-5)
        np.testing.assert_allclose(run(script, texts), expected, atol=1e-5)
    np.testing.assert_allclose(run(network.train(), texts), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "longest"), [("default", 50_000), ("mean", 50_000), ("classic", 3_000)], ids=lambda value: str(value)
)
def test_the_other_documents_of_a_batch_change_no_logit(kind: str, longest: int) -> None:
    network, texts = InferenceNetwork(make(kind)), documents(kind, 1, longest, 40, 1, 33)
    alone = np.concatenate([run(network, [ids]) for ids in texts])
    np.testing.assert_allclose(run(network, texts), alone, atol=1e-5)
    np.testing.assert_allclose(run(network, texts[::-1])[::-1], alone, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_size_of_a_chunk_changes_no_logit(kind: str) -> None:
    network, texts = make(kind), documents(kind, *LENGTHS, 64, 32, 2)
    folded = InferenceNetwork(network).eval()
    logits, (_, attributions) = run(network, texts), folded.explain(*concatenate(texts))
    for chunk in (1, 7, 32, 64, 171):
        network.chunk_tokens = folded.chunk_tokens = chunk
        np.testing.assert_allclose(run(network, texts), logits, atol=1e-5)
        np.testing.assert_allclose(run(folded, texts), logits, atol=1e-5)
        torch.testing.assert_close(folded.explain(*concatenate(texts))[1], attributions, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_an_attribution_is_the_part_of_a_token_in_the_highest_logit(kind: str) -> None:
    network, texts = make(kind), documents(kind, *LENGTHS)
    with torch.inference_mode():
        logits, attributions = InferenceNetwork(network).explain(*concatenate(texts))
    np.testing.assert_allclose(logits.numpy(), run(network, texts), atol=1e-5)
    for ids, logit, share in zip(
        texts, logits, attributions.split([len(ngrams_by_token(ids)) for ids in texts]), strict=True
    ):
        label = int(logit.argmax())
        y = expected_states(network, ids) @ network.output.weight[label].detach().numpy()
        np.testing.assert_allclose(share.numpy(), expected_weights(network, ids) * y, atol=1e-5)
        assert float(share.sum() + network.output.bias.detach()[label]) == pytest.approx(float(logit.max()), abs=1e-4)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, WORDS - 1), min_size=1, max_size=50), min_size=1, max_size=5),
    st.sampled_from(["last", "mean", "weighted"]),
)
def test_pooling_weights_depend_on_one_document_and_are_not_negative(texts: list[list[int]], pooling: str) -> None:
    network = tiny.network(words=WORDS, pooling=pooling)
    weights = network.pooling_weights(*concatenate(texts)).split([len(ids) for ids in texts])
    for ids, weight in zip(texts, weights, strict=True):
        assert (weight >= 0).all()
        np.testing.assert_allclose(weight, expected_weights(network, ids), atol=1e-5)
        if pooling != "weighted":  # whose w_t are multiplied by g
            assert float(weight.sum()) == pytest.approx(1, abs=1e-5)


def test_a_rare_word_is_read_as_unknown_and_has_a_separate_weight() -> None:
    network, ids = make("without bigrams"), [1, 7, 4, 19, 7, 5, 0, 2] * 5
    pooled = network.pool(*concatenate([ids]), common=5).detach()
    states = expected_states(network, [word if word < 5 else 0 for word in ids])
    np.testing.assert_allclose(pooled.numpy(), [expected_weights(network, ids) @ states], atol=1e-5)


def test_unknown_tokens_lower_the_weights_of_the_others() -> None:
    network = tiny.network(words=WORDS)
    alone, with_unknown = (network.pooling_weights(torch.tensor([1, *[0] * n]), torch.tensor([0]))[0] for n in (0, 5))
    assert float(alone) == pytest.approx(1)
    assert float(with_unknown) == pytest.approx(1 / np.sqrt(1 + 5 * UNKNOWN_IMPORTANCE**2))


def test_ten_tokens_of_a_word_weigh_more_than_one_and_less_than_ten() -> None:
    network = tiny.network(words=WORDS)
    weights = network.pooling_weights(torch.tensor([1] * 10 + [2]), torch.tensor([0]))
    assert float(weights[:10].sum() / weights[10]) == pytest.approx(1 + np.log(10), abs=1e-4)


@pytest.mark.parametrize("bidirectional", [True, False])
def test_recurrent_weights_are_orthogonal_before_training(bidirectional: bool) -> None:
    network = tiny.network(hidden=16, layers=2, bidirectional=bidirectional)
    matrices = network.recurrent.detach().flatten(0, 1)
    assert len(matrices) == (4 if bidirectional else 2)
    torch.testing.assert_close(matrices @ matrices.mT, torch.eye(16).expand_as(matrices), atol=1e-5, rtol=0)


def test_every_parameter_gets_a_gradient() -> None:
    network = make("n-grams").train()
    network(*concatenate(documents("n-grams", *LENGTHS))).square().sum().backward()
    gradients = [parameter.grad for parameter in network.parameters()]
    assert all(gradient is not None and gradient.to_dense().abs().sum() > 0 for gradient in gradients)


def test_the_gradient_agrees_with_numerical_differences() -> None:
    network = make("short windows").double()
    tokens, starts = concatenate(documents("short windows", 1, 5, 8))
    names, values = zip(*network.named_parameters(), strict=True)

    def logits(*values: torch.Tensor) -> torch.Tensor:
        parameters = dict(zip(names, values, strict=True))
        result: torch.Tensor = torch.func.functional_call(network, parameters, (tokens, starts))
        return result

    assert torch.autograd.gradcheck(logits, values)
