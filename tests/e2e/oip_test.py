"""The Open Inference Protocol of the real digitd, as Python clients speak it; stubs are made by protoc."""
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

import grpc

from digitd_test import BIN, MODEL, Daemon, run

IMAGES = [f"tests/data/images/{name}" for name in ("seven.png", "two-canvas.png", "eight.bmp")]
LABELS = ["7", "2", "8"]
TOKEN = "0123456789abcdef0123456789abcdef"
STUBS = tempfile.TemporaryDirectory()
subprocess.run(["/usr/bin/python3", "-m", "grpc_tools.protoc", "-I", "proto", f"--python_out={STUBS.name}",
                f"--grpc_python_out={STUBS.name}", "proto/inference/grpc_service.proto", "proto/digit/v1/digit.proto"],
               check=True)
sys.path.insert(0, STUBS.name)
from digit.v1 import digit_pb2, digit_pb2_grpc  # noqa: E402
from inference import grpc_service_pb2 as pb, grpc_service_pb2_grpc as rpc  # noqa: E402


def read(path):
    with open(path, "rb") as f:
        return f.read()


def raw_bytes(elements):
    return b"".join(struct.pack("<I", len(element)) + element for element in elements)


def elements(response, name):
    """Elements of an output, and its shape."""
    index = [output.name for output in response.outputs].index(name)
    output, raw = response.outputs[index], response.raw_output_contents[index]
    if output.datatype != "BYTES":
        return list(struct.unpack(f"<{len(raw) // 4}{'f' if output.datatype == 'FP32' else 'i'}", raw)), output.shape
    found = []
    while raw:
        length = struct.unpack("<I", raw[:4])[0]
        found.append(raw[4:4 + length].decode())
        raw = raw[4 + length:]
    return found, output.shape


def request(name="images", datatype="BYTES", shape=(3,), raw=None, **fields):
    made = pb.ModelInferRequest(**fields)
    made.inputs.add(name=name, datatype=datatype, shape=shape)
    if raw is not None:
        made.raw_input_contents.append(raw)
    return made


def typed(made, **contents):
    made.inputs[0].contents.CopyFrom(pb.InferTensorContents(**contents))
    return made


class OipTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon("--model", MODEL, "--access-log")
        cls.channel = grpc.insecure_channel(cls.daemon.address)
        cls.stub = rpc.GRPCInferenceServiceStub(cls.channel)
        cls.files = [read(path) for path in IMAGES]
        asked = digit_pb2.RecognizeRequest(images=[digit_pb2.Image(encoded=file) for file in cls.files],
                                           options=digit_pb2.RecognizeOptions(include_pixels=True))
        cls.ours = digit_pb2_grpc.DigitServiceStub(cls.channel).Recognize(asked)
        cls.pixels = b"".join(result.pixels for result in cls.ours.results)
        cls.version = cls.ours.version

    @classmethod
    def tearDownClass(cls):
        cls.channel.close()
        code = cls.daemon.stop()
        cls.daemon.__exit__()
        assert code == 0 and "call method=ModelInfer code=OK images=3 " in cls.daemon.log[-1], cls.daemon.log[-1][-2000:]
        assert "call method=ModelStreamInfer code=NOT_FOUND " in cls.daemon.log[-1]

    def fails(self, code, words, made):
        with self.assertRaises(grpc.RpcError) as caught:
            self.stub.ModelInfer(made)
        self.assertEqual(caught.exception.code(), code, caught.exception.details())
        for word in words:
            self.assertIn(word, caught.exception.details())

    def test_answers_are_those_of_our_own_api(self):
        answer = self.stub.ModelInfer(request(raw=raw_bytes(self.files), id="a b c"))
        self.assertEqual((answer.model_name, answer.model_version, answer.id), ("mnist", self.version, "a b c"))
        predictions = [result.prediction for result in self.ours.results]
        self.assertEqual(elements(answer, "label"), (LABELS, [3]))
        self.assertEqual(elements(answer, "class"), ([int(label) for label in LABELS], [3]))
        self.assertEqual(elements(answer, "probabilities"), ([p for one in predictions for p in one.probabilities],
                                                             [3, 10]))
        verdicts = [digit_pb2.Verdict.Name(one.verdict).removeprefix("VERDICT_").lower() for one in predictions]
        self.assertEqual(elements(answer, "verdict"), (verdicts, [3]))
        self.assertIn("confident", verdicts)

    def test_every_form_of_input_gives_the_same_answer(self):
        floats = [value / 255 for value in self.pixels]
        forms = {
            "files raw": request(raw=raw_bytes(self.files)),
            "files typed": typed(request(), bytes_contents=self.files),
            "UINT8 raw": request("pixels", "UINT8", (3, 28, 28), self.pixels),
            "UINT8 raw with a channel": request("pixels", "UINT8", (3, 1, 28, 28), self.pixels),
            "UINT8 typed": typed(request("pixels", "UINT8", (3, 28, 28)), uint_contents=self.pixels),
            "FP32 raw": request("pixels", "FP32", (3, 28, 28), struct.pack(f"<{len(floats)}f", *floats)),
            "FP32 typed": typed(request("pixels", "FP32", (3, 1, 28, 28)), fp32_contents=floats),
        }
        expected = elements(self.stub.ModelInfer(forms["files raw"]), "probabilities")
        for form, made in forms.items():
            with self.subTest(form):
                answer = self.stub.ModelInfer(made)
                self.assertEqual(elements(answer, "label")[0], LABELS)
                self.assertEqual(elements(answer, "probabilities"), expected)
                self.assertEqual(len(answer.raw_output_contents), 4)

    def test_only_the_outputs_asked_for_and_classification(self):
        made = request(raw=raw_bytes(self.files))
        made.outputs.add(name="label")
        made.outputs.add(name="probabilities").parameters["classification"].int64_param = 2
        answer = self.stub.ModelInfer(made)
        self.assertEqual([output.name for output in answer.outputs], ["label", "probabilities"])
        self.assertEqual(answer.outputs[1].datatype, "BYTES")
        classes, shape = elements(answer, "probabilities")
        self.assertEqual(shape, [3, 2])
        for row, label in enumerate(LABELS):
            value, place, name = classes[2 * row].split(":")
            self.assertEqual((place, name), (label, label))
            self.assertAlmostEqual(float(value), self.ours.results[row].prediction.confidence, places=5)
            self.assertLess(float(classes[2 * row + 1].split(":")[0]), float(value))

    def test_versions_and_labels(self):
        for version in ("", "stable", self.version):
            made = request(raw=raw_bytes(self.files), model_name="mnist", model_version=version)
            self.assertEqual(self.stub.ModelInfer(made).model_version, self.version)
        self.fails(grpc.StatusCode.NOT_FOUND, ["99"], request(raw=raw_bytes(self.files), model_version="99"))
        self.fails(grpc.StatusCode.NOT_FOUND, ["'other'"], request(raw=raw_bytes(self.files), model_name="other"))

    def test_every_wrong_tensor_is_refused_with_its_name(self):
        pixels, files = self.pixels, raw_bytes(self.files)
        both = request("pixels", "UINT8", (3, 28, 28), pixels)
        both.inputs[0].contents.uint_contents.append(1)
        two = request(raw=files)
        two.inputs.add(name="pixels", datatype="UINT8", shape=[3, 28, 28])
        twice = request(raw=files)
        twice.outputs.add(name="class")
        twice.outputs.add(name="class")
        classified = request(raw=files)
        classified.outputs.add(name="class").parameters["classification"].int64_param = 1
        unknown = request(raw=files)
        unknown.outputs.add(name="logits")
        wrong = [
            (["0 inputs"], pb.ModelInferRequest()),
            (["2 inputs"], two),
            (["'picture' is unknown"], request("picture", raw=files)),
            (["'images'", "no data"], request()),
            (["'pixels'", "contents"], both),
            (["'pixels'", "datatype 'FP16'"], request("pixels", "FP16", (3, 28, 28), pixels * 2)),
            (["'images'", "datatype 'UINT8'"], request("images", "UINT8", (3,), files)),
            (["'pixels'", "[3,28]"], request("pixels", "UINT8", (3, 28), pixels)),
            (["'pixels'", "[0,28,28]"], request("pixels", "UINT8", (0, 28, 28), b"")),
            (["'pixels'", "[-3,28,28]"], request("pixels", "UINT8", (-3, 28, 28), pixels)),
            (["'pixels'", "from 1 to 1024"], request("pixels", "UINT8", (1025, 28, 28), b"\1" * 1025 * 784)),
            (["'pixels'", "9223372036854775807"], request("pixels", "UINT8", (2**63 - 1, 28, 28), pixels)),
            (["'pixels'", "[1,3,28,28]"], request("pixels", "UINT8", (1, 3, 28, 28), pixels)),
            (["'pixels'", "2351 bytes", "needs 2352"], request("pixels", "UINT8", (3, 28, 28), pixels[1:])),
            (["'pixels'", "2353 bytes"], request("pixels", "UINT8", (3, 28, 28), pixels + b"x")),
            (["'pixels'", "2352 bytes", "FP32"], request("pixels", "FP32", (3, 28, 28), pixels)),
            (["'pixels'", "256", "0..255"], typed(request("pixels", "UINT8", (1, 28, 28)), uint_contents=[256] * 784)),
            (["'pixels'", "fp32_contents"], typed(request("pixels", "UINT8", (1, 28, 28)), fp32_contents=[1] * 784)),
            (["'pixels'", "783 elements"], typed(request("pixels", "UINT8", (1, 28, 28)), uint_contents=[1] * 783)),
            (["'pixels'", "0 (paper) to 1 (ink)"],
             typed(request("pixels", "FP32", (1, 28, 28)), fp32_contents=[255.0] * 784)),
            (["'pixels'", "nan"], typed(request("pixels", "FP32", (1, 28, 28)), fp32_contents=[float("nan")] * 784)),
            (["'images'", "element 2"], request(raw=files[:-1])),
            (["'images'", "beyond the 3 elements"], request(raw=files + b"x")),
            (["'images'", "4294967295"], request(shape=(1,), raw=b"\xff\xff\xff\xff")),
            (["'images'", "2 elements in bytes_contents"], typed(request(), bytes_contents=[b"a", b"b"])),
            (["'class' is asked for twice"], twice),
            (["'class'", "classification"], classified),
            (["'logits' is unknown"], unknown),
        ]
        for words, made in wrong:
            with self.subTest(words):
                self.fails(grpc.StatusCode.INVALID_ARGUMENT, words, made)

    def test_one_bad_image_fails_the_call_with_its_index(self):
        self.fails(grpc.StatusCode.INVALID_ARGUMENT, ["images[1]: "],
                   request(raw=raw_bytes([self.files[0], b"no picture", self.files[2]])))
        self.fails(grpc.StatusCode.INVALID_ARGUMENT, ["images[2]: no digit found"],
                   request(raw=raw_bytes([*self.files[:2], read("tests/data/images/blank.png")])))
        self.fails(grpc.StatusCode.INVALID_ARGUMENT, ["pixels[0]: no digit found"],
                   request("pixels", "UINT8", (2, 28, 28), bytes(784) + self.pixels[:784]))

    def test_bytes_that_were_written_by_hand(self):
        call = self.channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        head = bytes.fromhex("0a05 6d6e697374"                                    # model_name 1: mnist
                             "1a02 6137"                                          # id 3: a7
                             "2a14 0a06 706978656c73 1205 55494e5438 1a03 011c1c"  # inputs 5: pixels UINT8 [1,28,28]
                             "3207 0a05 6c6162656c"                               # outputs 6: label
                             "3a9006")                                            # raw_input_contents 7: 784 bytes
        self.assertEqual(call(head + self.pixels[:784]),
                         bytes.fromhex("0a05 6d6e697374 120c") + self.version.encode() + bytes.fromhex(
                             "1a02 6137"
                             "2a11 0a05 6c6162656c 1205 4259544553 1a01 01"       # outputs 5: label BYTES [1]
                             "3205 01000000 37"))                                 # raw_output_contents 6: "7"
        self.assertEqual(self.channel.unary_unary("/inference.GRPCInferenceService/ServerLive")(b""), b"\x08\x01")

    def test_a_stream_answers_in_order_and_errors_are_answers(self):
        bad = request("pixels", "UINT8", (1, 28, 28), b"short", id="bad")
        lost = request(raw=raw_bytes(self.files), model_name="other", id="lost")
        blank = request("pixels", "UINT8", (1, 28, 28), bytes(784), id="blank")

        def messages():
            for i in range(100):
                yield request("pixels", "UINT8", (3, 28, 28), self.pixels, id=str(i))
                yield (bad, lost, blank)[i % 3]
        answers = list(self.stub.ModelStreamInfer(messages()))
        self.assertEqual(len(answers), 200)
        for i in range(100):
            good, error = answers[2 * i:2 * i + 2]
            self.assertEqual((good.error_message, good.infer_response.id), ("", str(i)))
            self.assertEqual(elements(good.infer_response, "label")[0], LABELS)
            self.assertTrue(good.infer_response.parameters["triton_final_response"].bool_param)
            self.assertEqual(error.infer_response.id, ("bad", "lost", "blank")[i % 3])
            self.assertRegex(error.error_message, ("^INVALID_ARGUMENT: input 'pixels' has 5 bytes", "^NOT_FOUND: ",
                                                   r"^INVALID_ARGUMENT: pixels\[0\]: no digit found")[i % 3])

    def test_what_the_server_says_of_itself_and_its_model(self):
        self.assertTrue(self.stub.ServerLive(pb.ServerLiveRequest()).live)
        self.assertTrue(self.stub.ServerReady(pb.ServerReadyRequest()).ready)
        self.assertTrue(self.stub.ModelReady(pb.ModelReadyRequest(name="mnist", version="stable")).ready)
        self.assertFalse(self.stub.ModelReady(pb.ModelReadyRequest(name="other")).ready)
        server = self.stub.ServerMetadata(pb.ServerMetadataRequest())
        self.assertEqual(server.name, "digitd")
        self.assertIn(server.version, run(f"{BIN}/digitd", "--version").stdout)
        model = self.stub.ModelMetadata(pb.ModelMetadataRequest(name="mnist"))
        self.assertEqual(list(model.versions), [self.version])
        self.assertEqual([(t.name, t.datatype, list(t.shape)) for t in model.inputs],
                         [("pixels", "UINT8", [-1, 28, 28]), ("images", "BYTES", [-1])])
        self.assertEqual([(t.name, t.datatype, list(t.shape)) for t in model.outputs],
                         [("probabilities", "FP32", [-1, 10]), ("class", "INT32", [-1]), ("label", "BYTES", [-1]),
                          ("verdict", "BYTES", [-1])])
        self.assertEqual(json.loads(model.properties["labels"]), [str(i) for i in range(10)])
        config = self.stub.ModelConfig(pb.ModelConfigRequest(name="mnist")).config
        self.assertEqual((config.name, config.max_batch_size, config.backend), ("mnist", 1024, "cpu"))
        self.assertEqual([list(t.dims) for t in config.output], [[10], [], [], []])
        index = self.stub.RepositoryIndex(pb.RepositoryIndexRequest()).models
        self.assertEqual([(m.name, m.version, m.state) for m in index], [("mnist", self.version, "READY")])
        for call, asked in ((self.stub.ModelMetadata, pb.ModelMetadataRequest(name="other")),
                            (self.stub.ModelConfig, pb.ModelConfigRequest(name="other")),
                            (self.stub.ModelStatistics, pb.ModelStatisticsRequest(name="other"))):
            with self.assertRaises(grpc.RpcError) as caught:
                call(asked)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.NOT_FOUND)

    def test_statistics_grow_with_what_is_answered(self):
        def statistics():
            return self.stub.ModelStatistics(pb.ModelStatisticsRequest(name="mnist")).model_stats[0]
        before = statistics()
        for _ in range(10):
            self.stub.ModelInfer(request("pixels", "UINT8", (3, 28, 28), self.pixels))
        after = statistics()
        self.assertEqual(after.inference_count - before.inference_count, 30)
        self.assertEqual(after.execution_count - before.execution_count, 10)
        self.assertEqual(after.inference_stats.success.count - before.inference_stats.success.count, 10)
        self.assertEqual(after.inference_stats.fail.count, before.inference_stats.fail.count)
        good, blank = read(IMAGES[0]), read("tests/data/images/blank.png")
        with self.assertRaises(grpc.RpcError):
            self.stub.ModelInfer(request(shape=(2,), raw=raw_bytes([good, blank])))
        failed = statistics().inference_stats
        self.assertEqual((failed.success.count, failed.fail.count),
                         (after.inference_stats.success.count, after.inference_stats.fail.count + 1))
        self.assertGreater(after.inference_stats.compute_infer.ns, before.inference_stats.compute_infer.ns)
        self.assertGreaterEqual(after.last_inference, before.last_inference)
        self.assertGreater(after.last_inference, 1_600_000_000_000)

    def test_a_file_is_loaded_again_but_none_that_a_caller_brings(self):
        def load(**fields):
            self.stub.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name="mnist", **fields))
        load()
        for parameter in ("config", "file:1/model.pt"):
            with self.assertRaises(grpc.RpcError) as caught:
                load(parameters={parameter: pb.ModelRepositoryParameter(string_param="{}")})
            self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
            self.assertIn(parameter, caught.exception.details())
        with self.assertRaises(grpc.RpcError) as caught:
            self.stub.RepositoryModelUnload(pb.RepositoryModelUnloadRequest(model_name="mnist"))
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNIMPLEMENTED)
        self.assertTrue(self.stub.ModelReady(pb.ModelReadyRequest(name="mnist")).ready)


