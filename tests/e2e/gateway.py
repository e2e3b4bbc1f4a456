"""What the tests of digit-gateway share: the running program, and HTTP as bytes, which no library would send wrong."""
import base64
import json
import os
import re
import signal
import socket
import subprocess
import threading

from digitd_test import BIN

IMAGES = {name.split(".")[0]: open(f"tests/data/images/{name}", "rb").read()
          for name in os.listdir("tests/data/images") if name.endswith((".png", ".bmp"))}

# seven.png as Leptonica writes it as JPEG, quality 40.
IMAGES["jpeg"] = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBMS0dARkVQWnNiUFVtVkVGZIhlbXd7gYKBTmCNl4"
    "x9lnN+gXz/wAALCAAcABwBAREA/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIh"
    "MUEGE1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqDhI"
    "WGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi4+Tl5ufo6erx8vP09fb3+Pn6/9oACAEBAAA/AOPh"
    "jM0yRKQC7BQWOAMnvW+fC8UI/wBK1mxibuobP9RVa90SC30+W8g1GK5WNwmEQgEnsD9OaxqKkt4JLq4jghXdJIwVR7mtXxBNHAYdKtWzDZjDsP"
    "45D94/0rGore0LGnafd6w4G9P3Ntn++RyfwH9awiSxJYkk8knvSUUu9tmzcdmc7c8Z9cUlFf/Z")


class Answer:
    """One answer: status, headers (names in lower case, values joined), body; `closed` after "Connection: close"."""

    def __init__(self, version, status, headers, body):
        self.version, self.status, self.headers, self.body = version, status, headers, body

    @property
    def closed(self):
        return self.headers.get("connection") == "close"

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:500]!r}"


class Connection:
    """One connection to a gateway. What is sent is sent as it is."""

    def __init__(self, address, timeout=60):
        host, port = address.rsplit(":", 1)
        self.host = address
        self.socket = socket.create_connection((host, int(port)), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.read = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.read.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def head(self):
        """Status line and headers of the next answer; None: the connection has ended."""
        try:
            line = self.read.readline()
        except ConnectionError:
            return None
        if not line:
            return None
        version, status, _ = line.decode().split(" ", 2)
        headers = {}
        while (line := self.read.readline().decode("latin-1").rstrip("\r\n")):
            name, value = line.split(":", 1)
            name = name.lower()
            headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
        return Answer(version, int(status), headers, b"")

    def answer(self, to_head=False):
        answer = self.head()
        if answer is None or to_head or answer.status in (100, 204, 304):
            return answer
        if answer.headers.get("transfer-encoding") == "chunked":
            while (size := int(self.read.readline(), 16)):
                answer.body += self.read.read(size)
                self.read.readline()
            self.read.readline()
        elif "content-length" in answer.headers:
            answer.body = self.read.read(int(answer.headers["content-length"]))
        else:
            answer.body = self.read.read()
        return answer

    def ask(self, method, target, body=None, headers=(), version="HTTP/1.1"):
        self.send(request(self.host, method, target, body, headers, version))
        return self.answer(to_head=method == "HEAD")

    def ended(self):
        """Whether the gateway has closed it; waits until it has, or something comes."""
        try:
            return self.read.read(1) == b""
        except ConnectionError:
            return True


def request(host, method, target, body=None, headers=(), version="HTTP/1.1"):
    """A request as bytes. `body`: bytes, text, or what becomes JSON."""
    headers = dict(headers)
    if body is not None and not isinstance(body, bytes):
        headers.setdefault("Content-Type", "application/json")
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
    headers.setdefault("Host", host)
    if body is not None:
        headers.setdefault("Content-Length", len(body))
    lines = [f"{method} {target} {version}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + (body or b"")


def form(*parts, boundary="xYzZY"):
    """A multipart body of (name, file name or None, bytes), and its content type."""
    body = b""
    for name, file, content in parts:
        file = f'; filename="{file}"' if file is not None else ""
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        body += head.encode() + content + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def freeze(daemon):
    """Stops the process as it is: it holds its connections and answers nothing. SIGCONT lets it go on."""
    daemon.process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, daemon.process.pid, os.WSTOPPED)


class Gateway:
    """A running digit-gateway; `address` is where it listens."""

    def __init__(self, server, *flags, under=(), environment=()):
        listen = () if "--listen" in flags else ("--listen", "127.0.0.1:0")
        self.process = subprocess.Popen([*under, f"{BIN}/digit-gateway", *listen, "--server", server, *flags],
                                        stderr=subprocess.PIPE, text=True, env={**os.environ, **dict(environment)})
        self.log = []
        self.address = None
        for line in self.process.stderr:
            self.log.append(line)
            if found := re.search(r" serving address=(\S+)", line):
                self.address = found[1].replace("0.0.0.0", "127.0.0.1")
                break
        else:
            raise AssertionError("digit-gateway did not start:\n" + "".join(self.log))
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self.read)
        self.reader.start()  # a full pipe would hold it up

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        self.process.stderr.close()

    def read(self):
        for line in self.process.stderr:
            with self.changed:
                self.log.append(line)
                self.changed.notify_all()

    def wait_for_log(self, words):
        """Until a line has these words; the test's time limit is the bound."""
        with self.changed:
            self.changed.wait_for(lambda: any(words in line for line in self.log))

    def connect(self, **options):
        return Connection(self.address, **options)

    def ask(self, method, target, body=None, headers=(), **options):
        """One request on a connection of its own."""
        with self.connect() as connection:
            return connection.ask(method, target, body, headers, **options)

    def get(self, target, headers=()):
        return self.ask("GET", target, None, headers)

    def post(self, target, body, headers=()):
        return self.ask("POST", target, body, headers)

    def raw(self, data):
        """The answer to these bytes, None when there is none, on a connection that then must end or answer."""
        with self.connect() as connection:
            connection.send(data)
            return connection.answer()

    def connections(self):
        """How many sockets of clients it holds open."""
        port = f"{int(self.address.rsplit(':', 1)[1]):04X}"
        with open("/proc/net/tcp") as sockets:
            rows = [line.split() for line in sockets]
        return sum(row[1].endswith(":" + port) and row[3] == "01" for row in rows)  # 01: established

    def resident_mib(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1]) / 1024

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.wait()

    def wait(self):
        """Until it has ended; its exit code. `log` is then whole."""
        self.process.wait(timeout=60)
        self.reader.join()
        return self.process.returncode


def problem(test, answer, status, words=""):
    """Asserts that this is a problem of ours."""
    test.assertIsNotNone(answer, (status, words))
    test.assertEqual(answer.status, status, answer)
    test.assertEqual(answer.headers["content-type"], "application/problem+json")
    found = answer.json()
    test.assertEqual((found["type"], found["status"]), ("about:blank", status))
    test.assertTrue(found["title"] and found["detail"], found)
    test.assertIn(words, found["detail"])
    test.assertEqual(found["request_id"], answer.headers["x-request-id"])
    return found
