"""The metrics of the real digitd: their names, that Prometheus can read them, that they count, and that a drain can be
watched. The real digit-train trains on one correction among generated digits. With --write it writes the list of names
anew."""
import functools
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request
import zipfile

from digitd_test import BIN, DEAF_STREAM, LARGE_ANSWER, MODEL, Daemon, python, run
from prometheus_text import describe, lint, parse

GOLDEN = "tests/data/metrics.golden"
WRITE = "DIGIT_BIN_DIR=build/release/bin /usr/bin/python3 tests/e2e/metrics_test.py --write"
SEVEN, EIGHT, BLANK = (f"tests/data/images/{name}" for name in ("seven.png", "eight.bmp", "blank.png"))


def get(address, path="/metrics"):
    with urllib.request.urlopen(f"http://{address}{path}", timeout=30) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain"), answer.headers
        return answer.read().decode()


def scrape(daemon):
    return parse(get(daemon.metrics))


class MeasuredDaemon(Daemon):
    def __init__(self, *flags):
        super().__init__("--metrics-listen", "127.0.0.1:0", *flags)
        self.metrics = re.search(r" metrics=(127\.0\.0\.1:[1-9]\d*) ", self.log[-1])[1]

    def ctl(self, *args):
        return run(f"{BIN}/digitctl", "--server", self.address, "--timeout", "50s", *args)

    def done(self, *args):
        """What a command that must succeed printed."""
        result = self.ctl(*args)
        assert result.returncode == 0, f"{args[:3]}: {result.stderr}"
        return result.stdout

    def scrape_with_corrections(self):
        """Once the store of corrections has been read, which the first scrape asks for."""
        for _ in range(10_000):
            families = scrape(self)
            if families["digit_feedback_corrections"].samples:
                return families
        raise AssertionError("the store of corrections is never read")


def write_same_model(path):
    """The shipped weights in another file."""
    with zipfile.ZipFile(MODEL) as source, zipfile.ZipFile(f"{path}.new", "w", zipfile.ZIP_STORED) as copy:
        for entry in source.infolist():
            copy.writestr(entry.filename, source.read(entry), entry.compress_type)
        copy.writestr(source.infolist()[0].filename.split("/")[0] + "/extra/note", "another file")
    os.rename(f"{path}.new", path)


def after_traffic(folder):
    """What a digitd shows that has answered, refused, reloaded and rolled back."""
    with open(MODEL, "rb") as source, open(f"{folder}/mnist.pt", "wb") as file:
        file.write(source.read())
    with MeasuredDaemon("--model", f"{folder}/mnist.pt", "--model", f"second={MODEL}", "--watch", "false") as daemon:
        assert daemon.ctl("recognize", SEVEN).returncode == 0
        assert daemon.ctl("recognize", "--model", "no-such", SEVEN).returncode != 0
        assert daemon.ctl("recognize", "--stream", SEVEN, SEVEN, BLANK).returncode == 1
        assert daemon.ctl("recognize", "--model", "second", SEVEN).returncode == 0
        assert daemon.ctl("models").returncode == 0
        assert daemon.ctl("model", "reload").returncode == 0
        write_same_model(f"{folder}/mnist.pt")
        reloaded = daemon.ctl("model", "reload")
        assert reloaded.returncode == 0, reloaded.stderr
        assert daemon.ctl("model", "rollback").returncode == 0
        families = scrape(daemon)
        assert daemon.stop() == 0
        return families


