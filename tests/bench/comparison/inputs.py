"""What a comparison needs to be there, and the files it makes for itself in a temporary folder."""
import pathlib
import struct
import subprocess
import sys
import zlib

from comparison import loads

ROOT = pathlib.Path(__file__).resolve().parents[3]
BENCH = ROOT / "tests/bench"
MODEL = ROOT / "model/pretrained/mnist.pt"
PYTHON = "/usr/bin/python3"  # Debian's, which has Debian's torch
PROGRAMS = ("h2load", "ab", "gunicorn", "node")
MODULES = ("torch", "grpc", "grpc_tools", "flask", "PIL")
BUILT = ("digitd", "digitctl", "engine_benchmark", "pool_benchmark", "grpc_torch")
PIXELS = 28 * 28
PICTURES = 1024  # as many as engine_benchmark takes
BODIES = 3       # a run of h2load has one each


def missing(build, mnist):
    """Names of what is not there."""
    which = subprocess.run(["which", *PROGRAMS], capture_output=True, text=True, check=False).stdout
    gone = [name for name in PROGRAMS if not any(line.endswith("/" + name) for line in which.splitlines())]
    find = f"import importlib.util as u; print(*[name for name in {MODULES} if u.find_spec(name) is None])"
    gone += [f"Python's {name}" for name in
             subprocess.run([PYTHON, "-c", find], capture_output=True, text=True, check=True).stdout.split()]
    gone += [f"npm's {name}" for name in ("onnxruntime-node", "@grpc/grpc-js")
             if not (BENCH / "node_modules" / name).is_dir()]
    gone += [str(build / "bin" / name) for name in BUILT if not (build / "bin" / name).is_file()]
    gone += [str(mnist / name) for name in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
             if not (mnist / name).is_file()]
    return gone


def _png(pixels):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + pixels[start:start + 28] for start in range(0, PIXELS, 28))
    header = struct.pack(">IIBBBBB", 28, 28, 8, 0, 0, 0, 0)  # 8 bits of grey
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class Inputs:
    """The files: .onnx, .stubs, .mnist (part of the test set), .bodies and .pngs (the same pictures for h2load), .blank."""

    def __init__(self, folder, mnist):
        self.onnx = folder / "model.onnx"
        subprocess.run([PYTHON, "-B", BENCH / "onnx/export.py", MODEL, self.onnx], check=True, stdout=sys.stderr)
        self.stubs = folder / "stubs"
        self.stubs.mkdir()
        subprocess.run([PYTHON, "-m", "grpc_tools.protoc", f"-I{ROOT / 'proto'}", f"--python_out={self.stubs}",
                        f"--grpc_python_out={self.stubs}", "digit/v1/digit.proto"], check=True)
        self.mnist = folder / "mnist"
        self.mnist.mkdir()
        pictures, labels = self._thin_out(mnist)
        self.pngs, self.bodies, self.digits = [], [], labels[:BODIES]
        for number, pixels in enumerate(pictures[:BODIES]):
            self.pngs.append(folder / f"{number}.png")
            self.pngs[-1].write_bytes(_png(pixels))
            self.bodies.append(folder / f"{number}.body")
            self.bodies[-1].write_bytes(loads.grpc_body(pixels))
        self.blank = folder / "blank.body"
        self.blank.write_bytes(loads.grpc_body(bytes(PIXELS)))

    # digitctl bench asks for each picture alone first: all 10,000, from five servers, would take minutes.
    def _thin_out(self, mnist):
        pixels = (mnist / "t10k-images-idx3-ubyte").read_bytes()[16:]
        labels = (mnist / "t10k-labels-idx1-ubyte").read_bytes()[8:]
        every = len(labels) // PICTURES
        chosen = [index * every for index in range(PICTURES)]
        pictures = [pixels[index * PIXELS:(index + 1) * PIXELS] for index in chosen]
        digits = bytes(labels[index] for index in chosen)
        (self.mnist / "t10k-images-idx3-ubyte").write_bytes(
            struct.pack(">IIII", 0x803, PICTURES, 28, 28) + b"".join(pictures))
        (self.mnist / "t10k-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, PICTURES) + digits)
        return pictures, digits
