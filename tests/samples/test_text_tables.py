"""Text tables as people have them: delimiters, lines of sizes, headings, gaps, words among the inputs."""

from __future__ import annotations

import gzip
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets

from mfderive.errors import DataError
from mfderive.samples.data_sentences import fact_lines
from mfderive.samples.resolve import resolve

from .networks import network

SHIPPED = Path(sklearn.datasets.__file__).parent / "data"


def read(folder, text=None, loss="squared", name="a.csv", **options):
    """The network over a text table."""
    if text is not None:
        (folder / name).write_text(text, encoding="utf-8")
    net = network("arrays", loss, **{"file": name, **options})
    return resolve(replace(net, file=str(folder / "net.toml")))


def said(net):
    return "\n".join(fact_lines(net.source.facts))


@pytest.mark.parametrize(
    ("text", "options", "delimiter"),
    [
        ("a,b,y\n1,2,3\n4,5,6\n", {}, "comma"),
        ("a;b;y\n1;2;3\n4;5;6\n", {}, "semicolon"),
        ("a\tb\ty\n1\t2\t3\n4\t5\t6\n", {}, "tab"),
        ("a|b|y\n1|2|3\n4|5|6\n", {}, "bar"),
        ("  a b   y\n 1 2  3\n4 5 6 \n", {}, "space"),
        ('"a, of b";b;y\n1;2;3\n4;5;6\n', {}, "semicolon"),
        ("\ufeffa,b,y\r\n1,2,3\r\n\r\n4,5,6\r\n", {}, "comma"),
        ("1,2,3\n4,5,6\n", {"y": 2}, "comma"),
        ("# made by hand\n# a b y\n1 2 3\n4 5 6\n", {}, "space"),
        ("a;b;y\n1;2;3\n4;5;6\n", {"delimiter": ";"}, "semicolon"),
        ("Some title, with commas\n\na,b,y\n1,2,3\n4,5,6\n", {"skip_rows": 2}, "comma"),
        ("2,3,first,second\na,b,y\n1,2,3\n4,5,6\n", {}, "comma"),
        (",a,b,y\n0,1,2,3\n1,4,5,6\n", {}, "comma"),  # what pandas' to_csv writes
        ('"a","b","y"\n"1","2","3"\n"4","5","6"\n', {}, "comma"),
    ],
)
def test_one_table_in_many_dresses(tmp_path, text, options, delimiter):
    net = read(tmp_path, text, **options)
    assert np.array_equal(net.source.x, [[1, 2], [4, 5]])
    assert net.source.y[:, 0].tolist() == [3, 6]
    assert f"cells separated by {delimiter}s" in said(net)
    assert ("(found in the file)" in said(net)) == ("delimiter" not in options)


def test_endings(tmp_path):
    for name in ("a.tsv", "a.csv.gz", "a.tsv.gz"):
        text = "a\ty\n1\t3\n2\t6\n"
        content = gzip.compress(text.encode()) if name.endswith(".gz") else text.encode()
        (tmp_path / name).write_bytes(content)
        assert read(tmp_path, name=name).source.x[:, 0].tolist() == [1, 2]
    (tmp_path / "a.csv.gz").write_bytes(content[:-9])
    with pytest.raises(DataError, match=r"a\.csv\.gz' cannot be read"):
        read(tmp_path, name="a.csv.gz")


@pytest.mark.parametrize(
    ("name", "y", "rows", "inputs", "line"),
    [
        ("iris.csv", 4, 150, 4, "line 1 ('150,4,setosa,versicolor,virginica') skipped"),
        ("wine_data.csv", 13, 178, 13, "line 1 ('178,13,class_0,class_1,class_2') skipped"),
        ("breast_cancer.csv", 30, 569, 30, "line 1 ('569,30,malignant,benign') skipped"),
    ],
)
def test_files_that_packages_ship(tmp_path, name, y, rows, inputs, line):
    """Their first line gives sizes; y alone is named. The numbers are those that scikit-learn reads."""
    shutil.copy(SHIPPED / name, tmp_path)
    net = read(tmp_path, name=name, y=y, loss="cross-entropy")
    load = {"iris.csv": "load_iris", "wine_data.csv": "load_wine"}.get(name, "load_breast_cancer")
    x, labels = getattr(sklearn.datasets, load)(return_X_y=True)
    assert net.source.x.shape == (rows, inputs)
    assert np.array_equal(net.source.x, x)
    assert np.array_equal(net.source.y.argmax(axis=1), labels)
    assert line in said(net)
    names = line.split(",", 2)[2].split("')")[0].split(",")
    assert net.classes == tuple(names)
    assert f"0 ({names[0]}) → 0, 1 ({names[1]}) → 1" in said(net)


