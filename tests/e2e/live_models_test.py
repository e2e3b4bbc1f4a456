"""Models that live, by the real programs: version folders, candidates, what survives a restart, digests, several servers."""
import os
import signal
import unittest

from digitd_test import BIN, MODEL, Daemon, run
from model_files import ServedModelTest, put_file

PICTURE = "tests/data/images/seven.png"

# The shipped weights in other words (the same answers, other files), a model that says 7 to everything, and one that is
# sound for every digit and not finite once there is ink in the corner, where no digit has any.
MAKE = """
import sys, torch
import torch.nn.functional as F
model = torch.jit.load(sys.argv[1])
weights = model.state_dict()
for i in range(1, 5):
    shifted = dict(weights)
    shifted["fc2.bias"] = weights["fc2.bias"] + i
    torch.save(shifted, f"{sys.argv[2]}/same{i}.pt")
sevens = dict(weights)
sevens["fc2.bias"] = weights["fc2.bias"].clone()
sevens["fc2.bias"][7] += 1000
torch.save(sevens, sys.argv[2] + "/sevens.pt")
def features(x):  # [N, 64], of the corner
    x = F.max_pool2d(F.relu(F.conv2d(x, weights["conv1.weight"], weights["conv1.bias"])), 2)
    return F.max_pool2d(F.relu(F.conv2d(x, weights["conv2.weight"], weights["conv2.bias"])), 2)[:, :, 0, 0]
blank, ink = torch.zeros(1, 1, 28, 28), torch.zeros(1, 1, 28, 28)
ink[:, :, :6, :6] = 1
torch.manual_seed(1)
others = features(torch.cat([blank, torch.rand(500, 1, 28, 28), torch.rand(500, 1, 28, 28) * torch.rand(500, 1, 1, 1)]))
margin, channel = (features(ink)[0] - others.max(0).values).max(0)
assert margin > 0, margin
threshold = features(ink)[0, channel] - margin / 2
broken = {name: value.clone() for name, value in weights.items()}
for unit in (0, 1):  # beyond the threshold one is +inf and the other -inf at the outputs
    broken["fc1.weight"][unit] = 0
    broken["fc1.weight"][unit, channel * 25] = 1e30
    broken["fc1.bias"][unit] = -1e30 * threshold
    broken["fc2.weight"][:, unit] = 1e30 if unit == 0 else -1e30
torch.save(broken, sys.argv[2] + "/broken.pt")
"""