@functools.cache
def after_learning():
    """What a digitd shows whose answers drift, that was corrected, and that trains."""
    with tempfile.TemporaryDirectory() as state, \
            MeasuredDaemon("--model", MODEL, "--state-dir", state, "--watch", "false") as daemon:
        daemon.done("recognize", *[SEVEN] * 1000)
        daemon.done("recognize", *[EIGHT] * 1100)
        for label, returncode in (("1", 0), ("1", 0), ("seven", 4)):
            added = daemon.ctl("feedback", "add", SEVEN, "--label", label, "--source", "ada")
            assert added.returncode == returncode, added.stderr
        daemon.done("feedback", "add", EIGHT, "--label", "8")
        daemon.done("feedback", "add", EIGHT, "--label", "3", "--answered", "8", "--version", "a-callers-own",
                    "--source", "eve")
        daemon.done("feedback", "review", "accept", "1")
        training = daemon.done("train", "--fine-tune", "--corrections", "--epochs", "1000", "--detach").strip()
        waiting = daemon.done("train", "--fine-tune", "--corrections", "--detach").strip()
        daemon.done("train", "cancel", waiting)
        with subprocess.Popen([f"{BIN}/digitctl", "--server", daemon.address, "train", "watch", training, "-o", "json"],
                              stdout=subprocess.PIPE, text=True) as watching:
            assert any(json.loads(line)["epochs"] for line in watching.stdout), "it ended before its first epoch"
            watching.kill()
        assert daemon.ctl("train", "watch", waiting).returncode == 1
        families = daemon.scrape_with_corrections()
        assert daemon.stop() == 0
        return families


def all_families(answering, learning):
    """Each from the daemon that has more to say of it."""
    assert answering.keys() == learning.keys()
    return {name: max(answering[name], learning[name], key=lambda family: len(family.samples)) for name in answering}


class NamesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            cls.answering = after_traffic(folder)
        cls.families = all_families(cls.answering, after_learning())

    def value(self, name, *labels, suffix=""):
        return self.answering[name].series(suffix, *labels)

    def test_names_types_labels_and_help_are_those_of_the_list(self):
        self.maxDiff = None
        with open(GOLDEN, encoding="utf-8") as golden:
            self.assertEqual(describe(self.families), golden.read(), f"after a change that is meant: {WRITE}")

    def test_prometheus_rules_hold(self):
        for family in self.families.values():
            with self.subTest(family.name):
                lint(family)

    def test_answers_are_counted_by_method_and_code(self):
        self.assertEqual(self.value("digit_rpc_requests_total", "Recognize", "OK"), 2)
        self.assertEqual(self.value("digit_rpc_requests_total", "Recognize", "NOT_FOUND"), 1)
        self.assertEqual(self.value("digit_rpc_requests_total", "RecognizeStream", "OK"), 3)
        self.assertEqual(self.value("digit_rpc_requests_total", "ReloadModel", "OK"), 2)
        self.assertEqual(self.value("digit_rpc_duration_seconds", "Recognize", suffix="_count"), 3)
        self.assertGreater(self.value("digit_rpc_duration_seconds", "Recognize", suffix="_sum"), 0)
        self.assertEqual(self.value("digit_stream_open"), 0)

    def test_images_are_counted_from_the_queue_to_the_verdict(self):
        self.assertEqual(self.value("digit_images_total", "mnist", "confident"), 3)
        self.assertEqual(self.value("digit_images_total", "mnist", "no_digit"), 1)
        self.assertEqual(self.value("digit_images_total", "second", "confident"), 1)
        self.assertEqual(self.value("digit_queue_images", "mnist"), 0)
        self.assertEqual(self.value("digit_queue_wait_seconds", "mnist", suffix="_count"), 3)
        self.assertEqual(self.value("digit_batch_size", "mnist", suffix="_sum"), 3)
        batches = self.value("digit_batch_size", "mnist", suffix="_count")
        self.assertEqual(self.value("digit_compute_seconds", "mnist", suffix="_count"), batches)
        self.assertEqual(self.value("digit_batch_cut_total", "mnist", "idle"), batches)
        self.assertEqual(self.value("digit_refused_total", "mnist", "queue_full"), 0)
        self.assertEqual(self.value("digit_decode_seconds", suffix="_count"), 5)

    def test_models_show_their_versions_reloads_and_rollbacks(self):
        self.assertEqual(self.value("digit_model_reloads_total", "mnist", "unchanged"), 1)
        self.assertEqual(self.value("digit_model_reloads_total", "mnist", "loaded"), 1)
        self.assertEqual(self.value("digit_model_rollbacks_total", "mnist"), 1)
        self.assertEqual(self.value("digit_model_rollbacks_total", "second"), 0)
        states = {labels[2][1] for _, labels in self.answering["digit_model_version_info"].samples
                  if labels[0][1] == "mnist"}
        self.assertIn("live", states)
        self.assertGreater(len(states), 1)
        self.assertEqual(self.value("digit_model_serving", "mnist"), 1)

    def test_the_process_describes_itself(self):
        version = run(f"{BIN}/digitd", "--version").stdout.split()[1]
        self.assertEqual(self.value("digit_build_info", version), 1)
        self.assertGreater(self.value("process_resident_memory_bytes"), 1 << 20)
        self.assertGreater(self.value("process_cpu_seconds_total"), 0)
        with open("/proc/stat") as stat:
            boot = int(re.search(r"btime (\d+)", stat.read())[1])
        self.assertGreaterEqual(self.value("process_start_time_seconds"), boot)


class LearningTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.families = after_learning()
        [cls.version] = {labels[1][1] for _, labels in cls.families["digit_model_version_info"].samples}

    def values(self, name):
        """By the labels after model and version."""
        found = {}
        for (_, labels), value in self.families[name].samples.items():
            self.assertEqual([v for _, v in labels[:2]], ["mnist", self.version])
            found[tuple(v for _, v in labels[2:])] = value
        return found

    def test_answers_show_by_label_verdict_confidence_and_drift(self):
        answers = self.values("digit_answers_total")
        self.assertGreaterEqual(answers[("7",)], 1000)
        self.assertGreaterEqual(answers[("8",)], 1100)
        self.assertEqual(self.values("digit_answer_share"), {("unsure",): 0, ("not_a_digit",): 0})
        self.assertGreater(self.values("digit_mean_confidence")[()], 0.9)
        self.assertGreater(self.values("digit_drift_psi")[()], 0.25)  # first sevens, then eights

    def test_corrections_are_counted_by_outcome(self):
        outcomes = {"stored": 3, "duplicate": 1, "refused": 1}
        for outcome, count in outcomes.items():
            self.assertEqual(self.families["digit_feedback_total"].series("", "mnist", outcome), count, outcome)

    def test_corrections_show_how_often_the_version_was_right_and_what_it_confuses(self):
        self.assertEqual(self.values("digit_feedback_corrections"), {("right",): 1, ("wrong",): 1})
        self.assertEqual(self.values("digit_confusion"), {("8", "8"): 1, ("1", "7"): 1})

    def test_trainings_are_counted_and_the_one_that_runs_shows_its_last_epoch(self):
        ended = {labels[0][1]: value for (_, labels), value in self.families["digit_trainings_total"].samples.items()}
        self.assertEqual(ended, {"done": 0, "failed": 0, "cancelled": 1})
        self.assertEqual(self.families["digit_trainings"].series("", "running"), 1)
        self.assertGreater(self.families["digit_training_epoch_accuracy"].series("", "mnist"), 0.9)


