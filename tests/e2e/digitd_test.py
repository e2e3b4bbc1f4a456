"""The real digitd: start, faults at start, drain, what it loads. The programs are in DIGIT_BIN_DIR."""
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import unittest

BIN = os.environ["DIGIT_BIN_DIR"]
MODEL = "model/pretrained/mnist.pt"

# A RecognizeStream call that is opened, answered once and never ended. Needs python3-grpcio, as the README's example.
OPEN_STREAM = """
import sys, threading, grpc
channel = grpc.insecure_channel(sys.argv[1])
grpc.channel_ready_future(channel).result(timeout=30)
never = threading.Event()
def messages():
    yield b"\x08\x07"  # RecognizeStreamRequest{id: 7}: answered with an error, the stream goes on
    never.wait()
call = channel.stream_stream("/digit.v1.DigitService/RecognizeStream")(messages())
next(call)
print("open", flush=True)
try:
    for _ in call:
        pass
except grpc.RpcError as error:
    print(error.code())
never.set()
"""


# Messages by hand, as Debian's python3-grpcio comes without generated stubs.
WIRE = r"""
import sys, threading, grpc
def varint(n):
    return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)
def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content
def id_field(n):
    return b"\x08" + varint(n)
channel = grpc.insecure_channel(sys.argv[1], [("grpc.http2.bdp_probe", 0)])  # the window stays at 64 KiB
recognize_stream = channel.stream_stream("/digit.v1.DigitService/RecognizeStream")
"""

# Sends pictures without pause until the stream ends; says how many answers came, and that none was left out.
BUSY_STREAM = WIRE + """
picture = field(2, field(4, bytes([255]) * 784))
def messages():
    n = 0
    while True:
        n += 1
        yield id_field(n) + picture
answered = 0
try:
    for answer in recognize_stream(messages()):
        answered += 1
        assert answer.startswith(id_field(answered)), (answer, answered)
        if answered == 1:
            print("open", flush=True)
except grpc.RpcError as error:
    print("answered", answered, error.code(), error.details(), flush=True)
"""

# Asks for a large answer (1,024 images with their pixels) and does not read it, so that the server cannot send it.
DEAF_STREAM = WIRE + """
accepted = threading.Event()
def messages():
    yield id_field(1)
    accepted.wait()
    yield field(2, field(4, bytes([255]) * 784 * 1024) + field(5, id_field(1)))
    threading.Event().wait()
call = recognize_stream(messages())
next(call)
accepted.set()
print(call.code())
"""
LARGE_ANSWER = " method=RecognizeStream code=OK images=1024 "  # in the access log, when it is there to be sent

# Services as grpc.reflection.v1alpha lists them.
LIST_SERVICES = r"""
import sys, grpc
channel = grpc.insecure_channel(sys.argv[1])
reflect = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
try:
    print(next(reflect(iter([b"\x3a\x01*"]))))  # ServerReflectionRequest{list_services: "*"}
except grpc.RpcError as error:
    print(error.code())
"""


def run(*args, **kwargs):
    """Until it has ended; the test's time limit is the bound."""
    return subprocess.run([*args], capture_output=True, text=True, **kwargs)


def python(script, address):
    return subprocess.Popen(["/usr/bin/python3", "-c", script, address], stdout=subprocess.PIPE, text=True)


class Daemon:
    """A running digitd; `address` is where it listens."""

    def __init__(self, *flags, program=f"{BIN}/digitd"):
        self.home = tempfile.TemporaryDirectory()  # each has a state folder of its own, unless --state-dir names one
        listen = () if "--listen" in flags else ("--listen", "127.0.0.1:0")
        self.process = subprocess.Popen([program, *listen, *flags], stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, "XDG_STATE_HOME": self.home.name})
        self.log = []
        for line in self.process.stderr:
            self.log.append(line)
            found = re.search(r" serving address=(\S+)", line)
            if found:
                self.address = found[1]
                self.rest, self.changed = [], threading.Condition()
                self.reader = threading.Thread(target=self.read)
                self.reader.start()  # a full pipe would hold the daemon up
                return
        raise AssertionError("digitd did not start:\n" + "".join(self.log))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stderr.close()
        self.home.cleanup()

    def read(self):
        for line in self.process.stderr:
            with self.changed:
                self.rest.append(line)
                self.changed.notify_all()

    def wait_for_log(self, words):
        """Until a line since the start has these words; the test's time limit is the bound."""
        with self.changed:
            self.changed.wait_for(lambda: any(words in line for line in self.rest))

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.wait()

    def wait(self):
        """Until it has ended; its exit code. log[-1] is then all that it has said since the start."""
        self.process.wait(timeout=60)
        self.reader.join()
        self.log.append("".join(self.rest))
        return self.process.returncode

    def maps(self):
        with open(f"/proc/{self.process.pid}/maps") as maps:
            return maps.read()

    def resident_mib(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1]) / 1024


