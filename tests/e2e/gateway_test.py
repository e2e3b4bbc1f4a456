"""What digit-gateway answers: every route through the real digitd and digit-gateway, the answers' content asserted."""
import base64
import re
import subprocess
import tempfile
import unittest
import urllib.parse

from digitd_test import MODEL, Daemon, run
from gateway import IMAGES, Gateway, form, problem, request

SEVEN, TWO, BLANK = IMAGES["seven"], IMAGES["two-canvas"], IMAGES["blank"]
RECOGNIZE = "/v1/models/mnist:recognize"


def text(picture):
    return base64.b64encode(picture).decode()


class GatewayTest(unittest.TestCase):
    """One daemon and one gateway for all tests of a class."""

    DAEMON, GATEWAY = (), ()

    @classmethod
    def setUpClass(cls):
        cls.daemon = cls.enterClassContext(Daemon("--model", MODEL, "--watch", "false", *cls.DAEMON))
        cls.gateway = cls.enterClassContext(Gateway(cls.daemon.address, *cls.GATEWAY))

    def tearDown(self):
        self.assertIsNone(self.gateway.process.poll(), "".join(self.gateway.log))

    def recognize(self, body, headers=(), target=RECOGNIZE, status=200):
        answer = self.gateway.post(target, body, headers)
        self.assertEqual(answer.status, status, answer)
        return answer

    def is_digit(self, result, label):
        self.assertEqual(result["label"], label)
        self.assertEqual(len(result["probabilities"]), 10)
        self.assertAlmostEqual(sum(result["probabilities"]), 1, places=4)
        self.assertEqual(result["confidence"], max(result["probabilities"]))
        self.assertEqual(result["probabilities"].index(result["confidence"]), int(label))
        self.assertIn(result["verdict"], ("confident", "unsure"))


