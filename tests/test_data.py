"""Data sets: the built-in ones and their splits, and files good and bad."""

from __future__ import annotations

import gzip
import io
import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from analognet.data import Dataset, load_data
from analognet.errors import InputError, UsageError
from analognet.loading import tables
from analognet.names import printable

X = np.array([[0.0, 0.5, 1.0], [0.25, 0.75, 0.125]])
Y = np.array([1, 0])


def npz(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def idx(values: NDArray[np.uint8]) -> bytes:
    return struct.pack(f">4B{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()


IMAGES = np.arange(3 * 4 * 4, dtype=np.uint8).reshape(3, 4, 4)
LABELS = np.array([2, 0, 1], dtype=np.uint8)


def same(a: Dataset, x: NDArray[Any], y: NDArray[Any] | None) -> None:
    assert a.x.dtype == np.float64
    assert np.array_equal(a.x, x)
    if y is None:
        assert a.y is None
    else:
        assert a.y is not None
        assert a.y.dtype == np.int64
        assert np.array_equal(a.y, y)


@pytest.mark.parametrize(
    ("name", "n_test", "n", "n_in", "classes"), [("digits", 450, 1797, 64, 10), ("iris", 50, 150, 4, 3)]
)
def test_built_in_splits(name: str, n_test: int, n: int, n_in: int, classes: int) -> None:
    test = load_data(name, n_in, classes)
    train = load_data(name, split="train")
    assert test.x.shape == (n_test, n_in)
    assert train.x.shape == (n - n_test, n_in)
    assert test.y is not None
    assert train.y is not None
    assert min(test.x.min(), train.x.min()) >= 0
    assert max(test.x.max(), train.x.max()) <= 1
    shares = np.bincount(test.y) / np.bincount(np.concatenate([test.y, train.y]))
    assert shares == pytest.approx(n_test / n, abs=0.02)  # stratified
    from sklearn.datasets import load_digits, load_iris

    whole = (load_digits if name == "digits" else load_iris)(return_X_y=True)[0]
    both = np.concatenate([test.x, train.x]) * {"digits": 16, "iris": 8}[name]
    # the halves together are the data set: no sample is in both, none is lost
    assert both[np.lexsort(both.T)] == pytest.approx(whole[np.lexsort(whole.T)])


def test_built_in_split_is_fixed() -> None:
    assert load_data("digits").digest == load_data("digits").digest
    assert load_data("digits").digest.startswith("97628340")
    assert load_data("iris").digest.startswith("28cc4e91")
    assert load_data("digits").digest != load_data("digits", split="train").digest


def test_dataset_is_read_only() -> None:
    data = load_data("iris")
    assert len(data) == 50
    assert data.n_in == 4
    with pytest.raises(ValueError, match="read-only"):
        data.x[0, 0] = 1


def test_unknown_split() -> None:
    with pytest.raises(InputError, match="split 'all' is not known; known are test, train"):
        load_data("iris", split="all")  # type: ignore[arg-type]


@pytest.mark.parametrize("y", [Y, Y[:, None], Y.astype(np.float32), Y.astype(np.uint8), Y.astype(bool)])
def test_npz(tmp_path: Path, y: NDArray[Any]) -> None:
    same(load_data(npz(tmp_path / "d.npz", x=X, y=y), 3, 2), X, Y)


def test_npz_without_labels(tmp_path: Path) -> None:
    same(load_data(str(npz(tmp_path / "d.npz", x=X.astype(np.float32)))), X.astype(np.float32), None)


def test_npz_images_are_made_flat(tmp_path: Path) -> None:
    same(load_data(npz(tmp_path / "d.npz", x=IMAGES, y=LABELS)), IMAGES.reshape(3, 16), LABELS)


def test_digest_changes_with_content(tmp_path: Path) -> None:
    digests = {
        load_data(npz(tmp_path / f"{i}.npz", **arrays)).digest
        for i, arrays in enumerate(({"x": X}, {"x": X, "y": Y}, {"x": X, "y": 1 - Y}, {"x": X.reshape(3, 2)}))
    }
    assert len(digests) == 4


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros((2, 4))}, "x has 4 columns; the network takes 3"),
        ({"x": np.zeros((0, 3))}, "x has no rows"),
        ({"x": np.zeros(3)}, r"x has shape \(3,\); expected \(N, n_in\)"),
        ({"x": np.array([[0, 1, 2], [0, 1, np.nan]])}, r"x\[1, 2\] is nan; every value must be finite"),
        ({"x": np.array([[0, np.inf, 2]])}, r"x\[0, 1\] is inf"),
        ({"x": np.array([["a", "b", "c"]])}, "dtype <U1; numbers are needed"),
        ({"x": np.zeros((2, 3), dtype=complex)}, "dtype complex128"),
        ({"x": np.array([[{}, 1, 2]], dtype=object)}, "dtype object"),
        ({"a": X}, "has no array 'x'"),
        ({"x": X, "y": np.array([0, 2])}, r"y\[1\] is 2; classes are whole numbers 0..1"),
        ({"x": X, "y": np.array([-1, 0])}, r"y\[0\] is -1"),
        ({"x": X, "y": np.array([0, 0.5])}, r"y\[1\] is 0.5"),
        ({"x": X, "y": np.array([0, np.nan])}, r"y\[1\] is nan"),
        ({"x": X, "y": np.array([0])}, r"y has shape \(1,\); expected \(2,\)"),
        ({"x": X, "y": np.zeros((2, 2))}, r"y has shape \(2, 2\)"),
    ],
)
def test_unsuitable_npz(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    path = npz(tmp_path / "d.npz", **arrays)
    with pytest.raises(InputError, match=message) as caught:
        load_data(path, 3, 2)
    assert printable(path) in str(caught.value)


def test_binary_classes_for_one_output(tmp_path: Path) -> None:
    same(load_data(npz(tmp_path / "d.npz", x=X, y=Y), 3, 1), X, Y)


def test_labels_without_a_network(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"classes are whole numbers 0, 1, 2, \.\.\.$"):
        load_data(npz(tmp_path / "d.npz", x=X, y=np.array([0, 1 << 40])))


def test_damaged_npz(tmp_path: Path) -> None:
    path = npz(tmp_path / "d.npz", x=X)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    with pytest.raises(InputError, match="not a readable npz file"):
        load_data(path)
    path.write_bytes(whole.replace(X.tobytes()[8:16], b"\x01" * 8))
    with pytest.raises(InputError, match="Bad CRC-32"):
        load_data(path)
    path.write_bytes(b"\x93NUMPY")
    with pytest.raises(InputError, match="not a readable npz file"):
        load_data(path)


def test_npz_with_a_huge_array_is_refused_before_it_is_made(tmp_path: Path) -> None:
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        member, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40, 1 << 20)}
    )
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        archive.writestr("x.npy", member.getvalue())
    with pytest.raises(InputError, match=r"has 1099511627776 x 1048576 values, .*at most 8 GiB are read"):
        load_data(tmp_path / "d.npz")


