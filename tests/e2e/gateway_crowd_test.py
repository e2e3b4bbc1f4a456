"""Clients that are slow, silent, or too many: digit-gateway drops them in time, and nobody else waits for them."""
import resource
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

from digitd_test import MODEL, Daemon
from gateway import IMAGES, Gateway, freeze, problem, request

SEVEN = IMAGES["seven"]
RECOGNIZE = "/v1/models/mnist:recognize"
ALONE = RECOGNIZE + "?include=timing"  # travels to the daemon in a call of its own
WHOLE = request("localhost", "POST", RECOGNIZE, SEVEN)


class OtherClient:
    """Asks all the time, on one connection and on new ones in turns; every answer must be right."""

    def __init__(self, gateway):
        self.gateway, self.times, self.wrong, self.enough = gateway, [], [], threading.Event()
        self.thread = threading.Thread(target=self.ask)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.enough.set()
        self.thread.join()

    def ask(self):
        try:
            while not self.enough.is_set():
                with self.gateway.connect() as connection:
                    for _ in range(10):
                        start = time.monotonic()
                        answer = connection.ask("POST", RECOGNIZE, SEVEN)
                        self.times.append(time.monotonic() - start)
                        if answer is None or answer.status != 200 or answer.json()["label"] != "7":
                            self.wrong.append(answer)
        except Exception as error:  # said by who looks at `wrong`
            self.wrong.append(error)

    def told(self, what):
        times = sorted(self.times)
        print(f"{what}: {len(times)} answers to another client, median {times[len(times) // 2] * 1e3:.2f} ms, "
              f"p99 {times[len(times) * 99 // 100] * 1e3:.2f} ms, slowest {times[-1] * 1e3:.2f} ms", flush=True)


class CrowdTest(unittest.TestCase):
    FLAGS = ()

    @classmethod
    def setUpClass(cls):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        cls.daemon = cls.enterClassContext(Daemon("--model", MODEL, "--watch", "false"))

    def start(self, *flags):
        return self.enterContext(Gateway(self.daemon.address, *flags))

    def undisturbed(self, other, what):
        self.assertEqual(other.wrong, [])
        self.assertGreater(len(other.times), 20)
        other.told(what)


class SlowTest(CrowdTest):
    def test_silence_is_the_end(self):
        gateway = self.start("--idle-timeout", "1s")
        begun = time.monotonic()
        with gateway.connect() as idle, gateway.connect() as used:
            answer = used.ask("GET", "/healthz")
            if answer is None:  # this test was silent itself
                self.assertGreaterEqual(time.monotonic() - begun, 1)
            else:
                self.assertEqual(answer.status, 200)
            for connection in (idle, used):
                self.assertTrue(connection.ended())  # without a word: nobody asked for anything

    def test_a_header_or_body_that_takes_too_long_is_408(self):
        gateway = self.start("--head-timeout", "1s", "--body-timeout", "1s")
        cut = {"head": 30, "body": len(WHOLE) - 10, "chunk": 0}
        with OtherClient(gateway) as other:
            slow = {name: gateway.connect() for name in cut}
            for name, connection in slow.items():
                connection.send(WHOLE[:cut[name]])
            slow["chunk"].send(f"POST {RECOGNIZE} HTTP/1.1\r\nHost: localhost\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n5\r\nab")
            for connection in slow.values():
                answer = connection.answer()
                problem(self, answer, 408, "took too long to arrive")
                self.assertTrue(answer.closed and connection.ended())
            for connection in slow.values():
                connection.close()
        self.undisturbed(other, "slow headers and bodies")

    def test_a_byte_now_and_then_does_not_buy_more_time(self):
        gateway = self.start("--head-timeout", "1s", "--body-timeout", "1s")
        with OtherClient(gateway) as other:
            for start in (10, WHOLE.index(b"\r\n\r\n") + 4):
                with gateway.connect() as connection:
                    connection.send(WHOLE[:start])
                    for at in range(start, len(WHOLE) - 1):
                        if select.select([connection.socket], [], [], 0.1)[0]:  # an answer, else one more byte
                            break
                        connection.send(WHOLE[at:at + 1])
                    problem(self, connection.answer(), 408)
                    self.assertLess(at, len(WHOLE) - 2)
        self.undisturbed(other, "a byte now and then")

    def test_bodies_that_are_kept_waiting_have_a_bound_together(self):
        gateway = self.start("--max-body-bytes", "600000", "--max-buffered-bytes", "1000000")
        head = f"POST {RECOGNIZE} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 600000\r\n\r\n".encode()
        first, second = gateway.connect(), gateway.connect()
        for connection in (first, second):
            connection.send(head + bytes(599_000))
        ready = select.select([first.socket, second.socket], [], [], 60)[0]
        answer = (first if first.socket in ready else second).answer()
        problem(self, answer, 503, "too many large bodies")
        self.assertEqual(answer.headers["retry-after"], "1")
        for connection in (first, second):
            connection.close()
        while True:  # what they held is free again once the gateway has seen that they left
            with gateway.connect() as third:
                third.send(head + bytes(600_000))
                answer = third.answer()
            if answer.status != 503:
                break
        problem(self, answer, 400, "not an image file")

    def test_who_does_not_read_holds_up_only_itself(self):
        gateway = self.start()
        deaf = gateway.connect()
        deaf.socket.setblocking(False)
        many = request("localhost", "GET", "/v1/models") * 100
        with OtherClient(gateway) as other:
            with self.assertRaises(BlockingIOError):  # sends until nothing is taken any more, and reads nothing
                while True:
                    deaf.socket.send(many)
            seen = len(other.times)
            while len(other.times) < seen + 200 and not other.wrong:
                pass
        deaf.close()
        self.undisturbed(other, "a client that does not read")


