"""digitd serves what Python's torch.save and torch.jit.save wrote. Needs python3-torch."""
import json
import os
import tempfile
import unittest

from digitd_test import BIN, MODEL, Daemon, run

PICTURE = "tests/data/images/seven.png"

# From our own file: its weights as a state_dict, and a network of another shape that scripts them.
MAKE = """
import sys, torch
from torch import nn
shipped = torch.jit.load(sys.argv[1])
torch.save(shipped.state_dict(), sys.argv[2] + "/state_dict.pt")

class Reversed(nn.Module):
    '''Answers with probabilities, from 9 down to 0.'''
    def __init__(self, net):
        super().__init__()
        self.net = net
    def forward(self, x):
        return torch.softmax(self.net(x).flip(1), 1)

torch.jit.save(torch.jit.script(Reversed(shipped)), sys.argv[2] + "/reversed.pt")
"""


def make_models(folder):
    with open(f"{folder}/make.py", "w") as script:  # a file: torch.jit.script reads the source of what it compiles
        script.write(MAKE)
    made = run("/usr/bin/python3", "-B", script.name, MODEL, folder)
    assert made.returncode == 0, made.stderr


def recognize(address, model):
    result = run(f"{BIN}/digitctl", "--server", address, "recognize", "-o", "json", "--model", model, PICTURE)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


class PythonModelsTest(unittest.TestCase):
    def test_a_state_dict_and_a_foreign_torchscript_are_served_beside_our_own(self):
        with tempfile.TemporaryDirectory() as folder:
            make_models(folder)
            with Daemon("--model", MODEL, "--model", f"{folder}/state_dict.pt",
                        "--model", f"{folder}/reversed.pt") as daemon:
                models = run(f"{BIN}/digitctl", "--server", daemon.address, "models").stdout
                self.assertRegex(models, r"state_dict\s+\w+\s+live\s+cpu")  # no code of the file has run
                self.assertRegex(models, r"reversed\s+\w+\s+live\s+torch")
                ours, state_dict, reverse = (recognize(daemon.address, name)
                                             for name in ("mnist", "state_dict", "reversed"))
                self.assertEqual(ours["label"], "7")
                self.assertEqual(state_dict["label"], "7")
                self.assertEqual(reverse["label"], "2")  # 9 - 7: labels are places in its row
                # A state_dict carries no temperature: its confidence is the plain softmax, as the TorchScript's is.
                for a, b in zip(state_dict["probabilities"], reversed(reverse["probabilities"])):
                    self.assertAlmostEqual(a, b, places=5)

    def test_only_a_foreign_torchscript_loads_torch(self):
        with tempfile.TemporaryDirectory() as folder:
            make_models(folder)
            with Daemon("--model", f"{folder}/state_dict.pt") as daemon:
                self.assertNotIn("torch", daemon.maps())
            with Daemon("--model", f"{folder}/reversed.pt") as daemon:
                self.assertIn("libdigit_torch.so", daemon.maps())


if __name__ == "__main__":
    os.environ.pop("DIGIT_SERVER", None)
    unittest.main(verbosity=2)
