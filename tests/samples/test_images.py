"""CIFAR-10's files and folders of images, made on the spot: good ones, and bad ones of every sort."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mfderive.errors import DataError, ResourceError
from mfderive.samples import image_folder
from mfderive.samples.data_sentences import fact_lines
from mfderive.samples.resolve import resolve

from .networks import network

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
ROWS = 4


def at(folder, kind, loss="cross-entropy", **options):
    """The resolved network of a spec in ``folder``."""
    return resolve(replace(network(kind, loss, **options), file=str(folder / "net.toml")))


def batch(number):
    """Four images and their labels; the first is red, the second green, the third blue, the last random."""
    images = np.zeros((ROWS, 3, 32, 32), dtype=np.uint8)
    for channel in range(3):
        images[channel, channel] = 200 + number
    images[3] = np.random.default_rng(number).integers(0, 256, (3, 32, 32))
    return images.reshape(ROWS, -1), [(number + row) % 10 for row in range(ROWS)]


def python2_pickle(images, labels):
    """The bytes of a batch as Python 2 and its numpy wrote them: protocol 2, words as strings of bytes."""

    def word(text):
        return b"U" + bytes([len(text)]) + text

    def long(content):
        return b"T" + len(content).to_bytes(4, "little") + content

    numbers = b"".join(b"K" + bytes([label]) for label in labels)
    kind = (
        b"cnumpy\ndtype\n" + word(b"u1") + b"K\x00K\x01\x87R"
        b"(K\x03" + word(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    )
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + word(b"b") + b"\x87R"
        b"(K\x01K" + bytes([len(images)]) + b"M" + (3072).to_bytes(2, "little") + b"\x86"
        + kind + b"\x89" + long(images.tobytes()) + b"tb"
    )  # fmt: skip
    return (
        b"\x80\x02}(" + word(b"batch_label") + word(b"training batch 1 of 5")
        + word(b"labels") + b"](" + numbers + b"e" + word(b"data") + array + b"u."
    )  # fmt: skip


def written(images, labels, form):
    if form == "python 2":
        return python2_pickle(images, labels)
    if form == "binary":
        return np.concatenate([np.array(labels, dtype=np.uint8)[:, None], images], axis=1).tobytes()
    protocol = int(form)
    as_text = {"labels": labels, "data": images, "filenames": ["a.png"] * len(labels)}
    return pickle.dumps(
        {key.encode(): value for key, value in as_text.items()} if protocol == 2 else as_text, protocol
    )


def cifar(folder, form="python 2"):
    ending = ".bin" if form == "binary" else ""
    for number in range(1, 6):
        (folder / f"data_batch_{number}{ending}").write_bytes(written(*batch(number), form))
    (folder / f"test_batch{ending}").write_bytes(written(*batch(9), form))
    if ending:
        (folder / "batches.meta.txt").write_text("\n".join(NAMES) + "\n\n")
    else:
        (folder / "batches.meta").write_bytes(pickle.dumps({b"label_names": [n.encode() for n in NAMES]}, 2))
    return folder


@pytest.mark.parametrize("form", ["python 2", "2", "4", "5", "binary"])
def test_cifar10_in_every_form_that_its_files_have(tmp_path, form):
    net = at(cifar(tmp_path, form), "cifar10", path=".", shape=(3, 32, 32), range=(-1.0, 1.0), outputs=10)
    assert (net.input_shape, net.outputs, net.source.rows) == ((3, 32, 32), 10, 5 * ROWS)
    assert net.source.facts.classes.names == tuple(NAMES)
    x, y = net.source.batch(1, "all")
    for number in range(1, 6):
        images, labels = batch(number)
        rows = slice((number - 1) * ROWS, number * ROWS)
        assert np.allclose(x[rows].reshape(ROWS, -1), images / 127.5 - 1, rtol=1e-14)
        assert y[rows].argmax(axis=1).tolist() == labels
    assert np.all(x[0, 0] > 0.5) and np.all(x[0, 1:] == -1)  # red alone
    tests, labels = net.source.evaluation(100)
    assert np.allclose(tests.reshape(ROWS, -1), batch(9)[0] / 127.5 - 1, rtol=1e-14)
    assert labels.argmax(axis=1).tolist() == batch(9)[1]


def test_some_batches_of_cifar10_and_rows_held_out(tmp_path):
    cifar(tmp_path)
    (tmp_path / "test_batch").unlink()
    with pytest.raises(DataError, match=r"no file 'test_batch'.*test = 0\.1"):
        at(tmp_path, "cifar10", path=".")
    net = at(tmp_path, "cifar10", path=".", batches=(2, 4), test=0.25, outputs=10)
    assert (net.source.rows, len(net.source.test[0])) == (6, 2)
    for number in (1, 3, 5):
        (tmp_path / f"data_batch_{number}").unlink()
    with pytest.raises(DataError, match=r"no file 'data_batch_1'.*batches = \[1\]"):
        at(tmp_path, "cifar10", path=".", test=0.25)
    assert at(tmp_path, "cifar10", path=".", batches=(2, 4), test=0.25, outputs=10).source.rows == 6


class Harmful:
    """What pickles into a call of a function."""

    def __reduce__(self):
        return (print, ("this ran",))


HUGE = b"\x80\x02}(U\x04dataB\xff\xff\xff\x7f"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no pickle, or a damaged one"),
        (python2_pickle(*batch(1))[:-2000], "no pickle, or a damaged one"),
        (HUGE, "no pickle, or a damaged one"),
        (pickle.dumps([1, 2]), "no pickle of a dictionary"),
        (pickle.dumps({"data": Harmful(), "labels": [1]}), "asks for '__builtin__.print'|'builtins.print'"),
        (pickle.dumps({"data": np.array([Harmful()])}), "asks for"),
        (pickle.dumps({"data": np.array([None]), "labels": [1]}), "of type 'O8', not of numbers"),
        (pickle.dumps({"labels": [1]}), "lacks 'data'"),
        (pickle.dumps({"data": batch(1)[0], "labels": "abcd"}), "labels are no list"),
        (pickle.dumps({"data": batch(1)[0], "labels": [1, 2, 3, 10]}), "labels are no list"),
        (pickle.dumps({"data": batch(1)[0], "labels": [1, 2]}), "4 images, but labels of shape"),
        (pickle.dumps({"data": batch(1)[0].astype(float), "labels": [1] * 4}), "images are float64"),
        (pickle.dumps({"data": batch(1)[0], "fine_labels": [1] * 4}), "CIFAR-100"),
        (pickle.dumps({"data": batch(1)[0][:0], "labels": []}), "no images"),
    ],
)
def test_bad_batches_of_cifar10(tmp_path, capsys, content, message):
    cifar(tmp_path)
    (tmp_path / "data_batch_3").write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        at(tmp_path, "cifar10", path=".")
    assert "net.toml, data, key 'path'" in str(caught.value)
    assert "data_batch_3" in str(caught.value)
    assert capsys.readouterr().out == ""  # nothing ran


def test_an_array_that_claims_other_bytes_than_it_has_is_refused(tmp_path):
    whole = python2_pickle(*batch(1))
    cifar(tmp_path)
    (tmp_path / "data_batch_3").write_bytes(whole.replace(b"K\x01K\x04M\x00\x0c", b"K\x01K\x05M\x00\x0c"))
    with pytest.raises(DataError, match=r"array of shape \(5, 3072\) whose bytes do not fit"):
        at(tmp_path, "cifar10", path=".")


def test_bad_bytes_and_folders_of_cifar10(tmp_path):
    cifar(tmp_path, "binary")
    (tmp_path / "data_batch_2.bin").write_bytes(bytes(3000))
    with pytest.raises(DataError, match=r"3000 bytes, and each image with its label takes 3073"):
        at(tmp_path, "cifar10", path=".")
    (tmp_path / "data_batch_2.bin").write_bytes(bytes([10]) + bytes(3072))
    with pytest.raises(DataError, match="labels are not whole numbers from 0 to 9"):
        at(tmp_path, "cifar10", path=".")
    with pytest.raises(DataError, match=r"is a file, not a folder.*unpacked"):
        at(tmp_path, "cifar10", path="data_batch_1.bin")
    with pytest.raises(DataError, match="there is no folder"):
        at(tmp_path, "cifar10", path="elsewhere")
    outer = tmp_path / "outer"
    (outer / "cifar-10-batches-py").mkdir(parents=True)
    with pytest.raises(DataError, match=r"Name .*cifar-10-batches-py"):
        at(tmp_path, "cifar10", path="outer")
    (outer / "cifar-10-batches-py").rename(outer / "train")
    with pytest.raises(DataError, match="no batches of CIFAR-10"):
        at(tmp_path, "cifar10", path="outer")
    (outer / "test").write_bytes(b"")
    with pytest.raises(DataError, match="CIFAR-100"):
        at(tmp_path, "cifar10", path="outer")


# --- folders of images --------------------------------------------------------------------------------------


def picture(seed, size=(3, 5), mode="RGB"):
    """An image (height, width) of random pixels."""
    shape = size if mode == "L" else (*size, len(mode))
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8))


@pytest.fixture
def animals(tmp_path):
    """Two classes with two images of 3 x 5 pixels each, and a test folder."""
    for folder, count in (("train", 2), ("held", 1)):
        for number, name in enumerate(("dog", "cat")):
            (tmp_path / folder / name).mkdir(parents=True)
            for image in range(count):
                picture(10 * number + image).save(tmp_path / folder / name / f"{image}.png")
    return tmp_path


def test_a_folder_of_images(animals):
    (animals / "train" / "dog" / ".DS_Store").write_bytes(b"x")
    (animals / "train" / "dog" / "notes.txt").write_text("x")
    net = at(animals, "image-folder", path="train", test_path="held", range=(0.0, 1.0), shape=(3, 3, 5))
    assert (net.input_shape, net.outputs, net.source.rows) == ((3, 3, 5), 2, 4)
    assert net.classes == ("cat", "dog")
    x, y = net.source.batch(1, "all")
    assert y.argmax(axis=1).tolist() == [0, 0, 1, 1]  # in the order of the names of folders
    assert np.allclose(x[2] * 255, np.asarray(picture(0)).transpose(2, 0, 1), rtol=1e-14)
    tests, labels = net.source.evaluation(10)
    assert labels.argmax(axis=1).tolist() == [0, 1]
    assert np.array_equal(tests[0], x[0])
    assert "1 file that is no image was left out, first 'dog/notes.txt'" in fact_lines(net.source.facts)


def test_grey_images_and_folders_that_are_numbers(tmp_path):
    for number in (2, 10):
        (tmp_path / str(number)).mkdir()
        picture(number, mode="L").save(tmp_path / str(number) / "a.png")
    net = at(tmp_path, "image-folder", path=".")
    assert net.classes == (2, 10)
    assert net.input_shape == (15,)  # rows in the order of the names, 10 before 2
    assert np.array_equal(net.source.x[0], np.asarray(picture(10, mode="L")).reshape(-1))
    assert at(tmp_path, "image-folder", path=".", color="rgb").input_shape == (45,)
    assert at(tmp_path, "image-folder", path=".", color="grey", size=(2, 2)).input_shape == (4,)
    picture(2, mode="RGB").save(tmp_path / "2" / "b.png")
    colored = at(tmp_path, "image-folder", path=".")
    assert colored.input_shape == (45,)
    three = colored.source.x[0].reshape(3, -1)
    assert np.array_equal(three[0], three[1])  # of a grey image all channels are alike


def test_images_of_several_sizes(animals):
    picture(5, size=(4, 5)).save(animals / "train" / "dog" / "2.png")
    with pytest.raises(DataError, match=r"2.png' has 4 x 5 pixels.*write size = \[3, 5\]"):
        at(animals, "image-folder", path="train")
    net = at(animals, "image-folder", path="train", size=(6, 10))
    assert net.input_shape == (180,)
    flat = Image.new("RGB", (9, 9), (7, 8, 9))
    flat.save(animals / "train" / "dog" / "3.png")
    last = at(animals, "image-folder", path="train", size=(6, 10)).source.x[-1].reshape(3, -1)
    assert np.array_equal(last, np.repeat([[7.0], [8.0], [9.0]], 60, axis=1))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no image of a known format"),
        (b"not an image", "no image of a known format"),
        (None, "missing or damaged|laid out"),
    ],
)
def test_files_that_are_no_images(animals, content, message):
    path = animals / "train" / "dog" / "1.png"
    path.write_bytes(path.read_bytes()[:-30] if content is None else content)
    with pytest.raises(DataError, match=message) as caught:
        at(animals, "image-folder", path="train")
    assert "1.png" in str(caught.value) and "net.toml, data, key 'path'" in str(caught.value)


def test_images_with_more_bits_are_refused(animals):
    deep = Image.fromarray(np.full((3, 5), 40000, dtype=np.uint16))
    deep.save(animals / "train" / "dog" / "1.png")
    with pytest.raises(DataError, match="of mode 'I;16'"):
        at(animals, "image-folder", path="train")


def test_an_image_that_claims_too_many_pixels_is_refused(animals, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5)
    with pytest.raises(DataError, match="more pixels than any image"):
        at(animals, "image-folder", path="train")


def test_folders_of_another_form(animals):
    with pytest.raises(DataError, match=r"holds no folders of classes"):
        at(animals, "image-folder", path="train/dog")
    (animals / "train" / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty' holds no images"):
        at(animals, "image-folder", path="train")
    (animals / "train" / "empty").rmdir()
    with pytest.raises(DataError, match="'test' beside 'test_path'"):
        at(animals, "image-folder", path="train", test_path="held", test=1)
    (animals / "held" / "cow").mkdir()
    picture(1).save(animals / "held" / "cow" / "0.png")
    with pytest.raises(DataError, match="class 'cow' has test images, but no training images"):
        at(animals, "image-folder", path="train", test_path="held")
    picture(1).save(animals / "train" / "loose.png")
    with pytest.raises(DataError, match=r"'loose.png' beside its classes"):
        at(animals, "image-folder", path="train")


def test_images_beyond_memory_are_refused_before_they_are_read(animals, monkeypatch):
    monkeypatch.setattr(image_folder, "_pixels", lambda *_: pytest.fail("it read"))
    with pytest.raises(ResourceError, match=r"size = \[height, width\]"):
        at(animals, "image-folder", path="train", size=(10**6, 10**6))


# --- arrays with a test set of their own --------------------------------------------------------------------


def test_arrays_with_test_samples(tmp_path):
    rng = np.random.default_rng(0)
    held = {"features": rng.normal(size=(6, 3)), "labels": [0, 1, 2] * 2}
    tests = {"more": rng.normal(size=(2, 3)), "theirs": [2, 0]}
    np.savez(tmp_path / "a.npz", **held, **tests, words=["a", "b"], wide=np.ones((2, 4)), one=[1])
    names = {"file": "a.npz", "x": "features", "y": "labels", "test_x": "more"}
    net = at(tmp_path, "arrays", **names, test_y="theirs")
    assert (net.outputs, net.source.rows) == (3, 6)
    x, y = net.source.evaluation(10)
    assert np.array_equal(x, tests["more"]) and y.argmax(axis=1).tolist() == [2, 0]
    with pytest.raises(DataError, match="'test' beside 'test_x'"):
        at(tmp_path, "arrays", **names, test_y="theirs", test=1)
    with pytest.raises(DataError, match="'test_y' holds words, but 'y' numbers"):
        at(tmp_path, "arrays", **names, test_y="words")
    with pytest.raises(DataError, match=r"'test_x' holds numbers \[4\] in each row, but 'x' numbers \[3\]"):
        at(tmp_path, "arrays", **{**names, "test_x": "wide"}, test_y="theirs")
    with pytest.raises(DataError, match="2 rows of test inputs, but 1 of test targets"):
        at(tmp_path, "arrays", **names, test_y="one")
    (tmp_path / "a.csv").write_text("x,y\n1,2\n3,4\n")
    with pytest.raises(DataError, match="'test_x' is for arrays, and this is a text table"):
        at(tmp_path, "arrays", "squared", file="a.csv", test_x="x", test_y="y")
    copied = at(tmp_path, "arrays", "squared", **{**names, "y": "x"})
    assert np.array_equal(copied.source.evaluation(10)[1], tests["more"])