def test_npz_that_says_more_than_it_holds(tmp_path: Path) -> None:
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(member, {"descr": "<f8", "fortran_order": False, "shape": (100, 3)})
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        archive.writestr("x.npy", member.getvalue())
    with pytest.raises(InputError, match="array 'x' cannot be read"):
        load_data(tmp_path / "d.npz")


CSV = "0,0.5,1\n0.25,0.75,0.125\n"


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        (CSV, False),
        ("a,b,c\n" + CSV, False),
        ("0,0.5,1,1\n0.25,0.75,0.125,0\n", True),
        ("a,b,c,d\n0,0.5,1,1\n0.25,0.75,0.125,0\n", True),
        ('y,"a","b","c"\n1,0,0.5,1\n0,0.25,0.75,0.125\n', True),
        ("a,Class,b,c\r\n0,1,0.5,1\r\n0.25,0,0.75,0.125", True),
        ("\ufeffa,label,b,c\n0,1,0.5,1\n0.25,0,0.75,0.125", True),
    ],
)
def test_csv(tmp_path: Path, text: str, labels: bool) -> None:
    path = tmp_path / "d.csv"
    path.write_text(text, encoding="utf-8", newline="")
    same(load_data(path, 3, 2), X, Y if labels else None)


def test_csv_without_a_network_has_its_labels_last(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("0,0.5,1,1\n0.25,0.75,0.125,0\n")
    same(load_data(tmp_path / "d.csv"), X, Y)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no rows"),
        ("a,b,c\n", "has no rows"),
        ("1,2\n", "x has 2 columns; the network takes 3"),
        ("1,2,3,4,5\n", "x has 5 columns"),
        ("a,b\n1,2,3\n", "the header names 2 columns, the rows have 3"),
        ("y,label,a\n1,2,3\n", "2 columns could be the label"),
        ("1,2,3\n1,2\n", "the number of columns changed"),
        ("1,2,3\n1,2,x\n", "could not convert string 'x' to float64"),
        ("1,2,3\n1,2,nan\n", r"x\[1, 2\] is nan"),
        ("1,2,3,setosa\n1,2,3,\x1b[31m\n", r"\\x1b"),
        ("1,2,3,2\n", r"y\[0\] is 2; classes are whole numbers 0..1"),
    ],
)
def test_unsuitable_csv(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "d.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        load_data(path, 3, 2)
    assert printable(path) in str(caught.value)


def test_csv_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a text file"):
        load_data(tmp_path / "d.csv")


@pytest.mark.parametrize("packed", [False, True])
def test_idx_pair(tmp_path: Path, packed: bool) -> None:
    wrap = gzip.compress if packed else bytes
    (tmp_path / "images").write_bytes(wrap(idx(IMAGES)))
    (tmp_path / "labels").write_bytes(wrap(idx(LABELS)))
    data = load_data(f"{tmp_path / 'images'}, {tmp_path / 'labels'}", 16, 3)
    same(data, IMAGES.reshape(3, 16) / 255, LABELS)


def test_idx_images_alone(tmp_path: Path) -> None:
    (tmp_path / "a-idx3-ubyte").write_bytes(idx(IMAGES))
    same(load_data(tmp_path / "a-idx3-ubyte"), IMAGES.reshape(3, 16) / 255, None)


@pytest.mark.parametrize("name", ["{}-images-idx3-ubyte", "{}-images.idx3-ubyte", "{}-images-idx3-ubyte.gz"])
def test_idx_directory(tmp_path: Path, name: str) -> None:
    for prefix, images in (("t10k", IMAGES), ("train", IMAGES + 1)):
        for kind, values in (("images-idx3", images), ("labels-idx1", LABELS)):
            path = tmp_path / name.format(prefix).replace("images", "labels").replace("idx3", "idx1")
            path = tmp_path / name.format(prefix) if kind == "images-idx3" else path
            path.write_bytes(gzip.compress(idx(values)) if path.suffix == ".gz" else idx(values))
    same(load_data(tmp_path), IMAGES.reshape(3, 16) / 255, LABELS)
    same(load_data(tmp_path, split="train"), (IMAGES + 1).reshape(3, 16) / 255, LABELS)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not an idx file of bytes .it begins with nothing"),
        (b"\0\0\x0d\x01\0\0\0\0", "it begins with 00000d01"),
        (b"\0\0\x08\x09", "not an idx file"),
        (b"\0\0\x08\x03\0\0", "cut short within its header"),
        (idx(IMAGES)[:-1], "cut short; its header says 48 values"),
        (idx(IMAGES) + b"x", "has bytes after its end"),
        (struct.pack(">4B3I", 0, 0, 8, 3, 1 << 31, 1 << 31, 1 << 31), "at most 8 GiB are read"),
        (gzip.compress(idx(IMAGES), mtime=0)[:-12], "damaged gzip file"),
        (gzip.compress(idx(IMAGES), mtime=0)[:30] + b"\xff" * 30, "damaged gzip file"),
        (idx(LABELS), "holds labels, not images; the order is images,labels"),
        (idx(np.zeros((0, 2, 2), dtype=np.uint8)), "x has no rows"),
        (idx(np.zeros((2, 0), dtype=np.uint8)), "x has 0 columns"),
    ],
)
def test_unsuitable_idx(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "images-idx3-ubyte"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message) as caught:
        load_data(path)
    assert printable(path) in str(caught.value)


