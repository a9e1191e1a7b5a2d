import gzip
import json
import lzma
import sys
from pathlib import Path

import pandas as pd
import pytest

from model.errors import UsageError
from training.data import reader
from training.data.documents import Documents
from training.data.read_options import ReadOptions

TEXTS = ["A late goal, and the cup.", 'She said "no".\nThen she left.', "कल मैच है", "", "007"]
LABELS = ["sports", "politics", "sports", "other", "other"]
NO_MEMORY = Path("/proc/self/mem")  # it can be opened and not read


def read_file(path: Path, text_field: str = "text", label_field: str = "label") -> Documents:
    return reader.read_labelled(path, ReadOptions((text_field,), (label_field,)))[0]


def write(path: Path, data: str | bytes) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def lines(*values: object) -> str:
    return "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in values)


def read_error(path: Path, text_field: str = "text", label_field: str = "label") -> str:
    """Return the error: one line that names the file and the advice."""
    with pytest.raises(UsageError) as caught:
        read_file(path, text_field, label_field)
    sentence = str(caught.value)
    assert sentence.startswith(str(path))
    assert ": " in sentence
    assert "\n" not in sentence
    return sentence


def make_file(folder: Path, name: str) -> Path:
    """Write TEXTS and LABELS in the format of the suffix."""
    path, table = folder / name, pd.DataFrame({"id": range(len(TEXTS)), "text": TEXTS, "label": LABELS})
    kind = name.split(".")[1].lower()
    if kind == "tsv":  # it has no quotes, and therefore no line breaks
        table["text"] = table["text"].str.replace("\n", " ")
    if kind == "jsonl":
        data = lines(*table.to_dict("records")).encode()
    elif kind == "parquet":
        data = table.to_parquet()
    elif kind == "tsv":
        rows = [table.columns, *table.itertuples(index=False)]
        data = "".join("\t".join(map(str, row)) + "\n" for row in rows).encode()
    else:
        data = table.to_csv(index=False).encode()
    packed = {".gz": gzip.compress, ".xz": lzma.compress}.get(path.suffix, bytes)
    return write(path, packed(data))


@pytest.mark.parametrize("packed", ["", ".gz", ".xz"])
@pytest.mark.parametrize("kind", ["jsonl", "csv", "tsv", "parquet"])
def test_each_format_gives_the_same_documents(tmp_path, kind, packed):
    texts = [text.replace("\n", " ") for text in TEXTS] if kind == "tsv" else TEXTS
    assert read_file(make_file(tmp_path, f"corpus.{kind}{packed}")) == Documents(texts, LABELS)


@pytest.mark.parametrize(("plain", "name"), [("a.csv", "v1.2.csv"), ("a.csv", "A.CSV"), ("a.jsonl.gz", "A.b.JSONL.gz")])
def test_the_last_suffix_decides_the_format(tmp_path, plain, name):
    assert read_file(make_file(tmp_path, plain).rename(tmp_path / name)) == Documents(TEXTS, LABELS)