def test_names_of_classes_are_those_of_the_last_column_with_such_labels(tmp_path):
    """A name for each label, and y where such files have it; else labels go by themselves."""
    text = "4,2,no,yes\n0,1,0\n1,5,1\n0,3,1\n1,2,0\n"
    assert read(tmp_path, text, "cross-entropy", y=2).classes == ("no", "yes")
    assert read(tmp_path, text, "cross-entropy", y=0).classes == (0, 1)
    assert read(tmp_path, text.replace(",1\n", ",2\n"), "cross-entropy", y=2).classes == (0, 2)
    only = text.replace("4,2,no,yes", "4,2,a,b,c,d").replace(",1\n", ",3\n")
    assert read(tmp_path, only, "cross-entropy", y=2).classes == ("a", "d")
    assert read(tmp_path, text.replace("no,yes", "1,2"), "cross-entropy", y=2).classes == (0, 1)
    assert read(tmp_path, text, "squared", y=2).classes == ()


def test_columns_of_one_heading_are_told_apart_by_number(tmp_path):
    text = "a,b,a,y\n1,2,3,0\n4,5,6,1\n7,8,1,2\n"
    words = r"2 columns have the heading 'a' \(columns 1, 3 of .*\(x = 0 or x = 2\)"
    with pytest.raises(DataError, match=words):
        read(tmp_path, text, x="a")
    with pytest.raises(DataError, match=r"key 'y': 2 columns .*y = 0 or y = 2"):
        read(tmp_path, text, x=1, y="a")
    assert read(tmp_path, text, x=[0, 2]).source.x.tolist() == [[1, 3], [4, 6], [7, 1]]
    facts = read(tmp_path, text).source.facts
    assert facts.inputs.labels == ("a (column 1)", "b", "a (column 3)")
    with pytest.raises(DataError, match=r"no column 'a' .*Used: a \(column 1\), b, a \(column 3\), y"):
        read(tmp_path, text, one_hot=["a"])
    assert read(tmp_path, text, one_hot=[2]).source.x.shape == (3, 5)


def test_the_line_of_sizes_is_kept_where_the_spec_says_so(tmp_path):
    shutil.copy(SHIPPED / "wine_data.csv", tmp_path)
    with pytest.raises(DataError, match=r"line 1 of .* has 5 columns, not 14.*skip_rows = 1"):
        read(tmp_path, name="wine_data.csv", y=13, skip_rows=0)


def test_a_first_row_of_small_numbers_is_no_line_of_sizes(tmp_path):
    """Two rows of two columns follow "2,1": it is a row like the others."""
    assert read(tmp_path, "2,1\n5,6\n7,8\n", y=1).source.rows == 3
    assert read(tmp_path, "2,2,7\n5,6,1\n7,8,1\n", y=2).source.rows == 3


def test_a_first_line_of_another_length_is_answered_with_skip_rows(tmp_path):
    text = "Measured in 2020\na,b,y\n1,2,3\n"
    with pytest.raises(DataError, match=r"line 1 of .* has 1 column, not 3.*skip_rows = 1"):
        read(tmp_path, text)
    net = read(tmp_path, text, skip_rows=1)
    assert "line 1 ('Measured in 2020') skipped: the spec says so" in said(net)


def test_headings_are_told_from_data(tmp_path):
    """UCI's iris has words in its last column and no headings; a table of words alone has headings."""
    net = read(tmp_path, "5.1,3.5,setosa\n4.9,3.0,other\n", y=2, loss="cross-entropy")
    assert net.source.rows == 2
    net = read(tmp_path, "NA,3.5,setosa\n4.9,3.0,other\n", y=2, loss="cross-entropy", missing="drop")
    assert net.source.rows == 1
    net = read(tmp_path, "size,kind\nbig,a\nsmall,b\n", y="kind", loss="cross-entropy", one_hot=["size"])
    assert net.source.rows == 2
    assert "headings in line 1" in said(net)
    assert read(tmp_path, "2019,2020\n1,2\n3,4\n", y=1).source.rows == 3
    assert read(tmp_path, "2019,2020\n1,2\n3,4\n", y="2020", headings=True).source.rows == 2


def test_y_named_and_x_left_out(tmp_path):
    net = read(tmp_path, "a,y,b\n1,2,3\n4,5,6\n", y="y")
    assert net.source.x.tolist() == [[1, 3], [4, 6]]
    assert "inputs: a, b" in said(net)
    assert read(tmp_path, "x,y,b\n1,2,3\n4,5,6\n").source.x.tolist() == [[1], [4]]  # the default x
    assert read(tmp_path, "a,b\n1,2\n", y="x").source.y.tolist() == [[1, 2]]  # autoencoder of all columns
    with pytest.raises(DataError, match="no column beside those of y"):
        read(tmp_path, "y\n1\n2\n")
    with pytest.raises(DataError, match=r"no column 'y'.*Headings: a, label.*example y = \"label\""):
        read(tmp_path, "a,label\n1,2\n")
    with pytest.raises(DataError, match="Did you mean 'label'"):
        read(tmp_path, "a,label\n1,2\n", y="lable")
    with pytest.raises(DataError, match=r"no headings; numbers run from 0 to 1. .*example y = 1"):
        read(tmp_path, "1,2\n3,4\n")