class RecognizeTest(GatewayTest):
    def test_a_picture_file_as_it_is(self):
        for name, kind, label in [("seven", "image/png", "7"), ("jpeg", "image/jpeg", "7"), ("eight", "image/bmp", "8"),
                                  ("three-on-paper", "application/octet-stream", "3"),
                                  ("two-canvas", "IMAGE/PNG; x=y", "2"),
                                  ("five-inverted", "application/x-www-form-urlencoded", "5")]:
            answer = self.recognize(IMAGES[name], {"Content-Type": kind})
            self.assertEqual(answer.headers["content-type"], "application/json")
            found = answer.json()
            self.is_digit(found, label)
            self.assertEqual(sorted(found), ["confidence", "label", "model", "probabilities", "verdict", "version"])
            self.assertEqual(found["model"], "mnist")
            self.assertRegex(found["version"], "^[0-9a-f]{12}$")
        self.is_digit(self.recognize(SEVEN).json(), "7")  # without a content type

    def test_the_default_model_has_three_spellings(self):
        for target in ("/v1/models/-:recognize", "/v1/models:recognize", "/v1/models/mnist%3Arecognize"):
            self.assertEqual(self.recognize(SEVEN, target=target).json()["model"], "mnist")

    def test_one_file_of_a_form_is_one_answer_and_several_are_a_list(self):
        body, headers = form(("comment", None, b"not a picture"), ("image", "seven.png", SEVEN))
        self.is_digit(self.recognize(body, headers).json(), "7")
        body, headers = form(("image", None, SEVEN))
        self.is_digit(self.recognize(body, headers).json(), "7")
        body, headers = form(("a", "seven.png", SEVEN), ("b", "two.png", TWO))
        found = self.recognize(body, headers).json()
        self.assertEqual(sorted(found), ["model", "results", "version"])
        self.assertEqual([result["label"] for result in found["results"]], ["7", "2"])
        body, headers = form(("image", "seven.png", SEVEN), ("version", None, b"9"))
        problem(self, self.gateway.post(RECOGNIZE, body, headers), 404, "no version '9'")
        body, headers = form(("include", None, b"pixels,timing"), ("image", "seven.png", SEVEN))
        self.assertLess({"pixels", "timing"}, set(self.recognize(body, headers).json()))

    def test_what_a_query_has_besides_is_refused(self):
        for query, words in [("inclde=pixels", "unknown name inclde; known are version, include"),
                             ("model=mnist", "unknown name model"),
                             ("include=pixels&include=timing", "include twice"), ("version=a&version=a", "version twice")]:
            problem(self, self.gateway.post(f"{RECOGNIZE}?{query}", SEVEN), 400, words)

    def test_curl_as_people_call_it(self):
        address = f"http://{self.gateway.address}"
        curl = ("curl", "-sS", "--fail-with-body")
        self.assertIn('"label":"7"', run(*curl, "--data-binary", "@tests/data/images/seven.png",
                                         address + RECOGNIZE).stdout)
        done = run(*curl, "-H", "Accept: text/plain", "-F", "image=@tests/data/images/seven.png",
                   "-F", "image=@tests/data/images/blank.png", "-F", "image=@tests/data/images/two-canvas.png",
                   address + RECOGNIZE)
        self.assertRegex(done.stdout, r"^7\n\? .*no digit.*\n2\n$")
        large = subprocess.run([*curl, "-w", " %{http_code}", "--data-binary", "@-", address + RECOGNIZE],
                               input=bytes(2 << 20),
                               capture_output=True, timeout=60)  # curl says Expect: 100-continue
        self.assertRegex(large.stdout.decode(), r'"reason":"undecodable".* 400$')

    def test_json_with_base64_and_data_urls(self):
        url = "data:image/png;base64," + text(TWO)
        self.is_digit(self.recognize({"image": text(SEVEN)}).json(), "7")
        self.is_digit(self.recognize({"image": url}).json(), "2")
        found = self.recognize({"images": [text(SEVEN), url], "include": ["timing"]}).json()
        self.assertEqual([result["label"] for result in found["results"]], ["7", "2"])
        self.assertGreater(found["timing"]["batch_size"], 0)
        self.assertEqual(len(self.recognize({"images": [url]}).json()["results"]), 1)  # a list stays one

    def test_the_label_alone_for_who_accepts_text(self):
        plain = {"Accept": "text/plain"}
        answer = self.recognize(SEVEN, plain)
        self.assertEqual((answer.headers["content-type"], answer.body), ("text/plain; charset=utf-8", b"7\n"))
        self.assertEqual(self.recognize({"images": [text(SEVEN), text(TWO)]}, plain).body, b"7\n2\n")
        problem(self, self.gateway.post(RECOGNIZE, BLANK, plain), 422)
        for accept, kind in [("TEXT/plain; charset=utf-8", "text/plain"), ("text/html, text/plain;q=0.5", "text/plain"),
                             ("text/plain;q=0.1, application/json", "application/json"), ("*/*", "application/json"),
                             ("application/json, text/plain, */*", "application/json"),  # axios, Angular
                             ("text/plain, */*", "text/plain"), ("text/*", "text/plain"),
                             ("text/plain;q=0.5, */*", "application/json"),
                             ("text/plain;q=0", "application/json"), ("text/plainer", "application/json")]:
            self.assertIn(kind, self.recognize(SEVEN, {"Accept": accept}).headers["content-type"], accept)

    def test_pixels_and_timing_when_asked_for(self):
        found = self.recognize(SEVEN, target=RECOGNIZE + "?include=pixels,timing").json()
        pixels = base64.b64decode(found["pixels"])
        self.assertEqual(len(pixels), 28 * 28)
        self.assertGreater(max(pixels), 200)
        timing = found["timing"]
        self.assertEqual(sorted(timing), ["batch_size", "compute_us", "decode_us", "device", "engine", "executor",
                                          "queue_us"])
        self.assertEqual((timing["engine"], timing["device"]), ("cpu", "cpu"))
        self.assertGreater(timing["compute_us"], 0)
        self.assertEqual(self.recognize({"image": text(SEVEN), "include": ["pixels"]}).json()["pixels"],
                         found["pixels"])
        problem(self, self.gateway.post(RECOGNIZE + "?include=all", SEVEN), 400, "'all' is none of pixels, timing")

    def test_a_version_by_name_or_label_or_one_that_there_is_not(self):
        live = self.recognize(SEVEN).json()["version"]
        for version in (live, "stable"):
            self.assertEqual(self.recognize(SEVEN, target=f"{RECOGNIZE}?version={version}").json()["version"], live)
            self.assertEqual(self.recognize({"image": text(SEVEN), "version": version}).json()["version"], live)
        found = problem(self, self.gateway.post(RECOGNIZE + "?version=9", SEVEN), 404, "no version '9'")
        self.assertEqual(found["code"], "NOT_FOUND")
        problem(self, self.gateway.post("/v1/models/letters:recognize", SEVEN), 404, "no model 'letters'")

    def test_the_error_of_the_only_picture_is_the_status(self):
        for picture, status, reason, words in [(b"no picture", 400, "undecodable", ""),
                                               (BLANK, 422, "no_digit", "no digit"),
                                               (bytes(12 << 20) + b"x", 413, "too_large", "limit 12582912")]:
            for body, headers in [(picture, {"Content-Type": "image/png"}), form(("image", "x.png", picture)),
                                  ({"image": text(picture)}, {})]:
                if len(text(picture)) > 15 << 20 and not isinstance(body, bytes):
                    continue  # as base64 it is too large for any body
                found = problem(self, self.gateway.post(RECOGNIZE, body, headers), status, words)
                self.assertEqual((found["code"], found["reason"]), ("INVALID_ARGUMENT", reason))

    def test_an_error_in_a_list_is_one_of_its_results(self):
        answer = self.recognize({"images": [text(SEVEN), text(b"junk"), text(BLANK), "", "!!", text(TWO)]})
        results = answer.json()["results"]
        self.assertEqual([result.get("label") for result in results], ["7", None, None, None, None, "2"])
        self.assertEqual([result["error"]["status"] for result in results[1:5]], [400, 422, 400, 400])
        self.assertEqual([result["error"]["reason"] for result in results[1:5]],
                         ["undecodable", "no_digit", "undecodable", "undecodable"])
        self.assertIn("images[4] is neither base64", results[4]["error"]["detail"])
        self.assertEqual(results[2]["error"]["title"], "Unprocessable Content")

    def test_bad_neighbours_in_the_same_moment_harm_nobody(self):
        # Small pictures of one turn travel to the daemon in one call.
        good, bad = (request("localhost", "POST", RECOGNIZE, picture) for picture in (SEVEN, b"\x89PNG"))
        connections = [self.gateway.connect() for _ in range(40)]
        for i, connection in enumerate(connections):
            connection.send(bad if i % 4 == 0 else good)
        for i, connection in enumerate(connections):
            self.assertEqual(connection.answer().status, 400 if i % 4 == 0 else 200)
            connection.close()

    def test_the_tutorial_gets_what_its_page_expects(self):
        target = "/api/recognize"
        found = self.recognize({"image": "data:image/png;base64," + text(TWO)}, target=target).json()
        self.assertEqual(sorted(found), ["confidence", "digit", "probabilities"])
        self.assertEqual((found["digit"], len(found["probabilities"])), (2, 10))
        self.assertEqual(self.recognize(SEVEN, target=target).json()["digit"], 7)
        body, headers = form(("a", "a.png", SEVEN), ("b", "b.png", BLANK))
        found = self.recognize(body, headers, target=target).json()
        self.assertEqual((found[0]["digit"], sorted(found[1])), (7, ["error"]))
        self.assertEqual(self.recognize(SEVEN, {"Accept": "text/plain"}, target=target).body, b"7\n")
        self.assertEqual(problem(self, self.gateway.post(target, BLANK), 422)["reason"], "no_digit")
        problem(self, self.gateway.post(target + "?include=pixels", SEVEN), 400, "knows no include")

    def test_a_body_that_is_none_says_what_is_wrong(self):
        json_type = {"Content-Type": "application/json"}
        whole, kind = form(("image", "x.png", SEVEN))
        for body, headers, status, words in [
                (b"", {}, 400, "the body is empty"), (b"x", {"Content-Type": "text/plain"}, 415,
                                                      "'text/plain' is none of"),
                (b"", json_type, 400, "not valid JSON"), (b"[1]", json_type, 400, "must be an object"),
                (b"{}", json_type, 400, 'exactly one of "image" and "images"'),
                (b'{"image": "", "images": []}', json_type, 400, "exactly one"),
                (b'{"images": []}', json_type, 400, '"images" is empty'),
                (b'{"images": "x"}', json_type, 400, "list of strings"),
                (b'{"images": [1]}', json_type, 400, '"images[0]" must be a string'),
                (b'{"images": [' + b'"",' * 10_000 + b'""]}', json_type, 400, "more than 10000 values"),
                (SEVEN, {"Content-Encoding": "gzip"}, 415, "Content-Encoding"),
                (b'{"image": "*"}', json_type, 400, "neither base64 nor a data URL"),
                (b'{"image": "data:image/png,x"}', json_type, 400, "data URL without"),
                (b'{"image": "", "image": ""}', json_type, 400, "the name 'image' twice"),
                (b'{"picture": ""}', json_type, 400, 'unknown member "picture"'),
                (b'{"image": "", "include": "pixels"}', json_type, 400, '"include" must be a list'),
                (whole[:-20], kind, 400, "does not begin, go on or end"),
                (whole, {"Content-Type": "multipart/form-data"}, 400, "boundary"),
                (form(("a", None, b"1"))[0], kind, 400, "the form has no file")]:
            problem(self, self.gateway.post(RECOGNIZE, body, headers), status, words)


