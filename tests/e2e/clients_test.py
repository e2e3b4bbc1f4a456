"""client/examples against the real digitd and digit-gateway, and the module for browsers in Chromium. The C++ example
is built and run by install_test.py. Needs client/examples/node/node_modules (fixture fetch_example_packages)."""
import http.server
import os
import pathlib
import re
import subprocess
import tempfile
import threading
import unittest

from digitd_test import BIN, MODEL, Daemon, run
from readme_test import tested_blocks

EXAMPLES = pathlib.Path("client/examples").resolve()
IMAGES = "tests/data/images"
# What each picture is answered with, whoever asks.
ANSWERS = {f"{IMAGES}/seven.png": "7", f"{IMAGES}/two-canvas.png": "2", f"{IMAGES}/eight.bmp": "8",
           f"{IMAGES}/five-inverted.png": "5", f"{IMAGES}/blank.png": "no digit found: the picture is blank",
           "README.md": "not an image file; PNG, JPEG, BMP, GIF, WebP and PNM are read"}
CHROMIUM = ("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync")
PAGE = """<!doctype html><script type="module">
import {{recognize}} from '/recognize.mjs';
const say = words => fetch('/said', {{method: 'POST', body: words}});
try {{
  const {{label}} = await recognize(await (await fetch('/seven.png')).blob(), {{gateway: '{gateway}'}});
  const blank = await (await fetch('/blank.png')).blob();
  const problem = await recognize(blank, {{gateway: '{gateway}'}}).catch(error => error);
  await say(`${{label}} ${{problem.status}} ${{problem.reason}} ${{problem.message}}`);
}} catch (error) {{
  await say(String(error));
}}
</script>"""


class ClientsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = cls.enterClassContext(Daemon("--model", MODEL))
        cls.gateway = cls.enterClassContext(Daemon("--server", cls.daemon.address, program=f"{BIN}/digit-gateway"))
        cls.environment = {**os.environ, "DIGIT_SERVER": cls.daemon.address,
                           "DIGIT_GATEWAY": f"http://{cls.gateway.address}"}

    def recognises(self, *command):
        """All pictures, each with its line in order; exit code 1, as some have no answer. And 0 when all have one."""
        done = run(*command, *ANSWERS, env=self.environment)
        lines = [re.sub(r" \(\d+\.\d%\)$", "", line) for line in done.stdout.splitlines()]
        self.assertEqual(lines, [f"{file}: {answer}" for file, answer in ANSWERS.items()], done.stderr)
        self.assertEqual((done.returncode, done.stderr), (1, ""))
        done = run(*command, f"{IMAGES}/seven.png", env=self.environment)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        done = run(*command, "no-such.png", env=self.environment)  # said in a line, without a stack trace
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout + done.stderr, r"^.*no-such\.png.*\n$")

    def test_shell(self):
        self.recognises(f"{EXAMPLES}/recognize.sh")

    def test_fetch_in_node(self):
        self.recognises("node", f"{EXAMPLES}/fetch/files.mjs")

    def test_node_by_calls(self):
        self.recognises("node", f"{EXAMPLES}/node/recognize.js")

    def test_node_by_a_stream(self):
        self.recognises("node", f"{EXAMPLES}/node/recognize.js", "--stream")

    def test_node_with_what_protoc_has_made(self):
        with tempfile.TemporaryDirectory() as folder:
            made = run("protoc", "-I", "proto", "--include_imports", f"--descriptor_set_out={folder}/digit.binpb",
                       "digit/v1/digit.proto")
            self.assertEqual(made.returncode, 0, made.stderr)
            environment = {**self.environment, "DIGIT_PROTO": f"{folder}/digit.binpb"}
            for how in ([], ["--stream"]):
                done = run("node", f"{EXAMPLES}/node/recognize.js", *how, f"{IMAGES}/seven.png", env=environment)
                self.assertIn(f"{IMAGES}/seven.png: 7 ", done.stdout, done.stderr)

    def test_python_by_calls(self):
        self.recognises("/usr/bin/python3", f"{EXAMPLES}/python/recognize.py")

    def test_python_by_a_stream(self):
        self.recognises("/usr/bin/python3", f"{EXAMPLES}/python/recognize.py", "--stream")

    def test_a_stream_of_more_pictures_than_the_server_reads_ahead(self):
        files = [f"{IMAGES}/seven.png", f"{IMAGES}/two-canvas.png"] * 500
        for program in ("node", "node/recognize.js"), ("/usr/bin/python3", "python/recognize.py"):
            done = run(program[0], f"{EXAMPLES}/{program[1]}", "--stream", *files, env=self.environment)
            self.assertEqual(done.returncode, 0, done.stderr)
            labels = [re.search(r": (\d) ", line)[1] for line in done.stdout.splitlines()]
            self.assertEqual(labels, ["7", "2"] * 500)

    def test_fetch_in_a_browser_from_another_origin(self):
        said, came = [], threading.Event()

        class Pages(http.server.BaseHTTPRequestHandler):
            """A web page of somebody else's, with the module beside it."""

            def do_GET(self):
                files = {"/recognize.mjs": f"{EXAMPLES}/fetch/recognize.mjs", "/seven.png": f"{IMAGES}/seven.png",
                         "/blank.png": f"{IMAGES}/blank.png"}
                found = files.get(self.path)
                body = pathlib.Path(found).read_bytes() if found else self.server.page.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/javascript" if self.path.endswith(".mjs") else "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                said.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
                self.send_response(204)
                self.end_headers()
                came.set()

            def log_message(self, *_):
                pass

        def ask(*flags):
            said.clear()
            came.clear()
            with (http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server,
                  tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile):
                origin = f"http://127.0.0.1:{server.server_port}"
                with Daemon("--server", self.daemon.address, *(flag.format(origin) for flag in flags),
                            program=f"{BIN}/digit-gateway") as gateway:
                    server.page = PAGE.format(gateway=f"http://{gateway.address}")
                    threading.Thread(target=server.serve_forever).start()
                    with subprocess.Popen([*CHROMIUM, f"--user-data-dir={profile}", origin],
                                          stderr=subprocess.DEVNULL) as browser:
                        came.wait(60)
                        browser.terminate()
                    server.shutdown()
            return said

        self.assertEqual(ask("--allow-origin", "{}"), ["7 422 no_digit no digit found: the picture is blank"])
        self.assertEqual(ask(), ["TypeError: Failed to fetch"])  # an origin that nobody allowed

    def test_the_commands_of_the_papers_work(self):
        blocks = {}
        for paper in ("README.md", "README.zh-CN.md"):
            (blocks[paper],) = tested_blocks((EXAMPLES / paper).read_text(encoding="utf-8"))
        self.assertEqual(blocks["README.md"], blocks["README.zh-CN.md"])
        with tempfile.TemporaryDirectory() as scratch:  # what npm installs shall not come into the source folder
            os.makedirs(f"{scratch}/client/examples/node")
            for name in ("tests", "proto", "client/examples/fetch", "client/examples/python",
                         "client/examples/recognize.sh", "client/examples/node/recognize.js",
                         "client/examples/node/package.json"):
                os.symlink(os.path.abspath(name), f"{scratch}/{name}")
            script = "set -e\n" + blocks["README.md"].replace("*.png", "[!b]*.png")  # the blank one has no answer
            done = run("bash", "-c", script, cwd=scratch, env=self.environment)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(len(re.findall(r"seven\.png: 7", done.stdout)), 6)


if __name__ == "__main__":
    unittest.main(verbosity=2)
