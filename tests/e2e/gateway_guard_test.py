"""Who may ask what of digit-gateway: other web pages, other names, admins; and that the admin's token is in no log."""
import base64
import socket
import tempfile
import unittest

from digitd_test import MODEL, Daemon
from gateway import IMAGES, Gateway, form, problem

SEVEN = IMAGES["seven"]
RECOGNIZE = "/v1/models/mnist:recognize"
FEEDBACK = "/v1/models/mnist/feedback"
CORRECTION = {"image": base64.b64encode(SEVEN).decode(), "label": "7"}
ADMIN = [("POST", "/v1/models/mnist:reload", {}), ("POST", "/v1/models/mnist:rollback", {}),
         ("POST", "/v1/models/mnist:promote", {}), ("POST", "/v1/models/mnist:shadow", {"share": 0}),
         ("POST", "/v1/models/mnist:train", {"data_set": "none"}), ("POST", "/v1/trainings/none:cancel", {}),
         ("GET", "/v1/feedback", None), ("POST", "/v1/feedback:review", {"ids": [99], "state": "ACCEPTED"})]
OIP_ADMIN = [("POST", f"/v2/repository/models/mnist/{verb}", {}) for verb in ("load", "unload")]
TOKEN, OTHER = "0123456789abcdef-the-admins", "fedcba9876543210-nobodys"