class StartTest(unittest.TestCase):
    def fails(self, code, pattern, *flags):
        result = run(f"{BIN}/digitd", "--log-level", "error", "--listen", "127.0.0.1:0", *flags)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertRegex(result.stderr, pattern)
        self.assertEqual(result.stdout, "")
        return result.stderr

    def test_a_missing_model_is_one_line_and_exit_3(self):
        text = self.fails(3, r"^digitd: .*/no/such\.pt", "--model", "/no/such.pt")
        self.assertEqual(text.count("\n"), 1)

    def test_a_broken_model_is_one_line_and_exit_3(self):
        with open(MODEL, "rb") as f:
            whole = f.read()
        with tempfile.TemporaryDirectory() as folder:
            for name, content in {"empty": b"", "half": whole[:len(whole) // 2], "text": b"hello\n" * 100}.items():
                path = f"{folder}/{name}.pt"
                with open(path, "wb") as f:
                    f.write(content)
                text = self.fails(3, rf"^digitd: .*{name}\.pt", "--model", path)
                self.assertEqual(text.count("\n"), 1, text)

    def test_a_taken_port_is_one_line_and_exit_4(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            result = run(f"{BIN}/digitd", "--model", MODEL, "--listen", f"127.0.0.1:{port}")
            self.assertEqual(result.returncode, 4, result.stderr)
            self.assertRegex(result.stderr, rf"^digitd: cannot listen on 127\.0\.0\.1:{port}: port {port} is taken")
            self.assertEqual(result.stderr.count("\n"), 1, result.stderr)

    def test_wrong_flags_exit_2_and_point_to_help(self):
        self.fails(2, "--help", "--no-such-flag")
        self.fails(2, "model: is missing")
        self.fails(2, "replicas", "--model", MODEL, "--replicas", "-1")

    def test_a_model_without_its_flag_is_told_which(self):
        self.fails(2, r"^digitd: 'mnist\.pt' belongs to no flag; .*: --model mnist\.pt\n", "mnist.pt")
        self.fails(2, r"'b\.pt' belongs to no flag", "--model", "a.pt", "b.pt")

    def test_output_that_cannot_be_written_is_no_success(self):
        for flags in (["--print-config", "--model", MODEL], ["--help"], ["--version"]):
            with open("/dev/full", "w") as full:
                result = subprocess.run([f"{BIN}/digitd", *flags], stdout=full, stderr=subprocess.PIPE, text=True)
            self.assertEqual((result.returncode, result.stderr),
                             (1, "digitd: cannot write to standard output: No space left on device\n"), flags)

    def test_version_begins_with_the_name_of_the_program(self):
        self.assertRegex(run(f"{BIN}/digitd", "--version").stdout, r"^digitd \d+\.\d+\.\d+ gcc \d+ \w+\n$")

    def test_a_wrong_line_of_the_config_file_is_quoted_with_the_file(self):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as config:
            config.write("replica = 4\n")
            config.flush()
            self.fails(2, f"{config.name}: 'replica' is no setting", "--model", MODEL, "--config", config.name)

    def test_help_leads_with_examples_and_names_the_exit_codes(self):
        text = run(f"{BIN}/digitd", "--help").stdout
        self.assertIn("digitd --model mnist.pt", text.split("Options")[0])
        self.assertIn("Exit codes", text)


class RunTest(unittest.TestCase):
    def test_serves_with_one_flag_without_torch_in_little_memory(self):
        with Daemon("--model", MODEL) as daemon:
            health = run(f"{BIN}/digitctl", "--server", daemon.address, "health")
            self.assertEqual(health.returncode, 0, health.stderr)
            self.assertNotIn("torch", daemon.maps())
            self.assertLess(daemon.resident_mib(), 60)
            self.assertEqual(daemon.stop(), 0)
            self.assertIn("stopped", daemon.log[-1])

    def test_sigint_stops_it_as_well(self):
        with Daemon("--model", MODEL) as daemon:
            self.assertEqual(daemon.stop(signal.SIGINT), 0)

    def test_a_stream_that_nobody_uses_does_not_hold_up_the_drain(self):
        with Daemon("--model", MODEL, "--drain-timeout", "1h") as daemon:
            watch = python(OPEN_STREAM, daemon.address)
            self.assertEqual(watch.stdout.readline(), "open\n")
            self.assertEqual(daemon.stop(), 0)
            self.assertIn("stopped", daemon.log[-1])
            self.assertNotIn("drain timed out", daemon.log[-1])
            self.assertIn("UNAVAILABLE", watch.communicate(timeout=60)[0])

    def test_a_stream_whose_answers_nobody_reads_is_cut_after_the_drain_timeout_and_the_log_says_so(self):
        with Daemon("--model", MODEL, "--drain-timeout", "1s", "--access-log") as daemon:
            watch = python(DEAF_STREAM, daemon.address)
            daemon.wait_for_log(LARGE_ANSWER)  # a stream of which that was not read yet would be idle
            self.assertEqual(daemon.stop(), 0)
            self.assertIn("drain timed out", daemon.log[-1])
            watch.kill()  # it has answers to read before it would see the end
            watch.communicate(timeout=60)

    def test_a_stream_that_is_never_idle_is_answered_and_ended_within_the_drain_timeout(self):
        with Daemon("--model", MODEL, "--drain-timeout", "20s", "--access-log") as daemon:
            busy = python(BUSY_STREAM, daemon.address)
            self.assertEqual(busy.stdout.readline(), "open\n")
            self.assertEqual(daemon.stop(), 0)
            self.assertNotIn("drain timed out", daemon.log[-1])
            ended = busy.stdout.readline()
            busy.kill()  # Python's gRPC 1.51 may hang at its exit while a request iterator still runs
            busy.communicate(timeout=60)
            # The connection is closed under a client that sends, which may then see that and not the server's words.
            found = re.match(r"answered (\d+) StatusCode.UNAVAILABLE ", ended)
            self.assertTrue(found, ended)
            self.assertLessEqual(int(found[1]), daemon.log[-1].count(" method=RecognizeStream code=OK "))

    def test_reflection_is_there_only_when_asked_for(self):
        with Daemon("--model", MODEL) as daemon:
            self.assertEqual(python(LIST_SERVICES, daemon.address).communicate(timeout=60)[0],
                             "StatusCode.UNIMPLEMENTED\n")
            self.assertNotIn("reflection", daemon.maps())
        with Daemon("--model", MODEL, "--reflection") as daemon:
            self.assertIn("digit.v1.DigitService", python(LIST_SERVICES, daemon.address).communicate(timeout=60)[0])
            self.assertEqual(daemon.stop(), 0)

    def test_the_access_log_has_a_line_for_each_answer(self):
        with Daemon("--model", MODEL, "--access-log") as daemon:
            picture = "tests/data/images/seven.png"
            ask = [f"{BIN}/digitctl", "--server", daemon.address, "recognize"]
            self.assertEqual(run(*ask, picture).returncode, 0)
            self.assertNotEqual(run(*ask, "--model", "no such", picture).returncode, 0)
            self.assertEqual(run(*ask, picture, "tests/data/images/blank.png").returncode, 1)
            self.assertEqual(daemon.stop(), 0)
            lines = [line for line in daemon.log[-1].splitlines() if " info call " in line]
            start = r" info call method=Recognize(Stream)? code={} images=1 peer=ipv4:127\.0\.0\.1:\d+ duration=\d+us "
            timing = r"decode=\d+us queue=\d+us compute=\d+us batch={} cut={} .*model=mnist/[0-9a-f]{{12}}$"
            self.assertRegex(lines[0], start.format("OK") + timing.format(1, "idle"))
            self.assertRegex(lines[1], start.format("NOT_FOUND") + r'model="no such" message=".*"$')
            blank = start.format("OK") + timing.format(0, "none")
            self.assertTrue(any(re.search(blank, line) for line in lines[2:]), lines)  # in the order of being answered
            self.assertEqual(len(lines), 4)

    def test_the_access_log_is_off_by_default(self):
        with Daemon("--model", MODEL) as daemon:
            run(f"{BIN}/digitctl", "--server", daemon.address, "recognize", "tests/data/images/seven.png")
            self.assertEqual(daemon.stop(), 0)
            self.assertNotIn(" call ", daemon.log[-1])

    def test_two_models_are_served_by_name(self):
        with Daemon("--model", MODEL, "--model", f"second={MODEL}") as daemon:
            models = run(f"{BIN}/digitctl", "--server", daemon.address, "models")
            self.assertIn("mnist", models.stdout)
            self.assertIn("second", models.stdout)

    def test_what_was_accepted_is_answered_before_it_exits(self):
        # Half of a long stream is under way when the signal comes; everything that was accepted gets its answer.
        with tempfile.TemporaryDirectory() as folder, Daemon("--model", MODEL) as daemon:
            pictures = []
            for i in range(300):
                pictures.append(f"{folder}/{i:03}.pgm")
                with open(pictures[-1], "wb") as f:
                    f.write(b"P5 28 28 255\n" + bytes(300) + bytes([255]) * 100 + bytes(384))
            errors = open(f"{folder}/stderr", "w+")
            client = subprocess.Popen([f"{BIN}/digitctl", "--server", daemon.address, "recognize", "--stream", "-o",
                                       "json", *pictures], stdout=subprocess.PIPE, stderr=errors, text=True)
            self.assertIn('"label"', client.stdout.readline())
            # Read all the time, as a client with a full pipe would hold the stream open; and not with communicate(),
            # which would miss what readline() has buffered.
            rest = []
            reader = threading.Thread(target=lambda: rest.append(client.stdout.read()))
            reader.start()
            self.assertEqual(daemon.stop(), 0, "".join(daemon.log))
            reader.join()
            client.wait(timeout=60)
            client.stdout.close()
            errors.seek(0)
            self.assertEqual(rest[0].count('"label"'), 299, errors.read()[-500:])
            errors.close()


if __name__ == "__main__":
    os.environ.pop("DIGIT_SERVER", None)
    unittest.main(verbosity=2)
