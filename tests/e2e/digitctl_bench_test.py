"""`digitctl bench` against the real digitd: every mode, the output, the faults. Nothing here depends on speed.

Run by ctest with DIGIT_BIN_DIR set, in the source folder; or by hand: DIGIT_BIN_DIR=build/release/bin python3 THIS.
"""
import csv
import io
import json
import os
import re
import signal
import struct
import subprocess
import tempfile
import threading
import unittest
import xml.etree.ElementTree

BIN = os.environ["DIGIT_BIN_DIR"]
DIGITCTL = os.path.abspath(os.path.join(BIN, "digitctl"))
DIGITD = os.path.abspath(os.path.join(BIN, "digitd"))
MODEL = os.path.abspath("model/pretrained/mnist.pt")
SAMPLES = os.path.abspath("tests/data/images")
QUICK = ["--warmup", "100ms", "--window", "200ms", "--generate", "40"]
SHORT = [*QUICK, "--duration", "600ms"]  # about a second, whatever the machine does
ENDLESS = [*QUICK, "--duration", "60s", "--stable", "0.001%"]


class Digitd:
    def __init__(self):
        self.process = subprocess.Popen([DIGITD, "--model", MODEL, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        self.server = None
        for line in self.process.stdout:
            if found := re.search(r"serving address=(\S+)", line):
                self.server = found.group(1)
                break
        assert self.server, "digitd said no address"

    def images(self):
        stats = subprocess.run([DIGITCTL, "--server", self.server, "model", "stats", "-o", "json"],
                               capture_output=True, text=True, check=True)
        return int(json.loads(stats.stdout)["versions"][0]["answers"]["images"])

    def wait_for_load(self):
        """Until it has answered more; the test's time limit is the bound."""
        before = self.images()
        while self.images() == before:
            pass

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.communicate(timeout=60)


class BenchTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.digitd = Digitd()

    @classmethod
    def tearDownClass(cls):
        cls.digitd.end()
        assert cls.digitd.process.returncode == 0, f"digitd ended with {cls.digitd.process.returncode}"

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def run_bench(self, *args, code=0, server=None):
        env = {**os.environ, "DIGIT_SERVER": server or self.digitd.server}
        done = subprocess.run([DIGITCTL, "bench", *args], env=env, capture_output=True, text=True, timeout=120,
                              check=False, cwd=self.folder.name)
        self.assertEqual(done.returncode, code, f"{args}: {done.stdout}{done.stderr}")
        return done.stdout, done.stderr

    def points(self, *args, code=0, server=None):
        out, _ = self.run_bench(*SHORT, *args, "-o", "json", code=code, server=server)
        points = [json.loads(line) for line in out.splitlines()]
        for point in points:
            self.assertEqual(point["requests"], point["answers"] + point["errors"])
            self.assertEqual(point["errors"], sum(point["errors_by_code"].values()))
            self.assertEqual(len(point["window_images_per_second"]), point["windows"])
        return points

    def assert_clean(self, point):
        self.assertGreater(point["answers"], 0)
        self.assertEqual([point[key] for key in ("errors", "wrong", "not_sent")], [0, 0, 0], point)
        self.assertLessEqual(point["p50_us"], point["p99_us"])
        self.assertLessEqual(point["p99_us"], point["max_us"])
        self.assertGreater(point["images_per_second"], 0)
        self.assertGreater(point["client_cpu_us_per_image"], 0)
        self.assertGreater(point["server_times_requests"], 0)
        self.assertGreaterEqual(point["server_batch_images"], 1)

    def test_every_mode_is_answered_rightly(self):
        for args, images in ((["--mode", "unary", "--concurrency", "8"], 1),
                             (["--mode", "unary", "--concurrency", "9", "--connections", "2"], 1),
                             (["--mode", "packed", "--concurrency", "2", "--images-per-message", "16"], 16),
                             (["--mode", "stream", "--concurrency", "9", "--streams", "3", "--connections", "2"], 1),
                             (["--mode", "stream", "--concurrency", "2", "--images-per-message", "7"], 7),
                             (["--mode", "unary", "--rate", "200"], 1),
                             (["--mode", "packed", "--rate", "100", "--images-per-message", "3"], 3),
                             (["--mode", "stream", "--rate", "200", "--streams", "2"], 1)):
            with self.subTest(args=args):
                [point] = self.points(*args)
                self.assert_clean(point)
                self.assertEqual(point["images_per_message"], images)
                self.assertEqual(point["labelled_images"], point["answers"] * images)
                self.assertGreater(point["accuracy"], 0.9)
                self.assertEqual(point["latency_from"], "due" if "--rate" in args else "sent")

    def test_the_server_on_this_machine_is_found(self):
        [point] = self.points("--concurrency", "2")
        self.assertEqual(point["server_process"], f"digitd, pid {self.digitd.process.pid}")
        self.assertGreater(point["server_cpu_us_per_image"], 0)

    def test_a_sweep_in_csv_and_as_a_plot(self):
        out, err = self.run_bench(*SHORT, "--concurrency", "1:4:2x", "-o", "csv", "--plot", "out.svg")
        rows = list(csv.DictReader(io.StringIO(out)))
        self.assertEqual([row["concurrency"] for row in rows], ["1", "2", "4"])
        self.assertEqual({row["errors_by_code"] for row in rows}, {""})
        self.assertEqual(err, "")
        svg = xml.etree.ElementTree.parse(self.path("out.svg")).getroot()
        self.assertEqual(svg.tag, "{http://www.w3.org/2000/svg}svg")
        self.assertEqual(os.listdir(self.folder.name), ["out.svg"])

    def test_text_says_what_a_sceptic_asks(self):
        out, _ = self.run_bench(*SHORT, "--rate", "100")
        for words in ("open loop", "p99.9", "latencies count from the moment a request was due", "windows",
                      "of its mean over all windows", "every one is what the server says for that picture alone",
                      "where the mean of", "images in a batch"):
            self.assertIn(words, out)

    def test_files_are_sent_and_bad_ones_left_out(self):
        out, err = self.run_bench(*SHORT, "--images", SAMPLES, "--concurrency", "2", "-o", "json")
        point = json.loads(out)
        self.assert_clean(point)
        self.assertEqual(point["picture_count"], 5)
        self.assertIsNone(point["accuracy"])
        self.assertRegex(err, r"^digitctl: left out: .*blank\.png: no digit found[^\n]*\n$")

    def test_an_idx_folder_gives_labels(self):
        pixels = bytearray(784)
        for y in range(4, 24):
            pixels[y * 28 + 13] = pixels[y * 28 + 14] = 255  # a 1
        with open(self.path("t10k-images-idx3-ubyte"), "wb") as file:
            file.write(struct.pack(">IIII", 0x803, 2, 28, 28) + bytes(pixels) * 2)
        with open(self.path("t10k-labels-idx1-ubyte"), "wb") as file:
            file.write(struct.pack(">II", 0x801, 2) + bytes([1, 7]))
        [point] = self.points("--idx", self.folder.name, "--concurrency", "2")
        self.assert_clean(point)
        self.assertEqual(point["picture_count"], 2)
        self.assertAlmostEqual(point["accuracy"], 0.5, delta=0.3)  # the second label is a lie

    def test_errors_of_the_server_are_counted_by_code(self):
        [point] = self.points("--mode", "packed", "--images-per-message", "2000", "--concurrency", "1", code=1)
        self.assertEqual(set(point["errors_by_code"]), {"INVALID_ARGUMENT"})
        self.assertIn("1024", point["first_error"])
        self.assertTrue(point["given_up"])

    def killed(self, *args):
        """A run whose server is killed under way; returns its only point."""
        digitd = Digitd()
        with subprocess.Popen([DIGITCTL, "bench", "--server", digitd.server, *ENDLESS, *args, "-o", "csv"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            header = process.stdout.readline()  # the load starts after it
            digitd.wait_for_load()
            killer = threading.Timer(1, digitd.end, [signal.SIGKILL])
            killer.start()
            out, err = process.communicate(timeout=60)
            killer.join()
        self.assertEqual(process.returncode, 1, err)
        self.assertIn("given up: a whole window without one answer", err)
        [point] = csv.DictReader(io.StringIO(header + out))
        return point

    def test_a_killed_server_is_an_error_and_no_hang(self):
        for args in (["--concurrency", "4"], ["--mode", "stream", "--concurrency", "4"], ["--rate", "100"],
                     ["--mode", "stream", "--rate", "100"]):
            with self.subTest(args=args):
                point = self.killed(*args)
                self.assertRegex(point["errors_by_code"], r"\bUNAVAILABLE=[1-9]")
                self.assertEqual(point["given_up"], "true")
                self.assertEqual(point["wrong"], "0")
                self.assertEqual(int(point["requests"]), int(point["answers"]) + int(point["errors"]))

    def test_ctrl_c_prints_what_was_measured(self):
        with subprocess.Popen([DIGITCTL, "bench", "--server", self.digitd.server, *ENDLESS, "--concurrency",
                               "2,4"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            for line in process.stdout:  # the load starts after the table's header
                if "us/image" in line:
                    break
            self.digitd.wait_for_load()
            threading.Timer(1, process.send_signal, [signal.SIGINT]).start()
            out, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1)
        self.assertRegex(out, r"^ +2 +[\d,.]+ ")
        self.assertIn("interrupted: this is what was measured until then", out)
        self.assertNotIn("4 in flight", out)

    def test_faults_before_the_load(self):
        out, err = self.run_bench(code=3, server="127.0.0.1:1")
        self.assertEqual(out, "")
        self.assertEqual(err, "digitctl: cannot reach 127.0.0.1:1: connection refused. Is digitd running? "
                              "Start it with: digitd --model mnist.pt\n")
        self.assertIn("'nope'", self.run_bench("--model", "nope", code=4)[1])
        self.assertIn("'nope'", self.run_bench("--model-version", "nope", code=4)[1])

    def test_wrong_usage_is_one_line_that_names_the_flag(self):
        for flag, *more in (["--concurrency", "0"], ["--concurrency", "4:1:2x"], ["--rate", "soon"],
                            ["--rate", "5", "--concurrency", "5"], ["--mode", "fast"], ["--stable", "5"],
                            ["--images-per-message", "8"], ["--streams", "2"], ["--duration", "1ms"],
                            ["--window", "0s"], ["--images", "nothing.png"], ["--idx", self.folder.name],
                            ["--images", "a.png", "--mode", "packed"], ["--plot", "/nonexistent/out.svg"],
                            ["--plot", self.folder.name], ["--frobnicate"]):
            out, err = self.run_bench(flag, *more, code=2)
            self.assertEqual(out, "")
            self.assertRegex(err, rf"^digitctl: [^\n]*{flag}[^\n]*\n$")
        self.assertEqual(os.listdir(self.folder.name), [])

    def test_help_leads_with_examples(self):
        out, _ = self.run_bench("--help")
        self.assertLess(out.index("Examples:"), out.index("Usage:"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
