"""Files that are damaged or of another encoding are named, and what a cell says is neither lost nor added to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from evaluate_files import model, wide
from pyarrow import ipc, parquet

from xent.errors import DataError, UnreadableFileError
from xent.evaluate import Options, evaluate

LOGITS, TRUTH = model(rows=300, classes=2)
ASKED = Options("logits", "z_*", truth="y", id="id")


def latin(kind=None):
    """Two texts of which the second is Latin-1: é alone, which UTF-8 does not have."""
    offsets = pa.py_buffer(np.array([0, 1, 2], dtype=np.int32))
    text = pa.StringArray.from_buffers(2, offsets, pa.py_buffer(b"a\xe9"))
    return text if kind is None else pa.DictionaryArray.from_arrays(pa.array([0, 1]), text, safe=False)


def save(path, table):
    """As Parquet, or as an Arrow stream or file; the path as text."""
    if path.suffix == ".parquet":
        parquet.write_table(table, path)
    else:
        with (ipc.new_file if path.suffix == ".feather" else ipc.new_stream)(path, table.schema) as writer:
            writer.write_table(table)
    return str(path)


@pytest.mark.parametrize("kind", [None, "dictionary"])
@pytest.mark.parametrize("ending", ["parquet", "arrow", "feather"])
@pytest.mark.parametrize("place", ["y", "id"])
def test_text_that_is_not_utf8_is_refused_in_typed_files(tmp_path, ending, place, kind):
    columns = {"y": pa.array(["0", "1"]), "id": pa.array(["0", "1"]), "z_0": [1.0, 2.0], "z_1": [0.0, 0.0]}
    path = save(tmp_path / f"a.{ending}", pa.table(columns | {place: latin(kind)}))
    with pytest.raises(UnreadableFileError, match="text in UTF-8") as caught:
        evaluate(path, ASKED)
    assert caught.value.instead == "Save the file as UTF-8."


@pytest.mark.parametrize("text", ["id,y,z_0,z_1,né\n0,1,2,3,4\n", "id,y,z_0,z_1\né,1,2,3\n", "id,y,z_0,z_1\n0,é,2,3\n"])
def test_text_that_is_not_utf8_is_refused_in_csv(tmp_path, text):
    (tmp_path / "a.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(UnreadableFileError, match="text in UTF-8"):
        evaluate(str(tmp_path / "a.csv"), ASKED)


def test_bytes_of_npz_that_are_not_utf8_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", y=np.array([b"a", b"\xe9"]), z=np.zeros((2, 2)))
    with pytest.raises(UnreadableFileError, match="text in UTF-8"):
        evaluate(str(tmp_path / "a.npz"), Options("logits", "z", truth="y"))


@pytest.mark.parametrize("batches", [1, 2])
def test_a_stream_cut_between_two_batches_is_refused(tmp_path, batches):
    table = pa.table({"id": np.arange(300), "y": TRUTH, **wide(LOGITS)})
    ends = []
    with (tmp_path / "a.arrow").open("wb") as file:
        writer = ipc.new_stream(file, table.schema)
        for start in range(0, 300, 100):
            writer.write_table(table.slice(start, 100))
            ends.append(file.tell())
        writer.close()
    whole = (tmp_path / "a.arrow").read_bytes()
    assert evaluate(str(tmp_path / "a.arrow"), ASKED).rows.used == 300
    (tmp_path / "a.arrow").write_bytes(whole[: ends[batches - 1]])
    with pytest.raises(UnreadableFileError, match="no mark at the end"):
        evaluate(str(tmp_path / "a.arrow"), ASKED)


def test_a_damaged_page_of_parquet_is_found_where_it_has_a_checksum(tmp_path):
    path = tmp_path / "a.parquet"
    table = pa.table({"id": np.arange(300), "y": TRUTH, **wide(LOGITS)})
    parquet.write_table(table, path, compression="none", use_dictionary=False, write_page_checksum=True)
    data = bytearray(path.read_bytes())
    data[data.index(LOGITS[7, 1].tobytes()) + 7] ^= 0x10
    path.write_bytes(data)
    with pytest.raises(UnreadableFileError, match=str(path)):
        evaluate(str(path), ASKED)


def test_an_empty_line_of_one_column_is_a_row_without_its_value(tmp_path):
    (tmp_path / "a.csv").write_text("lp\n-1\n\n-2\n")
    rows = evaluate(str(tmp_path / "a.csv"), Options("log_likelihood", "lp")).to_dict()["rows"]
    reason = "NaN or a missing value in the prediction"
    assert rows == {"read": 3, "used": 2, "ignored": 0, "refused": 1, "first_refused": {"row": 2, "reason": reason}}


def test_a_blank_line_between_rows_of_many_columns_is_no_row(tmp_path):
    (tmp_path / "a.csv").write_text("id,y,z_0,z_1\n0,1,2,3\n\n1,1,2,3\n\n")
    assert evaluate(str(tmp_path / "a.csv"), ASKED).rows.read == 2


def test_an_id_that_is_a_word_for_nothing_is_an_id(tmp_path):
    (tmp_path / "a.csv").write_text("id,y,z_0,z_1\nNA,1,0,9\nNull,0,0,9\nnan,NA,0,9\n")
    (tmp_path / "b.csv").write_text("id,y,z_0,z_1\nnan,0,0,0\nNull,0,0,0\nNA,1,0,0\n")
    asked = Options("logits", "z_*", truth="y", id="id", against=str(tmp_path / "b.csv"))
    found = evaluate(str(tmp_path / "a.csv"), asked).to_dict()
    assert [row["id"] for row in found["hardest"]] == ["Null", "NA"]
    assert found["rows"]["ignored"] == 1
    assert found["comparison"]["rows"] == 2


def test_an_empty_id_is_missing(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text("id,y,z_0,z_1\n1,1,0,9\n,0,0,9\n")
    asked = Options("logits", "z_*", truth="y", id="id", against=str(tmp_path / "b.csv"))
    with pytest.raises(DataError, match="none in row 2"):
        evaluate(str(tmp_path / "a.csv"), asked)


def test_a_class_called_as_nothing_leaves_missing_numbers_missing(tmp_path):
    Path(tmp_path / "a.csv").write_text("y,p_a,p_NA\nNA,0.25,0.75\na,NA,0.5\n")
    rows = evaluate(str(tmp_path / "a.csv"), Options("probs", "p_*", truth="y")).rows
    assert (rows.used, rows.refused) == (1, 1)