class OipServerTest(unittest.TestCase):
    def test_a_damaged_file_is_refused_and_what_was_live_serves(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/mnist.pt"
            shutil.copy(MODEL, path)
            with Daemon("--model", path, "--watch=false") as daemon, grpc.insecure_channel(daemon.address) as channel:
                stub = rpc.GRPCInferenceServiceStub(channel)
                with open(path, "wb") as f:
                    f.write(b"no model")
                with self.assertRaises(grpc.RpcError) as caught:
                    stub.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name="mnist"))
                self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
                answer = stub.ModelInfer(request(shape=(1,), raw=raw_bytes([read(IMAGES[0])])))
                self.assertEqual(elements(answer, "label")[0], ["7"])
                states = {m.state: m.reason for m in stub.RepositoryIndex(pb.RepositoryIndexRequest()).models}
                self.assertEqual(set(states), {"READY", "UNAVAILABLE"})
                self.assertNotEqual(states["UNAVAILABLE"], "")
                ready = stub.RepositoryIndex(pb.RepositoryIndexRequest(ready=True)).models
                self.assertEqual([m.state for m in ready], ["READY"])

    def test_load_and_unload_want_the_admin_token(self):
        with tempfile.NamedTemporaryFile("w") as token:
            token.write(TOKEN)
            token.flush()
            os.chmod(token.name, 0o600)
            with Daemon("--model", MODEL, "--admin-token-file", token.name) as daemon, \
                    grpc.insecure_channel(daemon.address) as channel:
                stub = rpc.GRPCInferenceServiceStub(channel)
                admin = [("authorization", f"Bearer {TOKEN}")]
                for call, asked in ((stub.RepositoryModelLoad, pb.RepositoryModelLoadRequest()),
                                    (stub.RepositoryModelUnload, pb.RepositoryModelUnloadRequest())):
                    with self.assertRaises(grpc.RpcError) as caught:
                        call(asked)
                    self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAUTHENTICATED)
                stub.RepositoryModelLoad(pb.RepositoryModelLoadRequest(), metadata=admin)
                stub.ModelInfer(request(shape=(1,), raw=raw_bytes([read(IMAGES[0])])))  # for everybody

    def test_a_stop_answers_what_was_read_and_ends_a_stream(self):
        with Daemon("--model", MODEL, "--drain-timeout", "1h") as daemon, \
                grpc.insecure_channel(daemon.address) as channel:
            stub = rpc.GRPCInferenceServiceStub(channel)
            never = threading.Event()

            def messages():
                yield request(shape=(1,), raw=raw_bytes([read(IMAGES[0])]))
                never.wait()
            call = stub.ModelStreamInfer(messages())
            self.assertEqual(elements(next(call).infer_response, "label")[0], ["7"])
            self.assertEqual(daemon.stop(signal.SIGTERM), 0)
            with self.assertRaises(grpc.RpcError) as caught:
                next(call)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)
            never.set()


if __name__ == "__main__":
    os.environ.pop("DIGIT_SERVER", None)
    unittest.main(verbosity=2)