class ManyTest(CrowdTest):
    def test_idle_connections_cost_little_and_stay(self):
        gateway = self.start()
        before, count = gateway.resident_mib(), 2000
        with OtherClient(gateway) as other:
            idle = [gateway.connect() for _ in range(count)]
            for connection in idle:
                self.assertEqual(connection.ask("GET", "/healthz").status, 200)
        cost = gateway.resident_mib() - before
        print(f"{count} idle connections: {cost:.1f} MiB, {cost * 1024 / count:.1f} KiB each")
        self.assertLess(cost, count * 100 / 10_000)  # 10,000 of them in 100 MiB
        for connection in idle:
            self.assertEqual(connection.ask("GET", "/healthz").status, 200)
            connection.close()
        self.undisturbed(other, f"{count} idle connections")

    def test_beyond_the_limit_the_one_that_is_silent_for_longest_makes_room(self):
        gateway = self.start("--threads", "1", "--max-connections", "10")
        old = [gateway.connect() for _ in range(10)]
        for connection in old:
            self.assertEqual(connection.ask("GET", "/healthz").status, 200)
        self.assertEqual(old[0].ask("GET", "/healthz").status, 200)  # now the second is the quietest
        with gateway.connect() as new:
            self.assertEqual(new.ask("POST", RECOGNIZE, SEVEN).status, 200)
            self.assertTrue(old[1].ended())
            for connection in [*old[:1], *old[2:]]:
                self.assertEqual(connection.ask("GET", "/healthz").status, 200)
        for connection in old:
            connection.close()

    def test_who_holds_connections_with_half_requests_makes_room_too(self):
        gateway = self.start("--threads", "1", "--max-connections", "10")
        for cut in (20, -10):  # in the header, in the body
            slow = [gateway.connect() for _ in range(10)]
            for connection in slow:
                self.assertEqual(connection.ask("GET", "/healthz").status, 200)
                connection.send(WHOLE[:cut])
            new = [gateway.connect() for _ in range(3)]
            for connection in new:
                self.assertEqual(connection.ask("POST", RECOGNIZE, SEVEN).status, 200)
            self.assertLessEqual(gateway.connections(), 10)
            answers = []
            for connection in slow:
                try:
                    connection.send(WHOLE[cut:])
                    answers.append(connection.answer())
                except ConnectionError:
                    answers.append(None)
            self.assertEqual(answers.count(None), 3)
            self.assertEqual({answer.status for answer in answers if answer is not None}, {200})
            for connection in (*slow, *new):
                connection.close()

    def test_whoever_is_being_answered_is_not_dropped_for_somebody_new(self):
        gateway = self.start("--threads", "1", "--max-connections", "5")
        busy = [gateway.connect() for _ in range(5)]
        freeze(self.daemon)
        self.addCleanup(self.daemon.process.send_signal, signal.SIGCONT)
        for connection in busy:
            connection.send(request("localhost", "GET", "/healthz") + request("localhost", "POST", ALONE, SEVEN))
            self.assertEqual(connection.answer().body, b"ok\n")
        for _ in range(3):
            with gateway.connect() as new:
                self.assertTrue(new.ended())
        self.daemon.process.send_signal(signal.SIGCONT)
        for connection in busy:
            self.assertEqual(connection.answer().json()["label"], "7")
            connection.close()
        self.assertEqual(gateway.get("/healthz").status, 200)


@unittest.skipUnless(shutil.which("slowhttptest"), "slowhttptest is not installed")
class SlowHttpTest(CrowdTest):
    """The tool that others test with, in a short form: more slow clients than the gateway takes connections."""

    def attack(self, what, *how):
        gateway = self.start("--max-connections", "300", "--head-timeout", "2s", "--body-timeout", "2s")
        with tempfile.TemporaryDirectory() as folder, OtherClient(gateway) as other:
            done = subprocess.run(["slowhttptest", *how, "-c", "500", "-r", "500", "-i", "1", "-l", "6", "-p", "3",
                                   "-u", f"http://{gateway.address}{RECOGNIZE}"], capture_output=True, text=True,
                                   cwd=folder, timeout=120)
            self.assertIn("slow HTTP test status", done.stdout + done.stderr)
        self.undisturbed(other, f"slowhttptest, {what}")
        self.assertLessEqual(gateway.connections(), 301)
        self.assertIsNone(gateway.process.poll())

    def test_slow_headers(self):
        self.attack("slow headers", "-H")

    def test_slow_bodies(self):
        self.attack("slow bodies", "-B", "-s", "8192")

    def test_slow_readers(self):
        self.attack("slow readers", "-X", "-w", "10", "-y", "20", "-n", "5", "-z", "32", "-k", "3")


if __name__ == "__main__":
    unittest.main(verbosity=2)