def test_idx_labels_that_are_images(tmp_path: Path) -> None:
    (tmp_path / "images").write_bytes(idx(IMAGES))
    with pytest.raises(InputError, match=r"has shape \(3, 4, 4\), labels have \(N,\)"):
        load_data(f"{tmp_path / 'images'},{tmp_path / 'images'}")


def test_directory_without_idx_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no file t10k-images-idx3-ubyte or t10k-images-idx3-ubyte.gz"):
        load_data(tmp_path)


@pytest.mark.parametrize("name", ["d.npz", "d.csv", "d-idx3-ubyte"])
def test_named_pipes_and_missing_files(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_data(tmp_path / name)
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match="is a named pipe; a regular file is needed"):
        load_data(tmp_path / name)


@pytest.mark.parametrize("name", ["d.npz", "d.csv"])
def test_directories_with_a_files_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(InputError, match="is a directory"):
        load_data(tmp_path / name)


def test_file_over_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "CSV_LIMIT", 4)
    (tmp_path / "d.csv").write_text(CSV)
    with pytest.raises(InputError, match="at most 4 B are read"):
        load_data(tmp_path / "d.csv", 3)


def test_unknown_data_lists_what_is_allowed() -> None:
    with pytest.raises(
        UsageError, match=r"'MNIST\.zip' is not known; give an \.npz .* digits, iris, mnist, fashion-mnist"
    ):
        load_data("MNIST.zip")


