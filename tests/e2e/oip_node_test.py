"""The Open Inference Protocol as Node's grpc-js speaks it: tests/e2e/oip_client.mjs against the real digitd."""
import os
import unittest

from digitd_test import MODEL, Daemon, run


class OipNodeTest(unittest.TestCase):
    def test_grpc_js(self):
        with Daemon("--model", MODEL) as daemon:
            result = run("node", "tests/e2e/oip_client.mjs", daemon.address)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            self.assertEqual(result.stdout.count("ok "), 6, result.stdout)
            self.assertEqual(daemon.stop(), 0)


if __name__ == "__main__":
    os.environ.pop("DIGIT_SERVER", None)
    unittest.main(verbosity=2)
