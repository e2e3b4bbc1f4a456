"""`cmake --install` into a folder of its own: the programs run from there, and a C++ project finds digit::client.

DIGIT_BIN_DIR is the bin/ of the build that is installed.
"""
import os
import subprocess
import tempfile
import unittest

from digitd_test import Daemon, run

BUILD = os.path.dirname(os.path.abspath(os.environ["DIGIT_BIN_DIR"]))

CMAKE = """
cmake_minimum_required(VERSION 3.25)
project(consumer CXX)
find_package(digit REQUIRED)
add_executable(consumer consumer.cc)
target_link_libraries(consumer PRIVATE digit::client)
"""

CONSUMER = """
#include <cstdio>
#include <fstream>
#include <iterator>

#include "client/lib/client.h"

int main(int, char** argv) {
  auto client = digit::Client::Create({.server = argv[1]});
  if (!client.ok()) return 1;
  std::ifstream file(argv[2], std::ios::binary);
  digit::v1::RecognizeRequest request;
  request.add_images()->set_encoded(std::string(std::istreambuf_iterator<char>(file), {}));
  auto response = (*client)->Recognize(request);
  if (!response.ok()) return 1;
  std::puts(response->results(0).prediction().label().c_str());
}
"""


class InstallTest(unittest.TestCase):
    def test_programs_run_from_where_they_are_installed_and_cxx_finds_the_client(self):
        with tempfile.TemporaryDirectory() as folder:
            prefix = f"{folder}/prefix"
            installed = run("cmake", "--install", BUILD, "--prefix", prefix)
            self.assertEqual(installed.returncode, 0, installed.stderr)
            for name in ("digitd", "digitctl", "digit-train"):
                version = run(f"{prefix}/bin/{name}", "--version")
                self.assertEqual(version.returncode, 0, version.stderr)

            # Who generates stubs of his own needs all that the client's headers are made of.
            protos = run("protoc", "-I", f"{prefix}/share/digit/proto", f"--descriptor_set_out={folder}/set",
                         "digit/v1/digit.proto", "grpc/health/v1/health.proto", "inference/grpc_service.proto")
            self.assertEqual(protos.returncode, 0, protos.stderr)

            os.mkdir(f"{folder}/consumer")
            for name, text in {"CMakeLists.txt": CMAKE, "consumer.cc": CONSUMER}.items():
                with open(f"{folder}/consumer/{name}", "w") as f:
                    f.write(text)
            for command in (["cmake", "-G", "Ninja", "-S", f"{folder}/consumer", "-B", f"{folder}/build",
                             "-DCMAKE_CXX_STANDARD=20", f"-DCMAKE_PREFIX_PATH={prefix}"],
                            ["cmake", "--build", f"{folder}/build"]):
                done = subprocess.run(command, capture_output=True, text=True, timeout=250)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

            model = f"{prefix}/share/digit/mnist.pt"
            # --engine torch: the module is found beside the installed program.
            with Daemon("--model", model, "--engine", "torch", program=f"{prefix}/bin/digitd") as daemon:
                with open(f"/proc/{daemon.process.pid}/maps") as maps:
                    self.assertIn(f"{prefix}/lib/digit/libdigit_torch.so", maps.read())
                asked = run(f"{folder}/build/consumer", daemon.address, "tests/data/images/seven.png")
                self.assertEqual(asked.stdout, "7\n", asked.stderr)


if __name__ == "__main__":
    os.environ.pop("DIGIT_SERVER", None)
    unittest.main(verbosity=2)