class OtherRoutesTest(GatewayTest):
    GATEWAY = ("--access-log", "--allow-origin", "https://a.example")

    def test_models_and_what_is_known_of_them(self):
        answer = self.gateway.get("/v1/models")
        self.assertEqual((answer.status, answer.headers["content-type"]), (200, "application/json"))
        [model] = answer.json()["models"]
        self.assertEqual((model["name"], model["is_default"]), ("mnist", True))
        version = model["versions"][0]
        self.assertEqual((version["state"], version["labels"], version["state_reason"]),
                         ("MODEL_STATE_LIVE", list("0123456789"), ""))
        for name in ("mnist", "-"):
            self.assertEqual(self.gateway.get(f"/v1/models/{name}").json()["model"], model)
        before = self.gateway.get("/v1/models/mnist/stats").json()["versions"][0]["answers"]
        self.gateway.post(RECOGNIZE, SEVEN)
        stats = self.gateway.get("/v1/models/mnist/stats").json()
        after = stats["versions"][0]["answers"]
        self.assertEqual((stats["model"], int(after["images"]) - int(before["images"])), ("mnist", 1))
        self.assertEqual(int(after["classes"][7]) - int(before["classes"][7]), 1)
        problem(self, self.gateway.get("/v1/models/nobody"), 404, "no model 'nobody'; this server has mnist")
        problem(self, self.gateway.get("/v1/models?x=1"), 400, "'x' is unknown here; known are")

    def test_corrections_are_said_listed_and_reviewed(self):
        target = "/v1/models/mnist/feedback"
        said = self.gateway.post(target, {"image": text(SEVEN), "label": "1", "answered_label": "7", "source": "ada"})
        self.assertEqual(said.status, 200, said)
        first = said.json()["feedback"]
        self.assertEqual((first["state"], first["label"], first["answered_label"], first["source"],
                          said.json()["duplicate"]),
                         ("FEEDBACK_STATE_PENDING", "1", "7", "ada", False))
        again = self.gateway.post(target, {"image": text(SEVEN), "label": "1", "answered_label": "7",
                                           "source": "ada"}).json()
        self.assertEqual((again["duplicate"], again["feedback"]["id"]), (True, first["id"]))
        other = self.gateway.post("/v1/models/-/feedback",
                                  {"image": "data:image/png;base64," + text(TWO), "not_a_digit": True})
        self.assertEqual(other.json()["feedback"]["source"], "127.0.0.1")  # the caller's, not the gateway's
        page = self.gateway.get("/v1/feedback?model=mnist&state=PENDING&page_size=1&include_pixels=true").json()
        self.assertEqual((len(page["feedback"]), len(base64.b64decode(page["feedback"][0]["pixels"]))), (1, 784))
        token = urllib.parse.quote(page["next_page_token"])
        rest = self.gateway.get(f"/v1/feedback?model=mnist&state=PENDING&page_size=1&page_token={token}").json()
        self.assertEqual({page["feedback"][0]["id"], rest["feedback"][0]["id"]},
                         {first["id"], other.json()["feedback"]["id"]})
        done = self.gateway.post("/v1/feedback:review", {"ids": [first["id"]], "state": "ACCEPTED"})
        self.assertEqual(done.json()["feedback"][0]["state"], "FEEDBACK_STATE_ACCEPTED")
        [accepted] = self.gateway.get("/v1/feedback?state=ACCEPTED").json()["feedback"]
        self.assertEqual((accepted["id"], accepted["pixels"]), (first["id"], ""))
        for body, status, words in [({"label": "1"}, 400, '"image" is missing'),
                                    ([1], 400, "must be an object such as"),
                                    ({"image": text(SEVEN), "label": "1", "not_a_digit": True}, 400,
                                     "may be there"),
                                    ({"image": text(SEVEN)}, 400, "label"),
                                    ({"image": text(SEVEN), "label": "seven"}, 400, "0, 1, 2"),
                                    ({"image": text(SEVEN), "label": "1", "labl": "2"}, 400, "labl"),
                                    ({"image": text(BLANK), "label": "1"}, 400, "no digit")]:
            problem(self, self.gateway.post(target, body), status, words)
        problem(self, self.gateway.post("/v1/feedback:review", {"ids": [99], "state": "ACCEPTED"}), 404, "id 99")
        problem(self, self.gateway.get("/v1/feedback?state=GONE"), 400,
                "'FEEDBACK_STATE_GONE' is none of FEEDBACK_STATE_PENDING, FEEDBACK_STATE_ACCEPTED")

    def test_every_answer_has_an_id_the_callers_when_it_is_sane(self):
        for sent in ("abc-123", "x" * 128, '{"a":1}'):
            self.assertEqual(self.gateway.get("/healthz", {"X-Request-Id": sent}).headers["x-request-id"], sent)
        made = set()
        for insane in ("", "x" * 129, "two words", "caf\xe9", "a\tb"):
            made.add(self.gateway.get("/healthz", {"X-Request-Id": insane}).headers["x-request-id"])
        made.add(self.gateway.raw("GET /healthz HTTP/1.1\r\n\r\n").headers["x-request-id"])  # refused: no Host
        self.assertEqual(len(made), 6)
        for one in made:
            self.assertRegex(one, r"^[0-9a-f]{16}-\d+$")

    def test_server_timing_is_of_this_request(self):
        timing = self.gateway.post(RECOGNIZE, SEVEN).headers["server-timing"]
        number = r"dur=[\d.e+-]+"
        self.assertRegex(timing, rf"^total;{number}, decode;{number}, queue;{number}, compute;{number}$")
        self.assertRegex(self.gateway.get("/healthz").headers["server-timing"], rf"^total;{number}$")

    def test_a_file_that_is_known_is_not_sent_again(self):
        whole = self.gateway.get("/web/icon.svg")
        self.assertEqual((whole.status, whole.headers["content-type"]), (200, "image/svg+xml"))
        self.assertEqual((whole.headers["cache-control"], whole.headers["x-content-type-options"]),
                         ("no-cache", "nosniff"))
        self.assertIn("default-src 'none'", whole.headers["content-security-policy"])
        tag = whole.headers["etag"]
        with self.gateway.connect() as connection:
            for known in (tag, f'"other", W/{tag}', "*"):
                same = connection.ask("GET", "/web/icon.svg", None, {"If-None-Match": known})
                self.assertEqual((same.status, same.headers["etag"], same.headers.get("content-length")),
                                 (304, tag, None))
            other = connection.ask("GET", "/web/icon.svg", None, {"If-None-Match": '"other"'})
            self.assertEqual((other.status, other.body), (200, whole.body))
            for gone in ("/web/none.js", "/web/", "/web/../icon.svg", "/web/%2e%2e", "/web/a/b"):
                self.assertEqual(connection.ask("GET", gone).status, 404)

    def test_head_is_get_without_the_body(self):
        with self.gateway.connect() as connection:
            for target in ("/healthz", "/v1/models", "/v1/models/nobody", "/web/icon.svg"):
                whole, head = connection.ask("GET", target), connection.ask("HEAD", target)
                for name in ("content-type", "etag"):
                    self.assertEqual(head.headers.get(name), whole.headers.get(name))
                self.assertEqual(head.status, whole.status)
            self.assertEqual(head.headers["content-length"], str(len(whole.body)))
            problem(self, connection.ask("GET", RECOGNIZE), 405)
            self.assertEqual(connection.ask("HEAD", RECOGNIZE).status, 405)
            self.assertEqual(connection.ask("GET", "/healthz").body, b"ok\n")  # nothing of a body was left before it

    def test_paths_and_methods_that_there_are_not(self):
        for target in ("/v1", "/v1/models/", "/v1/models/:recognize", "/v1/models/mnist:explode", "/v1/models/a/b/c",
                       "/V1/models",
                       "/healthz/", "//healthz", "/%2fhealthz", "/healthz%2f", "/./healthz", "/x/../healthz",
                       "/x/%2e%2e/healthz"):
            problem(self, self.gateway.get(target), 404)
        for method, target, allow in [("DELETE", "/v1/models", "GET, HEAD"), ("GET", RECOGNIZE, "POST"),
                                      ("get", "/healthz", "GET, HEAD"),
                                      ("PUT", "/healthz", "GET, HEAD"), ("TRACE", "/healthz", "GET, HEAD"),
                                      ("PATCH", "/v1/models/mnist:reload", "POST"),
                                      ("BREW", "/v1/trainings/1", "GET, HEAD")]:
            answer = self.gateway.ask(method, target)
            problem(self, answer, 405, allow)
            self.assertEqual(answer.headers["allow"], allow)
        answer = self.gateway.ask("OPTIONS", "/v1/models")
        self.assertEqual((answer.status, answer.headers["allow"]), (204, "GET, HEAD, OPTIONS"))
        self.assertEqual(self.gateway.ask("OPTIONS", "*").status, 204)

    def test_the_access_log_has_a_line_for_each_answer(self):
        with Gateway(self.daemon.address, "--access-log") as gateway:
            gateway.post(RECOGNIZE + "?include=timing", SEVEN, {"X-Request-Id": "abc"})
            gateway.raw("NO\r\n\r\n")
            self.assertEqual(gateway.stop(), 0)
            lines = [line.split(" info ")[1] for line in gateway.log if " answered " in line or " refused " in line]
            self.assertRegex(lines[0],
                             r"^answered method=POST target=\S+include=timing\"? status=200 peer=127\.0\.0\.1 "
                              r"took=\S+ request_id=abc$")
            self.assertRegex(lines[1], r'^refused status=400 detail=".*" request_id=\S+$')

    def test_help_names_every_flag_and_wrong_flags_say_why(self):
        program = self.gateway.process.args[0]
        told = run(program, "--help").stdout
        for flag in ("listen", "server", "threads", "timeout", "head-timeout", "body-timeout", "idle-timeout",
                     "drain-timeout", "allow-host", "allow-origin", "max-connections", "max-body-bytes",
                     "max-buffered-bytes", "log-level", "access-log", "version"):
            self.assertIn("--" + flag, told)
        for flags, code, words in [(["--no-such"], 2, "--help"), (["--listen", "nonsense"], 2, "HOST:PORT"),
                                   (["--listen", self.gateway.address], 4, "in use"),
                                   (["--idle-timeout", "-1s"], 2, "above 0"),
                                   (["--allow-origin", "*"], 2, "no origin"), (["--allow-host", ""], 2, "no name"),
                                   (["--allow-host", "localhost:8080"], 2, "without scheme and port"),
                                   (["--allow-host", "http://x"], 2, "without scheme and port"),
                                   (["--allow-origin", "https://a.example:443"], 2, "the scheme's own port"),
                                   (["--allow-origin", "https://A.example"], 2, "lower case"),
                                   (["--max-buffered-bytes", "100"], 2, "at least --max-body-bytes 15728640"),
                                   (["--allow-origin", "https://a.example/"], 2, "no path"),
                                   (["--server", "http://x"], 2, "--server"), (["--threads", "999"], 2, "--threads")]:
            done = run(program, *flags)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn(words, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