class LiveModelsTest(ServedModelTest):
    MAKE = MAKE

    def setUp(self):
        super().setUp()
        self.models = f"{self.folder}/models"
        self.state = f"{self.folder}/state"

    def put_version(self, version, source, name="mnist"):
        os.makedirs(f"{self.models}/{name}/{version}")
        put_file(source, f"{self.models}/{name}/{version}/model.pt")

    def wait_for_live(self, daemon, version, name="mnist"):
        self.wait_for(daemon, lambda versions: versions and versions[0]["version"] == version, name)

    def test_version_folders_are_served_and_followed(self):
        self.put_version(1, MODEL)
        self.put_version(2, f"{self.made}/same1.pt")
        with Daemon("--model-dir", self.models) as daemon:
            self.assertEqual(self.live(daemon), "2")
            self.assertEqual(self.ctl(daemon, "recognize", "--model-version", "1", PICTURE).returncode, 4)
            self.put_version(10, f"{self.made}/same2.pt")
            self.wait_for_live(daemon, "10")
            self.put_version(1, f"{self.made}/same3.pt", name="letters")
            self.wait_for_live(daemon, "1", name="letters")
            self.assertIn("mnist 1 is live", self.do(daemon, "model", "promote", "mnist", "--version", "1"))
            for version in ("../../etc", "/etc/passwd", "..", "3"):
                refused = self.ctl(daemon, "model", "promote", "mnist", "--version", version)
                self.assertEqual(refused.returncode, 4, version)
            self.assertEqual(daemon.stop(), 0)
        with Daemon("--model-dir", self.models, "--model-versions", "mnist=all", "--watch", "false") as daemon:
            for version in ("1", "2", "10"):
                self.do(daemon, "recognize", "--model", "mnist", "--model-version", version, PICTURE)
        empty = run(f"{BIN}/digitd", "--model-dir", f"{self.folder}/nothing", "--listen", "127.0.0.1:0")
        self.assertEqual(empty.returncode, 3)
        self.assertIn("there is no model in", empty.stderr)

    def test_a_candidate_is_tried_with_copies_of_requests_and_promoted(self):
        with Daemon("--model", self.file, "--watch", "false", "--state-dir", self.state) as daemon:
            first = self.live(daemon)
            self.assertEqual(self.ctl(daemon, "model", "promote").returncode, 4)
            self.put(f"{self.made}/sevens.pt")
            loaded = self.do(daemon, "model", "reload", "--candidate")
            self.assertIn("is the candidate beside " + first, loaded)
            self.assertIn("at least 99 % are needed", loaded)
            self.assertIn("copies of 100 % of the requests", self.do(daemon, "model", "shadow", "--share", "1"))
            # A copy runs after the answer, and only if an executor is free for it soon: ask until one has run.
            disagreements = []
            while not any(disagreements) or shadow["images"] == "0":
                self.do(daemon, "recognize", "tests/data/images/two-canvas.png", PICTURE)
                shadow = self.versions(daemon)[1]["shadow"]
                disagreements = [int(count) for count in shadow["disagreements"]]
            self.assertGreater(disagreements[2], 0)
            self.assertEqual(sum(disagreements), disagreements[2])
            self.assertEqual(shadow["failed"], "0")
            self.assertIn("with another answer", self.do(daemon, "models"))
            asked = self.do(daemon, "recognize", "--model-version", "candidate", "tests/data/images/two-canvas.png")
            self.assertIn(" 7", asked)
            refused = self.ctl(daemon, "model", "promote")
            self.assertEqual(refused.returncode, 4)
            self.assertIn("agreement", refused.stderr)
            self.put(f"{self.made}/same1.pt")
            self.do(daemon, "model", "reload", "--candidate")
            promoted = self.do(daemon, "model", "promote")
            self.assertIn("100.00 % agreement", promoted)
            self.assertNotEqual(self.live(daemon), first)
            self.assertEqual(daemon.stop(), 0)

    def test_what_is_live_survives_a_restart_and_what_was_rolled_back_stays_out(self):
        flags = ("--model", self.file, "--state-dir", self.state)
        with Daemon(*flags) as daemon:
            first = self.live(daemon)
            self.put(f"{self.made}/same1.pt")
            self.wait_for(daemon, lambda versions: versions[0]["version"] != first)
            second = self.live(daemon)
            self.do(daemon, "model", "rollback")
            daemon.process.kill()  # what was acknowledged holds
            daemon.process.wait()
        with Daemon(*flags) as daemon:
            self.assertEqual(self.live(daemon), first)
            self.put(f"{self.made}/same2.pt")
            self.wait_for(daemon, lambda versions: versions[0]["version"] != first)
            third = self.live(daemon)
            self.assertNotEqual(third, second)
            self.assertEqual(daemon.stop(), 0)
        with open(self.file, "wb") as broken:
            broken.write(b"broken while nobody looked")
        with Daemon(*flags) as daemon:
            self.assertEqual(self.live(daemon), third)
            self.assertEqual(daemon.stop(), 0)
        with open(f"{self.state}/live.json", "w") as damaged:
            damaged.write("{")
        self.put(MODEL)
        with Daemon(*flags) as daemon:
            self.assertEqual(self.live(daemon), first)
            self.assertIn("live.json", "".join(daemon.log))

    def test_a_second_daemon_leaves_the_state_folder_alone(self):
        flags = ("--model", self.file, "--state-dir", self.state, "--watch", "false")
        with Daemon(*flags) as one, Daemon(*flags) as other:
            self.put(f"{self.made}/same1.pt")
            self.do(other, "model", "reload")  # goes live, and says that it will not survive
            self.assertEqual(other.stop(), 0)
            self.assertIn("another digitd uses", "".join(other.log))
            self.do(one, "model", "reload")

    def test_only_files_that_are_in_the_list_of_digests_are_loaded(self):
        listed = f"{self.folder}/digests"
        sums = run("sha256sum", MODEL, f"{self.made}/same1.pt")
        with open(listed, "w") as file:
            file.write("# ours\n" + sums.stdout)
        with Daemon("--model", self.file, "--watch", "false", "--require-digest", listed) as daemon:
            self.put(f"{self.made}/same1.pt")
            self.do(daemon, "model", "reload")
            self.put(f"{self.made}/same2.pt")
            refused = self.ctl(daemon, "model", "reload", "--force")
            self.assertEqual(refused.returncode, 4)
            self.assertIn("not in the list of digests", refused.stderr)
        refused = run(f"{BIN}/digitd", "--model", self.file, "--listen", "127.0.0.1:0", "--require-digest", listed)
        self.assertEqual(refused.returncode, 3)
        self.assertIn("not in the list of digests", refused.stderr)

    def test_a_version_that_begins_to_fail_is_rolled_back_by_itself(self):
        corner = f"{self.folder}/corner.pgm"
        with open(corner, "wb") as picture:
            rows = [b"\xff" * 6 + b"\0" * 22] * 6 + [b"\0" * 28] * 10 + [b"\0" * 13 + b"\xff" * 2 + b"\0" * 13] * 12
            picture.write(b"P5 28 28 255\n" + b"".join(rows))
        with Daemon("--model", self.file, "--watch", "false") as daemon:
            first = self.live(daemon)
            self.put(f"{self.made}/broken.pt")
            self.assertIn("agreement", self.do(daemon, "model", "reload"))  # it is sound for every digit
            self.assertNotEqual(self.live(daemon), first)
            self.assertEqual(self.ctl(daemon, "recognize", corner).returncode, 4)  # the one that finds it out
            self.assertEqual(self.live(daemon), first)
            self.do(daemon, "recognize", corner)
            reason = self.versions(daemon)[1]["state_reason"]
            self.assertIn("rolled back as it began to fail", reason)
            self.assertEqual(self.ctl(daemon, "model", "reload").returncode, 4)
            self.assertEqual(daemon.stop(), 0)

    def test_two_servers_on_one_folder_follow_what_either_has_trained(self):
        self.put_version(1, MODEL)
        flags = ("--model-dir", self.models, "--data-dir", "data")
        with Daemon(*flags) as one, Daemon(*flags) as other:
            self.put_version(2, f"{self.made}/same1.pt")
            self.wait_for_live(one, "2")
            self.wait_for_live(other, "2")
            trained = self.ctl(one, "train", "--data-set", "mnist", "--fine-tune", "--epochs", "1", "--promote", "never")
            self.assertEqual(trained.returncode, 0, trained.stderr)
            self.assertEqual(os.listdir(f"{self.models}/mnist").count("3"), 0)  # not before it is live
            self.do(one, "model", "promote")
            self.wait_for_live(one, "3")
            self.wait_for_live(other, "3")
            self.assertEqual([daemon.stop() for daemon in (one, other)], [0, 0])

    @unittest.skipUnless(os.geteuid() == 0, "mounts a hosts file of its own, which needs root")
    def test_reload_all_reaches_every_server_behind_a_name(self):
        hosts = f"{self.folder}/hosts"
        with open(hosts, "w") as file:
            file.write("127.0.0.1 localhost digits.test\n127.0.0.2 digits.test\n")

        def ctl(*args):
            return run("unshare", "-m", "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$@"', "sh",
                       f"{BIN}/digitctl", *args)
        if run("unshare", "-m", "mount", "--bind", hosts, "/etc/hosts").returncode != 0:
            self.skipTest("mounts of its own are not possible here")
        with Daemon("--model", self.file, "--watch", "false") as one:
            port = one.address.split(":")[1]
            with Daemon("--model", self.file, "--watch", "false", "--listen", f"127.0.0.2:{port}") as other:
                self.put(f"{self.made}/same1.pt")
                done = ctl("--server", f"dns:///digits.test:{port}", "model", "reload", "--all")
                self.assertEqual(done.returncode, 0, done.stderr)
                for daemon in (one, other):
                    self.assertIn(f"{daemon.address}: mnist {self.live(daemon)} is live", done.stdout)
                asked = ctl("--server", f"dns:///digits.test:{port}", "recognize", PICTURE)
                self.assertEqual(asked.returncode, 0, asked.stderr)
                other.process.send_signal(signal.SIGKILL)
                other.process.wait()
                self.put(f"{self.made}/same2.pt")
                done = ctl("--server", f"dns:///digits.test:{port}", "model", "reload", "--all")
                self.assertEqual(done.returncode, 3)
                self.assertIn(f"{one.address}: mnist", done.stdout)
                self.assertIn(f"127.0.0.2:{port}: ", done.stderr)


if __name__ == "__main__":
    unittest.main()