def test_a_folder_has_a_folder_for_each_label(tmp_path):
    for name, text in {
        "b/2.txt": "two",
        "a/x": "ex",
        ".git/config": "no",
        "a/.hidden": "no",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write(tmp_path / name, text)
    write(tmp_path / "readme.txt", "a file beside the folders is no document")
    assert read_file(tmp_path) == Documents(["ex", "two"], ["a", "b"])


def test_fields_may_have_other_names(tmp_path):
    path = write(tmp_path / "a.csv", "id,body,class\n1,goal,sports\n")
    assert read_file(path, "body", "class") == Documents(["goal"], ["sports"])


NOTATIONS = ["NA", "null", "nan", "None", "1e5", "2020-01-01", "007", "1.0", "True", "1_000", "#N/A", "inf"]


@pytest.mark.parametrize("kind", ["jsonl", "csv", "tsv", "parquet"])
def test_numbers_dates_and_nulls_in_text_keep_their_notation(tmp_path, kind):
    table, path = pd.DataFrame({"text": NOTATIONS, "label": NOTATIONS}), tmp_path / f"a.{kind}"
    if kind == "jsonl":
        write(path, lines(*table.to_dict("records")))
    elif kind == "parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, sep="\t" if kind == "tsv" else ",", index=False)
    assert read_file(path) == Documents(NOTATIONS, NOTATIONS)


def test_dates_in_json_keep_their_notation(tmp_path):
    line = {"text": "2020-01-01", "label": "2021-12-31T00:00:00Z", "date": "2020-01-01", "modified": 1577836800}
    assert read_file(write(tmp_path / "a.jsonl", lines(line, line))).labels == ["2021-12-31T00:00:00Z"] * 2
    assert read_file(tmp_path / "a.jsonl").texts == ["2020-01-01"] * 2


def test_numbers_are_labels_too(tmp_path):
    jsonl_path = write(tmp_path / "a.jsonl", lines({"text": "a", "label": 1}, {"text": 5, "label": 0}))
    assert read_file(jsonl_path) == Documents(["a", "5"], ["1", "0"])
    pd.DataFrame({"text": ["a", "b"], "label": [1, 0]}).to_parquet(tmp_path / "a.parquet")
    assert read_file(tmp_path / "a.parquet").labels == ["1", "0"]
    assert read_file(write(tmp_path / "a.csv", "text,label\na,1\nb,0\n")).labels == ["1", "0"]


def test_numbers_as_labels_keep_their_notation(tmp_path):
    rows = ['{"text": "a", "label": 1}', '{"text": "a", "label": 0.3}', '{"text": "a", "label": 9007199254740993}']
    assert read_file(write(tmp_path / "a.jsonl", lines(*rows))).labels == ["1", "0.3", "9007199254740993"]


def test_a_number_beyond_64_bits_in_another_field_does_no_harm(tmp_path):
    path = write(tmp_path / "a.jsonl", lines({"id": 10**30, "text": "goal", "label": "sports"}))
    assert read_file(path) == Documents(["goal"], ["sports"])


@pytest.mark.parametrize("half", ["\\ud800", "\\udc00"])
def test_half_of_a_surrogate_pair_is_replaced(tmp_path, half):
    path = write(tmp_path / "a.jsonl", f'{{"text": "late {half} goal", "label": "sports"}}\n')
    text = read_file(path).texts[0]
    assert text.encode()
    assert text.startswith("late ")
    assert text.endswith(" goal")


def test_labels_are_stripped_and_texts_are_not(tmp_path):
    path = write(tmp_path / "a.csv", "text,label\n goal , sports \n")
    assert read_file(path) == Documents([" goal "], ["sports"])


ONE = {"a.csv": "text,label\ngoal,sports\n", "a.tsv": "text\tlabel\ngoal\tsports\n"}
ONE["a.jsonl"] = lines({"text": "goal", "label": "sports"})


@pytest.mark.parametrize("name", ONE)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_byte_order_mark_and_the_line_ends_of_windows_are_no_part_of_the_documents(tmp_path, name, line_end):
    path = write(tmp_path / name, b"\xef\xbb\xbf" + ONE[name].replace("\n", line_end).encode())
    assert read_file(path) == Documents(["goal"], ["sports"])


def test_a_folders_files_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "sports").mkdir()
    write(tmp_path / "sports" / "1.txt", b"\xef\xbb\xbfgoal")
    assert read_file(tmp_path).texts == ["goal"]


def test_a_quoted_text_may_hold_separators_quotes_and_line_breaks(tmp_path):
    path = write(tmp_path / "a.csv", 'text,label\n"a, ""b""\r\n\r\nc",x\nsay "d",y\n')
    assert read_file(path) == Documents(['a, "b"\r\n\r\nc', 'say "d"'], ["x", "y"])


def test_blank_lines_are_skipped(tmp_path):
    one, two = {"text": "a", "label": "x"}, {"text": "b", "label": "y"}
    assert read_file(write(tmp_path / "a.jsonl", lines("", one, "  ", "", two, ""))) == Documents(
        ["a", "b"], ["x", "y"]
    )
    assert read_file(write(tmp_path / "a.csv", "text,label\n\na,x\n\n\nb,y\n\n")) == Documents(["a", "b"], ["x", "y"])


def test_unicode_line_separators_end_no_line(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"text": "a\u2028b\u0085c", "label": "x"}\n')
    assert read_file(path).texts == ["a\u2028b\u0085c"]


