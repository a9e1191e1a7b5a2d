"""Labelled documents from files of each format, and the refusals of unusable files."""

import gzip
import json
import lzma
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from model.errors import UsageError
from training.data import reader
from training.data.documents import Documents
from training.data.read_options import ReadOptions

TEXTS = ["A late goal, and the cup.", 'She said "no".\nThen she left.', "कल मैच है", "", "007"]
LABELS = ["sports", "politics", "sports", "other", "other"]
UNREADABLE = Path("/proc/self/mem")  # can be opened and not read


def read_file(path: Path, text_field: str = "text", label_field: str = "label") -> Documents:
    return reader.read_labelled(path, ReadOptions((text_field,), (label_field,)))[0]


def write(path: Path, data: str | bytes) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def lines(*values: object) -> str:
    """One line for each value: a string as it is, another value as JSON."""
    return "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in values)


def write_documents(folder: Path, name: str, texts: list[str], labels: list[str]) -> Path:
    """Write documents in the format of the suffix."""
    path, table = folder / name, pd.DataFrame({"id": range(len(texts)), "text": texts, "label": labels})
    suffix = name.split(".")[1].lower()
    if suffix == "jsonl":
        data = lines(*table.to_dict("records")).encode()
    elif suffix == "parquet":
        data = table.to_parquet()
    elif suffix == "tsv":  # it has no quotes
        rows = [table.columns, *table.itertuples(index=False)]
        data = lines(*("\t".join(map(str, row)) for row in rows)).encode()
    else:
        data = table.to_csv(index=False).encode()
    compress: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".xz": lzma.compress}
    return write(path, compress.get(path.suffix, bytes)(data))


@pytest.mark.parametrize("packed", ["", ".gz", ".xz"])
@pytest.mark.parametrize("suffix", ["jsonl", "csv", "tsv", "parquet"])
def test_each_format_gives_the_same_documents(tmp_path: Path, suffix: str, packed: str) -> None:
    texts = [text.replace("\n", " ") for text in TEXTS] if suffix == "tsv" else TEXTS
    path = write_documents(tmp_path, f"corpus.{suffix}{packed}", texts, LABELS)
    assert read_file(path) == Documents(texts, LABELS)


@pytest.mark.parametrize(("plain", "name"), [("a.csv", "v1.2.csv"), ("a.csv", "A.CSV"), ("a.jsonl.gz", "A.b.JSONL.gz")])
def test_the_last_suffix_decides_the_format(tmp_path: Path, plain: str, name: str) -> None:
    path = write_documents(tmp_path, plain, TEXTS, LABELS).rename(tmp_path / name)
    assert read_file(path) == Documents(TEXTS, LABELS)


def test_fields_can_have_other_names(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,body,class\n1,goal,sports\n")
    assert read_file(path, "body", "class") == Documents(["goal"], ["sports"])


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "tsv", "parquet"])
def test_numbers_dates_and_nulls_in_text_keep_their_notation(tmp_path: Path, suffix: str) -> None:
    notations = ["NA", "null", "nan", "None", "1e5", "2020-01-01", "007", "1.0", "True", "1_000", "#N/A", "inf"]
    path = write_documents(tmp_path, f"a.{suffix}", notations, notations)
    assert read_file(path) == Documents(notations, notations)


def test_numbers_as_labels_and_texts_keep_their_notation(tmp_path: Path) -> None:
    rows = ['{"text": 5, "label": 1}', '{"text": 2, "label": 0.30}', '{"text": 3, "label": 9007199254740993}']
    assert read_file(write(tmp_path / "a.jsonl", lines(*rows))) == Documents(
        ["5", "2", "3"], ["1", "0.30", "9007199254740993"]
    )
    pd.DataFrame({"text": ["a", "b"], "label": [1, 0]}).to_parquet(tmp_path / "a.parquet")
    assert read_file(tmp_path / "a.parquet").labels == ["1", "0"]


def test_a_number_beyond_64_bits_in_another_field_does_no_harm(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", lines({"id": 10**30, "text": "goal", "label": "sports"}))
    assert read_file(path) == Documents(["goal"], ["sports"])


@pytest.mark.parametrize("half", ["\\ud800", "\\udc00"])
def test_half_of_a_surrogate_pair_becomes_a_question_mark(tmp_path: Path, half: str) -> None:
    path = write(tmp_path / "a.jsonl", f'{{"text": "late {half} goal", "label": "sports"}}\n')
    assert read_file(path).texts == ["late ? goal"]


def test_labels_are_stripped_and_texts_are_not(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text,label\n goal , sports \n")
    assert read_file(path) == Documents([" goal "], ["sports"])


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "text,label\ngoal,sports\n"),
        ("a.tsv", "text\tlabel\ngoal\tsports\n"),
        ("a.jsonl", lines({"text": "goal", "label": "sports"})),
    ],
)
def test_a_byte_order_mark_and_line_ends_are_no_text(tmp_path: Path, name: str, content: str, line_end: str) -> None:
    path = write(tmp_path / name, b"\xef\xbb\xbf" + content.replace("\n", line_end).encode())
    assert read_file(path) == Documents(["goal"], ["sports"])


