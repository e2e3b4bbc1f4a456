#!/usr/bin/env python3
"""recognize.py [--stream] FILE...: what digits the pictures show, by the digitd at $DIGIT_SERVER.

Stubs are made from proto/ when it starts. Needs python3-grpcio and python3-grpc-tools (pip: grpcio and grpcio-tools).
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import grpc

PROTO = os.environ.get("DIGIT_PROTO", pathlib.Path(__file__).resolve().parents[3] / "proto")
with tempfile.TemporaryDirectory() as stubs:
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", f"--python_out={stubs}",
                    f"--grpc_python_out={stubs}", "digit/v1/digit.proto"], check=True)
    sys.path.insert(0, stubs)
    from digit.v1 import digit_pb2 as pb, digit_pb2_grpc as services

# All addresses of a name in turns. Try again what a server that stops or is overloaded has refused; it says when.
SERVICE_CONFIG = json.dumps({
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [{"name": [{"service": "digit.v1.DigitService"}], "retryPolicy": {
        "maxAttempts": 4, "initialBackoff": "0.1s", "maxBackoff": "1s", "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"]}}]})
TIMEOUT_SECONDS = 10


def request_of(file):
    with open(file, "rb") as picture:
        return pb.RecognizeRequest(images=[pb.Image(encoded=picture.read())])


def unary(stub, files):
    """One call for each picture."""
    for file in files:
        yield file, stub.Recognize(request_of(file), timeout=TIMEOUT_SECONDS).results[0]


def stream(stub, files):
    """All pictures through one call; answers come in the order of the requests, a failure is an answer too."""
    unread = []

    def messages():  # on a thread of gRPC's, which would hide what is raised here
        for i, file in enumerate(files):
            try:
                request = request_of(file)
            except OSError as error:
                unread.append(error)
                return
            yield pb.RecognizeStreamRequest(id=i, request=request, timeout={"seconds": TIMEOUT_SECONDS})

    for answer in stub.RecognizeStream(messages()):
        if answer.HasField("error"):
            yield files[answer.id], pb.Result(error=pb.ImageError(message=answer.error.message))
        else:
            yield files[answer.id], answer.response.results[0]
    if unread:
        raise unread[0]


def main():
    parser = argparse.ArgumentParser(description="What digits the pictures show.")
    parser.add_argument("--stream", action="store_true", help="one stream in place of a call for each picture")
    parser.add_argument("files", nargs="+", metavar="FILE")
    arguments = parser.parse_args()
    code = 0
    with grpc.insecure_channel(os.environ.get("DIGIT_SERVER", "127.0.0.1:50051"),
                               [("grpc.service_config", SERVICE_CONFIG)]) as channel:
        ask = stream if arguments.stream else unary
        for file, result in ask(services.DigitServiceStub(channel), arguments.files):
            if result.HasField("error"):
                print(f"{file}: {result.error.message}")
                code = 1
            else:
                print(f"{file}: {result.prediction.label} ({result.prediction.confidence:.1%})")
    return code


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as error:
        sys.exit(f"recognize.py: {error}")
    except grpc.RpcError as error:
        sys.exit(f"recognize.py: {error.details()}")
