"""`cmake --install` into a folder of its own: the programs run from there, and a C++ project finds digit::client.

DIGIT_BIN_DIR is the bin/ of the build that is installed.
"""
import os
import subprocess
import tempfile
import unittest

from digitd_test import Daemon, run

BUILD = os.path.dirname(os.path.abspath(os.environ["DIGIT_BIN_DIR"]))

PICTURES = ("tests/data/images/seven.png", "tests/data/images/blank.png")


class InstallTest(unittest.TestCase):
    def test_programs_run_from_where_they_are_installed_and_cxx_finds_the_client(self):
        with tempfile.TemporaryDirectory() as folder:
            prefix = f"{folder}/prefix"
            installed = run("cmake", "--install", BUILD, "--prefix", prefix)
            self.assertEqual(installed.returncode, 0, installed.stderr)
            for name in ("digitd", "digitctl", "digit-gateway", "digit-train"):
                version = run(f"{prefix}/bin/{name}", "--version")
                self.assertEqual(version.returncode, 0, version.stderr)

            # Who generates stubs of his own needs all that the client's headers are made of.
            protos = run("protoc", "-I", f"{prefix}/share/digit/proto", f"--descriptor_set_out={folder}/set",
                         "digit/v1/digit.proto", "grpc/health/v1/health.proto", "inference/grpc_service.proto")
            self.assertEqual(protos.returncode, 0, protos.stderr)

            for command in (["cmake", "-G", "Ninja", "-S", "client/examples/cpp", "-B", f"{folder}/build",
                             f"-DCMAKE_PREFIX_PATH={prefix}"],
                            ["cmake", "--build", f"{folder}/build"]):
                done = subprocess.run(command, capture_output=True, text=True, timeout=250)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

            model = f"{prefix}/share/digit/mnist.pt"
            # --engine torch: the module is found beside the installed program.
            with Daemon("--model", model, "--engine", "torch", program=f"{prefix}/bin/digitd") as daemon:
                with open(f"/proc/{daemon.process.pid}/maps") as maps:
                    self.assertIn(f"{prefix}/lib/digit/libdigit_torch.so", maps.read())
                asked = run(f"{folder}/build/recognize", *PICTURES, env={**os.environ, "DIGIT_SERVER": daemon.address})
                self.assertRegex(asked.stdout, r"^tests/data/images/seven\.png: 7 \(\d+\.\d%\)\n"
                                 r"tests/data/images/blank\.png: no digit found.*\n$", asked.stderr)
                self.assertEqual(asked.returncode, 1)  # one has no answer


if __name__ == "__main__":
    os.environ.pop("DIGIT_SERVER", None)
    unittest.main(verbosity=2)
