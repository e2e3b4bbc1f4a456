#!/usr/bin/python3
"""Writes the seeds of idx_fuzzer into FOLDER: two pictures and their labels, in each form.

    make_idx_seeds.py FOLDER

What lies in tests/fuzz/corpus/idx was made by this.
"""
import gzip
import pathlib
import struct
import sys


def main(folder):
    images = struct.pack(">IIII", 2051, 2, 28, 28) + bytes(range(28)) * 56
    labels = struct.pack(">II", 2049, 2) + bytes([7, 2])
    seeds = {
        "plain": (images, labels),
        "gzip": (gzip.compress(images, mtime=0), gzip.compress(labels, mtime=0)),
        "label_of_another_set": (images, struct.pack(">II", 2049, 3) + bytes([7, 2, 1])),
        "cut_off": (images[:-1], labels),
    }
    for name, (first, second) in seeds.items():  # the first two bytes say where the second file begins
        (pathlib.Path(folder) / name).write_bytes(struct.pack(">H", len(first)) + first + second)


if __name__ == "__main__":
    main(sys.argv[1])
