"""The Python side of python_round_trip_test.cc: the tutorial's network in Python.

    python_network.py check FILE.pt PIXELS OUT   reads our file; writes the logits of the file's own program, then those
                                                 of the tutorial's class with the file's parameters
    python_network.py make FOLDER                writes state_dict.pt, scripted.pt and every tensor as NAME.bin
"""
import os
import sys

import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tutorial_network import Net

SHAPES = {"conv1.weight": (32, 1, 3, 3), "conv1.bias": (32,), "conv2.weight": (64, 32, 3, 3), "conv2.bias": (64,),
          "fc1.weight": (128, 1600), "fc1.bias": (128,), "fc2.weight": (10, 128), "fc2.bias": (10,)}


def check(path, pixels, out):
    module = torch.jit.load(path)
    found = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    if list(found.items()) != list(SHAPES.items()):
        sys.exit(f"state_dict() is {found}")
    net = Net()
    net.load_state_dict(module.state_dict(), strict=True)
    with open(pixels, "rb") as f:
        images = torch.frombuffer(bytearray(f.read()), dtype=torch.uint8).reshape(-1, 1, 28, 28).float() / 255
    with torch.no_grad(), open(out, "wb") as f:
        f.write(module(images).numpy().tobytes())
        f.write(net(images).numpy().tobytes())


def make(folder):
    torch.manual_seed(7)
    net = Net()
    torch.save(net.state_dict(), f"{folder}/state_dict.pt")
    torch.jit.script(net).save(f"{folder}/scripted.pt")
    for name, value in net.state_dict().items():
        with open(f"{folder}/{name}.bin", "wb") as f:
            f.write(value.numpy().tobytes())


torch.set_num_threads(1)
if sys.argv[1] == "check":
    check(*sys.argv[2:])
else:
    make(*sys.argv[2:])
