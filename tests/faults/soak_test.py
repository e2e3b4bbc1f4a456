"""Steady checked load while models are reloaded, broken, refused, tried, rolled back, promoted, corrected and trained.

No request may fail or be answered wrong, no half-made version may be seen, and memory must not grow. DIGIT_SOAK_SECONDS
sets the length (30; 600 is the long form), DIGIT_SOAK_SEED the order of events. Needs data/mnist (fixture fetch_mnist).
Prints its figures.
"""
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))
from digitd_test import BIN, MODEL, Daemon, run  # noqa: E402
from training_service_test import write_part  # noqa: E402

SECONDS = int(os.environ.get("DIGIT_SOAK_SECONDS", "30"))
SEED = int(os.environ.get("DIGIT_SOAK_SEED", "1"))
RATE = 300  # requests a second: steady, far below what a core can do
PICTURE = "tests/data/images/seven.png"
# Pictures about which all versions are of one mind.
CLEAR = [flag for name in ("two-canvas.png", "seven.png", "three-on-paper.png", "five-inverted.png", "eight.bmp")
         for flag in ("--images", f"tests/data/images/{name}")]

MAKE = """
import sys, torch
weights = torch.jit.load(sys.argv[1]).state_dict()
for i in range(20):
    shifted = dict(weights)
    shifted["fc2.bias"] = weights["fc2.bias"] + i / 10
    torch.save(shifted, f"{sys.argv[2]}/same{i}.pt")
sevens = dict(weights)
sevens["fc2.bias"] = weights["fc2.bias"].clone()
sevens["fc2.bias"][7] += 1000
torch.save(sevens, sys.argv[2] + "/sevens.pt")
"""


class SoakTest(unittest.TestCase):
    def ctl(self, *args, ok=(0,)):
        done = run(f"{BIN}/digitctl", "--server", self.daemon.address, "--timeout", "60s", *args)
        self.assertIn(done.returncode, ok, done.stderr)
        return done

    def versions(self):
        return json.loads(self.ctl("models", "-o", "json").stdout)["versions"]

    def put(self, source):
        shutil.copy(source, f"{self.file}.new")
        os.rename(f"{self.file}.new", self.file)

    # What happens; each leaves a sound model live.
    def reload(self):
        self.put(f"{self.folder}/same{self.random.randrange(20)}.pt")
        self.ctl("model", "reload", "--force")

    def break_file(self):
        with open(self.file, "wb") as file:
            file.write(os.urandom(self.random.randrange(200_000)))
        self.ctl("model", "reload", ok=(4,))

    def write_slowly(self):
        with open(f"{self.folder}/same{self.random.randrange(20)}.pt", "rb") as source, open(self.file, "wb") as file:
            while part := source.read(40_000):
                file.write(part)
                file.flush()
                self.ctl("model", "reload", ok=(0, 4))

    def refuse(self):
        self.put(f"{self.folder}/sevens.pt")
        self.ctl("model", "reload", ok=(4,))

    def roll_back(self):
        self.reload()
        self.ctl("model", "rollback", ok=(0, 4))  # 4: that was live already

    def try_candidate(self):
        self.put(f"{self.folder}/sevens.pt")
        self.ctl("model", "reload", "--candidate")
        self.ctl("model", "shadow", "--share", "0.5", ok=(0, 4))
        self.ctl("model", "promote", ok=(4,))
        self.put(f"{self.folder}/same{self.random.randrange(20)}.pt")
        self.ctl("model", "reload", "--candidate", "--force")
        self.ctl("model", "promote", ok=(0, 4))  # 4: it is what was live

    def correct(self):
        self.ctl("feedback", "add", PICTURE, "--label", "7", "--source", f"soak {self.random.randrange(50)}")

    def train(self):
        if self.training is not None:
            state = json.loads(self.ctl("train", "list", "-o", "json").stdout.splitlines()[0])["state"]
            if state in ("TRAINING_STATE_QUEUED", "TRAINING_STATE_RUNNING", "TRAINING_STATE_PUBLISHING"):
                return
        self.training = self.ctl("train", "--data-set", "part", "--fine-tune", "--epochs", "1", "--promote",
                                 "if-better", "--detach").stdout.strip()

    def test_nothing_that_happens_to_models_is_seen_by_requests(self):
        self.random = random.Random(SEED)
        self.training = None
        events = {name: getattr(self, name) for name in
                  ("reload", "break_file", "write_slowly", "refuse", "roll_back", "try_candidate", "correct", "train")}
        counts = dict.fromkeys(events, 0)
        with tempfile.TemporaryDirectory() as self.folder:
            with open(f"{self.folder}/make.py", "w") as script:
                script.write(MAKE)
            self.assertEqual(run("/usr/bin/python3", "-B", script.name, MODEL, self.folder).returncode, 0)
            write_part(f"{self.folder}/data/part", 4000)
            self.file = f"{self.folder}/mnist.pt"
            self.put(MODEL)
            with Daemon("--model", self.file, "--data-dir", f"{self.folder}/data") as self.daemon:
                bench = subprocess.Popen(
                    [f"{BIN}/digitctl", "--server", self.daemon.address, "bench", "--rate", str(RATE), *CLEAR,
                     "--duration", f"{SECONDS}s", "--stable", "0.0001%", "--timeout", "10s", "-o", "json"],
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                memory = []
                while bench.poll() is None:
                    name = self.random.choice(list(events))
                    events[name]()
                    counts[name] += 1
                    memory.append(self.daemon.resident_mib())
                    self.assertIsNone(self.daemon.process.poll())
                out, words = bench.communicate()
                point = json.loads(out.splitlines()[-1])
                trained = [json.loads(line) for line in self.ctl("train", "list", "-o", "json").stdout.splitlines()]
                self.assertEqual(self.daemon.stop(), 0)
        figures = {"seconds": SECONDS, "seed": SEED, "events": counts,
                   "trainings": [training["state"].removeprefix("TRAINING_STATE_") for training in trained],
                   "requests": point["requests"], "errors": point["errors_by_code"], "wrong": point["wrong"],
                   "p50_us": point["p50_us"], "p99_us": point["p99_us"],
                   "memory_mib": [round(memory[len(memory) // 4]), round(memory[-1]), round(max(memory))]}
        print(json.dumps(figures), file=sys.stderr)
        self.assertEqual((point["errors_by_code"], point["wrong"], bench.returncode), ({}, 0, 0), words)
        self.assertGreater(point["requests"], SECONDS * RATE / 2)
        # Of a growth of one model (0.5 MiB) with each event nothing would be left below this.
        self.assertLess(memory[-1], memory[len(memory) // 4] + 30)


if __name__ == "__main__":
    unittest.main()