def own_address():
    """An address of this machine that is not loopback; None: it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return None
        address = asking.getsockname()[0]
    return None if address.startswith("127.") else address


class WebPagesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = cls.enterClassContext(Daemon("--model", MODEL, "--watch", "false"))
        cls.gateway = cls.enterClassContext(Gateway(cls.daemon.address))

    def test_names_that_are_not_ours_reach_nothing(self):
        port = self.gateway.address.split(":")[1]
        for host in (f"evil.example:{port}", "localhost.evil.example", "127.0.0.1.evil.example", "", "[::2]:80",
                     "\xff\xfe"):
            for target in ("/healthz", "/v1/models", "/web/icon.svg"):
                problem(self, self.gateway.get(target, {"Host": host}), 421, "is none of this gateway's")
            problem(self, self.gateway.post(RECOGNIZE, SEVEN, {"Host": host}), 421)
        for host in (f"localhost:{port}", "localhost", "127.0.0.1", "127.8.9.10:1", f"[::1]:{port}"):
            self.assertEqual(self.gateway.get("/healthz", {"Host": host}).status, 200)

    def test_allow_host_names_those_by_which_it_is_called(self):
        with Gateway(self.daemon.address, "--allow-host", "digits.example", "--allow-host", "other.example",
                     "--allow-host", "fd00::1") as gateway:
            for host in ("digits.example:8080", "OTHER.example", "[fd00::1]:80"):
                self.assertEqual(gateway.get("/healthz", {"Host": host}).status, 200)
            problem(self, gateway.get("/healthz", {"Host": "localhost"}), 421)

    def test_pages_of_others_may_not_ask_what_costs_or_changes_something(self):
        asks = [("POST", RECOGNIZE, SEVEN), ("POST", "/api/recognize", SEVEN), ("POST", FEEDBACK, CORRECTION), *ADMIN]
        for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://localhost:1"},
                        {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
                        {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"}):
            for method, target, body in asks:
                answer = self.gateway.ask(method, target, body, headers)
                problem(self, answer, 403, "web pages of other origins")
                self.assertNotIn("access-control-allow-origin", answer.headers)
        ours = {"Origin": f"http://{self.gateway.address}", "Sec-Fetch-Site": "same-origin"}
        self.assertEqual(self.gateway.post(RECOGNIZE, SEVEN, ours).status, 200)
        self.assertEqual(self.gateway.post(FEEDBACK, CORRECTION, ours).status, 200)
        self.assertEqual(self.gateway.get("/v1/feedback", ours).status, 200)

    def test_without_allow_origin_no_page_may_read_an_answer(self):
        evil = {"Origin": "https://evil.example"}
        self.assertNotIn("access-control-allow-origin", self.gateway.get("/v1/models", evil).headers)
        asked = self.gateway.ask("OPTIONS", RECOGNIZE, None, {**evil, "Access-Control-Request-Method": "POST"})
        self.assertEqual((asked.status, asked.headers["allow"]), (204, "POST, OPTIONS"))
        self.assertFalse([name for name in asked.headers if name.startswith("access-control")])

    def test_allow_origin_lets_those_pages_ask_and_nobody_else(self):
        friend, evil = {"Origin": "https://a.example"}, {"Origin": "https://a.example.evil.example"}
        with Gateway(self.daemon.address, "--allow-origin", "https://a.example", "--allow-origin",
                     "http://b:1") as gateway:
            asked = gateway.ask("OPTIONS", FEEDBACK, None, {**friend, "Access-Control-Request-Method": "POST",
                                                           "Access-Control-Request-Headers": "content-type"})
            self.assertEqual(asked.status, 204)
            self.assertEqual(asked.headers["access-control-allow-origin"], "https://a.example")
            self.assertEqual(asked.headers["access-control-allow-methods"], "POST")
            for name in ("Content-Type", "Traceparent", "Inference-Header-Content-Length"):
                self.assertIn(name, asked.headers["access-control-allow-headers"])
            for answer in (gateway.post(RECOGNIZE, SEVEN, friend), gateway.post(RECOGNIZE, b"junk", friend),
                           gateway.post(FEEDBACK, CORRECTION, friend), gateway.get("/nothing", friend)):
                self.assertEqual(answer.headers["access-control-allow-origin"], "https://a.example")
                self.assertEqual(answer.headers["vary"], "Origin")
                self.assertIn("X-Request-Id", answer.headers["access-control-expose-headers"])
            whole = f"POST {RECOGNIZE} HTTP/1.1\r\nHost: localhost\r\nOrigin: https://a.example\r\n"
            long = gateway.raw(whole + "X-Request-Id: mine\r\nContent-Length: 99999999\r\n\r\n")
            problem(self, long, 413, "longer than 15728640")
            self.assertEqual(long.headers["access-control-allow-origin"], "https://a.example")
            self.assertEqual((long.headers["x-request-id"], long.json()["request_id"]), ("mine", "mine"))
            self.assertEqual(gateway.post(RECOGNIZE, SEVEN, {"Origin": "http://b:1"}).status, 200)
            self.assertNotIn("access-control-allow-origin", gateway.get("/v1/models", evil).headers)
            self.assertNotIn("access-control-allow-origin", gateway.ask("OPTIONS", RECOGNIZE, None, evil).headers)
            problem(self, gateway.post(RECOGNIZE, SEVEN, evil), 403)
            self.assertEqual(gateway.get("/v1/models").headers.get("access-control-allow-origin"), None)

    def test_the_same_holds_for_the_open_inference_protocol(self):
        bar = [0] * 300 + [255] * 100 + [0] * 384
        infer = {"inputs": [{"name": "pixels", "datatype": "UINT8", "shape": [1, 28, 28], "data": bar}]}
        target = "/v2/models/mnist/infer"
        for method, path, body in [("POST", target, infer), *OIP_ADMIN]:
            self.assertEqual(self.gateway.ask(method, path, body, {"Origin": "https://evil.example"}).status, 403)
        self.assertEqual(self.gateway.get("/v2/models/mnist", {"Host": "evil.example"}).status, 421)
        for method, path, _ in OIP_ADMIN:
            self.assertEqual(self.gateway.ask(method, path, b"{}", {"Content-Type": "text/plain"}).status, 415)
        self.assertEqual(self.gateway.post(target, infer).status, 200)
        for bad in ("Bearer \xff", "x" * 5000):
            self.assertEqual(self.gateway.post(target, infer, {"Authorization": bad, "traceparent": bad}).status, 200)
        self.assertEqual(self.gateway.get("/v2/models/%ff").status, 400)

    def test_changes_want_a_content_type_that_no_form_can_send(self):
        changes = [("POST", FEEDBACK, CORRECTION), *(ask for ask in ADMIN if ask[0] == "POST")]
        multipart, kind = form(("image", "seven.png", SEVEN))
        for method, target, _ in changes:
            for body, headers in [(b"{}", {"Content-Type": "text/plain"}), (b"{}", {"Sec-Fetch-Site": "same-origin"}),
                                  (multipart, kind),
                                  (b"label=7", {"Content-Type": "application/x-www-form-urlencoded"}),
                                  (b"{}", {"Content-Type": "text/plain; application/json"})]:
                problem(self, self.gateway.ask(method, target, body, headers), 415, "application/json")
        said = self.gateway.post(FEEDBACK, CORRECTION, {"Content-Type": "Application/JSON; charset=utf-8"})
        self.assertEqual(said.status, 200, said)


class AdminTest(unittest.TestCase):
    def statuses(self, gateway, headers=()):
        answers = [gateway.ask(method, target, body, headers) for method, target, body in ADMIN + OIP_ADMIN]
        for answer in answers:
            if answer.status == 401:
                self.assertEqual(answer.headers["www-authenticate"], "Bearer")
        return [answer.status for answer in answers]

    def nothing_leaked(self, gateway, daemon):
        self.assertEqual((gateway.stop(), daemon.stop()), (0, 0))
        for log in ("".join(gateway.log), "".join(daemon.log)):
            for secret in (TOKEN, OTHER):
                self.assertNotIn(secret, log)

    def daemon_with_token(self):
        file = tempfile.NamedTemporaryFile("w")
        self.addCleanup(file.close)
        file.write(TOKEN + "\n")
        file.flush()
        return Daemon("--model", MODEL, "--watch", "false", "--admin-token-file", file.name, "--log-level", "debug",
                      "--access-log")

    def addresses_for_others(self):
        own = own_address()
        return ["0.0.0.0:0", *([f"{own}:0"] if own else [])]

    ALL = len(ADMIN + OIP_ADMIN)
    PASSED = [200, 409, 404, 409, 400, 404, 200, 404, 200, 501]  # what the daemon says of them in its own right

    def test_where_others_reach_it_and_the_daemon_has_no_token_nobody_is_an_admin(self):
        for listen in self.addresses_for_others():
            with Daemon("--model", MODEL, "--watch", "false", "--log-level", "debug", "--access-log") as daemon, \
                    Gateway(daemon.address, "--listen", listen, "--log-level", "debug", "--access-log") as gateway:
                self.assertEqual(self.statuses(gateway), [401] * self.ALL)
                self.assertEqual(self.statuses(gateway, {"Authorization": "Basic " + TOKEN}), [401] * self.ALL)
                for forged in ({}, {"digit-caller": "local"}, {"Forwarded": "for=127.0.0.1"}, {"Host": "localhost"}):
                    self.assertEqual(self.statuses(gateway, {"Authorization": "Bearer " + TOKEN, **forged}),
                                     [403] * self.ALL)
                for odd in ("Bearer ", "Bearer \xff", "Bearer " + "x" * 9000):
                    self.assertLessEqual(set(self.statuses(gateway, {"Authorization": odd})), {401, 403})
                self.assertEqual(gateway.post(RECOGNIZE, SEVEN).status, 200)  # the rest is for everybody
                self.assertEqual(gateway.post(FEEDBACK, CORRECTION).status, 200)
                self.assertEqual(gateway.get("/v1/trainings").status, 200)
                self.nothing_leaked(gateway, daemon)

    def test_where_others_reach_it_only_the_right_token_makes_an_admin(self):
        for listen in self.addresses_for_others():
            with self.daemon_with_token() as daemon, \
                    Gateway(daemon.address, "--listen", listen, "--log-level", "debug", "--access-log") as gateway:
                self.assertEqual(self.statuses(gateway), [401] * self.ALL)
                for wrong in (OTHER, TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "", " " + TOKEN, "\xff"):
                    self.assertEqual(self.statuses(gateway, {"Authorization": "Bearer " + wrong}), [401] * self.ALL,
                                     wrong)
                self.assertEqual(self.statuses(gateway, {"Authorization": "Bearer " + TOKEN}), self.PASSED)
                self.assertEqual(gateway.post(RECOGNIZE, SEVEN).status, 200)
                wrong = gateway.post(RECOGNIZE, SEVEN, {"Authorization": "Bearer " + OTHER})
                self.assertEqual(wrong.status, 200)  # nobody asked for one
                self.nothing_leaked(gateway, daemon)

    def test_on_loopback_the_daemons_own_rule_holds(self):
        with Daemon("--model", MODEL, "--watch", "false") as daemon, Gateway(daemon.address) as gateway:
            self.assertEqual(self.statuses(gateway), self.PASSED)
        with self.daemon_with_token() as daemon, \
                Gateway(daemon.address, "--log-level", "debug", "--access-log") as gateway:
            self.assertEqual(self.statuses(gateway), [401] * self.ALL)
            self.assertEqual(self.statuses(gateway, {"Authorization": "Bearer " + OTHER}), [401] * self.ALL)
            self.assertEqual(self.statuses(gateway, {"Authorization": "Bearer " + TOKEN}), self.PASSED)
            self.nothing_leaked(gateway, daemon)


if __name__ == "__main__":
    unittest.main(verbosity=2)