GAPS = "age,size,y\n1,2,0\n,3,1\n5,NA,0\n7,?,1\n9,10,nan\n11,12,1\n"


def test_missing_values_are_refused_with_how_many_and_where(tmp_path):
    words = r"4 of 6 rows of .*a\.csv' have missing values .* line 3, column 1 \('age'\).*missing = \"drop\""
    with pytest.raises(DataError, match=words):
        read(tmp_path, GAPS)
    with pytest.raises(DataError, match=r"1 of 6 rows .* has missing.*line 3, column 1"):
        read(tmp_path, GAPS.replace("nan", "0"), x="age")  # only the columns that are used
    with pytest.raises(DataError, match="every row"):
        read(tmp_path, "a,y\n,1\n2,\n", missing="drop")


def test_missing_values_are_dropped_on_request(tmp_path):
    net = read(tmp_path, GAPS, missing="drop")
    assert net.source.x.tolist() == [[1, 2], [11, 12]]
    assert net.source.y[:, 0].tolist() == [0, 1]
    assert net.source.facts.dropped == 4
    assert "4 rows with missing values left out" in said(net)


def test_missing_values_of_arrays(tmp_path):
    x = np.array([[1.0, 2.0], [np.nan, 3.0], [4.0, 5.0]])
    np.savez(tmp_path / "a.npz", x=x, y=np.array([1.0, 2.0, np.nan]))
    with pytest.raises(DataError, match=r"is nan at \[1, 0\] .*1 of 3 rows are not.*missing = \"drop\""):
        read(tmp_path, name="a.npz")
    assert read(tmp_path, name="a.npz", missing="drop").source.x.tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("text", "loss", "words"),
    [
        ("a,y\n\n1,0\n2,0.5\n", "cross-entropy", "the label of line 4 is 0.5. Class labels"),
        ("a,y\n\n1,-1\n2,0.5\n", "logistic", r"the target of line 4 is 0.5, but .* y = \+1 or -1"),
    ],
)
def test_labels_are_named_by_their_lines(tmp_path, text, loss, words):
    with pytest.raises(DataError, match=words):
        read(tmp_path, text, loss)


def test_a_delimiter_at_the_end_of_every_line_is_no_column(tmp_path):
    net = read(tmp_path, "a,y,\n1,2,\n3,4,\n")
    assert net.source.x.tolist() == [[1], [3]]
    assert "column 3 has no heading and no values" in said(net)


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("a,y\n1,2\n3,4\n5,many\n", {}, r"line 4, column 2 \('y'\) of .* is 'many', not a number like most"),
        ("a,y\n1,2\ninf,4\n", {}, r"line 3, column 1 \('a'\) of .* is 'inf', not a finite number"),
        ("1,2\n3,4\n5,x\n", {"y": 1}, "line 3, column 2 of .* is 'x'"),
        ("a;y\n1,5;2\n2,5;3\n", {}, r"line 2, column 1 \('a'\) of .* is '1,5': a number with a comma.*1\.5"),
        ('a,y\n"1,234",2\n5,3\n6,3\n', {}, "'1,234': a number with a comma"),
        (
            "a,sex,y\n1,m,2\n2,f,3\n",
            {},
            r"column 2 \('sex'\) of .* has words \('m', 'f'\).*one_hot = \[\"sex\"\]",
        ),
        ("a,y\n1,2\n", {"one_hot": ["b"]}, "no column 'b' among those that are used. Used: a, y"),
        ("a,y\n1.5,2\n", {"one_hot": ["a"]}, r"column 1 \('a'\) .* has fractions \(1.5 in line 2\)"),
        ("a,b,c\n1,u,2\n", {"y": ["b", "c"]}, "holds classes.*but y has 2 columns"),
        ("a,y\n1,2\n", {"delimiter": ";"}, "no column"),
        ("a,y\n1,2\n", {"skip_rows": 9}, "no line after 9"),
    ],
)
def test_cells_are_named_as_editors_count(tmp_path, text, options, words):
    with pytest.raises(DataError, match=words):
        read(tmp_path, text, **options)


