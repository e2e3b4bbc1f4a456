"""HTTP as it should be and as it should not: what digit-gateway does with every byte that a client can send it."""
import base64
import random
import socket
import time
import unittest

from digitd_test import MODEL, Daemon
from gateway import IMAGES, Gateway, form, problem, request

SEVEN = IMAGES["seven"]
RECOGNIZE = "/v1/models/mnist:recognize"
POST = f"POST {RECOGNIZE} HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = POST + "Transfer-Encoding: chunked\r\n\r\n"
HIDDEN = "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"  # what must never be taken for a request
MAX_BODY = 15 << 20
SEED = random.randrange(2**32)


def chunks(data, size, last=b"0\r\n\r\n"):
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part)
                    for part in (data[i:i + size] for i in range(0, len(data), size))) + last


class AbuseTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print("seed", SEED)
        cls.daemon = cls.enterClassContext(Daemon("--model", MODEL, "--watch", "false"))
        cls.gateway = cls.enterClassContext(Gateway(cls.daemon.address))

    def tearDown(self):
        self.assertIsNone(self.gateway.process.poll(), "".join(self.gateway.log))
        self.assertEqual(self.gateway.post(RECOGNIZE, SEVEN).json()["label"], "7")

    def refused(self, data, status, words=""):
        """One problem, and then the end: nothing that follows is looked at."""
        with self.gateway.connect() as connection:
            begun = time.monotonic()
            try:
                connection.send(data)
            except ConnectionError:  # the gateway waits two seconds for whoever goes on sending
                self.assertGreaterEqual(time.monotonic() - begun, 2)
            answer = connection.answer()
            problem(self, answer, status, words)
            self.assertTrue(answer.closed, data[:200])
            self.assertTrue(connection.ended(), data[:200])

    # What two programs in a row could read in two ways.

    def test_lengths_that_contradict_each_other(self):
        for fields in ("Content-Length: 5\r\nTransfer-Encoding: chunked",
                       "Transfer-Encoding: chunked\r\nContent-Length: 5",
                       "Content-Length: 5\r\nContent-Length: 6", "Content-Length: 5\r\nContent-Length: 5",
                       "Content-Length: 5, 5",
                       "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "Content-Length: +5",
                       "Content-Length: 0x5",
                       "Content-Length: -1", "Content-Length: ", "Content-Length: 5 5",
                       "Content-Length: 99999999999999999999",
                       "Content-Length: 5\r\ncontent-length: 5", "Content-Length : 5", "Transfer-Encoding : chunked",
                       " Transfer-Encoding: chunked", "X: y\r\n Transfer-Encoding: chunked",
                       "Transfer-Encoding:\x0bchunked",
                       "Content-Length: 5\r\nTransfer_Encoding: chunked\r\nTransfer-Encoding:chunked"):
            self.refused(POST + fields + "\r\n\r\n0\r\n\r\n" + HIDDEN, 400)
        for coding in ("gzip, chunked", "chunked, identity", "identity", "xchunked", '"chunked"', "chunked;q=1", ""):
            self.refused(POST + f"Transfer-Encoding: {coding}\r\n\r\n0\r\n\r\n" + HIDDEN, 501)
        self.refused(f"POST {RECOGNIZE} HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN, 400)

    def test_lines_that_do_not_end_as_they_should(self):
        for head in ("GET /healthz HTTP/1.1\nHost: localhost\n\n", "GET /healthz HTTP/1.1\r\nHost: localhost\n\r\n",
                     "GET /healthz HTTP/1.1\r\nHost: localhost\rX: y\r\n\r\n",
                     "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n",
                     "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\r\n\tb\r\n\r\n",
                     "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n",
                     "\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
                     "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX\r\n\r\n",
                     "GET /healthz HTTP/1.1\r\nHost: localhost\r\n: x\r\n\r\n",
                     "GET /healthz HTTP/1.1\r\n\r\nHost: localhost\r\n\r\n",
                     "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n"):
            self.refused(head + HIDDEN, 400)

    def test_request_lines_that_are_none(self):
        for line in ("GET /healthz", "GET  /healthz HTTP/1.1", "GET  HTTP/1.1", "GET /healthz  HTTP/1.1",
                     "GET /health z HTTP/1.1", "GET\t/healthz HTTP/1.1",
                     "G(T /healthz HTTP/1.1", "GET healthz HTTP/1.1", "GET http://other/healthz HTTP/1.1",
                     "CONNECT localhost:80 HTTP/1.1",
                     "GET * HTTP/1.1", "GET /caf\xe9 HTTP/1.1", "GET /healthz HTTP/1.1 ", "GET /healthz HTPP/1.1",
                     " GET /healthz HTTP/1.1"):
            self.refused(line + "\r\nHost: localhost\r\n\r\n" + HIDDEN, 400)
        for version in ("HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "HTTP/11.1"):
            self.refused(f"GET /healthz {version}\r\nHost: localhost\r\n\r\n" + HIDDEN, 505)
        self.refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505)
        self.refused(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(600) + b"\r\n\r\n",
                     400)  # somebody speaks TLS

    def test_chunks_that_are_none(self):
        for body in ("0x3\r\nabc\r\n0\r\n\r\n", "-3\r\nabc\r\n0\r\n\r\n", "+3\r\nabc\r\n0\r\n\r\n",
                     " 3\r\nabc\r\n0\r\n\r\n", "\r\n\r\n",
                     "3\nabc\n0\n\n", "3\r\nabcd\r\n0\r\n\r\n", "3\r\nabc0\r\n\r\n",
                     "fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
                     "3;" + "x" * 2000 + "\r\nabc\r\n0\r\n\r\n", "3;" + "x" * 70000,
                     "3\r\nabc\r\n0\r\nX: " + "y" * 70000,
                     "3\r\nabc\r\n0\r\nX y\r\n\r\n", "3\r\nabc\r\n0\r\nX: y\n\r\n", "g\r\nabc\r\n0\r\n\r\n"):
            self.refused(CHUNKED + body + HIDDEN, 400)

    def test_a_trailer_changes_nothing_and_hides_nothing(self):
        with self.gateway.connect() as connection:
            trailer = b"0\r\nHost: evil.example\r\nConnection: close\r\nX-Request-Id: evil\r\n\r\n"
            connection.send(CHUNKED.encode() + chunks(SEVEN, 100, trailer) + request("localhost", "GET", "/healthz"))
            answer = connection.answer()
            self.assertEqual((answer.status, answer.json()["label"]), (200, "7"))
            self.assertNotEqual(answer.headers["x-request-id"], "evil")
            self.assertEqual(connection.answer().body, b"ok\n")
        for field in ("Content-Length: 999", "Transfer-Encoding: chunked"):
            self.refused(CHUNKED + f"3\r\nabc\r\n0\r\n{field}\r\n\r\n" + HIDDEN, 400)

    # Too long, too short.

    def test_headers_beyond_the_limit(self):
        get = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
        self.refused(get + "X: " + "y" * (17 << 10) + "\r\n\r\n", 431, "16384 bytes")
        self.refused(get + "X: " + "y" * (100 << 10), 431)  # never ends
        self.refused("GET /" + "x" * (17 << 10), 431)
        self.refused(get + "".join(f"X-{i}: y\r\n" for i in range(100)) + "\r\n", 431, "100 header fields")
        with self.gateway.connect() as connection:
            connection.send(get + "".join(f"X-{i}: y\r\n" for i in range(99)) + "\r\n")
            self.assertEqual(connection.answer().status, 200)
            problem(self, connection.ask("GET", "/" + "x" * (15 << 10)), 404)
            problem(self, connection.ask("GET", "/v1/models/" + "x" * (15 << 10)), 404)

    def test_bodies_beyond_the_limit(self):
        declared = POST + f"Content-Length: {MAX_BODY + 1}\r\n"
        self.refused(declared + "\r\n", 413, f"longer than {MAX_BODY} bytes")
        self.refused(declared + "Expect: 100-continue\r\n\r\n", 413)  # and no 100
        self.refused(declared.encode() + b"\r\n" + bytes(MAX_BODY + 1), 413)  # who sends it all still reads why
        self.refused(CHUNKED.encode() + chunks(bytes(MAX_BODY + 1), 1 << 20), 413)
        self.refused(POST + "Content-Length: 999999999999999\r\n\r\n", 413)
        with self.gateway.connect() as connection:  # at the limit: read, answered, and the connection goes on
            problem(self, connection.ask("POST", RECOGNIZE, bytes(MAX_BODY)), 413, "limit 12582912")
            self.assertEqual(connection.ask("GET", "/healthz").status, 200)
        with Gateway(self.daemon.address, "--max-body-bytes", "1000") as small:
            problem(self, small.post(RECOGNIZE, bytes(1001)), 413, "longer than 1000 bytes")
            problem(self, small.post(RECOGNIZE, bytes(1000)), 400)

    def test_who_stops_in_the_middle_gets_no_answer(self):
        whole = request("localhost", "POST", RECOGNIZE, SEVEN)
        for cut in (1, 20, whole.index(b"\r\n\r\n") + 2, len(whole) - 1):
            for how in (socket.SHUT_WR, socket.SHUT_RDWR):
                with self.gateway.connect() as connection:
                    connection.send(whole[:cut])
                    connection.socket.shutdown(how)
                    self.assertTrue(connection.ended())
        with self.gateway.connect() as connection:
            connection.send(CHUNKED + "3\r\nabc\r\n")
            connection.socket.shutdown(socket.SHUT_WR)
            self.assertTrue(connection.ended())

    # What is unusual and right.

    def test_a_hundred_requests_at_once_are_answered_in_order(self):
        chance = random.Random(SEED)
        asked = []
        for i in range(100):
            method, target, body = chance.choice([("GET", "/healthz", None), ("POST", RECOGNIZE, SEVEN),
                                                  ("GET", "/nothing", None),
                                                  ("POST", RECOGNIZE, b"junk"), ("GET", "/v1/models", None),
                                                  ("HEAD", "/healthz", None)])
            asked.append((method, request("localhost", method, target, body, {"X-Request-Id": f"number-{i}"})))
        for size in (1 << 20, 1000, 7):
            stream = b"".join(data for _, data in asked)
            with self.gateway.connect() as connection:
                for i in range(0, len(stream), size):
                    connection.send(stream[i:i + size])
                for i, (method, _) in enumerate(asked):
                    answer = connection.answer(to_head=method == "HEAD")
                    self.assertEqual(answer.headers["x-request-id"], f"number-{i}")

    def test_connections_of_http_1_0_and_close(self):
        with self.gateway.connect() as connection:
            answer = connection.ask("GET", "/healthz", version="HTTP/1.0")
            self.assertEqual((answer.status, answer.body, answer.closed), (200, b"ok\n", True))
            self.assertTrue(connection.ended())
        with self.gateway.connect() as connection:
            for _ in range(2):
                answer = connection.ask("GET", "/healthz", None, {"Connection": "keep-alive"}, version="HTTP/1.0")
                self.assertEqual(answer.headers["connection"], "keep-alive")
            answer = connection.ask("GET", "/healthz", None, {"Connection": "close"})
            self.assertEqual((answer.closed, connection.ended()), (True, True))
        self.assertEqual(self.gateway.raw("GET /healthz HTTP/1.0\r\n\r\n").status, 200)  # an old health check

    def test_every_answer_says_when_it_was_made(self):
        day = r"^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$"
        for answer in (self.gateway.get("/healthz"), self.gateway.get("/nothing"), self.gateway.raw("NO\r\n\r\n")):
            self.assertRegex(answer.headers["date"], day)

    def test_who_waits_for_leave_to_send_a_body_gets_it(self):
        head = request("localhost", "POST", RECOGNIZE, SEVEN, {"Expect": "100-continue"})[:-len(SEVEN)]
        with self.gateway.connect() as connection:
            for _ in range(2):
                connection.send(head)
                self.assertEqual((connection.head().status), 100)
                connection.send(SEVEN)
                self.assertEqual(connection.answer().json()["label"], "7")
            connection.send(head + SEVEN)  # who does not wait needs none
            self.assertEqual(connection.answer().status, 200)
        with self.gateway.connect() as connection:  # HTTP/1.0 does not know it
            connection.send(head.replace(b"HTTP/1.1", b"HTTP/1.0"))
            connection.send(SEVEN)
            self.assertEqual(connection.answer().status, 200)

    def test_a_target_as_proxies_are_sent_it(self):
        for target, status in [("http://localhost/healthz", 200), ("HTTP://LOCALHOST?x", 200),
                               ("http://localhost/no", 404)]:
            self.assertEqual(self.gateway.raw(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").status, status)

    # What the layers behind must never see.

    def test_header_values_that_the_call_to_the_daemon_cannot_carry(self):
        for name in ("Authorization", "traceparent", "X-Request-Id"):
            for value in ("Bearer \xff", "\x80", "a\tb", "x" * 9000, "x" * 15000):
                for target in ("/v1/models", "/v1/trainings"):
                    self.assertEqual(self.gateway.get(target, {name: value}).status, 200, (name, value[:20]))
                asked = self.gateway.post(RECOGNIZE + "?include=timing", SEVEN, {name: value})
                self.assertEqual(asked.status, 200)

    def test_paths_and_queries_with_tricks(self):
        for target in ("/v1/models/%00", "/v1/models/%", "/v1/models/%zz", "/v1/models/%ff", "/v1/models/%c0%af",
                       "/v1/models?x=%ff",
                       "/v1/trainings/%ed%a0%80", "/%", "/?%"):
            problem(self, self.gateway.get(target), 400, "the URL has")
        for target in ("/v1/models/..%2f..%2fetc%2fpasswd", "/v1/models/%2e%2e", "/v1/models/%0d%0aX:%20y",
                       "/v1/trainings/..%2f..",
                       "/web/..%2f..%2fetc%2fpasswd", "/web/%2e%2e%2findex.html", "/v1/models/%F0%9F%99%82",
                       "/v1/models/a%2500"):
            answer = self.gateway.get(target)
            problem(self, answer, 404)
            self.assertNotIn("x", answer.headers)
        live = self.gateway.post(RECOGNIZE, SEVEN).json()["version"]
        for query, status in [("version=9&version=" + live, 400), (f"version={live}&%76ersion=9", 400),
                              ("%76ersion=9", 404),
                              ("version", 200), ("version=", 200), ("&&", 200), ("=", 400), ("&&x=y&", 400), ("include=pixels%2Ctiming", 200),
                              ("include=,pixels,", 200), ("include=%00", 400), ("version=%ff", 400),
                              ("version=" + "9" * 9000, 404),
                              ("version=a%0d%0aX:%20y", 404), ("?version=9", 400)]:
            answer = self.gateway.post(f"{RECOGNIZE}?{query}", SEVEN)
            self.assertEqual(answer.status, status, (query[:100], answer))
            self.assertNotIn("x", answer.headers)

    def test_json_that_is_deep_double_or_broken(self):
        kind = {"Content-Type": "application/json"}
        shadow = "/v1/models/mnist:shadow"
        for target in (RECOGNIZE, "/v1/models/mnist/feedback", shadow, "/v1/models/mnist:train", "/v1/feedback:review"):
            for body in (b"[" * 1_000_000, b'{"image":' * 200_000, b'{"a":' * 33 + b"1" + b"}" * 33, b"{", b"{}x",
                         b"{'a': 1}", b"nul",
                         b'{"a": "\xff"}', b'{"a": "\\ud800"}', b'{"a\xc3": 1}', b'{"a": "\0"}', b'{"a": 1}\0', b"\0",
                         b"\xef\xbb\xbf{}",
                         b'{"image": "", "image": ""}', b'{"share": 1, "sh\\u0061re": 0}', b'{"x": [{"y": 1, "y": 2}]}',
                         b'"text"', b"7", b"[]",
                         b'{"a": 1' + b"0" * 1_000_000 + b"x}", b'{"": 1}', b'{"__proto__": {}}', b"null"):
                problem(self, self.gateway.post(target, body, kind), 400)
        for body in (b'{"share": 1e999}', b'{"share": NaN}', b'{"share": "x"}', b'{"share": [1]}', b'{"share": {}}',
                     b'{"share": -1}'):
            problem(self, self.gateway.post(shadow, body, kind), 400)
        found = problem(self, self.gateway.post(RECOGNIZE, {"\u6570" * 20: 1}), 400, "\u6570")  # cut within a character
        self.assertIn("known are image", found["detail"])

    def test_forms_that_are_broken(self):
        whole, kind = form(("image", "seven.png", SEVEN))
        many, _ = form(*(("image", "x", b"") for _ in range(1025)))
        for body, headers in [(b"", kind), (b"--xYzZY", kind), (b"--xYzZY--", kind), (whole[2:], kind),
                              (whole[:-4], kind), (whole[:100], kind),
                              (many, kind), (b"--xYzZY\r\nX: " + b"y" * 9000 + b"\r\n\r\n\r\n--xYzZY--", kind),
                              (whole.replace(b"\r\n", b"\n"), kind),
                              (whole, {"Content-Type": "multipart/form-data; boundary="}),
                              (whole, {"Content-Type": "multipart/form-data; boundary=" + "x" * 71}),
                              (whole, {"Content-Type": 'multipart/form-data; boundary="xYzZY'[:-2]})]:
            problem(self, self.gateway.post(RECOGNIZE, body, headers), 400)
        quoted = {"Content-Type": 'Multipart/Form-Data; charset=utf-8; Boundary="xYzZY"'}
        self.assertEqual(self.gateway.post(RECOGNIZE, whole, quoted).json()["label"], "7")

    def test_a_refusal_is_sound_json_whatever_it_quotes(self):
        for headers in ({"Content-Type": "\xff\xfe/\x80"}, {"Content-Type": "x" * 59 + "\xc3\xa9"},
                        {"Content-Type": '"\\'}):
            problem(self, self.gateway.post(RECOGNIZE, SEVEN, headers), 415)
        for host in ("\xff\xfe", '"\\', "x" * 99 + "\xc3\xa9"):
            problem(self, self.gateway.get("/healthz", {"Host": host}), 421)

    def test_bytes_by_chance(self):
        chance = random.Random(SEED)
        sound = [request("localhost", "POST", RECOGNIZE, SEVEN), CHUNKED.encode() + chunks(SEVEN, 60),
                 request("localhost", "GET", "/v1/models"),
                 request("localhost", "POST", RECOGNIZE, {"image": base64.b64encode(SEVEN).decode()}),
                 request("localhost", "POST", RECOGNIZE, *form(("image", "x", SEVEN), ("image", "y", SEVEN)))]
        for _ in range(300):
            data = bytearray(chance.choice(sound))
            for _ in range(chance.randint(1, 4)):
                at = chance.randrange(len(data))
                data[at:at + chance.choice((0, 0, 1, 5))] = chance.choice((b"", b"\r", b"\n", b"\0", b"0", b":",
                                                                           b"\xff", chance.randbytes(3)))
            with self.gateway.connect() as connection:
                connection.send(bytes(data))
                connection.socket.shutdown(socket.SHUT_WR)
                while (answer := connection.answer()) is not None:
                    self.assertIn(answer.status, (200, 400, 404, 405, 408, 411, 413, 415, 421, 422, 431, 499, 501, 505),
                                  bytes(data))


if __name__ == "__main__":
    unittest.main(verbosity=2)