GOOD = {"text": "a", "label": "x"}
UNUSABLE = {
    "no text field in JSON": ("a.jsonl", lines({"body": "a", "label": "x"}), "line 1: no field 'text'"),
    "no label field in JSON": ("a.jsonl", lines({"text": "a", "class": "x"}), "line 1: no field 'label'"),
    "no text field in CSV": ("a.csv", "body,label\na,x\n", "line 1: no field 'text' among 'body', 'label'"),
    "no label field in CSV": ("a.csv", "text,class\na,x\n", "--label-field"),
    "a header alone, and of other fields": ("a.csv", "a,b\n", "line 1: no field 'text' among 'a', 'b'"),
    "a separator that is none": ("a.csv", "text:label\na:x\n", "no field 'text' among 'text:label'"),
    "an object without fields": ("a.jsonl", lines({}), "line 1: "),
    "a later line without a text": (
        "a.jsonl",
        lines(GOOD, "", {"label": "x"}),
        "line 3: no field 'text' among 'label'",
    ),
    "a later line without a label": (
        "a.jsonl",
        lines(GOOD, {"text": "a"}),
        "line 2: no field 'label' among 'text'",
    ),
    "broken JSON": ("a.jsonl", lines(*[GOOD] * 6, '{"text": "a"', GOOD), "line 7: is broken JSON"),
    "two objects in a line": (
        "a.jsonl",
        lines(GOOD, f"{json.dumps(GOOD)},{json.dumps(GOOD)}"),
        "line 2: is broken JSON",
    ),
    "an object that is cut over two lines": ("a.jsonl", '{"text": "a",\n"label"\n', "line 2: is broken JSON"),
    "an array that has no end": ("a.jsonl", json.dumps([GOOD, GOOD], indent=1)[:-1], "is broken JSON"),
    "an array without a comma": ("a.json", f"[{json.dumps(GOOD)}\n{json.dumps(GOOD)}]", "line 2: is broken JSON"),
    "an array with a comma at its end": ("a.json", f"[{json.dumps(GOOD)},\n]", "line 2: is broken JSON"),
    "two arrays": ("a.json", f"[{json.dumps(GOOD)}]\n[]", "line 2: is broken JSON"),
    "a comma after an object": ("a.jsonl", f"{json.dumps(GOOD)}\n{json.dumps(GOOD)},\n", "line 2: is broken JSON"),
    "a JSON line that is a number": ("a.jsonl", lines(GOOD, "5"), "line 2: is JSON but no object"),
    "a JSON line that is null": ("a.jsonl", lines(GOOD, "null"), "line 2: is JSON but no object"),
    "a JSON line that is a list": ("a.jsonl", lines(GOOD, '["a", "x"]'), "line 2: is JSON but no object"),
    "a JSON line that is a text": ("a.jsonl", lines(GOOD, '"a"'), "line 2: is JSON but no object"),
    "a first JSON line that is a list": ("a.jsonl", lines('["a", "x"]'), "line 1: is JSON but no object"),
    "JSON of a depth that is no document": (
        "a.jsonl",
        lines(GOOD, f'{{"text": {"[" * 9999}{"]" * 9999}, "label": "x"}}'),
        "line 2: ",
    ),
    "a null for a text": ("a.jsonl", lines(GOOD, {"text": None, "label": "x"}), "line 2: there is no 'text'"),
    "a list for a text": (
        "a.jsonl",
        lines(GOOD, {"text": ["a"], "label": "x"}),
        "line 2: 'text' is no text but a list",
    ),
    "an object for a label": (
        "a.jsonl",
        lines({"text": "a", "label": {"b": 1}}),
        "line 1: 'label' is no text but an object",
    ),
    "an empty label in JSON": (
        "a.jsonl",
        lines(GOOD, "", {"text": "b", "label": " "}),
        "line 3: the label is empty",
    ),
    "an empty label": ("a.csv", "text,label\na,x\nb,\n", "line 3: the label is empty"),
    "an empty label after blank lines": ("a.csv", "\ntext,label\n\na,x\n\nb,\n", "line 6: the label is empty"),
    "an empty label after a line of spaces": ("a.csv", "text,label\n  \na,x\nb,\n", "line 4: the label is empty"),
    "an empty label after quoted lines": (
        "a.csv",
        'text,label\n"a\r\n\r\nb",x\r\nc,\r\n',
        "line 5: the label is empty",
    ),
    "an empty label after a long text": (
        "a.csv",
        f"text,label\n{'goal ' * 50_000},x\nb,\n",
        "line 3: the label is empty",
    ),
    "a line that is too short": ("a.tsv", "text\tlabel\na\tx\nb\n", "line 3: "),
    "a line that is too long": ("a.csv", "text,label\na,x\nb, and c,y\n", "line 3"),
    "a first line that is too long": ("a.csv", "text,label\nb, and c,y\na,x\n", "line 2"),
    "a line that is too long after quoted lines": ("a.csv", 'text,label\n"a\n\n",x\nb, and c,y\n', "line 5"),
    "a quote that is not closed": (
        "a.csv",
        'text,label\na,x\n"b,y\nc,z\n',
        "line 3: a quote opens a text and none closes it: add the closing quote, or write a quote in a text twice",
    ),
    "a quote in a quoted text": (
        "a.csv",
        'text,label\na,x\n"b" c,y\n',
        "a.csv, line 3: a quote stands inside a quoted text: write it twice",
    ),
    "latin-1": ("a.csv", "text,label\ncafe,x\ncafé,x\n".encode("latin-1"), "line 3: byte 0xe9 is not UTF-8"),
    "latin-1 in JSON": (
        "a.jsonl",
        '{"text": "a", "label": "x"}\n\n{"text": "é"}'.encode("latin-1"),
        "line 3: byte 0xe9 is not UTF-8",
    ),
    "UTF-16 without a mark": ("a.csv", "text,label\na,x\n".encode("utf-16-le"), "say --encoding utf-16-le"),
    "zero bytes": ("a.csv", b"\0" * 99, "is no UTF-8 text, it has zero bytes"),
    "nothing": ("a.csv", "", "is empty"),
    "nothing in JSON": ("a.jsonl", "\n  \n", "is empty"),
    "nothing in Parquet": ("a.parquet", "", "is empty"),
    "nothing in gzip": ("a.csv.gz", gzip.compress(b""), "is empty"),
    "a byte order mark and nothing": ("a.jsonl", b"\xef\xbb\xbf\n", "is empty"),
    "a header alone": ("a.csv", "text,label\n", "has no documents"),
    "gzip that is none": ("a.csv.gz", "text,label\na,x\n", "is no whole .gz file"),
    "gzip cut short": ("a.csv.gz", gzip.compress(b"text,label\n" + b"a,x\n" * 99)[:-10], "is no whole .gz file"),
    "gzip with an error": ("a.csv.gz", gzip.compress(b"text,label\na,x\n")[:-8] + b"\0" * 8, "is no whole .gz file"),
    "xz that is none": ("a.csv.xz", "text,label\na,x\n" * 9, "is no whole .xz file"),
    "xz cut short": ("a.csv.xz", lzma.compress(b"text,label\na,x\n")[:-10], "is no whole .xz file"),
    "Parquet that is none": ("a.parquet", "PAR1 and more", "is no Parquet file"),
    "a kind that is none": ("a.xlsx", "a", "is of no kind that can be read"),
    "a kind that is none, packed": ("a.doc.gz", gzip.compress(b"a"), "is of no kind that can be read"),
    "no kind": ("corpus", "a", "is of no kind that can be read"),
}


