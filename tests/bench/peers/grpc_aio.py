#!/usr/bin/python3
"""Python grpc.aio and TorchScript, with batching: while a batch is in the network, what comes gathers for the next.

    PYTHONPATH=STUBS grpc_aio.py MODEL.pt [PROCESSES]

With several processes each has a network of its own and takes a part of the connections. STUBS holds the Python code
for proto/digit/v1/digit.proto. Needs python3-torch and python3-grpcio. Takes raw pictures only. Prints "listening on
HOST:PORT" once it serves.
"""
import asyncio
import concurrent.futures
import multiprocessing
import socket
import sys

import grpc
import torch

from digit.v1 import digit_pb2 as pb
from digit.v1 import digit_pb2_grpc as rpc

PIXELS = 28 * 28
MAX_BATCH = 64
MODEL = pb.Model(name="mnist", is_default=True, versions=[
    pb.ModelVersion(version="1", state=pb.MODEL_STATE_LIVE, labels=[str(digit) for digit in range(10)])])


class Network:
    def __init__(self, path):
        torch.set_num_threads(1)
        self.module = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.load(path).eval()))
        for size in range(1, MAX_BATCH + 1):
            self.run(bytes(size * PIXELS))

    # For each picture its ten probabilities.
    def run(self, pixels):
        # The graph is optimised already; specialising it for each batch size again would only cost time.
        with torch.inference_mode(), torch.jit.optimized_execution(False):
            images = torch.frombuffer(bytearray(pixels), dtype=torch.uint8).view(-1, 1, 28, 28)
            return torch.softmax(self.module(images.float().div_(255)), 1).tolist()


class Batcher:
    def __init__(self, network):
        self.network = network
        self.thread = concurrent.futures.ThreadPoolExecutor(1)  # LibTorch lets go of the interpreter's lock
        self.waiting = asyncio.Queue()
        self.loop = asyncio.get_running_loop()
        self.task = self.loop.create_task(self.serve())

    async def run(self, pixels):
        answer = self.loop.create_future()
        self.waiting.put_nowait((pixels, answer))
        return await answer

    async def serve(self):
        while True:
            batch = [await self.waiting.get()]
            images = len(batch[0][0]) // PIXELS
            while images < MAX_BATCH and not self.waiting.empty():
                batch.append(self.waiting.get_nowait())
                images += len(batch[-1][0]) // PIXELS
            pixels = b"".join(pixels for pixels, _ in batch)
            rows = await self.loop.run_in_executor(self.thread, self.network.run, pixels)
            for pixels, answer in batch:
                own, rows = rows[:len(pixels) // PIXELS], rows[len(pixels) // PIXELS:]
                if not answer.done():  # it is when the caller has gone
                    answer.set_result(own)


class DigitService(rpc.DigitServiceServicer):
    def __init__(self, network):
        self.batcher = Batcher(network)

    async def Recognize(self, request, context):
        pixels = b"".join(image.pixels for image in request.images) + request.packed_pixels
        if not pixels or len(pixels) % PIXELS:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "raw pictures of 784 bytes, one or more")
        rows = await self.batcher.run(pixels)
        results = []
        for row in rows:
            confidence = max(row)
            results.append(pb.Result(prediction=pb.Prediction(
                label=str(row.index(confidence)), confidence=confidence, probabilities=row)))
        return pb.RecognizeResponse(results=results, model="mnist", version="1")

    async def ListModels(self, request, context):
        return pb.ListModelsResponse(models=[MODEL])

    async def GetModel(self, request, context):
        return pb.GetModelResponse(model=MODEL)


async def serve(port, all_serve, says_so):
    server = grpc.aio.server(options=[("grpc.so_reuseport", 1)])
    rpc.add_DigitServiceServicer_to_server(DigitService(Network(sys.argv[1])), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    all_serve.wait()
    if says_so:
        print(f"listening on 127.0.0.1:{port}", flush=True)
    await server.wait_for_termination()


def main():
    processes = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    all_serve = multiprocessing.Barrier(processes)
    with socket.socket() as reserved:  # holds a free port, and never listens
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        for _ in range(1, processes):
            multiprocessing.Process(target=lambda: asyncio.run(serve(port, all_serve, False)), daemon=True).start()
        asyncio.run(serve(port, all_serve, True))


if __name__ == "__main__":
    main()
