"""Models that change while the real digitd serves: by digitctl, by the file alone, by SIGHUP, broken, refused, rolled back."""
import json
import os
import signal
import subprocess
import unittest

from digitd_test import BIN, MODEL, Daemon, run
from model_files import ServedModelTest

# The shipped weights in other words (the same answers, another file), and a model that says 7 to everything.
MAKE = """
import sys, torch
weights = torch.jit.load(sys.argv[1]).state_dict()
torch.save(weights, sys.argv[2] + "/same.pt")
weights["fc2.bias"] = weights["fc2.bias"].clone()
weights["fc2.bias"][7] += 1000
torch.save(weights, sys.argv[2] + "/sevens.pt")
torch.jit.save(torch.jit.script(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10))),
               sys.argv[2] + "/script.pt")
"""


class ReloadTest(ServedModelTest):
    MAKE = MAKE

    def test_reload_and_rollback_by_digitctl(self):
        with Daemon("--model", self.file, "--watch", "false") as daemon:
            first = self.versions(daemon)[0]["version"]
            same = self.ctl(daemon, "model", "reload")
            self.assertEqual((same.returncode, same.stdout), (0, f"mnist {first} is live, and its file has not changed\n"))

            self.put(f"{self.made}/same.pt")
            done = self.ctl(daemon, "model", "reload", "mnist")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("100.00 % agreement with the live version on 1000 generated digits", done.stdout)
            live, kept = self.versions(daemon)
            self.assertEqual((live["state"], kept["state"]), ("MODEL_STATE_LIVE", "MODEL_STATE_KEPT"))
            for version in (first, "previous", "stable", live["version"]):
                asked = self.ctl(daemon, "recognize", "--model-version", version, "tests/data/images/seven.png")
                self.assertEqual(asked.returncode, 0, asked.stderr)

            back = self.ctl(daemon, "model", "rollback")
            self.assertEqual((back.returncode, back.stdout), (0, f"mnist {first} is live again\n"))
            again = self.ctl(daemon, "model", "reload")
            self.assertEqual(again.returncode, 4)
            self.assertIn("rolled back before", again.stderr)
            self.assertEqual(self.ctl(daemon, "model", "reload", "--force").returncode, 0)
            self.assertEqual(daemon.stop(), 0)

    def test_what_is_broken_worse_or_a_program_is_refused_and_the_old_version_serves(self):
        with Daemon("--model", self.file, "--watch", "false") as daemon:
            first = self.versions(daemon)[0]["version"]
            with open(MODEL, "rb") as whole, open(f"{self.made}/half.pt", "wb") as half:
                half.write(whole.read(100_000))
            for name, words in {"half": "truncated", "sevens": "gate refused", "script": "TorchScript"}.items():
                self.put(f"{self.made}/{name}.pt")
                refused = self.ctl(daemon, "model", "reload")
                self.assertEqual(refused.returncode, 4, refused.stdout)
                self.assertIn(words, refused.stderr)
                self.assertEqual(refused.stderr.count("\n"), 1, refused.stderr)
            os.remove(self.file)
            self.assertEqual(self.ctl(daemon, "model", "reload").returncode, 4)
            live, *others = self.versions(daemon)
            self.assertEqual((live["version"], live["state"]), (first, "MODEL_STATE_LIVE"))
            # The damaged file is forgotten once another one has come; that there is none now is said too.
            self.assertEqual([other["state"] for other in others], ["MODEL_STATE_REFUSED"] * 3)
            self.assertIn("No such file", others[0]["state_reason"])
            self.assertNotIn("libdigit_torch", daemon.maps())

    def test_the_file_alone_is_enough_and_no_request_fails_meanwhile(self):
        with Daemon("--model", self.file) as daemon:
            bench = subprocess.Popen([f"{BIN}/digitctl", "--server", daemon.address, "bench", "-o", "json",
                                      "--concurrency", "8", "--duration", "6s", "--stable", "0.01%"],
                                     stdout=subprocess.PIPE, text=True)
            reloads = 0
            while bench.poll() is None and reloads < 10:
                before = self.versions(daemon)[0]["version"]
                self.put([f"{self.made}/same.pt", MODEL][reloads % 2])
                self.wait_for(daemon, lambda versions: versions[0]["version"] != before)
                reloads += 1
            point = json.loads(bench.communicate(timeout=60)[0])
            self.assertGreater(reloads, 0)  # ten, unless the machine is busy
            self.assertEqual((point["wrong"], point["errors_by_code"]), (0, {}))
            self.assertEqual(daemon.stop(), 0)

    def test_sighup_looks_at_the_files(self):
        with Daemon("--model", self.file, "--watch", "false") as daemon:
            before = self.versions(daemon)[0]["version"]
            self.put(f"{self.made}/same.pt")
            daemon.process.send_signal(signal.SIGHUP)
            self.wait_for(daemon, lambda versions: versions[0]["version"] != before)
            self.assertEqual(daemon.stop(), 0)

    def test_admin_calls_need_the_token_where_there_is_one(self):
        token = f"{self.folder}/token"
        with open(token, "w") as file:
            file.write("0123456789abcdef\n")
        with Daemon("--model", self.file, "--admin-token-file", token) as daemon:
            refused = self.ctl(daemon, "model", "reload")
            self.assertEqual(refused.returncode, 4)
            self.assertIn("for admins", refused.stderr)
            self.assertEqual(self.ctl(daemon, "--admin-token-file", token, "model", "reload").returncode, 0)
            self.assertEqual(self.ctl(daemon, "models").returncode, 0)

    def test_a_token_file_that_is_too_short_is_an_error_at_start(self):
        token = f"{self.folder}/token"
        with open(token, "w") as file:
            file.write("short\n")
        started = run(f"{BIN}/digitd", "--model", self.file, "--listen", "127.0.0.1:0", "--admin-token-file", token)
        self.assertNotEqual(started.returncode, 0)
        self.assertIn("must have at least 16", started.stderr)


if __name__ == "__main__":
    os.environ.pop("DIGIT_SERVER", None)
    os.environ.pop("DIGIT_ADMIN_TOKEN_FILE", None)
    unittest.main(verbosity=2)