def test_mnist_from_the_data_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "t10k-images-idx3-ubyte").write_bytes(idx(IMAGES))
    (tmp_path / "mnist" / "t10k-labels-idx1-ubyte").write_bytes(idx(LABELS))
    monkeypatch.setenv("ANALOGNET_DATA", str(tmp_path))
    same(load_data("mnist"), IMAGES.reshape(3, 16) / 255, LABELS)


def test_mnist_by_way_of_tinygrad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tinygrad import Tensor
    from tinygrad.nn import datasets

    asked = []

    def download(device: str, fashion: bool) -> tuple[Tensor, ...]:
        asked.append((device, fashion))
        other = (IMAGES + 1)[:, None]
        return tuple(Tensor(a, device=device) for a in (other, LABELS, IMAGES[:, None], LABELS))

    monkeypatch.setattr(datasets, "mnist", download)
    monkeypatch.setenv("ANALOGNET_DATA", str(tmp_path))
    same(load_data("mnist"), IMAGES.reshape(3, 16) / 255, LABELS)
    same(load_data("mnist", split="train"), (IMAGES + 1).reshape(3, 16) / 255, LABELS)
    assert asked == [("PYTHON", False)] * 2


def test_download_that_fails_says_how_to_do_without(monkeypatch: pytest.MonkeyPatch) -> None:
    from tinygrad.nn import datasets

    def download(device: str, fashion: bool) -> None:
        raise OSError("no network\n")

    monkeypatch.setattr(datasets, "mnist", download)
    monkeypatch.delenv("ANALOGNET_DATA", raising=False)
    with pytest.raises(
        InputError, match=r"\(no network\\x0a\); put its four idx files .* or set ANALOGNET_DATA"
    ):
        load_data("mnist")


def test_mnist_itself() -> None:
    directory = os.environ.get("ANALOGNET_DATA")
    if not directory or not (Path(directory) / "mnist").is_dir():
        pytest.skip("MNIST is not here: set ANALOGNET_DATA to a directory that holds mnist/")
    data = load_data("mnist", 784, 10)
    assert data.x.shape == (10_000, 784)
    assert (data.x.min(), data.x.max()) == (0, 1)
    assert data.y is not None
    assert np.bincount(data.y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
