"""What the tests that change models share: files made by Python's torch, parts of data sets, and a file that is served."""
import json
import os
import shutil
import tempfile
import unittest

from digitd_test import BIN, MODEL, run

SIDE = 28


def make_models(script, folder):
    """Runs a Python script with torch, which gets the shipped model and the folder to write to."""
    with open(f"{folder}/make.py", "w") as file:
        file.write(script)
    made = run("/usr/bin/python3", "-B", file.name, MODEL, folder)
    assert made.returncode == 0, made.stderr


def put_file(source, target):
    """As a careful writer does: beside it, then renamed."""
    shutil.copy(source, f"{target}.new")
    os.rename(f"{target}.new", target)


def read_idx(path, header_bytes):
    with open(path, "rb") as f:
        return f.read()[header_bytes:]


def write_part(data, folder, prefix, images):
    """The first `images` of the set `prefix` in the folder `data` as IDX files of their own."""
    os.makedirs(folder, exist_ok=True)
    count, side = images.to_bytes(4, "big"), SIDE.to_bytes(4, "big")
    with open(f"{folder}/{prefix}-images-idx3-ubyte", "wb") as f:
        pixels = read_idx(f"{data}/{prefix}-images-idx3-ubyte", 16)[:images * SIDE**2]
        f.write(b"\0\0\x08\x03" + count + side + side + pixels)
    with open(f"{folder}/{prefix}-labels-idx1-ubyte", "wb") as f:
        f.write(b"\0\0\x08\x01" + count + read_idx(f"{data}/{prefix}-labels-idx1-ubyte", 8)[:images])


class ServedModelTest(unittest.TestCase):
    """Each test has self.file, a copy of the shipped model to serve and replace; self.made has what MAKE makes."""

    MAKE = ""

    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.made = scratch.name
        make_models(cls.MAKE, cls.made)

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.file = f"{self.folder}/mnist.pt"
        self.put(MODEL)

    def put(self, source):
        put_file(source, self.file)

    def ctl(self, daemon, *args):
        return run(f"{BIN}/digitctl", "--server", daemon.address, "--timeout", "50s", *args)

    def do(self, daemon, *args):
        done = self.ctl(daemon, *args)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def versions(self, daemon, name="mnist"):
        for line in self.do(daemon, "models", "-o", "json").splitlines():
            model = json.loads(line)
            if model["name"] == name:
                return model["versions"]
        return []

    def live(self, daemon, name="mnist"):
        versions = self.versions(daemon, name)
        return versions[0]["version"] if versions else None

    def wait_for(self, daemon, what, name="mnist"):
        """Until `what` holds for the versions; the test's time limit is the bound."""
        while not what(versions := self.versions(daemon, name)):
            self.assertIsNone(daemon.process.poll())
        return versions
