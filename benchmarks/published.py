"""Published accuracies on the same test parts; this project did not measure them."""

from __future__ import annotations

TEXT_GCN = "Yao, Mao and Luo, Graph Convolutional Networks for Text Classification, 2019, table 2"
KIM = "Kim, Convolutional Neural Networks for Sentence Classification, 2014, table 2"
HEADLINES = "649453932/Chinese-Text-Classification-Pytorch on GitHub, read as characters, from 180,000 headlines"

PUBLISHED: dict[tuple[str, int], dict[str, tuple[float, str]]] = {
    ("20newsgroups", 7532): {
        "LSTM": (0.657, TEXT_GCN),
        "bidirectional LSTM": (0.732, TEXT_GCN),
        "fastText": (0.794, TEXT_GCN),
        "CNN": (0.822, TEXT_GCN),
        "SWEM": (0.852, TEXT_GCN),
        "TextGCN": (0.863, TEXT_GCN),
    },
    ("r8", 2189): {"TextGCN": (0.9707, TEXT_GCN)},
    ("r52", 2568): {"TextGCN": (0.9356, TEXT_GCN)},
    ("trec6", 500): {
        "CNN, nothing pretrained": (0.912, KIM),
        "CNN, pretrained word vectors": (0.936, KIM),
    },
    ("thucnews_zh", 10_000): {
        "CNN, pretrained characters": (0.9122, HEADLINES),
        "bidirectional LSTM, pretrained characters": (0.9112, HEADLINES),
        "fastText, up to three characters": (0.9223, HEADLINES),
    },
}
"""Name of a corpus and number of its test documents → method → accuracy and source."""
