#!/usr/bin/python3
"""Writes the seeds of model_file_fuzzer into FOLDER: small files of PyTorch and their pickles.

    make_model_file_seeds.py FOLDER

Needs python3-torch. What lies in tests/fuzz/corpus/model_file was made by this with 1.13.1; files there that this does
not write are inputs that once broke the reader.
"""

import linecache
import pathlib
import subprocess
import sys
import zipfile

import torch
from torch import nn


NET = """
import torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.rand(3, 2))
        self.inner = torch.nn.Identity()
        self.names = {"a": 1}
        self.sizes = [1, 2]
        self.factor = 0.5
        self.register_buffer("table", torch.arange(4).half())
    def forward(self, x):
        return torch.matmul(x, self.weight.t())
"""


def script_module():
    """Compiled under a made-up file name, since TorchScript records where its source lay."""
    linecache.cache["net.py"] = (len(NET), None, NET.splitlines(True), "net.py")
    names = {"__name__": "net"}
    exec(compile(NET, "net.py", "exec"), names)  # our own text above
    return torch.jit.script(names["Net"]())


def main():
    folder = pathlib.Path(sys.argv[1])
    torch.manual_seed(1)
    torch.save(nn.Linear(2, 3).state_dict(), folder / "state_dict.pt")
    torch.save({"p": nn.Parameter(torch.ones(2)), "t": torch.ones(3, 4).t()}, folder / "views.pt")
    torch.jit.save(script_module(), str(folder / "script.pt"), _extra_files={"model.json": '{"format": 1}'})
    generator = pathlib.Path(__file__).parent.parent / "data/state_dict/make_2x_layout.py"
    for name, options in (("layout_2x", ["--small"]), ("layout_2x_no_crc", ["--small", "--no-crc"])):
        subprocess.run([sys.executable, generator, folder / f"{name}.pt", *options], check=True)
    for name in ("state_dict", "views", "script", "layout_2x"):
        with zipfile.ZipFile(folder / f"{name}.pt") as archive:
            pickle = next(entry for entry in archive.namelist() if entry.endswith("/data.pkl"))
            (folder / f"{name}.pkl").write_bytes(archive.read(pickle))


if __name__ == "__main__":
    main()
