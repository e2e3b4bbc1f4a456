"""The Open Inference Protocol of the real digit-gateway: bodies written by hand over http.client, held against what digitd
answers over gRPC."""
import base64
import concurrent.futures
import json
import re
import socket
import struct
import tempfile
import unittest

import grpc

from digitd_test import BIN, MODEL, Daemon, run
from oip_test import IMAGES, LABELS, TOKEN, elements, pb, raw_bytes, read, request, rpc
from openapi_contract import ask
from openapi_test import large_png

JSON = {"Content-Type": "application/json"}
LENGTH = "Inference-Header-Content-Length"
INFER = "/v2/models/mnist/infer"


def gateway(server, *flags):
    return Daemon("--server", server, *flags, program=f"{BIN}/digit-gateway")


def binary(text, tensors):
    """A body and headers of the binary-data extension."""
    return text.encode() + tensors, {"Content-Type": "application/octet-stream", LENGTH: str(len(text.encode()))}


def tensor(answer, name):
    """Elements of an output, wherever they are, and its shape."""
    text = answer.body
    if answer.headers[LENGTH] is not None:
        text = answer.body[:int(answer.headers[LENGTH])]
    left = answer.body[len(text):]
    for output in json.loads(text)["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        raw, left = (None, left) if size is None else (left[:size], left[size:])
        if output["name"] != name:
            continue
        if raw is None and output["datatype"] == "FP32":  # as FP32 they must be the same bits
            return [struct.unpack("<f", struct.pack("<f", value))[0] for value in output["data"]], output["shape"]
        if raw is None:
            return output["data"], output["shape"]
        made = pb.ModelInferResponse(raw_output_contents=[raw])
        made.outputs.add(name=name, datatype=output["datatype"], shape=output["shape"])
        return elements(made, name)[0], output["shape"]
    raise AssertionError(f"no output {name} in {text}")


class OipRestTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon("--model", MODEL)
        cls.addClassCleanup(cls.daemon.__exit__)
        cls.gateway = gateway(cls.daemon.address)
        cls.addClassCleanup(cls.gateway.__exit__)
        cls.address = cls.gateway.address
        channel = grpc.insecure_channel(cls.daemon.address)
        cls.addClassCleanup(channel.close)
        cls.stub = rpc.GRPCInferenceServiceStub(channel)
        cls.files = [read(path) for path in IMAGES]
        cls.over_grpc = cls.stub.ModelInfer(request(raw=raw_bytes(cls.files)))
        cls.version = cls.over_grpc.model_version
        answer = ask(cls.address, "POST", "/v1/models/mnist:recognize?include=pixels",
                     json.dumps({"images": [base64.b64encode(file).decode() for file in cls.files]}), JSON).json()
        cls.pixels = b"".join(base64.b64decode(result["pixels"]) for result in answer["results"])

    def infer(self, body, headers=JSON, path=INFER):
        answer = ask(self.address, "POST", path, body if isinstance(body, bytes) else json.dumps(body), headers)
        self.assertEqual(answer.status, 200, answer.body)
        return answer

    def fails(self, status, words, body, headers=JSON, path=INFER, method="POST", address=None):
        answer = ask(address or self.address, method, path, body if isinstance(body, (bytes, str, type(None)))
                     else json.dumps(body), headers)
        self.assertEqual(answer.status, status, answer.body)
        self.assertEqual(answer.headers["Content-Type"], "application/json")
        self.assertEqual(list(answer.json()), ["error"])
        for word in words:
            self.assertIn(word, answer.json()["error"])
        return answer

    def agrees(self, answer):
        for name in ("probabilities", "class", "label", "verdict"):
            self.assertEqual(tensor(answer, name), tuple(map(list, elements(self.over_grpc, name))), name)

    def test_about_the_server(self):
        about = ask(self.address, "GET", "/v2").json()
        known = self.stub.ServerMetadata(pb.ServerMetadataRequest())
        self.assertEqual(about, {"name": "digitd", "version": known.version,
                                 "extensions": [*known.extensions, "binary_tensor_data"]})
        for path, body in (("/v2/health/live", {"live": True}), ("/v2/health/ready", {"ready": True}),
                           ("/v2/models/mnist/ready", {"name": "mnist", "ready": True}),
                           ("/v2/models/mnist/versions/stable/ready", {"name": "mnist", "ready": True})):
            answer = ask(self.address, "GET", path)
            self.assertEqual((answer.status, answer.json()), (200, body))
        for path in ("/v2/models/other/ready", "/v2/models/mnist/versions/99/ready"):
            answer = ask(self.address, "GET", path)
            self.assertEqual((answer.status, answer.json()["ready"]), (503, False))

    def test_about_a_model(self):
        for path in ("/v2/models/mnist", f"/v2/models/mnist/versions/{self.version}"):
            about = ask(self.address, "GET", path).json()
            self.assertEqual((about["name"], about["versions"], about["platform"]), ("mnist", [self.version], "digitd"))
            self.assertEqual(about["inputs"], [{"name": "pixels", "datatype": "UINT8", "shape": [-1, 28, 28]},
                                               {"name": "images", "datatype": "BYTES", "shape": [-1]}])
            self.assertEqual(about["outputs"], [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 10]},
                                                {"name": "class", "datatype": "INT32", "shape": [-1]},
                                                {"name": "label", "datatype": "BYTES", "shape": [-1]},
                                                {"name": "verdict", "datatype": "BYTES", "shape": [-1]}])
            config = ask(self.address, "GET", path + "/config").json()
            self.assertEqual((config["name"], config["max_batch_size"]), ("mnist", 1024))
            self.assertEqual(config["input"][0], {"name": "pixels", "data_type": "TYPE_UINT8", "dims": [28, 28],
                                                  "optional": True})
            before = ask(self.address, "GET", path + "/stats").json()["model_stats"][0]
            self.infer(self.files[0], {LENGTH: "0"})
            after = ask(self.address, "GET", path + "/stats").json()["model_stats"][0]
            self.assertEqual((after["name"], after["version"]), ("mnist", self.version))
            self.assertEqual(after["inference_count"], before["inference_count"] + 1)
            self.assertEqual(after["inference_stats"]["success"]["count"],
                             before["inference_stats"]["success"]["count"] + 1)
        everything = ask(self.address, "GET", "/v2/models/stats").json()["model_stats"]
        self.assertEqual([(one["name"], one["version"]) for one in everything], [("mnist", self.version)])

    def test_the_repository(self):
        ready = [{"name": "mnist", "version": self.version, "state": "READY", "reason": ""}]
        for body in (None, "{}", '{"ready":true}'):
            self.assertEqual(ask(self.address, "POST", "/v2/repository/index", body).json(), ready)
        self.fails(400, ["colour"], {"colour": 1}, path="/v2/repository/index")
        load, unload = "/v2/repository/models/mnist/load", "/v2/repository/models/mnist/unload"
        self.assertEqual(ask(self.address, "POST", load, "{}", JSON).status, 200)
        self.assertEqual(ask(self.address, "POST", load, "{}").status, 200)  # as Triton's client sends it
        self.fails(400, ["'config'"], {"parameters": {"config": "{}"}}, path=load)
        self.fails(400, ["'file:1/model.pt'"], {"parameters": {"file:1/model.pt": "AAAA"}}, path=load)
        self.fails(404, ["'other'"], {}, path="/v2/repository/models/other/load")
        self.fails(501, ["until it stops"], {"parameters": {"unload_dependents": True}}, path=unload)
        for path in (load, unload):
            self.fails(415, ["application/json"], "{}", {"Content-Type": "text/plain"}, path)

    def test_every_form_of_input_gives_the_answer_of_grpc(self):
        rows = [list(self.pixels[row:row + 28]) for row in range(0, len(self.pixels), 28)]
        images = [rows[at:at + 28] for at in range(0, 84, 28)]
        floats = [value / 255 for value in self.pixels]
        encoded = [base64.b64encode(file).decode() for file in self.files]
        raw = raw_bytes(self.files)

        def form(name, datatype, shape, data, **parameters):
            return {"inputs": [{"name": name, "datatype": datatype, "shape": shape, "data": data,
                                "parameters": parameters}]}
        for name, body in {
                "UINT8 flat": form("pixels", "UINT8", [3, 28, 28], list(self.pixels)),
                "UINT8 nested": form("pixels", "UINT8", [3, 28, 28], images),
                "UINT8 nested with a channel": form("pixels", "UINT8", [3, 1, 28, 28], [[image] for image in images]),
                "FP32 flat": form("pixels", "FP32", [3, 28, 28], floats),
                "BYTES as base64": form("images", "BYTES", [3], encoded, content_type="base64")}.items():
            with self.subTest(name):
                answer = self.infer(body)
                self.assertEqual(answer.headers["Content-Type"], "application/json")
                self.assertIsNone(answer.headers[LENGTH])
                self.agrees(answer)
        for name, text, tensors in (
                ("UINT8", '{"inputs":[{"name":"pixels","datatype":"UINT8","shape":[3,28,28],'
                          '"parameters":{"binary_data_size":2352}}]}', self.pixels),
                ("FP32", '{"inputs":[{"name":"pixels","datatype":"FP32","shape":[3,1,28,28],'
                         '"parameters":{"binary_data_size":9408}}]}', struct.pack("<2352f", *floats)),
                ("BYTES", '{"inputs":[{"name":"images","datatype":"BYTES","shape":[3],'
                          '"parameters":{"binary_data_size":%d}}]}' % len(raw), raw),
                ("BYTES without a size", '{"inputs":[{"name":"images","datatype":"BYTES","shape":[3]}]}', raw)):
            with self.subTest(f"{name} behind the JSON"):
                self.agrees(self.infer(*binary(text, tensors)))
                asked = text[:-1] + ',"parameters":{"binary_data_output":true}}'
                answer = self.infer(*binary(asked, tensors))
                self.assertEqual(answer.headers["Content-Type"], "application/octet-stream")
                self.agrees(answer)

    def test_golden_answers(self):
        """Byte for byte, but for the numbers."""
        text = ('{"id":"7","inputs":[{"name":"images","shape":[1],"datatype":"BYTES"}],"outputs":[{"name":"label"},'
                '{"name":"class","parameters":{"binary_data":true}},'
                '{"name":"probabilities","parameters":{"classification":1}}]}')
        answer = self.infer(*binary(text, self.files[0]))
        top = tensor(answer, "probabilities")[0][0]
        self.assertRegex(top, r"^0\.9\d+:7:7$")
        made = ('{"model_name":"mnist","model_version":"%s","id":"7","outputs":['
                '{"name":"label","datatype":"BYTES","shape":[1],"data":["7"]},'
                '{"name":"class","datatype":"INT32","shape":[1],"parameters":{"binary_data_size":4}},'
                '{"name":"probabilities","datatype":"BYTES","shape":[1,1],"data":["%s"]}]}' % (self.version, top))
        self.assertEqual(answer.body, made.encode() + b"\7\0\0\0")
        self.assertEqual(answer.headers[LENGTH], str(len(made)))

    def test_the_readmes_example_works(self):
        for readme in ("README.md", "README.zh-CN.md"):
            blocks = re.findall(r"```sh\n(curl [^`]*/v2/[^`]*)```", read(readme).decode())
            self.assertEqual(len(blocks), 1, readme)
            done = run("bash", "-c", blocks[0].replace("localhost:8080", self.address))
            self.assertEqual(json.loads(done.stdout)["outputs"], [{"name": "label", "datatype": "BYTES", "shape": [1],
                                                                   "data": ["7"]}], done)

    def test_a_body_that_is_one_file(self):
        for file, label in zip(self.files, LABELS):
            answer = self.infer(file, {LENGTH: "0"})
            self.assertEqual(tensor(answer, "label"), ([label], [1]))
            self.assertEqual(int(answer.headers[LENGTH]) + 4 * 10 + 4 + 5 + len(raw_bytes([tensor(answer, "verdict")[0][0]
                             .encode()])), len(answer.body))  # all outputs are binary

    def test_each_output_may_be_binary_or_not(self):
        asked = {"inputs": [{"name": "pixels", "datatype": "UINT8", "shape": [3, 28, 28], "data": list(self.pixels)}],
                 "parameters": {"binary_data_output": True},
                 "outputs": [{"name": "class"}, {"name": "label", "parameters": {"binary_data": False}}]}
        answer = self.infer(asked)
        text = json.loads(answer.body[:int(answer.headers[LENGTH])])
        self.assertEqual([list(output)[-1] for output in text["outputs"]], ["parameters", "data"])
        self.assertEqual(tensor(answer, "class"), ([int(label) for label in LABELS], [3]))
        self.assertEqual(tensor(answer, "label"), (LABELS, [3]))

    def test_classification_as_over_grpc(self):
        made = request(raw=raw_bytes(self.files))
        made.outputs.add(name="probabilities").parameters["classification"].int64_param = 2
        expected = elements(self.stub.ModelInfer(made), "probabilities")
        text = json.dumps({"inputs": [{"name": "images", "datatype": "BYTES", "shape": [3]}],
                           "outputs": [{"name": "probabilities", "parameters": {"classification": 2}}]})
        self.assertEqual(tensor(self.infer(*binary(text, raw_bytes(self.files))), "probabilities"),
                         tuple(map(list, expected)))

    def test_versions_and_unknown_names(self):
        for version in ("stable", self.version):
            answer = self.infer(self.files[0], {LENGTH: "0"}, f"/v2/models/mnist/versions/{version}/infer")
            self.assertIn(f'"model_version":"{self.version}"'.encode(), answer.body)
        for path in ("/v2/models/other/infer", "/v2/models/mnist/versions/99/infer"):
            self.fails(404, [path.split("/")[-2]], self.files[0], {LENGTH: "0"}, path)
        for path in ("/v2/models/other", "/v2/models/mnist/versions/99", "/v2/models/other/config",
                     "/v2/models/other/stats", "/v2/nothing", "/v2/models/a%20b/generate"):
            self.fails(404, [], None, {}, path, "GET")
        self.assertEqual(self.fails(405, ["POST"], None, {}, INFER, "GET").headers["Allow"], "POST")
        self.assertEqual(self.fails(405, ["GET"], "{}", JSON, "/v2/models/stats").headers["Allow"], "GET, HEAD")

    def test_what_is_wrong_is_said(self):
        def one(name="pixels", datatype="UINT8", shape=(1, 28, 28), **rest):
            return {"inputs": [{"name": name, "datatype": datatype, "shape": shape, **rest}]}
        zeros = [0] * 784
        for words, body in (
                (["not valid JSON"], "{"), (["not valid JSON"], "[" * 1000), (["must be an object"], "[]"),
                (["\"inputs\""], "{}"), (["0 inputs"], {"inputs": []}),
                (["'pixels'", "783", "784"], one(data=zeros[1:])),
                (["'pixels'", "[9223372036854775807,28,28]"], one(shape=[2**63 - 1, 28, 28], data=zeros)),
                (["'pixels'", "[-1,28,28]"], one(shape=[-1, 28, 28], data=zeros)),
                (["\"shape\"", "integers"], one(shape=[2**63, 28, 28], data=zeros)),
                (["element 783", "256"], one(data=zeros[1:] + [256])),
                (["element 0", "1.5"], one(data=[1.5])),
                (["1.5", "0 (paper) to 1 (ink)"], one(datatype="FP32", data=zeros[1:] + [1.5])),
                (["element 0", "FP32"], one(datatype="FP32", data=[1e40])),
                (["'pixels'", "datatype 'INT64'"], one(datatype="INT64", data=zeros)),
                (["'images'", "datatype 'UINT8'"], one("images", shape=[1], data=[1])),
                (["'picture' is unknown"], one("picture", data=zeros)),
                (["neither"], one()), (["both"], one(data=[], parameters={"binary_data_size": 0})),
                (["images[0]", "base64", LENGTH], one("images", "BYTES", [1], data=["iVBORw0KGgo="])),
                (["without " + LENGTH], one(parameters={"binary_data_size": 784})),
                (["'classification'"], {**one(data=zeros), "outputs": [{"name": "class", "parameters":
                                                                        {"classification": 1}}]}),
                (["'logits'"], {**one(data=zeros), "outputs": [{"name": "logits"}]}),
                (["'timeout'"], {**one(data=zeros), "parameters": {"timeout": "soon"}})):
            with self.subTest(str(body)[:80]):
                self.fails(400, words, body)
        shared = one(parameters={"shared_memory_region": "a", "shared_memory_byte_size": 784})
        self.fails(501, ["shared memory"], shared)
        text, headers = binary('{"inputs":[{"name":"pixels","datatype":"UINT8","shape":[1,28,28],'
                               '"parameters":{"binary_data_size":784}}]}', self.pixels[:784])
        self.infer(text, headers)
        self.fails(400, ["783 bytes are left"], text[:-1], headers)
        self.fails(400, ["1 bytes behind"], text + b"x", headers)
        for length in ("-1", str(len(text) + 1), "x", "99999999999999999999"):
            self.fails(400, [f"from 0 to {len(text)}"], text, {LENGTH: length})
        self.fails(400, ["images[1]"], *binary('{"inputs":[{"name":"images","datatype":"BYTES","shape":[2]}]}',
                                             raw_bytes([self.files[0], b"no picture"])))
        self.fails(400, ["no digit"], read("tests/data/images/blank.png"), {LENGTH: "0"})
        self.fails(413, ["15728640 bytes"], b" " * (16 << 20))
        self.fails(400, ["two hex digits"], None, {}, "/v2/%zz", "GET")
        self.fails(415, ["gzip"], self.files[0], {LENGTH: "0", "Content-Encoding": "gzip"})
        self.fails(400, ["ééé"], one("é" * 200, data=zeros))  # cut within a character by digitd

    def test_a_page_of_another_origin_may_not_ask(self):
        self.fails(403, ["origin"], self.files[0], {LENGTH: "0", "Origin": "https://evil.example"})

    def test_the_deadline_of_a_request(self):
        text = '{"inputs":[{"name":"images","datatype":"BYTES","shape":[1]}],"parameters":{"timeout":1}}'
        answer = self.fails(504, ["deadline"], *binary(text, large_png(4000)))
        self.assertNotIn("no answer", answer.json()["error"])

    def test_admins(self):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(TOKEN)
            file.flush()
            daemon = self.enterContext(Daemon("--model", MODEL, "--admin-token-file", file.name))
        with gateway(daemon.address, "--listen", "0.0.0.0:0") as front:
            address = f"127.0.0.1:{front.address.rsplit(':', 1)[1]}"
            load = "/v2/repository/models/mnist/load"
            self.assertEqual(self.fails(401, ["token"], "{}", path=load, address=address).headers["WWW-Authenticate"],
                             "Bearer")
            answer = ask(address, "POST", load, "{}", {**JSON, "Authorization": f"Bearer {TOKEN}"})
            self.assertEqual(answer.status, 200, answer.body)
            self.fails(401, [], "{}", {**JSON, "Authorization": "Bearer wrong"}, load, address=address)

    def test_overload_says_when_to_come_back(self):
        slow = large_png(4000)
        with Daemon("--model", MODEL, "--max-queue-wait", "1ms") as daemon, gateway(daemon.address) as front:
            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                asked = [pool.submit(ask, front.address, "POST", INFER, slow, {LENGTH: "0"}) for _ in range(16)]
            answers = [call.result() for call in asked]
        refused = [answer for answer in answers if answer.status == 429]
        self.assertGreater(len(refused), 0)
        self.assertEqual({answer.status for answer in answers} - {200, 429}, set())
        for answer in refused:
            self.assertGreater(int(answer.headers["Retry-After"]), 0)
            self.assertEqual(list(answer.json()), ["error"])

    def test_without_a_daemon(self):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))  # not listening: refused at once
            with gateway(f"127.0.0.1:{closed.getsockname()[1]}") as front:
                for path in ("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/mnist/ready"):
                    self.fails(503, [], None, {}, path, "GET", front.address)
                self.fails(503, [], self.files[0], {LENGTH: "0"}, address=front.address)


if __name__ == "__main__":
    unittest.main(verbosity=2)
