"""digit-gateway while its daemon is away, slow, too busy or one of two, and while it is told to stop itself."""
import json
import os
import re
import shutil
import signal
import tempfile
import threading
import time
import unittest

from digitd_test import BIN, MODEL, Daemon, run
from gateway import IMAGES, Gateway, freeze, problem, request

SEVEN = IMAGES["seven"]
RECOGNIZE = "/v1/models/mnist:recognize"
ALONE = RECOGNIZE + "?include=timing"  # travels to the daemon in a call of its own
OWN_ADDRESS = "127.0.0.3:0"  # where no other test is given a port that has just become free


def start(*flags):
    return Daemon("--model", MODEL, "--watch", "false", *flags)


class DaemonTest(unittest.TestCase):
    def answers(self, gateway):
        answer = gateway.post(RECOGNIZE, SEVEN)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.json()["label"], "7")

    def test_it_says_so_while_the_daemon_is_away_and_serves_when_it_is_back(self):
        with start("--listen", OWN_ADDRESS) as daemon, Gateway(daemon.address, "--threads", "4") as gateway:
            self.assertEqual(gateway.get("/readyz").body, b"ready\n")
            self.assertEqual(daemon.stop(), 0)
            problem(self, gateway.get("/readyz"), 503, "cannot be reached")
            self.assertEqual(gateway.get("/healthz").body, b"ok\n")
            for method, target, body in [("POST", RECOGNIZE, SEVEN), ("POST", ALONE, SEVEN),
                                         ("GET", "/v1/models", None),
                                         ("GET", "/v1/trainings/1", None), ("POST", "/v1/models/mnist:train", {}),
                                         ("POST", "/v1/models/mnist:reload", {})]:
                found = problem(self, gateway.ask(method, target, body), 503, "cannot reach digitd")
                self.assertEqual(found["code"], "UNAVAILABLE")
                self.assertNotIn(daemon.address, found["detail"])  # it is nobody's business outside
            with start("--listen", daemon.address):
                while gateway.get("/readyz").status != 200:  # by itself; the test's time limit is the bound
                    pass
                for _ in range(8):  # whichever of its threads, and so connections to the daemon, is asked
                    self.answers(gateway)
            self.assertEqual(gateway.stop(), 0)
            changes = [line.split(" ", 2)[2] for line in gateway.log if "available" in line]
            self.assertEqual(len(changes), 2, changes)  # a line each time, however many requests fail
            self.assertRegex(changes[0], "digitd is not available error=.*cannot reach")
            self.assertIn("digitd is available again", changes[1])

    def test_it_may_be_started_before_its_daemon(self):
        with start("--listen", OWN_ADDRESS) as daemon:
            daemon.stop()
        with Gateway(daemon.address) as gateway:
            self.assertEqual((gateway.get("/healthz").status, gateway.get("/readyz").status), (200, 503))
            with start("--listen", daemon.address):
                while gateway.get("/readyz").status != 200:
                    pass
                self.assertEqual(gateway.get("/v1/models").json()["models"][0]["name"], "mnist")

    def test_who_does_not_answer_in_time_is_504(self):
        with start() as daemon, Gateway(daemon.address, "--timeout", "300ms") as gateway:
            while gateway.post(RECOGNIZE, SEVEN).status != 200:  # connecting may take longer
                pass
            freeze(daemon)
            for method, target, body in [("POST", RECOGNIZE, SEVEN), ("POST", ALONE, SEVEN),
                                         ("GET", "/v1/models", None),
                                         ("POST", "/v1/models/mnist:train", {}), ("GET", "/v1/trainings/1", None)]:
                found = problem(self, gateway.ask(method, target, body), 504, "300ms")
                self.assertEqual(found["code"], "DEADLINE_EXCEEDED")
            problem(self, gateway.ask("GET", "/v1/trainings/1", None, {"Accept": "text/event-stream"}), 504, "300ms")
            problem(self, gateway.get("/readyz"), 503)
            daemon.process.send_signal(signal.SIGCONT)
            for method, target, body in [("GET", "/readyz", None), ("POST", RECOGNIZE, SEVEN)]:
                while gateway.ask(method, target, body).status != 200:
                    pass

    def test_a_reload_may_take_longer_than_a_recognition(self):
        with tempfile.TemporaryDirectory() as folder:
            model = f"{folder}/mnist.pt"
            shutil.copyfile(MODEL, model)
            with Daemon("--model", model, "--watch", "false") as daemon, \
                    Gateway(daemon.address, "--timeout", "300ms") as gateway:
                freeze(daemon)
                with gateway.connect() as connection:
                    connection.send(request("localhost", "POST", "/v1/models/mnist:reload", "{}"))
                    problem(self, gateway.get("/v1/models"), 504, "300ms")  # sent later, and given up
                    daemon.process.send_signal(signal.SIGCONT)
                    answer = connection.answer()
                self.assertEqual((answer.status, answer.json()["changed"]), (200, False))

    def test_request_ids_and_traces_reach_the_daemon(self):
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        with start("--access-log") as daemon, Gateway(daemon.address, "--threads", "1") as gateway:
            gateway.post(RECOGNIZE, SEVEN, {"X-Request-Id": "small"})
            gateway.post(ALONE, SEVEN, {"X-Request-Id": "alone", "traceparent": trace})
            infer = {"inputs": [{"name": "pixels", "datatype": "UINT8", "shape": [1, 28, 28],
                                 "data": [0] * 300 + [255] * 100 + [0] * 384}]}
            gateway.post("/v2/models/mnist/infer", infer, {"X-Request-Id": "tensor"})
            freeze(daemon)  # the first of these goes at once, the others together
            connections = [gateway.connect() for _ in range(4)]
            for i, connection in enumerate(connections):
                connection.send(request("localhost", "POST", RECOGNIZE, SEVEN, {"X-Request-Id": f"crowd-{i}"}))
            daemon.process.send_signal(signal.SIGCONT)
            for connection in connections:
                self.assertEqual(connection.answer().status, 200)
                connection.close()
            self.assertEqual((gateway.stop(), daemon.stop()), (0, 0))
            lines = [line for line in daemon.log[-1].splitlines() if " call method=" in line]
            self.assertRegex(lines[0], " method=Recognize code=OK .*duration=\\d+us request_id=small decode=")
            self.assertRegex(lines[1], f" method=Recognize code=OK .* request_id=alone traceparent={trace} decode=")
            self.assertRegex(lines[2], " method=ModelInfer code=OK .* request_id=tensor decode=")
            crowd = ",".join(re.search("request_id=(\\S+)", line)[1] for line in lines[3:])
            self.assertEqual(sorted(crowd.split(",")), [f"crowd-{i}" for i in range(4)])

    def test_who_goes_away_has_the_call_cancelled(self):
        with start() as daemon, Gateway(daemon.address, "--timeout", "1h", "--access-log") as gateway:
            freeze(daemon)
            for target in (ALONE, "/v1/models/mnist:reload"):
                with gateway.connect() as connection:
                    connection.send(request("localhost", "POST", target, "{}" if "reload" in target else SEVEN,
                                            {"X-Request-Id": f"gone-{len(target)}"}))
                gateway.wait_for_log(f"status=499 peer=127.0.0.1")
                gateway.wait_for_log(f"request_id=gone-{len(target)}")
            daemon.process.send_signal(signal.SIGCONT)
            self.assertEqual(gateway.post(RECOGNIZE, SEVEN).status, 200)

    def test_too_many_pictures_are_429_with_the_time_to_try_again(self):
        # Three pictures wait for a fourth, which would be more than one caller may hold of this queue.
        with start("--replicas", "1", "--max-batch-size", "4", "--max-queue-delay", "2s", "--max-queue-wait", "10s",
                   "--max-queued-images", "4", "--max-images-per-call",
                   "4") as daemon, Gateway(daemon.address) as gateway:
            connections = [gateway.connect() for _ in range(10)]
            for connection in connections:
                connection.send(request("localhost", "POST", ALONE, SEVEN))
            answers = [connection.answer() for connection in connections]
            for connection in connections:
                connection.close()
            self.assertEqual({answer.status for answer in answers}, {200, 429})
            for answer in answers:
                if answer.status == 429:
                    found = problem(self, answer, 429, "limit of 4")
                    self.assertEqual(found["code"], "RESOURCE_EXHAUSTED")
                    self.assertRegex(answer.headers["retry-after"], r"^[1-9]\d*$")

    @unittest.skipUnless(os.geteuid() == 0, "mounts a hosts file of its own, which needs root")
    def test_two_daemons_behind_one_name_share_the_requests_and_one_may_die(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        hosts = f"{folder.name}/hosts"
        with open(hosts, "w") as file:
            file.write("127.0.0.1 localhost digits.test\n127.0.0.2 digits.test\n")
        if run("unshare", "-m", "mount", "--bind", hosts, "/etc/hosts").returncode != 0:
            self.skipTest("mounts of its own are not possible here")
        under = ("unshare", "-m", "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$@"', "sh")
        with start() as one:
            port = one.address.split(":")[1]
            with start("--listen", f"127.0.0.2:{port}") as other, \
                    Gateway(f"dns:///digits.test:{port}", under=under) as gateway:
                def images(daemon):
                    stats = run(f"{BIN}/digitctl", "--server", daemon.address, "model", "stats", "-o", "json")
                    return int(json.loads(stats.stdout)["versions"][0]["answers"]["images"])

                # Until each has had some: a daemon is asked once the gateway has connected to it.
                asked = 0
                while min(images(one), images(other)) < 20:
                    for _ in range(20):
                        self.answers(gateway)
                        asked += 1
                self.assertEqual(images(one) + images(other), asked)

                failed, answered, enough = [], [0] * 4, threading.Event()

                def ask(thread):
                    with gateway.connect() as connection:
                        while not enough.is_set():
                            answer = connection.ask("POST", RECOGNIZE if thread % 2 else ALONE, SEVEN)
                            if answer.status != 200:
                                failed.append(repr(answer))
                            answered[thread] += 1
                threads = [threading.Thread(target=ask, args=(thread,)) for thread in range(4)]
                for thread in threads:
                    thread.start()

                def until_each_has(count):
                    while min(answered) < count:
                        self.assertIsNone(gateway.process.poll())
                until_each_has(50)
                other.stop(signal.SIGKILL)
                until_each_has(min(answered) + 100)
                enough.set()
                for thread in threads:
                    thread.join()
                self.assertEqual(failed, [])


class StopTest(unittest.TestCase):
    """SIGTERM: what was accepted is answered, nothing else is taken."""

    def under_way(self, connection, target=ALONE):
        """Sends a request that a frozen daemon holds up, and returns when the gateway has read it."""
        connection.send(request("localhost", "GET", "/healthz") + request("localhost", "POST", target, SEVEN))
        self.assertEqual(connection.answer().body, b"ok\n")

    def test_what_is_under_way_is_answered_and_idle_connections_end(self):
        with start() as daemon, Gateway(daemon.address) as gateway:
            new, used, half, answering, shared, late = (gateway.connect() for _ in range(6))
            self.assertEqual(used.ask("GET", "/healthz").headers.get("connection"), None)
            self.assertEqual(half.ask("GET", "/healthz").status, 200)
            asked = request("localhost", "POST", RECOGNIZE, SEVEN)
            freeze(daemon)
            self.under_way(answering)
            self.under_way(shared, RECOGNIZE)
            half.send(request("localhost", "GET", "/healthz") + asked[:-50])
            self.assertEqual(half.answer().status, 200)
            idle_since = begun = time.monotonic()
            gateway.process.send_signal(signal.SIGTERM)
            while (answer := late.ask("GET", "/healthz")) and not answer.closed:  # none on their way is cut off
                idle_since, begun = begun, time.monotonic()
            if answer is None:  # this test slept between two
                self.assertGreaterEqual(time.monotonic() - idle_since, 0.5)
            else:
                self.assertEqual(answer.status, 200)
            for idle in (new, used):
                self.assertTrue(idle.ended())
            with self.assertRaises(ConnectionError):
                gateway.connect()
            half.send(asked[-50:])
            daemon.process.send_signal(signal.SIGCONT)
            for busy in (half, answering, shared):
                answer = busy.answer()
                self.assertEqual((answer.status, answer.closed), (200, True), answer)
                self.assertEqual(answer.json()["label"], "7")
                self.assertTrue(busy.ended())
            self.assertEqual(gateway.wait(), 0)
            self.assertIn("stopping signal=SIGTERM", "".join(gateway.log))
            self.assertRegex(gateway.log[-1], r" stopped$")
            for connection in (new, used, half, answering, shared, late):
                connection.close()

    def test_sigint_stops_it_as_well(self):
        with start() as daemon, Gateway(daemon.address) as gateway:
            self.assertEqual(gateway.stop(signal.SIGINT), 0)

    def test_a_second_signal_ends_it_at_once(self):
        with start() as daemon, Gateway(daemon.address, "--timeout", "1h", "--drain-timeout", "1h") as gateway:
            freeze(daemon)
            with gateway.connect() as connection:
                self.under_way(connection)
                gateway.process.send_signal(signal.SIGTERM)
                gateway.wait_for_log(" stopping ")
                gateway.process.send_signal(signal.SIGTERM)
                self.assertEqual(gateway.wait(), -signal.SIGTERM)
                self.assertIsNone(connection.answer())

    def test_what_is_not_done_within_the_drain_timeout_is_closed(self):
        for target in (ALONE, RECOGNIZE):
            with start() as daemon, Gateway(daemon.address, "--timeout", "1h", "--drain-timeout", "500ms") as gateway:
                freeze(daemon)
                with gateway.connect() as connection:
                    self.under_way(connection, target)
                    self.assertEqual(gateway.stop(), 0)
                    self.assertIn("connections are closed that were not done in time connections=1",
                                  "".join(gateway.log))
                    self.assertIsNone(connection.answer())


if __name__ == "__main__":
    os.environ.pop("DIGIT_SERVER", None)
    unittest.main(verbosity=2)
