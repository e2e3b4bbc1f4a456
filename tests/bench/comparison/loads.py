"""The load generators, h2load, ab and digitctl bench, and what they print. A failed or wrong answer ends the run."""
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

GRPC = ("content-type: application/grpc", "te: trailers")
LEAST_ANSWER_BYTES = 50  # ten probabilities are 42; an error, which h2load cannot see, comes without a message


def grpc_body(pixels):
    """RecognizeRequest with one raw image, as it is on the wire: flag, length, message."""
    image = b"\x12" + _varint(len(pixels)) + pixels  # Image.pixels
    request = b"\x1a" + _varint(len(image)) + image  # RecognizeRequest.images
    return b"\0" + len(request).to_bytes(4, "big") + request


def _varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def _run(command, limit_seconds):
    command = [str(word) for word in command]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=limit_seconds)
    except subprocess.TimeoutExpired:
        sys.exit(f"{' '.join(command)}\ndid not end within {limit_seconds:.0f} s")
    return done.returncode, done.stdout, done.stderr


def h2load(url, body, seconds, clients, streams, headers=GRPC, http1=False):
    """Posts `body` over and over. Returns requests, seconds, and the median and p99 of their latencies."""
    with tempfile.NamedTemporaryFile() as log:
        flags = [flag for header in headers for flag in ("-H", header)] + (["--h1"] if http1 else [f"-m{streams}"])
        code, out, err = _run(["h2load", "-t1", f"-c{clients}", "-D", f"{int(seconds * 1000)}ms", "-d", body, *flags,
                               f"--log-file={log.name}", url], seconds + 10)
        rows = [line.split("\t") for line in pathlib.Path(log.name).read_text().splitlines()]
    done = int((re.search(r"(\d+) done", out) or [0, 0])[1])
    good = int((re.search(r"status codes: (\d+) 2xx, 0 3xx, 0 4xx, 0 5xx", out) or [0, -1])[1])
    data = int((re.search(r"\((\d+)\) data", out) or [0, 0])[1])
    # `good` may count answers that came after the end; done is what came before it.
    if code or not done or good < done or (not http1 and data < done * LEAST_ANSWER_BYTES):
        sys.exit(f"h2load at {url}: not every request was answered\n{out}{err}")
    micros = sorted(int(row[2]) for row in rows)
    return {"requests": done, "seconds": seconds, "p50_us": statistics.median(micros),
            "p99_us": micros[int(len(micros) * 0.99)]}


def h2load_http1(url, body, seconds, clients, content_type):
    return h2load(url, body, seconds, clients, 1, (f"content-type: {content_type}",), http1=True)


def ab(url, body, seconds, clients, content_type):
    """As h2load, with a connection for each request: h2load stops when a server closes one."""
    with tempfile.NamedTemporaryFile() as shares:
        code, out, err = _run(["ab", "-q", "-t", max(1, round(seconds)), "-n", 10**7, "-c", clients, "-p", body, "-T",
                               content_type, "-e", shares.name, url], seconds + 10)
        at = dict(line.split(",") for line in pathlib.Path(shares.name).read_text().splitlines())
    done = int((re.search(r"Complete requests: +(\d+)", out) or [0, 0])[1])
    if code or not done or "Non-2xx" in out or not re.search(r"Failed requests: +0\n", out):
        sys.exit(f"ab at {url}: not every request was answered\n{out}{err}")
    return {"requests": done, "seconds": float(re.search(r"Time taken for tests: +([\d.]+)", out)[1]),
            "p50_us": float(at["50"]) * 1000, "p99_us": float(at["99"]) * 1000}


def digitctl(build, address, mnist, seconds, *flags):
    """One point of digitctl bench, every request another picture, each answer checked."""
    window = f"{max(int(seconds * 250), 100)}ms"
    code, out, err = _run([build / "bin/digitctl", "--server", address, "bench", "-o", "json", "--idx", mnist,
                           "--warmup", "500ms", "--window", window, "--stable", "0.1%",
                           "--duration", f"{int(seconds * 1000)}ms", *flags], seconds + 60)
    if code:
        sys.exit(f"digitctl bench {' '.join(map(str, flags))} at {address}: exit code {code}\n{err}")
    point = json.loads(out)
    if point["accuracy"] < 0.98:
        sys.exit(f"digitctl bench at {address}: only {point['accuracy']:.1%} of the digits are right")
    return point
