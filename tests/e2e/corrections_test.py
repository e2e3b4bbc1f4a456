"""Corrections while the real digitd serves: said, listed, reviewed, exported, kept whatever happens to it."""
import csv
import json
import os
import pathlib
import random
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

import grpc

from digitd_test import BIN, MODEL, Daemon, run

SEVEN, TWO, EIGHT = (f"tests/data/images/{name}" for name in ("seven.png", "two-canvas.png", "eight.bmp"))
SEED = random.randrange(2**32)


class CorrectionsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print("seed", SEED)
        cls.stubs = tempfile.TemporaryDirectory()
        subprocess.run(["/usr/bin/python3", "-m", "grpc_tools.protoc", "-I", "proto", f"--python_out={cls.stubs.name}",
                        f"--grpc_python_out={cls.stubs.name}", "proto/digit/v1/digit.proto"], check=True)
        sys.path.insert(0, cls.stubs.name)
        from digit.v1 import digit_pb2, digit_pb2_grpc
        cls.pb, cls.rpc = digit_pb2, digit_pb2_grpc

    @classmethod
    def tearDownClass(cls):
        cls.stubs.cleanup()

    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.scratch.name)
        self.state = self.folder / "state"
        self.database = self.state / "feedback.db"

    def tearDown(self):
        self.scratch.cleanup()

    def start(self, *flags):
        return Daemon("--model", MODEL, "--state-dir", str(self.state), "--watch", "false", *flags)

    def ctl(self, daemon, *args):
        return run(f"{BIN}/digitctl", "--server", daemon.address, *args)

    def done(self, daemon, *args):
        result = self.ctl(daemon, *args)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def listed(self, daemon, *args):
        return [json.loads(line) for line in self.done(daemon, "feedback", "list", "-o", "json", *args).splitlines()]

    def refused(self, daemon, code, words, *args):
        result = self.ctl(daemon, *args)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        self.assertIn(words, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)

    def recognizes(self, daemon):
        self.assertIn("7", self.done(daemon, "recognize", SEVEN))

    def test_said_listed_reviewed_exported_and_there_after_a_restart(self):
        with self.start() as daemon:
            said = self.done(daemon, "feedback", "add", SEVEN, "--label", "1", "--source", "ada")
            self.assertRegex(said, r"^correction 1: mnist [0-9a-f]{12} answered 7, it is 1 \(pending\)$")
            again = self.done(daemon, "feedback", "add", SEVEN, "--label", "1", "--source", "ada")
            self.assertIn("as was said before", again)
            self.done(daemon, "feedback", "add", TWO, "--not-a-digit")
            self.done(daemon, "feedback", "add", EIGHT, "--label", "8", "--answered", "3", "--version", "gone")
            newest, _, oldest = self.listed(daemon)
            self.assertEqual((newest["label"], newest["answered_label"], newest["version"], newest["source"]),
                             ("8", "3", "gone", "127.0.0.1"))
            self.assertEqual((oldest["label"], oldest["answered_label"], oldest["source"]), ("1", "7", "ada"))
            table = self.done(daemon, "feedback", "list", "--state", "pending", "--limit", "2", "--show")
            self.assertEqual(sum(line.startswith("ID ") for line in table.splitlines()), 1)
            self.assertEqual(table.count("pending"), 2)
            self.assertEqual(sum(line.startswith("    ") for line in table.splitlines()), 2 * 16)  # drawn below

            self.refused(daemon, 1, "no correction of model 'mnist' is accepted", "feedback", "export", "--out",
                         f"{self.folder}/out")
            self.done(daemon, "feedback", "review", "accept", "1", "2")
            self.done(daemon, "feedback", "review", "reject", "3")
            self.refused(daemon, 4, "no correction has the id 99", "feedback", "review", "accept", "3", "99")
            self.done(daemon, "feedback", "export", "--out", f"{self.folder}/out")
            self.assertEqual(daemon.stop(), 0)
        self.check_export(self.folder / "out")

        with self.start() as daemon:
            self.assertEqual([one["state"] for one in self.listed(daemon)],
                             ["FEEDBACK_STATE_REJECTED", "FEEDBACK_STATE_ACCEPTED", "FEEDBACK_STATE_ACCEPTED"])
            stats = json.loads(self.done(daemon, "model", "stats", "-o", "json"))
            live = stats["versions"][0]
            self.assertEqual((live["corrections"], live["confirmed"]), ("2", "0"))
            self.assertEqual(live["confusion"][1 * 11 + 7], "1")   # a 1, answered as 7
            self.assertEqual(live["confusion"][10 * 11 + 2], "1")  # no digit, answered as 2
            self.recognizes(daemon)
            self.assertIn("answers      1, mean confidence", self.done(daemon, "model", "stats"))

    def check_export(self, out):
        images = (out / "train-images-idx3-ubyte").read_bytes()
        labels = (out / "train-labels-idx1-ubyte").read_bytes()
        self.assertEqual(struct.unpack(">IIII", images[:16]), (0x803, 2, 28, 28))
        self.assertEqual(len(images), 16 + 2 * 784)
        self.assertGreater(max(images[16:16 + 784]), 200)
        self.assertEqual(struct.unpack(">II", labels[:8]), (0x801, 2))
        self.assertEqual(labels[8:], bytes([1, 255]))
        with open(out / "feedback.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([(row["id"], row["class"], row["label"], row["answered"]) for row in rows],
                         [("1", "1", "1", "7"), ("2", "255", "not a digit", "2")])

    def test_sources_that_agree_are_believed_where_the_operator_says_so(self):
        with self.start("--feedback-agreement", "2", "--max-feedback-per-source", "2") as daemon:
            self.done(daemon, "feedback", "add", SEVEN, "--label", "1", "--source", "ada")
            self.assertIn("(accepted)", self.done(daemon, "feedback", "add", SEVEN, "--label", "1", "--source", "bob"))
            self.done(daemon, "feedback", "add", SEVEN, "--label", "7", "--source", "eve")
            self.assertEqual({one["state"] for one in self.listed(daemon)}, {"FEEDBACK_STATE_PENDING"})
            self.done(daemon, "feedback", "add", TWO, "--label", "2", "--source", "eve")
            self.refused(daemon, 4, "source 'eve' has 2 corrections that nobody has reviewed, and the limit is 2",
                         "feedback", "add", EIGHT, "--label", "8", "--source", "eve")

    def test_bad_input_says_what_is_wrong(self):
        with self.start() as daemon:
            self.refused(daemon, 4, "it has 0, 1, 2", "feedback", "add", SEVEN, "--label", "seven")
            self.refused(daemon, 4, "no model 'nobody'", "feedback", "add", SEVEN, "--label", "7", "--model", "nobody")
            self.refused(daemon, 1, "no digit found", "feedback", "add", "tests/data/images/blank.png", "--label", "7")
            self.refused(daemon, 4, "no digit found", "feedback", "add", "tests/data/images/blank.png", "--label", "7",
                         "--answered", "7")
            self.assertFalse(self.database.exists())

    def test_pictures_and_reviews_are_for_admins(self):
        token = self.folder / "token"
        token.write_text("0123456789abcdef\n")
        with self.start("--admin-token-file", str(token)) as daemon:
            self.done(daemon, "feedback", "add", SEVEN, "--label", "7")
            for call in (["list"], ["review", "accept", "1"], ["export", "--out", f"{self.folder}/out"]):
                self.refused(daemon, 4, "for admins", "feedback", *call)
            self.done(daemon, "--admin-token-file", str(token), "feedback", "review", "accept", "1")
            self.done(daemon, "model", "stats")

    def submit_until_gone(self, address, thread, acknowledged, ends):
        """Pictures of chance, each with a label of its own choice, one after the other."""
        chance = random.Random(SEED + thread)
        stub = self.rpc.DigitServiceStub(grpc.insecure_channel(address))
        try:
            while True:
                pixels, label = chance.randbytes(784), str(chance.randrange(10))
                stub.SubmitFeedback(self.pb.SubmitFeedbackRequest(
                    image=self.pb.Image(pixels=pixels), label=label, source=f"thread {thread}"), timeout=60)
                acknowledged[pixels] = label
        except grpc.RpcError as error:
            ends.append(error.code())

    def test_what_was_acknowledged_is_there_after_kill_9(self):
        acknowledged, ends = {}, []
        for killed_after in (5, 60, 150):
            with self.start() as daemon:
                threads = [threading.Thread(target=self.submit_until_gone,
                                            args=(daemon.address, killed_after * 10 + i, acknowledged, ends))
                           for i in range(4)]
                for thread in threads:
                    thread.start()
                while len(acknowledged) < killed_after:
                    self.assertIsNone(daemon.process.poll())
                daemon.stop(signal.SIGKILL)
                for thread in threads:
                    thread.join()
            before = dict(acknowledged)
            self.assertEqual(set(ends), {grpc.StatusCode.UNAVAILABLE})
            with self.start() as daemon:
                stub = self.rpc.DigitServiceStub(grpc.insecure_channel(daemon.address))
                stored, token = {}, ""
                while True:
                    page = stub.ListFeedback(self.pb.ListFeedbackRequest(page_size=100, page_token=token,
                                                                         include_pixels=True), timeout=60)
                    stored |= {one.pixels: one.label for one in page.feedback}
                    token = page.next_page_token
                    if not token:
                        break
                self.assertEqual({pixels: stored.get(pixels) for pixels in before}, before)
                self.assertLessEqual(len(stored), len(before) + 3 * 4)  # and what was on its way
                self.assertEqual(daemon.stop(), 0)
            connection = sqlite3.connect(self.database)
            self.assertEqual(connection.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            self.assertEqual(connection.execute("PRAGMA foreign_key_check").fetchall(), [])
            connection.close()

    def test_without_a_state_folder_only_what_needs_it_fails(self):
        self.state = pathlib.Path("/proc/digitd")  # nobody can make that
        with self.start() as daemon:
            self.refused(daemon, 4, "/proc/digitd", "feedback", "add", SEVEN, "--label", "7")
            self.assertEqual(self.listed(daemon), [])
            self.recognizes(daemon)
            self.done(daemon, "model", "stats")

    def test_garbage_in_place_of_the_database_is_said_and_once_it_is_moved_away_all_works_again(self):
        self.state.mkdir()
        self.database.write_bytes(random.Random(SEED).randbytes(50_000))
        with self.start() as daemon:
            for call in (["feedback", "add", SEVEN, "--label", "7"], ["feedback", "list"]):
                self.refused(daemon, 4, f"'{self.database}' is damaged, or no database", *call)
            self.recognizes(daemon)
            stats = self.ctl(daemon, "model", "stats")
            self.assertEqual(stats.returncode, 0)
            self.assertIn(str(self.database), stats.stderr)
            self.database.rename(self.folder / "damaged")
            self.done(daemon, "feedback", "add", SEVEN, "--label", "7")

            # And again while it is open.
            (self.folder / "garbage").write_bytes(b"x" * 10_000)
            for extension in ("-wal", "-shm"):
                os.remove(f"{self.database}{extension}")
            (self.folder / "garbage").rename(self.database)
            self.refused(daemon, 4, str(self.database), "feedback", "add", TWO, "--label", "2")
            self.recognizes(daemon)
            self.database.rename(self.folder / "damaged")
            self.done(daemon, "feedback", "add", TWO, "--label", "2")
            self.assertEqual(daemon.stop(), 0)

    def test_drift_shows_when_other_digits_come(self):
        with self.start() as daemon:
            stub = self.rpc.DigitServiceStub(grpc.insecure_channel(daemon.address))

            def ask(files, times):
                """About pictures of each of the files in turns."""
                images = [self.pb.Image(encoded=pathlib.Path(file).read_bytes()) for file in files]
                framed = stub.Recognize(self.pb.RecognizeRequest(
                    images=images, options=self.pb.RecognizeOptions(include_pixels=True)), timeout=60)
                packed = b"".join(result.pixels for result in framed.results) * 100
                for _ in range(times):
                    stub.Recognize(self.pb.RecognizeRequest(packed_pixels=packed), timeout=60)

            ask([SEVEN, TWO], 12)
            self.assertIn("(none): the last", self.done(daemon, "model", "stats"))
            ask([SEVEN], 24)
            shown = self.done(daemon, "model", "stats")
            self.assertIn("(large): the last", shown)
            self.assertRegex(shown, r"at first +0.0 % +0.0 % +50.\d %")


if __name__ == "__main__":
    os.environ.pop("DIGIT_SERVER", None)
    os.environ.pop("DIGIT_ADMIN_TOKEN_FILE", None)
    unittest.main(verbosity=2)
