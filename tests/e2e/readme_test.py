"""Runs the README's commands: every ```sh block below a line `<!-- test -->`, of both languages, line by line as a
reader would paste it, from a copy of the repository's top level, with a digitd of its own."""
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import unittest

BIN = os.environ["DIGIT_BIN_DIR"]
ROOT = pathlib.Path.cwd()


def tested_blocks(text):
    return re.findall(r"<!-- test -->\n```sh\n(.*?)```", text, flags=re.DOTALL)


def named_paths(text):
    """Files and folders of this repository that a page names in links or commands."""
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    files = re.findall(r"\b(?:model|tests|proto|deploy|client)/[\w./-]*\w", text)
    return {path for path in links + files if not path.startswith("build/")}


class ReadmeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.state = tempfile.TemporaryDirectory()
        cls.daemon = subprocess.Popen([f"{BIN}/digitd", "--model", "model/pretrained/mnist.pt", "--listen",
                                       "127.0.0.1:0", "--state-dir", cls.state.name], stderr=subprocess.PIPE, text=True)
        for line in cls.daemon.stderr:
            if found := re.search(r" serving address=(\S+)", line):
                cls.address = found[1]
                return
        raise AssertionError("digitd did not start")

    @classmethod
    def tearDownClass(cls):
        cls.daemon.send_signal(signal.SIGTERM)
        cls.daemon.communicate(timeout=60)
        cls.state.cleanup()

    def run_blocks(self, readme, at_least):
        blocks = tested_blocks((ROOT / readme).read_text(encoding="utf-8"))
        self.assertGreaterEqual(len(blocks), at_least)
        with tempfile.TemporaryDirectory() as scratch:
            for name in ("model", "proto", "tests"):  # so that nothing is written into the source folder
                os.symlink(ROOT / name, f"{scratch}/{name}")
            environment = {"PATH": f"{BIN}:/usr/bin:/bin", "HOME": scratch, "LANG": "C.UTF-8",
                           "DIGIT_SERVER": self.address}
            for block in blocks:
                script = "set -euo pipefail\n" + block
                result = subprocess.run(["bash", "-c", script], cwd=scratch, env=environment, capture_output=True,
                                        text=True, timeout=120)
                self.assertEqual(result.returncode, 0, f"{readme}:\n{block}\n{result.stdout}\n{result.stderr}")
                self.assertRegex(result.stdout, r"\b7\b|serving")

    def test_the_english_commands_work(self):
        self.run_blocks("README.md", 3)

    def test_the_chinese_commands_work(self):
        self.run_blocks("README.zh-CN.md", 3)

    def test_the_end_of_the_quickstart_is_what_it_prints(self):
        def recognize(*files):
            return subprocess.run([f"{BIN}/digitctl", "--server", self.address, "recognize", *files],
                                  capture_output=True, text=True, timeout=60)
        # As deploy/quickstart names them.
        blank = "tests/data/images/blank.png"
        pictures = sorted(ROOT.glob("tests/data/images/[!b]*.png")) + sorted(ROOT.glob("tests/data/images/*.bmp"))
        samples = recognize(*(str(path.relative_to(ROOT)) for path in pictures))
        self.assertEqual(samples.returncode, 0, samples.stderr)
        block = ("```\nThe samples in tests/data/images, as digitctl recognises them:\n\n" + samples.stdout +
                 "\nAnd a blank one, which gets an error and not a digit:\n\n" + recognize(blank).stderr + "\n")
        quickstart = (ROOT / "deploy/quickstart").read_text(encoding="utf-8")
        block += "".join(line + "\n" for line in re.findall(r"^(?:The page|By HTTP):.*$", quickstart, re.M)).replace(
            "$web_address", "127.0.0.1:8080") + "```\n"
        for readme in ("README.md", "README.zh-CN.md"):
            self.assertIn(block, (ROOT / readme).read_text(encoding="utf-8"), readme)

    def test_what_the_papers_name_exists(self):
        for paper in ("README.md", "README.zh-CN.md", "CONTRIBUTING.md", "ARCHITECTURE.md"):
            for path in named_paths((ROOT / paper).read_text(encoding="utf-8")):
                with self.subTest(paper=paper, path=path):
                    self.assertTrue((ROOT / path).exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
