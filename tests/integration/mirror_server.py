"""A mirror that misbehaves as its URL says: /MODE/NAME serves ROOT/NAME. Prints its port; ends when stdin closes.

good      with byte ranges
missing   404
wrong     the content of ROOT/wrong
cut       sends half of what is asked for and hangs up, until ROOT/healed exists
cutonce   the same, but only when the whole file is asked for
norange   no byte ranges; the first answer for a name is cut
redirect  302 to /good on this server
Every request is a line of ROOT/requests before it is answered: path, Range header or '-'.
"""
import http.server
import os
import sys
import threading

root = sys.argv[1]
seen = set()
lock = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        mode, name = self.path.strip('/').split('/')
        wanted = self.headers.get('Range')
        with lock:
            with open(os.path.join(root, 'requests'), 'a') as log:
                log.write(f'{self.path} {wanted or "-"}\n')
            first = self.path not in seen
            seen.add(self.path)
        if mode == 'missing':
            return self.send_error(404)
        if mode == 'redirect':
            self.send_response(302)
            self.send_header('Location', f'http://127.0.0.1:{self.server.server_port}/good/{name}')
            self.send_header('Content-Length', '0')
            return self.end_headers()
        with open(os.path.join(root, 'wrong' if mode == 'wrong' else name), 'rb') as file:
            content = file.read()
        cut = {'cut': not os.path.exists(os.path.join(root, 'healed')), 'cutonce': not wanted, 'norange': first}
        self.answer(content, None if mode == 'norange' else wanted, cut.get(mode, False))

    def answer(self, content, wanted, cut):
        start = int(wanted.removeprefix('bytes=').removesuffix('-')) if wanted else 0
        if wanted and start >= len(content):
            return self.send_error(416)
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header('Content-Range', f'bytes {start}-{len(content) - 1}/{len(content)}')
        rest = content[start:]
        self.send_header('Content-Length', str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[:len(rest) // 2] if cut else rest)
        self.close_connection = True

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
