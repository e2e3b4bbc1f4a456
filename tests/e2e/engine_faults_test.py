"""A real engine that fails: LibTorch running a TorchScript that throws or answers NaN for certain pictures."""
import json
import os
import subprocess
import tempfile
import unittest

from digitd_test import BIN, Daemon, run

MAKE = """
import sys, torch
from torch import nn

class Touchy(nn.Module):
    '''Class 3, but throws at a picture that begins with 255, 7, 7 and answers NaN to one that begins with 254, 7, 7.'''
    def forward(self, x):
        pixels = (x[:, 0, 0, :3] * 255).round()
        first = torch.where((pixels[:, 1] == 7) & (pixels[:, 2] == 7), pixels[:, 0], torch.zeros(x.size(0)))
        if bool((first == 255).any()):
            raise RuntimeError("cannot stand 255")
        y = torch.zeros(x.size(0), 10)
        y[:, 3] = 9
        y[first == 254] = float("nan")
        return y

class Endless(nn.Module):
    def forward(self, x):
        while bool(x.sum() > -1):
            x = x + 0
        return x

torch.jit.save(torch.jit.script(Touchy()), sys.argv[1] + "/touchy.pt")
torch.jit.save(torch.jit.script(Endless()), sys.argv[1] + "/endless.pt")
"""


class EngineFaultsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = cls.scratch.name
        with open(f"{cls.folder}/make.py", "w") as script:
            script.write(MAKE)
        made = run("/usr/bin/python3", "-B", script.name, cls.folder)
        assert made.returncode == 0, made.stderr
        for first in (1, 254, 255):
            with open(f"{cls.folder}/{first}.pgm", "wb") as picture:
                picture.write(b"P5 28 28 255\n" + bytes([first, 7, 7]) + bytes(298) + bytes([255]) * 100 + bytes(383))

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def recognize(self, daemon, first, *flags):
        result = run(f"{BIN}/digitctl", "--server", daemon.address, "recognize", "--stream", "-o", "json",
                     *flags, f"{self.folder}/{first}.pgm")
        return json.loads(result.stdout), result

    def test_one_engine_fails_and_the_other_goes_on(self):
        with Daemon("--model", f"{self.folder}/touchy.pt", "--replicas", "2") as daemon:
            for bad in (255, 254):
                answer, _ = self.recognize(daemon, bad)
                self.assertIn("request_id=", answer["error"])  # the reason is for the log, not for strangers
                self.assertNotIn("stand", answer["error"])
                for _ in range(5):
                    answer, result = self.recognize(daemon, 1)
                    self.assertEqual(answer.get("label"), "3", result.stderr)
            self.assertEqual(run(f"{BIN}/digitctl", "--server", daemon.address, "health").returncode, 0)
            self.assertEqual(daemon.stop(), 0)
            log = "".join(daemon.log)
            self.assertEqual(log.count("engine taken out"), 2, log)
            self.assertIn("cannot stand 255", log)
            self.assertIn("not finite", log)

    def test_a_model_that_never_answers_does_not_keep_digitd_from_stopping(self):
        process = subprocess.Popen([f"{BIN}/digitd", "--model", f"{self.folder}/endless.pt", "--listen", "127.0.0.1:0"],
                                   stderr=subprocess.PIPE, text=True)
        maps = ""
        while "libdigit_torch.so" not in maps:  # from then on it is in the model's hands
            self.assertIsNone(process.poll())
            with open(f"/proc/{process.pid}/maps") as file:
                maps = file.read()
        process.terminate()
        self.assertIn("stopped before it served", process.communicate(timeout=60)[1])
        self.assertEqual(process.returncode, 0)

    def test_the_last_engine_fails_the_model_stops_serving_and_comes_back(self):
        with Daemon("--model", f"{self.folder}/touchy.pt", "--replicas", "1") as daemon:
            answer, _ = self.recognize(daemon, 255)
            self.assertIn("error", answer)
            # Within the client's timeout its retries meet the rebuilt engine.
            answer, result = self.recognize(daemon, 1, "--timeout", "30s")
            self.assertEqual(answer.get("label"), "3", result.stderr)
            models = json.loads(run(f"{BIN}/digitctl", "--server", daemon.address, "models", "-o", "json").stdout)
            engine = models["versions"][0]["engines"][0]
            self.assertEqual((engine["working"], int(engine["failures"])), (True, 1))
            self.assertEqual(run(f"{BIN}/digitctl", "--server", daemon.address, "health").returncode, 0)
            self.assertEqual(daemon.stop(), 0)
            self.assertIn("engine rebuilt", "".join(daemon.log))


if __name__ == "__main__":
    os.environ.pop("DIGIT_SERVER", None)
    unittest.main(verbosity=2)
