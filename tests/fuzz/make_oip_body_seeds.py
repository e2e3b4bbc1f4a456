#!/usr/bin/python3
"""Writes the seeds of oip_body_fuzzer into FOLDER: one small infer body of each form.

    make_oip_body_seeds.py FOLDER

What lies in tests/fuzz/corpus/oip_body was made by this.
"""
import json
import pathlib
import struct
import sys


def main(folder):
    def tensor(name, datatype, shape, **rest):
        return {"inputs": [{"name": name, "datatype": datatype, "shape": shape, **rest}]}

    asked = {"id": "1", "parameters": {"binary_data_output": True, "timeout": 1000},
             **tensor("images", "BYTES", [2], parameters={"binary_data_size": 11}),
             "outputs": [{"name": "label", "parameters": {"binary_data": False}},
                         {"name": "probabilities", "parameters": {"classification": 3}}]}
    seeds = {  # JSON, what lies behind it, and whether there is a header
        "nested": (tensor("pixels", "UINT8", [1, 2, 2], data=[[[0, 255], [1, 2]]]), b"", False),
        "floats": (tensor("pixels", "FP32", [1, 2], data=[0.5, 1e-3]), b"", False),
        "strings": (tensor("images", "BYTES", [2], data=["P1 1 1 0", ""]), b"", False),
        "base64": (tensor("images", "BYTES", [1], parameters={"content_type": "base64"},
                          data=["data:image/png;base64,YWJj"]), b"", False),
        "binary": (asked, struct.pack("<I3sI", 3, b"abc", 0), True),
        "element": (tensor("images", "BYTES", [1]), b"abc", True),
        "file": (None, b"abc", True),
    }
    for name, (body, tensors, has_header) in seeds.items():
        text = b"" if body is None else json.dumps(body).encode()
        length = len(text) if has_header else 0xffff
        (pathlib.Path(folder) / name).write_bytes(struct.pack("<H", length) + text + tensors)


if __name__ == "__main__":
    main(sys.argv[1])
