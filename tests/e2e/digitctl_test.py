"""The real digitctl against the real digitd, as a user runs them. Needs Python 3 and nothing else.

Run by ctest with DIGIT_BIN_DIR set, in the source folder; or by hand: DIGIT_BIN_DIR=build/release/bin python3 THIS.
"""
import csv
import io
import json
import os
import pty
import re
import signal
import struct
import subprocess
import tempfile
import unittest
import zlib

BIN = os.environ["DIGIT_BIN_DIR"]
DIGITCTL = os.path.abspath(os.path.join(BIN, "digitctl"))
DIGITD = os.path.abspath(os.path.join(BIN, "digitd"))
MODEL = os.path.abspath("model/pretrained/mnist.pt")


def png(rows):
    """A grey PNG file of rows of 0..255."""
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def one():
    """A 1: black stroke, 6 wide and 70 high, on white paper of 100x100."""
    return png([[0 if 15 <= y < 85 and 47 <= x < 53 else 255 for x in range(100)] for y in range(100)])


def zero():
    """A 0: an oval ring."""
    def ink(x, y):
        return 0.6 <= ((x - 50) / 28) ** 2 + ((y - 50) / 38) ** 2 <= 1.1
    return png([[0 if ink(x, y) else 255 for x in range(100)] for y in range(100)])


BLANK = png([[255] * 40 for _ in range(40)])


class DigitctlTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.digitd = subprocess.Popen([DIGITD, "--model", MODEL, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True)
        cls.server = None
        for line in cls.digitd.stdout:
            found = re.search(r"serving address=(\S+)", line)
            if found:
                cls.server = found.group(1)
                break
        assert cls.server, "digitd said no address"

    @classmethod
    def tearDownClass(cls):
        cls.digitd.send_signal(signal.SIGTERM)
        cls.digitd.communicate(timeout=60)
        assert cls.digitd.returncode == 0, f"digitd ended with {cls.digitd.returncode}"

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.write("one.png", one())

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, data):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as file:
            file.write(data)

    def environment(self, **more):
        env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TERM", "LC_ALL", "LANG", "LC_CTYPE")}
        return {**env, "DIGIT_SERVER": self.server, "LC_ALL": "C", **more}

    def run_ctl(self, *args, code=0, stdin=b"", **env):
        """Runs digitctl in the folder; returns (stdout, stderr) as text."""
        done = subprocess.run([DIGITCTL, *args], cwd=self.folder.name, env=self.environment(**env), input=stdin,
                              capture_output=True, timeout=120, check=False)
        out, err = done.stdout.decode(), done.stderr.decode()
        self.assertEqual(done.returncode, code, f"{args}: {out}{err}")
        return out, err

    def run_on_terminal(self, *args, **env):
        """Runs digitctl with stdout and stderr on a terminal; returns what the terminal got."""
        leader, follower = pty.openpty()
        with subprocess.Popen([DIGITCTL, *args], cwd=self.folder.name, env=self.environment(**{"TERM": "xterm", **env}),
                              stdin=subprocess.DEVNULL, stdout=follower, stderr=follower) as process:
            os.close(follower)
            out = b""
            try:
                while chunk := os.read(leader, 65536):
                    out += chunk
            except OSError:  # the terminal's end
                pass
            os.close(leader)
            self.assertEqual(process.wait(timeout=120), 0)
        return out.decode()

    def test_good_picture_is_one_line(self):
        out, err = self.run_ctl("recognize", "one.png")
        self.assertRegex(out, r"^one\.png: 1 \(>?\d+\.\d %\)\n$")
        self.assertEqual(err, "")

    def test_top_k_show_and_timing(self):
        out, _ = self.run_ctl("recognize", "one.png", "--top-k", "3", "--show", "--timing")
        lines = out.splitlines()
        self.assertEqual(len(lines), 1 + 3 + 1 + 16)
        self.assertRegex(lines[1], r"^    1 +>?\d+\.\d %  #+$")
        self.assertRegex(lines[4], r"^    decode .* ms, queue .* ms, compute .* ms in a batch of \d+ on cpu:")
        self.assertEqual(lines[5], "    +" + "-" * 28 + "+")
        self.assertTrue(any("@" in line for line in lines[6:20]), out)  # ASCII, as the locale is C
        self.assertIn("┌", self.run_ctl("recognize", "one.png", "--show", LC_ALL="C.UTF-8")[0])

    def test_bad_files_do_not_stop_the_others(self):
        self.write("blank.png", BLANK)
        self.write("broken.png", one()[:60])
        self.write("text.png", b"not a picture")
        self.write("empty.png", b"")
        with open(self.path("big.png"), "wb") as file:
            file.truncate((12 << 20) + 1)
        bad = ["blank.png", "broken.png", "text.png", "empty.png", "big.png", "missing.png"]
        out, err = self.run_ctl("recognize", "one.png", *bad, "one.png", code=1)
        self.assertRegex(out, r"^one\.png: +1 .*\none\.png: +1 .*\n$")
        for name in bad:
            self.assertRegex(err, rf"(?m)^digitctl: {name}: .+$")
        self.assertIn("no digit found", err)
        self.assertIn("missing.png: cannot open the file: No such file or directory", err)
        self.assertTrue(err.endswith("digitctl: 6 of 8 files failed\n"), err)
        for name in bad:  # also when it is the only one
            out, err = self.run_ctl("recognize", name, code=1)
            self.assertEqual(out, "")
            self.assertRegex(err, rf"^digitctl: {name}: .+\n$")

    def test_folder_glob_and_stdin(self):
        self.write("scans/b.png", zero())
        self.write("scans/a.png", one())
        self.write("scans/notes.txt", b"x")
        self.write("scans/inner/c.png", one())
        rows = [("scans/a.png", "1"), ("scans/b.png", "0")]
        for args in (["scans"], ["scans/*.png"]):
            out, _ = self.run_ctl("recognize", *args)
            self.assertEqual(re.findall(r"(?m)^(\S+): (\d) \(", out), rows)
        self.assertRegex(self.run_ctl("recognize", "-", stdin=zero())[0], r"^-: 0 \(")
        out, _ = self.run_ctl("recognize", "one.png", "-", "-o", "csv", stdin=zero())
        self.assertEqual([row["label"] for row in csv.DictReader(io.StringIO(out))], ["1", "0"])

    def test_json_is_one_documented_object_a_line(self):
        name = 'odd "name", 数字.png'
        self.write(name, one())
        out, _ = self.run_ctl("recognize", name, "missing.png", "-o", "json", code=1)
        first, second = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(list(first), ["file", "label", "confidence", "probabilities", "verdict", "model", "version"])
        self.assertEqual((first["file"], first["label"], first["model"]), (name, "1", "mnist"))
        self.assertEqual(len(first["probabilities"]), 10)
        self.assertAlmostEqual(sum(first["probabilities"]), 1, places=4)
        self.assertEqual(first["confidence"], max(first["probabilities"]))
        self.assertIn(first["verdict"], ("confident", "unsure", "not_a_digit", "unspecified"))
        self.assertRegex(first["version"], r"^[0-9a-f]{12}$")
        self.assertEqual(list(second), ["file", "error"])

    def test_csv_quotes_and_has_a_header(self):
        name = 'odd "name", 1.png'
        self.write(name, one())
        out, _ = self.run_ctl("recognize", name, "missing.png", "-o", "csv", "--top-k", "2", "--timing", code=1)
        good, bad = list(csv.DictReader(io.StringIO(out)))
        self.assertEqual((good["file"], good["label"], good["error"]), (name, "1", ""))
        self.assertNotEqual(good["label_2"], "")
        self.assertEqual(good["engine"], "cpu")
        self.assertEqual((bad["file"], bad["label"]), ("missing.png", ""))
        self.assertIn("cannot open", bad["error"])

    def test_a_stream_of_500_files_keeps_their_order(self):
        labels = []
        for i in range(500):
            labels.append(None if i % 50 == 7 else i % 2)
            self.write(f"many/{i:03d}.png", b"broken" if labels[i] is None else one() if labels[i] else zero())
        for flags in ([], ["--stream"]):
            out, _ = self.run_ctl("recognize", "many", "-o", "json", *flags, code=1)
            rows = [json.loads(line) for line in out.splitlines()]
            self.assertEqual([row["file"] for row in rows], [f"many/{i:03d}.png" for i in range(500)])
            self.assertEqual([row.get("label") for row in rows], [None if n is None else str(n) for n in labels])

    def test_stream_and_single_call_agree(self):
        self.assertEqual(self.run_ctl("recognize", "one.png", "-o", "json"),
                         self.run_ctl("recognize", "one.png", "-o", "json", "--stream"))

    def test_a_reader_that_leaves_is_no_error(self):
        for i in range(300):
            self.write(f"many/{i:03d}.png", one())
        with subprocess.Popen([DIGITCTL, "recognize", "many"], cwd=self.folder.name, env=self.environment(),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            self.assertRegex(process.stdout.readline().decode(), r"^many/000\.png: 1 ")
            process.stdout.close()
            self.assertEqual(process.stderr.read(), b"")
            self.assertEqual(process.wait(timeout=120), 0)

    def test_output_that_cannot_be_written_is_said(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([DIGITCTL, "recognize", "one.png"], cwd=self.folder.name, env=self.environment(),
                                  stdout=full, stderr=subprocess.PIPE, timeout=120, check=False)
        self.assertEqual(done.returncode, 4)
        self.assertIn(b"cannot write to standard output: No space left on device", done.stderr)

    def test_output_that_was_closed_is_no_success(self):
        done = subprocess.run(["sh", "-c", '"$0" recognize one.png >&-', DIGITCTL], cwd=self.folder.name,
                              env=self.environment(), stderr=subprocess.PIPE, timeout=120, check=False)
        self.assertEqual((done.returncode, done.stderr),
                         (4, b"digitctl: cannot write to standard output: Bad file descriptor\n"))

    def test_input_that_was_closed_is_said(self):
        done = subprocess.run(["sh", "-c", '"$0" recognize - <&-', DIGITCTL], cwd=self.folder.name,
                              env=self.environment(), capture_output=True, timeout=120, check=False)
        self.assertEqual((done.returncode, done.stderr),
                         (1, b"digitctl: -: cannot read the file: Bad file descriptor\n"))

    def test_a_picture_may_come_through_a_pipe_of_the_shell(self):
        done = subprocess.run(["bash", "-c", '"$0" recognize <(cat one.png) one.png', DIGITCTL], cwd=self.folder.name,
                              env=self.environment(), capture_output=True, timeout=120, check=False)
        self.assertEqual(len(re.findall(rb"(?m): +1 \(", done.stdout)), 2, done.stdout + done.stderr)

    def test_no_answer_in_time_is_the_same_exit_code_for_one_picture_and_for_many(self):
        self.digitd.send_signal(signal.SIGSTOP)  # even 1 ns is long enough for an answer when gRPC's timer is late
        self.addCleanup(self.digitd.send_signal, signal.SIGCONT)
        for args in (["one.png"], ["one.png", "one.png"], ["one.png", "--stream"]):
            self.run_ctl("recognize", *args, "--timeout", "1ns", code=3)

    def test_a_dumb_terminal_gets_no_escape_sequences(self):
        for i in range(3000):
            self.write(f"many/{i:04d}.png", one())
        for command in (["recognize", "many"], ["bench", "--concurrency", "1", "--duration", "1s"]):
            self.assertNotIn("\x1b", self.run_on_terminal(*command, TERM="dumb"))

    def test_color_only_on_a_terminal_without_no_color(self):
        self.assertNotIn("\x1b", self.run_ctl("recognize", "one.png", "--show", TERM="xterm")[0])
        args = ("recognize", "one.png", "--show")
        self.assertIn("\x1b[1m1\x1b[0m", self.run_on_terminal(*args, LC_ALL="C.UTF-8"))
        self.assertNotIn("\x1b", self.run_on_terminal(*args, LC_ALL="C.UTF-8", NO_COLOR="1"))

    def test_an_unreachable_server_is_explained(self):
        for args in (["recognize", "one.png"], ["recognize", "one.png", "one.png"], ["models"]):
            out, err = self.run_ctl(*args, "--server", "127.0.0.1:1", code=3)
            self.assertEqual(out, "")
            self.assertIn("digitctl: cannot reach 127.0.0.1:1: connection refused. Is digitd running? "
                          "Start it with: digitd --model mnist.pt\n", err)
        self.run_ctl("health", "--server", "127.0.0.1:1", code=1)

    def test_wrong_usage_is_exit_2_and_one_line(self):
        for args in ([], ["recognize"], ["recognize", "one.png", "--frobnicate"], ["recognize", "*.gif"],
                     ["recognize", self.folder.name + "/nothing*"], ["recognize", "one.png", "--server", "nope"],
                     ["recognize", "one.png", "-o", "xml"], ["recognize", "one.png", "--timeout", "soon"],
                     ["--server", "a:b", "health"]):
            out, err = self.run_ctl(*args, code=2)
            self.assertEqual(out, "")
            self.assertRegex(err, r"^digitctl: [^\n]+\n$")

    def test_an_unknown_model_is_refused_once(self):
        for args in (["one.png"], ["one.png", "one.png", "one.png"]):
            out, err = self.run_ctl("recognize", *args, "--model", "nope", code=4)
            self.assertEqual(out, "")
            self.assertEqual(err.count("'nope'"), 1)

    def test_models_health_and_version(self):
        out, _ = self.run_ctl("models")
        self.assertRegex(out, r"(?m)^MODEL +VERSION +STATE")
        self.assertRegex(out, r"(?m)^mnist \(default\) +[0-9a-f]{12} +live +cpu +10 ")
        model = json.loads(self.run_ctl("models", "-o", "json")[0])
        self.assertEqual((model["name"], model["versions"][0]["labels"]), ("mnist", list("0123456789")))
        self.assertEqual(self.run_ctl("health"), ("serving\n", ""))
        out, _ = self.run_ctl("version")
        self.assertRegex(out, rf"^digitctl (\S+)\ndigitd \1 at {re.escape(self.server)}\n$")


if __name__ == "__main__":
    unittest.main(verbosity=2)
