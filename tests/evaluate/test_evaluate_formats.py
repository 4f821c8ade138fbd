"""Every format gives the same figures, a batch at a time, and a broken file gives a clear error."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from evaluate_files import ENDINGS, model, wide, write
from pyarrow import ipc, parquet

from xent.errors import ColumnError, InputError, ShapeError, UnreadableFileError
from xent.evaluate import Options, evaluate
from xent.evaluate.readers import Request, open_table

LOGITS, TRUTH = model(rows=2345)
ASKED = Options("logits", "z_*", truth="y", id="id", batch_rows=500)


def columns():
    return {"id": np.arange(len(TRUTH)), "y": TRUTH, **wide(LOGITS)}


def figures(found):
    """All that must not depend on the file: CSV hands ids over as text, and the names of files differ."""
    result = found.to_dict()
    result["input"].pop("files")
    for row in result["hardest"]:
        row["id"] = str(row["id"])
    return result


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    path = tmp_path_factory.mktemp("expected") / "a.parquet"
    return figures(evaluate(write(path, columns()), ASKED))


@pytest.mark.parametrize("ending", ENDINGS)
def test_formats_agree_to_the_last_bit(tmp_path, ending, expected):
    assert figures(evaluate(write(tmp_path / f"a.{ending}", columns()), ASKED)) == expected


def test_gzipped_csv_and_tsv_and_stream(tmp_path, expected):
    plain = Path(write(tmp_path / "a.csv", columns()))
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(plain.read_bytes()))
    (tmp_path / "c.tsv").write_text(plain.read_text().replace(",", "\t"))
    table = parquet.read_table(write(tmp_path / "a.parquet", columns()))
    with ipc.new_stream(tmp_path / "d.arrow", table.schema) as writer:
        writer.write_table(table)
    for name in ("b.csv.gz", "c.tsv", "d.arrow"):
        assert figures(evaluate(str(tmp_path / name), ASKED)) == expected


@pytest.mark.parametrize("ending", ["parquet", "arrow", "npz"])
def test_list_column_is_the_same_as_wide_columns(tmp_path, ending, expected):
    path = write(tmp_path / f"a.{ending}", {"id": np.arange(len(TRUTH)), "y": TRUTH, "z": LOGITS})
    found = figures(evaluate(path, Options("logits", "z", truth="y", id="id", batch_rows=500)))
    for key in ("loss", "error", "calibration", "classes", "confusion", "hardest"):
        assert_close(found[key], expected[key])


def assert_close(found, expected):
    """Equal but for the order of summation, which the layout of the memory decides."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key in expected:
            assert_close(found[key], expected[key])
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for left, right in zip(found, expected, strict=True):
            assert_close(left, right)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-12, abs=1e-15)
    else:
        assert found == expected


def test_fixed_size_and_sliced_lists(tmp_path):
    flat = pa.array(LOGITS[:10].reshape(-1))
    for index, column in enumerate(
        [pa.FixedSizeListArray.from_arrays(flat, 5), pa.LargeListArray.from_arrays(np.arange(0, 51, 5), flat)]
    ):
        table = pa.table({"y": TRUTH[2:10], "z": column.slice(2)})
        parquet.write_table(table, tmp_path / f"{index}.parquet")
        found = evaluate(str(tmp_path / f"{index}.parquet"), Options("logits", "z", truth="y", batch_rows=3))
        wide_path = write(tmp_path / f"w{index}.parquet", {"y": TRUTH[2:10], **wide(LOGITS[2:10])})
        other = evaluate(wide_path, Options("logits", "z_*", truth="y"))
        assert found.summary.loss.value == pytest.approx(other.summary.loss.value, rel=1e-14)


def test_several_files_are_one(tmp_path, expected):
    paths = []
    for part, (start, stop) in enumerate([(0, 1000), (1000, 1001), (1001, None)]):
        chosen = {name: values[start:stop] for name, values in columns().items()}
        paths.append(write(tmp_path / f"{part}.parquet", chosen))
    found = figures(evaluate(paths, ASKED))
    assert [row["row"] for row in found["hardest"]] == [row["row"] for row in expected["hardest"]]
    assert_close(found["loss"], expected["loss"])
    assert_close(found["calibration"], expected["calibration"])


def test_files_of_other_columns_are_refused(tmp_path):
    first = write(tmp_path / "a.parquet", columns())
    second = write(tmp_path / "b.parquet", {"id": [1], "y": [0], **wide(LOGITS[:1, :4])})
    with pytest.raises(ColumnError, match="the same columns in every file"):
        evaluate([first, second], ASKED)


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_batch_is_longer_than_asked(tmp_path, ending):
    table = open_table(write(tmp_path / f"a.{ending}", columns()))
    sizes = [batch.num_rows for batch in table.batches(Request(("z_0",), ("y",)), 64)]
    table.close()
    assert max(sizes) <= 64
    assert sum(sizes) == len(TRUTH)


