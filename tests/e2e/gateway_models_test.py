"""Versions and trainings through digit-gateway. Needs python3-torch and data/mnist (fixture mnist_data)."""
import json
import re
import signal
import tempfile
import unittest
import urllib.request
from concurrent import futures

import grpc

from digitd_test import MODEL, Daemon
from gateway import IMAGES, Gateway, freeze, problem, request
from model_files import ServedModelTest, write_part
from prometheus_text import parse

SEVEN, TWO = IMAGES["seven"], IMAGES["two-canvas"]

# The shipped weights in other words (the same answers, another file), and a model that says 7 to everything.
MAKE = """
import sys, torch
weights = torch.jit.load(sys.argv[1]).state_dict()
same = dict(weights)
same["fc2.bias"] = weights["fc2.bias"] + 1
torch.save(same, sys.argv[2] + "/same.pt")
sevens = dict(weights)
sevens["fc2.bias"] = weights["fc2.bias"].clone()
sevens["fc2.bias"][7] += 1000
torch.save(sevens, sys.argv[2] + "/sevens.pt")
"""


class VersionsTest(ServedModelTest):
    MAKE = MAKE

    def setUp(self):
        super().setUp()
        self.daemon = self.enterContext(Daemon("--model", self.file, "--watch", "false"))
        self.gateway = self.enterContext(Gateway(self.daemon.address, "--timeout", "50s"))

    def change(self, verb, body):
        return self.gateway.post(f"/v1/models/mnist:{verb}", body)

    def done(self, verb, body):
        answer = self.change(verb, body)
        self.assertEqual(answer.status, 200, answer)
        return answer.json()

    def first(self):
        return self.gateway.get("/v1/models/mnist").json()["model"]["versions"][0]["version"]

    def test_reload_and_rollback(self):
        before = self.first()
        self.assertEqual(self.done("reload", {})["changed"], False)
        self.put(f"{self.made}/same.pt")
        loaded = self.done("reload", {})
        self.assertEqual(loaded["changed"], True)
        self.assertIn("agreement", loaded["gate"])
        after = loaded["model"]["versions"][0]
        self.assertEqual((after["state"], self.first()), ("MODEL_STATE_LIVE", after["version"]))
        self.assertEqual(self.gateway.post("/v1/models/-:recognize", SEVEN).json()["version"], after["version"])
        self.assertEqual(self.done("rollback", {})["model"]["versions"][0]["version"], before)
        problem(self, self.change("rollback", {}), 409)
        self.put(f"{self.made}/sevens.pt")
        problem(self, self.change("reload", {"force": False}), 409, "agreement")
        self.assertEqual(self.first(), before)
        self.assertEqual(self.done("reload", {"force": True})["changed"], True)
        self.assertEqual(self.gateway.post("/v1/models/-:recognize", TWO).json()["label"], "7")

    def test_a_candidate_is_shadowed_and_promoted(self):
        self.put(f"{self.made}/sevens.pt")
        versions = self.done("reload", {"candidate": True})["model"]["versions"]
        [candidate] = [version for version in versions if version["state"] == "MODEL_STATE_CANDIDATE"]
        asked = self.gateway.post("/v1/models/mnist:recognize?version=candidate", TWO).json()
        self.assertEqual((asked["label"], asked["version"]), ("7", candidate["version"]))
        problem(self, self.change("shadow", {"share": 1.5}), 400, "share")
        self.done("shadow", {"share": 1})
        shadow = {"images": "0"}
        while shadow["images"] == "0":  # copies run after the answers, when there is capacity to spare
            self.gateway.post("/v1/models/mnist:recognize", TWO)
            shadow = self.gateway.get("/v1/models/mnist").json()["model"]["versions"][1]["shadow"]
        self.assertGreater(int(shadow["disagreements"][2]), 0)
        problem(self, self.change("promote", {}), 409, "agreement")
        problem(self, self.change("promote", {"version": "none"}), 404, "no version 'none'")
        problem(self, self.change("promote", {"versoin": "x"}), 400, "versoin")
        self.assertEqual(self.done("promote", {"force": True})["model"]["versions"][0]["version"], candidate["version"])


class CutFeed(grpc.GenericRpcHandler):
    """A daemon behind a proxy that cuts its streams: one state of a training, and DEADLINE_EXCEEDED."""

    def service(self, call):
        def watch(_, context):
            yield bytes.fromhex("0a00")  # WatchTrainingResponse{training {}}
            context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "stream timeout")

        return grpc.unary_stream_rpc_method_handler(watch) if call.method.endswith("/WatchTraining") else None


class TrainingsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        write_part("data/mnist", f"{folder}/part", "train", 1000)
        cls.daemon = cls.enterClassContext(
            Daemon("--model", MODEL, "--watch", "false", "--data-dir", folder, "--metrics-listen", "127.0.0.1:0"))
        cls.metrics = re.search(r" metrics=(\S+) ", cls.daemon.log[-1])[1]

    def setUp(self):
        self.gateway = self.enterContext(Gateway(self.daemon.address))

    def begin(self, **asked):
        begun = self.gateway.post("/v1/models/mnist:train",
                                  {"data_set": "part", "fine_tune": True, "promote": "PROMOTE_NEVER", **asked})
        self.assertEqual(begun.status, 202, begun)
        training = begun.json()
        self.assertEqual((training["request"]["detached"], training["request"]["model"]), (True, "mnist"))
        return training["id"]

    def watch(self, connection, training, version="HTTP/1.1"):
        """Asks for its events; the answer's head."""
        connection.send(request("localhost", "GET", f"/v1/trainings/{training}", None, {"Accept": "text/event-stream"},
                                version))
        head = connection.head()
        self.assertEqual((head.status, head.headers["content-type"], head.closed), (200, "text/event-stream", True))
        self.assertNotIn("content-length", head.headers)
        return head

    def event(self, connection, chunked=True):
        """The next one that is no heartbeat; None: the stream has ended as it should."""
        size = None
        if chunked:
            size = int(connection.read.readline(), 16)
            if size == 0:
                self.assertEqual(connection.read.read(), b"\r\n")
                return None
        lines = [connection.read.readline()]
        if lines[0] == b": quiet\n":  # on a busy machine little happens in 15 seconds
            connection.read.readline()
            if chunked:
                connection.read.readline()
            return self.event(connection, chunked)
        lines += [connection.read.readline() for _ in range(2)]
        if not chunked and lines[0] == b"":
            return None
        self.assertEqual((lines[0], lines[1][:6], lines[2]), (b"event: training\n", b"data: ", b"\n"))
        if chunked:
            self.assertEqual((size, connection.read.readline()), (sum(map(len, lines)), b"\r\n"))
        return json.loads(lines[1][6:])

    def rest(self, connection, chunked=True):
        events = []
        while (event := self.event(connection, chunked)) is not None:
            events.append(event)
        return events

    def watches_ended(self):
        """How many calls of WatchTraining have ended, by code."""
        with urllib.request.urlopen(f"http://{self.metrics}/metrics") as page:
            family = parse(page.read().decode())["digit_rpc_requests_total"]
        return {dict(labels)["code"]: count for (_, labels), count in family.samples.items()
                if dict(labels)["method"] == "WatchTraining"}

    def state(self, training):
        return self.gateway.get(f"/v1/trainings/{training}").json()["state"]

    def test_a_training_is_followed_until_it_is_done(self):
        training = self.begin(epochs=1, seed=3)
        with self.gateway.connect() as connection, self.gateway.connect() as old:
            head = self.watch(connection, training)
            self.assertEqual((head.headers["transfer-encoding"], head.headers["x-accel-buffering"]), ("chunked", "no"))
            self.assertNotIn("transfer-encoding", self.watch(old, training, "HTTP/1.0").headers)
            events = self.rest(connection)
            self.assertEqual(self.rest(old, chunked=False)[-1], events[-1])
        done = events[-1]
        self.assertEqual((done["id"], done["state"], done["error"], done["promoted"]),
                         (training, "TRAINING_STATE_DONE", "", False))
        self.assertEqual((len(done["epochs"]), done["request"]["seed"]), (1, "3"))
        self.assertGreater(done["epochs"][0]["accuracy"], 0.9)
        self.assertNotIn("TRAINING_STATE_DONE", [event["state"] for event in events[:-1]])
        self.assertEqual(self.gateway.get(f"/v1/trainings/{training}").json(), done)
        for target in ("/v1/trainings", "/v1/trainings?model=mnist"):
            self.assertIn(done, self.gateway.get(target).json()["trainings"])
        self.assertEqual(self.gateway.get("/v1/trainings?model=other").json()["trainings"], [])
        with self.gateway.connect() as connection:
            self.watch(connection, training)
            self.assertEqual(self.rest(connection), [done])
            self.assertTrue(connection.ended())
        with self.gateway.connect() as connection:
            head = connection.ask("HEAD", f"/v1/trainings/{training}", None, {"Accept": "text/event-stream"})
            self.assertEqual((head.status, head.closed, connection.ended()), (200, True, True))
        asked = self.gateway.post("/v1/models/mnist:recognize?version=candidate", SEVEN)
        self.assertEqual((asked.json()["version"], asked.json()["label"]), (done["version"], "7"))

    def test_a_training_is_cancelled(self):
        training = self.begin(epochs=1000)
        with self.gateway.connect() as connection:
            self.watch(connection, training)
            self.event(connection)
            cancelled = self.gateway.post(f"/v1/trainings/{training}:cancel", {})
            self.assertEqual((cancelled.status, cancelled.json()["training"]["id"]), (200, training))
            self.assertEqual(self.rest(connection)[-1]["state"], "TRAINING_STATE_CANCELLED")
        problem(self, self.gateway.post(f"/v1/trainings/{training}:cancel", {}), 409)

    def test_a_reader_who_goes_away_ends_its_watch_in_the_daemon_and_not_the_training(self):
        training = self.begin(epochs=1000)
        before = self.watches_ended().get("CANCELLED", 0)
        with self.gateway.connect() as connection:
            self.watch(connection, training)
            self.event(connection)
        while self.watches_ended().get("CANCELLED",
                                       0) == before:  # a look once a second; the test's time limit is the bound
            pass
        self.assertIn(self.state(training), ("TRAINING_STATE_QUEUED", "TRAINING_STATE_RUNNING"))
        self.gateway.post(f"/v1/trainings/{training}:cancel", {})

    def test_a_stop_ends_the_events_and_not_the_training(self):
        training = self.begin(epochs=1000)
        with self.gateway.connect() as connection:
            self.watch(connection, training)
            self.event(connection)
            self.gateway.process.send_signal(signal.SIGTERM)
            self.rest(connection)  # ends in order, as self.event() asserts
            self.assertTrue(connection.ended())
        self.assertEqual(self.gateway.wait(), 0)
        with Gateway(self.daemon.address) as self.gateway:
            self.assertIn(self.state(training), ("TRAINING_STATE_QUEUED", "TRAINING_STATE_RUNNING"))
            self.gateway.post(f"/v1/trainings/{training}:cancel", {})

    def test_events_that_are_quiet_show_that_they_go_on(self):
        with Daemon("--model", MODEL, "--watch", "false", "--data-dir", self.folder) as daemon:
            with Gateway(daemon.address) as self.gateway, self.gateway.connect() as connection:
                self.watch(connection, self.begin(epochs=1000))
                self.event(connection)
                freeze(daemon)
                while (line := connection.read.readline()) != b": quiet\n":  # 15 s
                    self.assertNotEqual(line, b"")
                daemon.process.send_signal(signal.SIGCONT)

    def test_a_daemon_that_is_lost_is_said_in_the_events(self):
        with Daemon("--model", MODEL, "--watch", "false", "--data-dir", self.folder) as daemon:
            with Gateway(daemon.address) as self.gateway, self.gateway.connect() as connection:
                self.watch(connection, self.begin(epochs=1000))
                self.event(connection)
                daemon.process.kill()
                rest = connection.read.read()
        self.assertRegex(rest, rb'event: problem\ndata: {.*"status":503,')

    def test_events_that_a_proxy_cuts_say_so(self):
        server = grpc.server(futures.ThreadPoolExecutor(1), handlers=[CutFeed()])
        self.addCleanup(server.stop, None)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        with Gateway(f"127.0.0.1:{port}") as gateway, gateway.connect() as connection:
            self.watch(connection, "1")
            self.event(connection)
            self.assertRegex(connection.read.read(), rb'^[0-9a-f]+\r\nevent: problem\ndata: {.*"status":503,')

    def test_what_cannot_be_trained_or_is_not_there_says_why(self):
        for asked, status, words in [({"data_set": "letters"}, 404, "letters"), ({"data_set": "../x"}, 400, "data_set"),
                                     ({}, 400, "nothing to train on"),
                                     ({"data_set": "part", "epochs": -1}, 400, "epochs"),
                                     ({"data_sets": ["part"]}, 400, "data_sets"),
                                     ({"data_set": "part", "promote": "MAYBE"}, 400, "promote")]:
            problem(self, self.gateway.post("/v1/models/mnist:train", asked), status, words)
        problem(self, self.gateway.post("/v1/models/nobody:train", {"data_set": "part"}), 404, "nobody")
        for accept in ("application/json", "text/event-stream"):
            problem(self, self.gateway.get("/v1/trainings/nobody", {"Accept": accept}), 404, "no training 'nobody'")
        problem(self, self.gateway.post("/v1/trainings/nobody:cancel", {}), 404, "nobody")


if __name__ == "__main__":
    unittest.main(verbosity=2)