@pytest.mark.parametrize(
    ("name", "content", "texts"),
    [
        ("a.csv", 'text,label\n"a, ""b""\r\n\r\nc",x\nsay "d",x\n', ['a, "b"\r\n\r\nc', 'say "d"']),
        ("a.csv", "text,label\n\na,x\n\n\nb,x\n\n", ["a", "b"]),
        ("a.jsonl", lines("", {"text": "a", "label": "x"}, "  ", "", {"text": "b", "label": "x"}, ""), ["a", "b"]),
        ("a.jsonl", '{"text": "a\u2028b\u0085c", "label": "x"}\n', ["a\u2028b\u0085c"]),
    ],
    ids=["quotes", "blank lines of CSV", "blank lines of JSON", "Unicode line separators"],
)
def test_quoted_and_blank_lines_end_no_row(tmp_path: Path, name: str, content: str, texts: list[str]) -> None:
    assert read_file(write(tmp_path / name, content)).texts == texts


GOOD = {"text": "a", "label": "x"}
GOOD_LINE = json.dumps(GOOD)
DEEP_LINE = f'{{"text": {"[" * 9999}{"]" * 9999}, "label": "x"}}'
BROKEN_JSON, NO_OBJECT = "line 2: is broken JSON", "line 2: is JSON but no object"
NO_FORMAT, NO_UTF8 = "is of no kind that can be read", "line 3: byte 0xe9 is not UTF-8"
UNUSABLE: list[tuple[str, str, str | bytes, str]] = [
    ("no text field in JSON", "a.jsonl", lines({"body": "a", "label": "x"}), "line 1: no field 'text'"),
    ("no label field in JSON", "a.jsonl", lines({"text": "a", "class": "x"}), "line 1: no field 'label'"),
    ("no text field in CSV", "a.csv", "body,label\na,x\n", "line 1: no field 'text' among 'body', 'label'"),
    ("no label field in CSV", "a.csv", "text,class\na,x\n", "--label-field"),
    ("an unknown separator", "a.csv", "text:label\na:x\n", "no field 'text' among 'text:label'"),
    ("an object without fields", "a.jsonl", lines({}), "line 1: "),
    ("a later line without text", "a.jsonl", lines(GOOD, "", {"label": "x"}), "line 3: no field 'text' among 'label'"),
    ("a later line without label", "a.jsonl", lines(GOOD, {"text": "a"}), "line 2: no field 'label' among 'text'"),
    ("broken JSON", "a.jsonl", lines(*[GOOD] * 6, '{"text": "a"', GOOD), "line 7: is broken JSON"),
    ("two objects in a line", "a.jsonl", lines(GOOD, f"{GOOD_LINE},{GOOD_LINE}"), BROKEN_JSON),
    ("an object cut over two lines", "a.jsonl", '{"text": "a",\n"label"\n', BROKEN_JSON),
    ("an array without an end", "a.jsonl", json.dumps([GOOD, GOOD], indent=1)[:-1], "is broken JSON"),
    ("an array without a comma", "a.json", f"[{GOOD_LINE}\n{GOOD_LINE}]", BROKEN_JSON),
    ("a number in place of an object", "a.jsonl", lines(GOOD, "5"), NO_OBJECT),
    ("null in place of an object", "a.jsonl", lines(GOOD, "null"), NO_OBJECT),
    ("a list in place of an object", "a.jsonl", lines(GOOD, '["a", "x"]'), NO_OBJECT),
    ("a list in the first line", "a.jsonl", lines('["a", "x"]'), "line 1: is JSON but no object"),
    ("deeply nested JSON", "a.jsonl", lines(GOOD, DEEP_LINE), "line 2: "),
    ("null for a text", "a.jsonl", lines(GOOD, {"text": None, "label": "x"}), "line 2: there is no 'text'"),
    ("a list for a text", "a.jsonl", lines({"text": ["a"], "label": "x"}), "line 1: 'text' is no text but a list"),
    ("an object for a label", "a.jsonl", lines({"text": "a", "label": {"b": 1}}), "'label' is no text but an object"),
    ("an empty label in JSON", "a.jsonl", lines(GOOD, "", {"text": "b", "label": " "}), "line 3: the label is empty"),
    ("an empty label after blank lines", "a.csv", "\ntext,label\n\na,x\n\nb,\n", "line 6: the label is empty"),
    ("an empty label after spaces", "a.csv", "text,label\n  \na,x\nb,\n", "line 4: the label is empty"),
    ("an empty label after quoted lines", "a.csv", 'text,label\n"a\r\n\r\nb",x\r\nc,\r\n', "line 5: the label is"),
    ("an empty label after a long text", "a.csv", f"text,label\n{'goal ' * 50_000},x\nb,\n", "line 3: the label is"),
    ("a short line", "a.tsv", "text\tlabel\na\tx\nb\n", "line 3: "),
    ("a long line", "a.csv", "text,label\na,x\nb, and c,y\n", "line 3"),
    ("a long first line", "a.csv", "text,label\nb, and c,y\na,x\n", "line 2"),
    ("a long line after quoted lines", "a.csv", 'text,label\n"a\n\n",x\nb, and c,y\n', "line 5"),
    (
        "an unclosed quote",
        "a.csv",
        'text,label\na,x\n"b,y\nc,z\n',
        "line 3: a quote opens a text and none closes it: add the closing quote, or write a quote in a text twice",
    ),
    (
        "a quote in a quoted text",
        "a.csv",
        'text,label\na,x\n"b" c,y\n',
        "a.csv, line 3: a quote stands inside a quoted text: write it twice",
    ),
    ("latin-1", "a.csv", "text,label\ncafe,x\ncafé,x\n".encode("latin-1"), NO_UTF8),
    ("latin-1 in JSON", "a.jsonl", lines(GOOD, "", '{"text": "é"}').encode("latin-1"), NO_UTF8),
    ("UTF-16 without a mark", "a.csv", "text,label\na,x\n".encode("utf-16-le"), "say --encoding utf-16-le"),
    ("zero bytes", "a.csv", b"\0" * 99, "is no UTF-8 text, it has zero bytes"),
    ("an empty file", "a.csv", "", "is empty"),
    ("blank lines of JSON", "a.jsonl", "\n  \n", "is empty"),
    ("an empty Parquet file", "a.parquet", "", "is empty"),
    ("an empty archive", "a.csv.gz", gzip.compress(b""), "is empty"),
    ("a byte order mark alone", "a.jsonl", b"\xef\xbb\xbf\n", "is empty"),
    ("a header alone", "a.csv", "text,label\n", "has no documents"),
    ("text named .gz", "a.csv.gz", "text,label\na,x\n", "is no whole .gz file"),
    ("gzip cut short", "a.csv.gz", gzip.compress(b"text,label\n" + b"a,x\n" * 99)[:-10], "is no whole .gz file"),
    ("gzip with an error", "a.csv.gz", gzip.compress(b"text,label\na,x\n")[:-8] + b"\0" * 8, "is no whole .gz file"),
    ("text named .xz", "a.csv.xz", "text,label\na,x\n" * 9, "is no whole .xz file"),
    ("xz cut short", "a.csv.xz", lzma.compress(b"text,label\na,x\n")[:-10], "is no whole .xz file"),
    ("text named .parquet", "a.parquet", "PAR1 and more", "is no Parquet file"),
    ("an unknown format", "a.xlsx", "a", NO_FORMAT),
    ("an unknown packed format", "a.doc.gz", gzip.compress(b"a"), NO_FORMAT),
    ("no suffix", "corpus", "a", NO_FORMAT),
]


