#!/usr/bin/env python3
"""Writes a state_dict of the digit network in the file layout of PyTorch 2.x, without PyTorch.

    make_2x_layout.py OUT.pt [--small] [--no-crc] [--big-endian]

Debian 12 has PyTorch 1.13 only, so the tests make the newer layout with this. Against 1.13 it adds the records
.format_version, .storage_alignment, byteorder and .data/serialization_id, and puts them in 2.x's order. The output is
the same byte for byte on every run. Element i of tensor number t (in file order) is

    ((i * 2654435761 + t * 40503) mod 2**24) / 2**24 - 0.5

which float32 holds exactly.

--small: tensors of a few elements, a seed for fuzzing. --no-crc: CRC fields of 0, as torch.save writes them after
torch.serialization.set_crc32_options(False). --big-endian: what a big-endian machine writes.
"""

import argparse
import struct
import zlib

SHAPES = {
    "conv1.weight": (32, 1, 3, 3), "conv1.bias": (32,),
    "conv2.weight": (64, 32, 3, 3), "conv2.bias": (64,),
    "fc1.weight": (128, 1600), "fc1.bias": (128,),
    "fc2.weight": (10, 128), "fc2.bias": (10,),
}
SMALL_SHAPES = {"conv1.weight": (2, 1, 3, 3), "conv1.bias": (2,), "fc2.weight": (3, 2)}
ALIGNMENT = 64
FLAGS = 0x0808  # UTF-8 names; sizes follow the data


def count(shape):
    product = 1
    for size in shape:
        product *= size
    return product


def values(tensor, elements, big_endian):
    numbers = [((i * 2654435761 + tensor * 40503) % 2**24) / 2**24 - 0.5 for i in range(elements)]
    return struct.pack(f"{'>' if big_endian else '<'}{elements}f", *numbers)


class Pickle:
    """The opcodes of protocol 2 in the order in which CPython's pickler writes them for a state_dict."""

    def __init__(self):
        self.out = b"\x80\x02"
        self.memo = {}

    def put(self, key=None):
        index = len(self.memo)
        self.memo[key if key is not None else ("anonymous", index)] = index
        self.out += b"q" + bytes([index]) if index < 256 else b"r" + struct.pack("<I", index)

    def once(self, key, write):
        if key in self.memo:
            index = self.memo[key]
            self.out += b"h" + bytes([index]) if index < 256 else b"j" + struct.pack("<I", index)
        else:
            write()
            self.put(key)

    def text(self, text):
        encoded = text.encode()
        self.once(("text", text), lambda: self.emit(b"X" + struct.pack("<I", len(encoded)) + encoded))

    def name(self, module, name):
        self.once(("global", module, name), lambda: self.emit(f"c{module}\n{name}\n".encode()))

    def emit(self, data):
        self.out += data

    def integer(self, value):
        if value < 2**8:
            self.emit(b"K" + bytes([value]))
        elif value < 2**16:
            self.emit(b"M" + struct.pack("<H", value))
        else:
            self.emit(b"J" + struct.pack("<i", value))

    def integers(self, numbers):
        if len(numbers) > 3:
            self.emit(b"(")
        for number in numbers:
            self.integer(number)
        self.emit({1: b"\x85", 2: b"\x86", 3: b"\x87"}.get(len(numbers), b"t"))
        self.put()

    def ordered_dict(self):
        self.name("collections", "OrderedDict")
        self.emit(b")R")
        self.put()

    def tensor(self, key, shape):
        self.name("torch._utils", "_rebuild_tensor_v2")
        self.emit(b"((")
        self.text("storage")
        self.name("torch", "FloatStorage")
        self.text(str(key))
        self.text("cpu")
        self.integer(count(shape))
        self.emit(b"t")
        self.put()
        self.emit(b"Q")
        self.integer(0)
        self.integers(shape)
        self.integers([count(shape[i + 1:]) for i in range(len(shape))])
        self.emit(b"\x89")  # requires_grad is False in a state_dict
        self.ordered_dict()  # backward hooks
        self.emit(b"t")
        self.put()
        self.emit(b"R")
        self.put()

    def metadata(self, shapes):
        """The attribute that Module.state_dict() hangs on its OrderedDict."""
        self.emit(b"}")
        self.put()
        self.text("_metadata")
        self.ordered_dict()
        self.emit(b"(")
        for module in [""] + sorted({name.split(".")[0] for name in shapes}):
            self.text(module)
            self.emit(b"}")
            self.put()
            self.text("version")
            self.integer(1)
            self.emit(b"s")
        self.emit(b"usb")


def data_pkl(shapes):
    pickle = Pickle()
    pickle.ordered_dict()
    pickle.emit(b"(")
    for key, (name, shape) in enumerate(shapes.items()):
        pickle.text(name)
        pickle.tensor(key, shape)
    pickle.emit(b"u")
    pickle.metadata(shapes)
    pickle.emit(b".")
    return pickle.out


def write_zip(root, records, with_crc):
    out, directory = b"", b""
    for short_name, data in records:
        name, at = f"{root}/{short_name}".encode(), len(out)
        padding = -(at + 30 + len(name) + 4) % ALIGNMENT
        extra = b"FB" + struct.pack("<H", padding) + b"Z" * padding
        crc = zlib.crc32(data) if with_crc else 0
        out += struct.pack("<IHHHHHIIIHH", 0x04034B50, 0, FLAGS, 0, 0, 0, 0, 0, 0, len(name), len(extra)) + name + extra
        assert len(out) % ALIGNMENT == 0
        out += data + struct.pack("<IIII", 0x08074B50, crc, len(data), len(data))
        directory += struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 0, 0, FLAGS, 0, 0, 0, crc, len(data), len(data),
                                 len(name), 0, 0, 0, 0, 0, at) + name
    n, at, size = len(records), len(out), len(directory)
    end64 = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 0x031E, 45, 0, 0, n, n, size, at)
    locator = struct.pack("<IIQI", 0x07064B50, 0, at + size, 1)
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, n, n, size, at, 0)
    return out + directory + end64 + locator + end


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--no-crc", action="store_true")
    parser.add_argument("--big-endian", action="store_true")
    args = parser.parse_args()
    shapes = SMALL_SHAPES if args.small else SHAPES
    records = [("data.pkl", data_pkl(shapes)), (".format_version", b"1"), (".storage_alignment", b"64"),
               ("byteorder", b"big" if args.big_endian else b"little")]
    for key, shape in enumerate(shapes.values()):
        records.append((f"data/{key}", values(key, count(shape), args.big_endian)))
    records += [("version", b"3\n"), (".data/serialization_id", b"0" * 40)]
    with open(args.out, "wb") as file:
        file.write(write_zip("archive", records, not args.no_crc))


if __name__ == "__main__":
    main()
