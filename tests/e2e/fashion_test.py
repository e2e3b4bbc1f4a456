"""Another data set, end to end: digit-train on a part of Fashion-MNIST, served by digitd beside the digits.

Needs data/fashion-mnist (fixture fetch_fashion_mnist).
"""
import json
import os
import tempfile
import unittest

from digitd_test import BIN, MODEL, Daemon, run
from model_files import SIDE, read_idx, write_part

DATA = "data/fashion-mnist"
LABELS = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
TRAINED, TESTED, ASKED = 12_000, 1_000, 100


class FashionTest(unittest.TestCase):
    def test_a_model_of_clothes_is_trained_and_served_with_its_own_labels_beside_the_digits(self):
        with tempfile.TemporaryDirectory() as folder:
            write_part(DATA, folder, "train", TRAINED)
            write_part(DATA, folder, "t10k", TESTED)
            trained = run(f"{BIN}/digit-train", "--out", f"{folder}/clothes.pt", "--dataset", "fashion-mnist",
                          "--data-dir", folder, "--epochs", "1")
            self.assertEqual(trained.returncode, 0, trained.stderr)
            pixels, labels = read_idx(f"{DATA}/t10k-images-idx3-ubyte", 16), read_idx(f"{DATA}/t10k-labels-idx1-ubyte", 8)
            pictures = []
            for i in range(ASKED):
                pictures.append(f"{folder}/{i:03}.pgm")
                with open(pictures[-1], "wb") as f:
                    f.write(b"P5 28 28 255\n" + pixels[i * SIDE**2:(i + 1) * SIDE**2])
            with Daemon("--model", MODEL, "--model", f"{folder}/clothes.pt") as daemon:
                ask = [f"{BIN}/digitctl", "--server", daemon.address, "recognize", "-o", "json"]
                models = run(f"{BIN}/digitctl", "--server", daemon.address, "models").stdout
                self.assertRegex(models, r"clothes\s+\w+\s+live\s+cpu\s+10 .*of fashion-mnist/test")
                answers = run(*ask, "--model", "clothes", *pictures)
                self.assertEqual(answers.returncode, 0, answers.stderr)
                digit = run(*ask, "tests/data/images/seven.png")
                self.assertEqual(json.loads(digit.stdout)["label"], "7", digit.stderr)
        said = [json.loads(line)["label"] for line in answers.stdout.splitlines()]
        self.assertEqual(len(said), ASKED)
        self.assertLessEqual(set(said), set(LABELS))
        right = sum(said[i] == LABELS[labels[i]] for i in range(ASKED))
        self.assertGreaterEqual(right, 60, said)  # chance is 10; a full training reads about 92


if __name__ == "__main__":
    os.environ.pop("DIGIT_SERVER", None)
    unittest.main(verbosity=2)
