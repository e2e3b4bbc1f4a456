#!/usr/bin/env python3
"""Writes the model files that the archive tests read, with the machine's own PyTorch, and what is in them.

    make_torch_files.py FOLDER [FILE_TO_DUMP...]

NAME.pt is a file; NAME.floats beside it holds all its values in file order as raw little-endian float32. A file given
after FOLDER is loaded with torch.load and dumped in the same way to FOLDER/dumped.floats.
"""

import os
import sys

import torch
from torch import nn

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../support"))
from tutorial_network import Net


class Foreign(nn.Module):
    """Somebody else's: containers, buffers of other types, attributes that are no tensors."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.1))
        self.register_buffer("table", torch.arange(4).half())
        self.sizes = [1, 2]
        self.names = {"a": 1}
        self.factor = 3.5

    def forward(self, x):
        return self.body(x)


class Constants(nn.Module):
    """What ends up in constants.pkl: tensors of several types, and more than one."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(784, 3)
        self.scale = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
        self.order = torch.tensor([2, 0, 1])
        self.mask = torch.tensor([True, False, True])
        self.names = {"a": 1, "b": 2}
        self.factor = 2 + 1j

    def forward(self, x):
        y = self.layer(torch.flatten(x, 1))[:, self.order] * self.scale + self.mask
        return y * self.names["a"] + torch.ones(3) * abs(self.factor)


def dump(path, tensors):
    with open(path, "wb") as file:
        for tensor in tensors:
            file.write(tensor.detach().contiguous().numpy().tobytes())


def main():
    folder = sys.argv[1]
    for path in sys.argv[2:]:
        dump(f"{folder}/dumped.floats", torch.load(path).values())
    torch.manual_seed(20240601)
    net = Net()
    state = net.state_dict()
    torch.save(state, f"{folder}/state_dict.pt")
    dump(f"{folder}/state_dict.floats", state.values())
    script = torch.jit.script(net)
    torch.jit.save(script, f"{folder}/script.pt", _extra_files={"model.json": '{"format": 1}'})
    dump(f"{folder}/script.floats", state.values())
    torch.jit.save(torch.jit.trace(net, torch.zeros(1, 1, 28, 28)), f"{folder}/trace.pt")
    dump(f"{folder}/trace.floats", state.values())

    views = {"parameter": nn.Parameter(torch.rand(3)), "transposed": torch.rand(3, 4).t(), "slice": torch.rand(9)[2:5],
             "scalar": torch.tensor(0.5), "expanded": torch.rand(1, 2).expand(3, 2)}
    torch.save(views, f"{folder}/views.pt")
    dump(f"{folder}/views.floats", views.values())

    torch.jit.save(torch.jit.freeze(torch.jit.script(net.eval())), f"{folder}/frozen.pt")
    torch.jit.save(torch.jit.script(Foreign()), f"{folder}/foreign.pt")
    torch.jit.save(torch.jit.freeze(torch.jit.script(Constants().eval())), f"{folder}/constants.pt")
    quantized = torch.quantization.quantize_dynamic(Constants().eval(), {nn.Linear}, dtype=torch.qint8)
    torch.jit.save(torch.jit.script(quantized), f"{folder}/quantized.pt")
    torch.jit.save(torch.jit.freeze(torch.jit.script(quantized)), f"{folder}/quantized_frozen.pt")
    torch.save(nn.DataParallel(net).state_dict(), f"{folder}/data_parallel.pt")
    torch.save(net, f"{folder}/whole.pt")
    torch.save({"epoch": 3, "state_dict": state}, f"{folder}/checkpoint_epoch_first.pt")
    torch.save({"model": state, "epoch": 3}, f"{folder}/checkpoint.pt")
    torch.save(state, f"{folder}/legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(net.half().state_dict(), f"{folder}/half.pt")
    torch.save(state, f"{folder}/protocol4.pt", pickle_protocol=4)
    torch.save({"w": torch.ones(3).to_sparse()}, f"{folder}/sparse.pt")


if __name__ == "__main__":
    main()