class ServingTest(unittest.TestCase):
    def fails(self, code, pattern, address):
        result = run(f"{BIN}/digitd", "--model", MODEL, "--listen", "127.0.0.1:0", "--metrics-listen", address)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertRegex(result.stderr, pattern)
        return result.stderr

    def test_a_taken_port_is_one_line_and_exit_4(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            text = self.fails(4, rf"^digitd: cannot listen on 127\.0\.0\.1:{port}: port {port} is taken; .*"
                                 r"--metrics-listen HOST:PORT\n$", f"127.0.0.1:{port}")
            self.assertEqual(text.count("\n"), 1, text)

    def test_an_address_that_it_cannot_have_is_one_line_and_exit_4(self):
        for address, why in {"192.0.2.1:0": "this machine has no such address", "[::1]:0": "'::1' is no IPv4 address",
                             "no.such.host.invalid:0": "is no IPv4 address"}.items():
            text = self.fails(4, rf"^digitd: cannot listen on {re.escape(address)}: .*{why}", address)
            self.assertEqual(text.count("\n"), 1, text)

    def test_what_is_no_address_is_exit_2_and_points_to_help(self):
        for address in ("9464", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:70000"):
            self.fails(2, rf"metrics-listen: '{address}' is not HOST:PORT .*\n.*--help", address)
        both = run(f"{BIN}/digitd", "--model", MODEL, "--listen", "127.0.0.1:9", "--metrics-listen", "127.0.0.1:9")
        self.assertEqual(both.returncode, 2)
        self.assertIn("is the address of --listen", both.stderr)

    def test_it_is_off_unless_asked_for(self):
        with Daemon("--model", MODEL) as daemon:
            self.assertNotIn("metrics", daemon.log[-1])
            for thread in pathlib.Path(f"/proc/{daemon.process.pid}/task").iterdir():
                self.assertNotIn("civetweb", (thread / "comm").read_text())

    def test_nothing_else_is_served_there(self):
        with MeasuredDaemon("--model", MODEL) as daemon:
            for path in ("/", "/README.md", "//etc/passwd", "/metrics/x/../../../etc/passwd"):
                with self.assertRaises(urllib.error.HTTPError) as refused:
                    get(daemon.metrics, path)
                self.assertEqual(refused.exception.code, 404, path)
                refused.exception.close()

    def test_a_drain_can_be_watched(self):
        with MeasuredDaemon("--model", MODEL, "--drain-timeout", "1h", "--access-log") as daemon:
            deaf = python(DEAF_STREAM, daemon.address)  # holds the drain up as long as it lives
            daemon.wait_for_log(LARGE_ANSWER)
            daemon.process.send_signal(signal.SIGTERM)
            daemon.wait_for_log(" draining ")
            self.assertEqual(scrape(daemon)["digit_stream_open"].series(""), 1)
            deaf.kill()
            deaf.communicate(timeout=60)
            self.assertEqual(daemon.wait(), 0)

    def test_silent_connections_neither_hold_up_a_stop_nor_others(self):
        with MeasuredDaemon("--model", MODEL) as daemon:
            host, port = daemon.metrics.split(":")
            silent = [socket.create_connection((host, int(port))) for _ in range(5)]
            scrape(daemon)
            self.assertEqual(daemon.stop(), 0)
            for connection in silent:
                connection.close()


class ParseTest(unittest.TestCase):
    """That the checks above would find what they look for."""

    def refuses(self, text):
        with self.assertRaises(AssertionError):
            for family in parse(text).values():
                lint(family)

    def test_what_breaks_the_rules_is_found(self):
        head = "# HELP a_total A.\n# TYPE a_total counter\n"
        lint(parse(head + 'a_total{m="x\\"y"} 1\n')["a_total"])
        self.refuses(head + 'a_total{m="x"} 1\na_total{m="x"} 2\n')
        self.refuses(head + 'a_total{m="x"} 1\na_total{n="x"} 2\n')
        self.refuses(head + "a_total -1\n")
        self.refuses(head + "b_total 1\n")
        self.refuses(head + 'a_total{m="x"y"} 1\n')
        self.refuses(head + "a_total 1\n" + head + "a_total 1\n")
        self.refuses(head.replace("counter", "gauge") + "a_total 1\n")
        self.refuses(head)
        self.refuses("# HELP a A.\n# TYPE a counter\na 1\n")
        histogram = '# HELP h H.\n# TYPE h histogram\nh_count 3\nh_sum 4\nh_bucket{le="1"} 2\nh_bucket{le="+Inf"} 3\n'
        lint(parse(histogram)["h"])
        self.refuses(histogram.replace('"+Inf"', '"2"'))
        self.refuses(histogram.replace("h_count 3", "h_count 4"))
        self.refuses(histogram.replace('"1"} 2', '"1"} 5'))


if __name__ == "__main__":
    os.environ.pop("DIGIT_SERVER", None)
    if sys.argv[1:] == ["--write"]:
        with tempfile.TemporaryDirectory() as scratch:
            names = describe(all_families(after_traffic(scratch), after_learning()))
        pathlib.Path(GOLDEN).write_text(names, encoding="utf-8")
    else:
        unittest.main(verbosity=2)