def test_lines_are_those_of_the_file(tmp_path):
    """Blank lines and cells of several lines count."""
    with pytest.raises(DataError, match="line 7, column 2"):
        read(tmp_path, 'note,a,y\n\n"one\ntwo",1,2\nb,3,4\n\nc,oh,6\nd,7,8\n', x="a")


def test_columns_are_written_out(tmp_path):
    text = "age,sex,token,y\n30,m,7,1\n40,f,3,2\n50,m,3,3\n"
    net = read(tmp_path, text, one_hot=["sex", "token"])
    assert net.source.x.tolist() == [[30, 0, 1, 0, 1], [40, 1, 0, 1, 0], [50, 0, 1, 1, 0]]
    assert net.source.facts.inputs.names == ("age", "sex = f", "sex = m", "token = 3", "token = 7")
    assert "'token' became 2 columns of 0 and 1: 3, 7" in said(net)
    by_number = read(tmp_path, text, one_hot=[1, 2])
    assert np.array_equal(by_number.source.x, net.source.x)


def test_a_pipe_or_a_device_is_called_what_it_is(tmp_path):
    os.mkfifo(tmp_path / "ff")
    with pytest.raises(DataError, match=r"ff' is a pipe .FIFO., not a file.*write it to a file first"):
        read(tmp_path, name="ff")
    with pytest.raises(DataError, match="/dev/null' is a device, not a file"):
        read(tmp_path, name="/dev/null")
    (tmp_path / "dir.csv").mkdir()
    with pytest.raises(DataError, match="is a folder, not a file"):
        read(tmp_path, name="dir.csv")
    (tmp_path / "link.csv").symlink_to("gone.csv")
    with pytest.raises(DataError, match=r"a link to 'gone.csv', which does not exist"):
        read(tmp_path, name="link.csv")
    with pytest.raises(DataError, match=r"cannot be the name of a file|no file|embedded"):
        read(tmp_path, name="a\0b.csv")


def test_keys_of_text_tables_are_refused_elsewhere(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.ones((3, 2)), y=np.ones(3))
    for key, value in (("skip_rows", 1), ("delimiter", ";"), ("headings", True)):
        with pytest.raises(DataError, match=f"'{key}' is for text tables, and this is a .npz file"):
            read(tmp_path, name="a.npz", **{key: value})


def test_text_that_is_not_utf8_is_answered(tmp_path):
    (tmp_path / "a.csv").write_bytes("größe,y\n1,2\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"cannot be read as text .*Save it as UTF-8"):
        read(tmp_path)


def test_a_quote_that_is_missing_swallows_no_rows(tmp_path):
    """Rows between two stray quotes were one cell, in a column that may not even be used."""
    text = 'a,note,y\n1,"fine,2\n3,odd,4\n5,"fine,6\n'
    with pytest.raises(DataError, match=r"the quotes of lines 2 to 4 of .* do not fit: a cell that opens"):
        read(tmp_path, text, x="a")
    kept = read(tmp_path, 'a,note,y\n1,"over\ntwo lines, ""quoted""",2\n3,b,4\n', x="a")
    assert kept.source.x.tolist() == [[1], [3]]


def test_comments_may_stand_anywhere(tmp_path):
    net = read(tmp_path, "a,y\n1,2\n# from here on by night\n3,4\n# end of the table\n")
    assert net.source.x.tolist() == [[1], [3]]
    assert "line 3 ('# from here on by night') skipped: it is a comment" in said(net)
    colours = read(tmp_path, "a,y\n#ff0000,2\n#00ff00,4\n", one_hot=["a"])
    assert colours.source.x.tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (
            "Export\nof Tuesday\na,y\n1,2\n3,4\n",
            {},
            "lines up to line 2 are no data, leave them out: skip_rows = 2",
        ),
        ("a,y\n1,2,\n3,4,\n", {}, "skip_rows = 1; if it has headings, there must be 3"),
        ("a,y\n1,2\n", {"skip_rows": 9}, "key 'skip_rows': .* has no line after 9. Skip fewer"),
        ("", {}, "is empty. Write the table into it"),
        ("a,y\n", {}, "headings but no rows. Write the rows"),
        ("a,b,y\n,1,2\n,3,4\n", {}, r"2 of 2 rows .* missing .*Fill them in, or use other columns$"),
        ("a,b,y\n1,2,3\n4,word,6\n", {}, r"'word', not a number like half of this column \(1 of 2\)"),
        ("a,b,y\n1,2,3\n", {"x": ["a", "c"]}, 'Name a column, for example x = "a"'),
        ("colour,b,y\nred,2,3\n", {"one_hot": ["color"]}, "Did you mean 'colour'[?] Used: colour, b, y"),
    ],
)
def test_the_next_step_is_said(tmp_path, text, options, words):
    with pytest.raises(DataError, match=words):
        read(tmp_path, text, **options)