@pytest.mark.parametrize("ending", ENDINGS)
def test_truncated_file_is_named_and_gives_nothing(tmp_path, ending):
    path = Path(write(tmp_path / f"a.{ending}", columns()))
    whole = path.read_bytes()
    # CSV has no end to miss but an unfinished line
    cut = whole[: len(whole) // 2] if ending != "csv" else whole[:-60].rsplit(b"\n", 1)[0] + b"\n1,2"
    path.write_bytes(cut)
    with pytest.raises(UnreadableFileError, match=str(path)):
        evaluate(str(path), ASKED)


def test_corrupted_bytes_in_an_npz_are_found(tmp_path):
    path = Path(write(tmp_path / "a.npz", columns()))
    data = bytearray(path.read_bytes())
    data[data.index(b"z_2.npy") + 2000] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(UnreadableFileError, match="CRC"):
        evaluate(str(path), ASKED)


def test_a_wrong_checksum_of_a_compressed_array_is_found(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, **columns())
    with zipfile.ZipFile(path) as archive:
        checksum = archive.getinfo("z_2.npy").CRC.to_bytes(4, "little")
    data = path.read_bytes()
    place = data.rindex(checksum)  # the last is the one in the directory at the end, which is the one that counts
    path.write_bytes(data[:place] + bytes([checksum[0] ^ 1]) + data[place + 1 :])
    with pytest.raises(UnreadableFileError, match="CRC"):
        evaluate(str(path), ASKED)


def test_an_array_that_is_longer_than_it_says_is_refused(tmp_path):
    whole = Path(write(tmp_path / "a.npz", columns()))
    with zipfile.ZipFile(whole) as archive, zipfile.ZipFile(tmp_path / "b.npz", "w") as longer:
        for name in archive.namelist():
            longer.writestr(name, archive.read(name) + (b"\0" * 8 if name == "z_2.npy" else b""))
    with pytest.raises(UnreadableFileError, match="after its last row"):
        evaluate(str(tmp_path / "b.npz"), ASKED)


def test_files_that_are_none(tmp_path):
    (tmp_path / "empty.parquet").write_bytes(b"")
    (tmp_path / "words.parquet").write_text("not a parquet file, though long enough to be one")
    (tmp_path / "a.txt").write_text("z_0\n1\n")
    for name, part in [
        ("absent.csv", "no such file"),
        ("empty.parquet", "0 bytes"),
        ("words.parquet", "Parquet"),
        ("a.txt", "another ending"),
        ("", "folder"),
    ]:
        with pytest.raises(UnreadableFileError, match=part):
            evaluate(str(tmp_path / name), ASKED)


def test_pickled_objects_are_never_loaded(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    z = np.empty(2, dtype=object)
    z[:] = [Trap(), Trap()]
    np.savez(tmp_path / "a.npz", y=np.array([0, 1]), z_0=z, z_1=np.zeros(2))
    with pytest.raises(ColumnError, match="pickled"):
        evaluate(str(tmp_path / "a.npz"), Options("logits", "z_*", truth="y"))
    assert not (tmp_path / "sprung").exists()


def test_npz_shapes_that_are_no_columns(tmp_path):
    y = np.array([0, 1, 0])
    for z, error, part in [
        (np.zeros((2, 2)), InputError, "one number of rows"),
        (np.asfortranarray(np.zeros((3, 2))), ColumnError, "ascontiguousarray"),
        (np.zeros((3, 2, 2)), ColumnError, "dimensions"),
        (np.zeros((3, 2), dtype=complex), ColumnError, "complex"),
    ]:
        np.savez(tmp_path / "a.npz", y=y, z=z)
        with pytest.raises(error, match=part):
            evaluate(str(tmp_path / "a.npz"), Options("logits", "z", truth="y"))


def test_big_endian_and_half_precision(tmp_path):
    z, y = LOGITS[:100], TRUTH[:100]
    exact = evaluate(write(tmp_path / "a.npz", {"y": y, "z": z}), Options("logits", "z", truth="y"))
    big = evaluate(write(tmp_path / "b.npz", {"y": y, "z": z.astype(">f8")}), Options("logits", "z", truth="y"))
    half = evaluate(write(tmp_path / "c.npz", {"y": y, "z": z.astype("f2")}), Options("logits", "z", truth="y"))
    assert big.summary.loss.value == exact.summary.loss.value
    assert half.summary.loss.value == pytest.approx(exact.summary.loss.value, rel=1e-3)


def test_ragged_list_is_refused_with_its_row(tmp_path):
    table = pa.table({"y": [0, 1, 1], "z": pa.array([[0.0, 1.0], None, [0.0, 1.0, 2.0]])})
    parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(ShapeError, match="3 in row 3"):
        evaluate(str(tmp_path / "a.parquet"), Options("logits", "z", truth="y"))


def test_csv_is_read_as_declared_not_as_its_first_rows_look(tmp_path):
    # a block of whole numbers, then fractions; labels that look like numbers until one does not
    rows = ["y,p_a,p_NA"] + ["a,0,1"] * 10 + ["NA,0.25,0.75", ",0.5,0.5"]
    (tmp_path / "a.csv").write_text("\n".join(rows) + "\n")
    found = evaluate(str(tmp_path / "a.csv"), Options("probs", "p_*", truth="y")).to_dict()
    assert found["rows"] == {"read": 12, "used": 11, "ignored": 1, "refused": 0, "first_refused": None}
    assert {item["name"]: item["n"] for item in found["classes"]} == {"a": 10, "NA": 1}


def test_csv_word_in_a_column_of_numbers(tmp_path):
    (tmp_path / "a.csv").write_text("y,z_0,z_1\n0,1.5,2\n1,oops,1\n")
    with pytest.raises(UnreadableFileError, match="oops"):
        evaluate(str(tmp_path / "a.csv"), Options("logits", "z_*", truth="y"))
