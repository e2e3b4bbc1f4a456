"""A gateway whose daemons are replaced by others at other addresses, faster than gRPC looks a name up by itself."""
import os
import tempfile
import time
import unittest
import urllib.error
import urllib.request

from digitd_test import BIN, MODEL, Daemon, run

PICTURE = "tests/data/images/seven.png"


@unittest.skipUnless(os.geteuid() == 0, "mounts a hosts file of its own, which needs root")
class NewAddressesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.hosts = f"{folder.name}/hosts"
        with open(PICTURE, "rb") as file:
            self.picture = file.read()

    def name_leads_to(self, *addresses):
        """In place: the file is mounted."""
        with open(self.hosts, "a+") as file:
            file.truncate(0)
            file.write("127.0.0.1 localhost\n" + "".join(f"{address} digits.test\n" for address in addresses))

    def ask(self, gateway):
        request = urllib.request.Request(f"http://{gateway.address}/v1/models/mnist:recognize", self.picture,
                                         {"Content-Type": "image/png", "Accept": "text/plain"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            return error.code

    def test_the_gateway_finds_them_at_once(self):
        self.name_leads_to("127.0.0.1")
        if run("unshare", "-m", "mount", "--bind", self.hosts, "/etc/hosts").returncode != 0:
            self.skipTest("mounts of its own are not possible here")
        with Daemon("--model", MODEL) as old:
            port = old.address.split(":")[1]
            with Daemon("--model", MODEL, "--listen", f"127.0.0.2:{port}") as new, \
                 Daemon("-m", "sh", "-c", f'mount --bind {self.hosts} /etc/hosts && exec "$@"', "sh",
                        f"{BIN}/digit-gateway", "--threads", "1", "--listen", "127.0.0.1:0",
                        "--server", f"dns:///digits.test:{port}", program="unshare") as gateway:
                self.assertEqual(self.ask(gateway), b"7\n")
                self.name_leads_to("127.0.0.2")
                self.assertEqual(old.stop(), 0)
                begin = time.monotonic()
                while (answer := self.ask(gateway)) == 503 and time.monotonic() < begin + 10:  # gRPC's own: 30 s
                    pass
                self.assertEqual(answer, b"7\n")
                self.assertEqual([self.ask(gateway) for _ in range(20)], [b"7\n"] * 20)
                self.assertEqual((gateway.stop(), new.stop()), (0, 0))


if __name__ == "__main__":
    unittest.main()
