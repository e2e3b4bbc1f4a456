#!/usr/bin/python3
"""Writes the seeds of tensor_fuzzer into FOLDER: one small ModelInferRequest of each form.

    make_tensor_seeds.py FOLDER

Runs in the repository's top folder. Needs python3-grpc-tools. What lies in tests/fuzz/corpus/tensor was made by this.
"""
import pathlib
import struct
import subprocess
import sys
import tempfile


def main(folder):
    with tempfile.TemporaryDirectory() as stubs:
        subprocess.run([sys.executable, "-m", "grpc_tools.protoc", "-I", "proto", f"--python_out={stubs}",
                        "proto/inference/grpc_service.proto"], check=True)
        sys.path.insert(0, stubs)
        from inference import grpc_service_pb2 as pb

    def request(name, datatype, shape, raw=None, **contents):
        made = pb.ModelInferRequest(model_name="mnist", model_version="stable", id="1")
        filled = pb.InferTensorContents(**contents) if contents else None
        made.inputs.add(name=name, datatype=datatype, shape=shape, contents=filled)
        if raw is not None:
            made.raw_input_contents.append(raw)
        return made

    pixels = bytes(range(28)) * 28
    asked = request("images", "BYTES", [2], struct.pack("<I3sI", 3, b"abc", 0))
    asked.parameters["timeout"].int64_param = 1000
    asked.parameters["priority"].uint64_param = 2
    asked.outputs.add(name="label")
    asked.outputs.add(name="probabilities").parameters["classification"].int64_param = 3
    seeds = {
        "pixels_raw": request("pixels", "UINT8", [1, 28, 28], pixels),
        "pixels_typed": request("pixels", "UINT8", [1, 1, 28, 28], uint_contents=pixels),
        "floats_raw": request("pixels", "FP32", [1, 28, 28], struct.pack("<784f", *(b / 255 for b in pixels))),
        "images_typed": request("images", "BYTES", [2], bytes_contents=[b"abc", b""]),
        "images_raw": asked,
    }
    for name, made in seeds.items():
        (pathlib.Path(folder) / name).write_bytes(made.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main(sys.argv[1])
