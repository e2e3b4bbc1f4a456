"""Starts the servers that are compared, one at a time, and reads from /proc what each of them uses."""
import collections
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

TICKS = os.sysconf("SC_CLK_TCK")


class Side:
    """One server: how it is started, and how it says where it listens (`ready`, with the address as its group)."""

    def __init__(self, name, about, command, ready=r"listening on (\S+)", **environment):
        self.name = name
        self.about = about
        self.command = [str(word) for word in command]
        self.ready = re.compile(ready)
        self.environment = {key: str(value) for key, value in environment.items()}


class Server:
    """A side that runs, for a `with` block. It leads a session of its own, so that all its processes can be found."""

    def __init__(self, side):
        self.side = side
        # One thread a call into LibTorch; read when OpenMP is loaded, so it cannot be set later by the program itself.
        environment = {**os.environ, **side.environment, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        start = time.monotonic()
        self.process = subprocess.Popen(side.command, env=environment, stdin=subprocess.DEVNULL, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            self.address = self._wait_for_address()
        except BaseException:
            self.stop()
            raise
        self.seconds_to_address = time.monotonic() - start

    def _wait_for_address(self):
        lines = collections.deque(maxlen=20)
        for line in self.process.stdout:
            lines.append(line)
            if found := self.side.ready.search(line):
                # From here on nobody needs what it says, but the pipe must not fill up.
                threading.Thread(target=collections.deque, args=(self.process.stdout, 0), daemon=True).start()
                return found[1]
        sys.exit(f"{self.side.name} did not start:\n{''.join(lines)}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
                self.process.wait(10)
            except (subprocess.TimeoutExpired, ProcessLookupError):
                pass

    def _processes(self):
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()  # from the third on, see proc(5)
                if int(fields[3]) == self.process.pid:
                    yield stat.parent, fields
            except OSError:
                pass  # it ended meanwhile

    def cpu_seconds(self):
        """What all its processes have used so far."""
        return sum(int(fields[11]) + int(fields[12]) for _, fields in self._processes()) / TICKS

    def resident_mib(self, peak=False):
        """Now, or the most so far. Pages that processes share count for each of them."""
        pattern = re.compile(r"VmHWM:\s+(\d+)" if peak else r"VmRSS:\s+(\d+)")
        return sum(int(pattern.search((folder / "status").read_text())[1]) for folder, _ in self._processes()) / 1024
