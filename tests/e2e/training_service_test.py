"""Training in service: the real digitd, digit-train and digitctl. Needs data/mnist (fixture fetch_mnist).

The loop that it is for: a hand that the shipped model reads badly, corrections, training, the gate, and the right digits.
"""
import json
import math
import os
import signal
import subprocess
import tempfile
import unittest

from digitd_test import BIN, MODEL, Daemon, run
from model_files import SIDE, read_idx, write_part

DATA = "data/mnist"
PIXELS = SIDE * SIDE


def rotated(pixels, degrees):
    """The picture, turned; nearest neighbour."""
    cos, sin, middle = math.cos(math.radians(degrees)), math.sin(math.radians(degrees)), (SIDE - 1) / 2
    out = bytearray(PIXELS)
    for y in range(SIDE):
        for x in range(SIDE):
            u = round(cos * (x - middle) + sin * (y - middle) + middle)
            v = round(-sin * (x - middle) + cos * (y - middle) + middle)
            if 0 <= u < SIDE and 0 <= v < SIDE:
                out[y * SIDE + x] = pixels[v * SIDE + u]
    return bytes(out)


class TrainingTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = cls.scratch.name
        write_part(DATA, f"{cls.folder}/data/part", "train", 4000)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def start(self, *flags, state=None):
        state = ("--state-dir", state) if state else ()
        return Daemon("--model", MODEL, "--data-dir", f"{self.folder}/data", *state, *flags)

    def ctl(self, daemon, *args):
        return run(f"{BIN}/digitctl", "--server", daemon.address, *args)

    def begin(self, daemon, *args):
        """A detached training; its id."""
        begun = self.ctl(daemon, "train", "--detach", "--data-set", "part", *args)
        self.assertEqual(begun.returncode, 0, begun.stderr)
        return begun.stdout.strip()

    def watch(self, daemon, training, until=lambda training: False):
        """Follows it until that holds or it has ended; what it is then."""
        with subprocess.Popen([f"{BIN}/digitctl", "--server", daemon.address, "train", "watch", training, "-o", "json"],
                              stdout=subprocess.PIPE, text=True) as watching:
            for line in watching.stdout:
                last = json.loads(line)
                if until(last):
                    break
            watching.kill()
        return last

    def children(self, daemon):
        with open(f"/proc/{daemon.process.pid}/task/{daemon.process.pid}/children") as children:
            found = children.read().split()
        for task in os.listdir(f"/proc/{daemon.process.pid}/task"):  # it is the child of the thread that started it
            with open(f"/proc/{daemon.process.pid}/task/{task}/children") as children:
                found += children.read().split()
        return sorted({int(pid) for pid in found})

    def trains(self, training):
        return training["state"] == "TRAINING_STATE_RUNNING" and "progress" in training

    def test_corrections_teach_it_a_hand_that_it_read_badly(self):
        images, labels = read_idx(f"{DATA}/train-images-idx3-ubyte", 16), read_idx(f"{DATA}/train-labels-idx1-ubyte", 8)
        files = []
        for i in range(150):
            files.append(f"{self.folder}/{i:03d}-{labels[i]}.pgm")
            with open(files[-1], "wb") as f:
                f.write(b"P5 28 28 255\n" + rotated(images[i * PIXELS:(i + 1) * PIXELS], 40))
        with self.start() as daemon:
            def wrong():
                answers = self.ctl(daemon, "recognize", "-o", "json", *files)
                rows = [json.loads(line) for line in answers.stdout.splitlines()]
                return [row["file"] for row in rows if row.get("label") != row["file"][-5]]
            before = wrong()
            self.assertGreater(len(before), 10)
            for file in before:
                added = self.ctl(daemon, "feedback", "add", file, "--label", file[-5], "--source", "ada")
                self.assertEqual(added.returncode, 0, added.stderr)
            refused = self.ctl(daemon, "train", "--fine-tune", "--corrections")
            self.assertEqual(refused.returncode, 4)
            self.assertIn("no accepted corrections", refused.stderr)
            listed = self.ctl(daemon, "feedback", "list", "-o", "json")
            ids = [str(json.loads(line)["id"]) for line in listed.stdout.splitlines()]
            self.assertEqual(len(ids), len(before))
            self.assertEqual(self.ctl(daemon, "feedback", "review", "accept", *ids).returncode, 0)

            trained = self.ctl(daemon, "train", "--fine-tune", "--corrections", "--data-set", "part")
            self.assertEqual(trained.returncode, 0, trained.stdout + trained.stderr)
            self.assertRegex(trained.stdout, r"epoch +2 +\d+\.\d\d %  #+\nmnist 1 is live\n  gate: .*agreement")
            after = wrong()
            self.assertLess(len(after), len(before) / 2)
            self.assertEqual(daemon.stop(), 0)

    def test_a_training_is_followed_cancelled_and_listed(self):
        with self.start() as daemon:
            training = self.begin(daemon, "--epochs", "1000", "--promote", "never")
            self.watch(daemon, training, self.trains)
            second = self.begin(daemon)
            self.assertEqual(self.watch(daemon, second, lambda _: True)["state"], "TRAINING_STATE_QUEUED")
            self.assertEqual(self.ctl(daemon, "train", "cancel", second).returncode, 0)
            self.assertEqual(self.ctl(daemon, "train", "cancel", training).returncode, 0)
            ended = self.ctl(daemon, "train", "watch", training)
            self.assertEqual(ended.returncode, 1)
            self.assertIn(f"training {training} was cancelled", ended.stderr)
            rows = self.ctl(daemon, "train", "list").stdout.splitlines()
            self.assertEqual([row.split()[0] for row in rows[1:]], [second, training])
            self.assertEqual(self.ctl(daemon, "train", "cancel", training).returncode, 4)
            self.assertEqual(self.ctl(daemon, "train", "watch", "nobody").returncode, 4)
            self.assertEqual(self.children(daemon), [])

    def test_a_caller_who_goes_takes_the_training_along(self):
        with self.start() as daemon:
            caller = subprocess.Popen([f"{BIN}/digitctl", "--server", daemon.address, "train", "--data-set", "part",
                                       "--epochs", "1000", "-o", "json"], stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True)
            training = json.loads(caller.stdout.readline())["id"]
            caller.send_signal(signal.SIGINT)
            _, words = caller.communicate(timeout=60)
            self.assertEqual(caller.returncode, 130)
            self.assertIn("the training is cancelled", words)
            self.assertEqual(self.watch(daemon, training)["state"], "TRAINING_STATE_CANCELLED")

    def test_a_trainer_that_dies_or_wants_too_much_memory_is_a_failed_training_and_no_more(self):
        with self.start() as daemon:
            training = self.begin(daemon, "--epochs", "1000")
            self.watch(daemon, training, self.trains)
            [trainer] = self.children(daemon)
            os.kill(trainer, signal.SIGKILL)
            failed = self.watch(daemon, training)
            self.assertEqual(failed["state"], "TRAINING_STATE_FAILED")
            self.assertIn("signal 9", failed["error"])
            self.assertEqual(self.ctl(daemon, "recognize", "tests/data/images/seven.png").returncode, 0)
        with self.start("--trainer-memory", str(48 << 20)) as daemon:
            failed = self.watch(daemon, self.begin(daemon))
            self.assertEqual(failed["state"], "TRAINING_STATE_FAILED")
            self.assertRegex(failed["error"], "memory")
            self.assertEqual(self.ctl(daemon, "recognize", "tests/data/images/seven.png").returncode, 0)

    def test_it_survives_the_end_of_the_daemon(self):
        state = f"{self.folder}/state"
        with self.start(state=state) as daemon:
            training = self.begin(daemon, "--epochs", "6", "--promote", "never")
            self.watch(daemon, training, lambda training: len(training["epochs"]) > 1)
            [trainer] = self.children(daemon)
            daemon.process.kill()
            daemon.process.wait()
        with self.start(state=state) as daemon:
            done = self.watch(daemon, training)
            self.assertEqual(done["state"], "TRAINING_STATE_DONE", done["error"])
            self.assertEqual([epoch["epoch"] for epoch in done["epochs"]], [1, 2, 3, 4, 5, 6])
            self.assertEqual((done["version"], done["promoted"]), ("1", False))
            with open(f"{state}/trainings/{training}/log") as log:
                self.assertIn("going on from step", log.read())
            self.assertFalse(os.path.exists(f"/proc/{trainer}"))
            # A polite end, too.
            training = self.begin(daemon, "--epochs", "6", "--promote", "never")
            self.watch(daemon, training, lambda training: len(training["epochs"]) > 1)
            self.assertEqual(daemon.stop(), 0)
        with self.start(state=state) as daemon:
            done = self.watch(daemon, training)
            self.assertEqual((done["state"], done["version"]), ("TRAINING_STATE_DONE", "2"), done["error"])
            candidate = self.ctl(daemon, "recognize", "--model-version", "candidate", "tests/data/images/seven.png")
            self.assertEqual(candidate.returncode, 0, candidate.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "mounts a tmpfs, which needs root")
    def test_a_full_disk_is_a_failed_training_and_no_half_version(self):
        state = f"{self.folder}/small"
        os.makedirs(state)
        mounted = run("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", state)
        if mounted.returncode != 0:
            self.skipTest("a tmpfs cannot be mounted here: " + mounted.stderr)
        try:
            with self.start(state=state) as daemon:
                failed = self.watch(daemon, self.begin(daemon))  # its checkpoint has 3.6 MB
                self.assertEqual(failed["state"], "TRAINING_STATE_FAILED")
                self.assertIn("No space left", failed["error"])
                self.assertFalse(os.path.exists(f"{state}/models"))
                self.assertEqual(self.ctl(daemon, "recognize", "tests/data/images/seven.png").returncode, 0)
                self.assertEqual(daemon.stop(), 0)
        finally:
            run("umount", state)

    def test_what_cannot_be_trained_is_refused_in_one_line(self):
        with self.start() as daemon:
            for args, words in [(["--data-set", "letters"], "letters"), (["--data-set", "../data"], "data_set"),
                                ([], "nothing to train on"), (["--corrections"], "fine_tune"),
                                (["other", "--data-set", "part"], "other")]:
                refused = self.ctl(daemon, "train", *args)
                self.assertEqual(refused.returncode, 4, args)
                self.assertIn(words, refused.stderr)
                self.assertEqual(refused.stderr.count("\n"), 1, refused.stderr)
            self.assertEqual(self.ctl(daemon, "train", "--epochs", "0").returncode, 2)
        with self.start("--trainer", "/no/such/digit-train") as daemon:
            refused = self.ctl(daemon, "train", "--data-set", "part")
            self.assertIn("/no/such/digit-train", refused.stderr)


if __name__ == "__main__":
    unittest.main()