@pytest.mark.parametrize(("name", "data", "message"), [row[1:] for row in UNUSABLE], ids=[row[0] for row in UNUSABLE])
def test_an_unusable_file_is_refused_with_advice(tmp_path: Path, name: str, data: str | bytes, message: str) -> None:
    path = write(tmp_path / name, data)
    with pytest.raises(UsageError) as caught:
        read_file(path)
    sentence = str(caught.value)
    assert sentence.startswith(str(path))
    assert message in sentence
    assert ": " in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("line", ["5", '{"team": ', '{"body": "b"'])
def test_the_advice_for_a_json_line_names_the_chosen_text_field(tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "a.jsonl", lines({"body": "a", "team": "x"}, line))
    with pytest.raises(UsageError, match=r"line 2: .*: write one object a line, with its text in the field 'body'$"):
        read_file(path, "body", "team")


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (["a", None], "row 2: there is no 'text'"),
        ([["a"], ["b"]], "row 1: 'text' is no text"),
        ([b"a", b"b"], "row 1: 'text' is no text but binary data"),
        ([], "has no documents"),
    ],
)
def test_a_parquet_column_without_text_is_refused(tmp_path: Path, column: list[object], message: str) -> None:
    pd.DataFrame({"text": column, "label": ["x"] * len(column)}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(UsageError, match=message):
        read_file(tmp_path / "a.parquet")


def test_a_parquet_file_that_is_cut_is_refused(tmp_path: Path) -> None:
    complete = pd.DataFrame({"text": ["a"] * 99, "label": ["x"] * 99}).to_parquet()
    with pytest.raises(UsageError, match="is no Parquet file, or cut short"):
        read_file(write(tmp_path / "a.parquet", complete[:-20]))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a file that root too cannot read")
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels" / "sports").mkdir(parents=True)
    for name in ("a.csv", "labels/sports/1.txt"):
        (tmp_path / name).symlink_to(UNREADABLE)
    for corpus, file in (("a.csv", r"a\.csv"), ("labels", r"1\.txt")):
        with pytest.raises(UsageError, match=f"{file} cannot be read"):
            read_file(tmp_path / corpus)