@pytest.mark.parametrize("bad", ["5", '{"team": ', '{"body": "b"'])
def test_the_advice_for_a_json_line_names_the_chosen_text_field(tmp_path, bad):
    path = write(tmp_path / "a.jsonl", lines({"body": "a", "team": "x"}, bad))
    with pytest.raises(UsageError, match=r"line 2: .*: write one object a line, with its text in the field 'body'$"):
        read_file(path, "body", "team")


@pytest.mark.parametrize("problem", UNUSABLE)
def test_an_unusable_file_is_refused_with_its_name_its_line_and_the_advice(tmp_path, problem):
    name, data, expected = UNUSABLE[problem]
    assert expected in read_error(write(tmp_path / name, data))


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (["a", None], "row 2: there is no 'text'"),
        ([["a"], ["b"]], "row 1: 'text' is no text"),
        ([b"a", b"b"], "row 1: 'text' is no text but binary data"),
    ],
)
def test_a_parquet_column_that_is_no_text_is_refused_with_its_row(tmp_path, column, expected):
    pd.DataFrame({"text": column, "label": ["x", "y"]}).to_parquet(tmp_path / "a.parquet")
    assert expected in read_error(tmp_path / "a.parquet")


def test_a_parquet_file_that_is_cut_or_has_no_rows_is_refused(tmp_path):
    whole = pd.DataFrame({"text": ["a"] * 99, "label": ["x"] * 99}).to_parquet()
    assert "is no Parquet file, or cut short" in read_error(write(tmp_path / "a.parquet", whole[:-20]))
    none = pd.DataFrame({"text": ["a"], "label": ["x"]})[:0].to_parquet()
    assert "no documents" in read_error(write(tmp_path / "b.parquet", none))


def test_a_folder_without_labels_is_refused(tmp_path):
    write(tmp_path / "1.txt", "a file that is in no label's folder")
    (tmp_path / "sports").mkdir()
    assert "holds no folder with documents" in read_error(tmp_path)


def test_a_file_in_a_folder_that_is_not_utf8_is_refused_by_its_own_name(tmp_path):
    (tmp_path / "sports").mkdir()
    write(tmp_path / "sports" / "1.txt", "fine")
    path = write(tmp_path / "sports" / "2.txt", "a\ncafé".encode("latin-1"))
    with pytest.raises(UsageError, match="line 2: byte 0xe9 is not UTF-8") as caught:
        read_file(tmp_path)
    assert str(path) in str(caught.value)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a file that root too cannot read")
def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "a.csv").symlink_to(NO_MEMORY)
    assert "cannot be read" in read_error(tmp_path / "a.csv")
    (tmp_path / "labels" / "sports").mkdir(parents=True)
    (tmp_path / "labels" / "sports" / "1.txt").symlink_to(NO_MEMORY)
    with pytest.raises(UsageError, match=r"1\.txt cannot be read"):
        read_file(tmp_path / "labels")
