"""Two providers that fail: one always answers 429, one refuses connections.

Prints `BUSY_PORT CLOSED_PORT` once both are there. `GET /seen` gives what the busy one was asked since the last
such question, and forgets it.
"""

import base64
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

seen = []
lock = threading.Lock()


class Busy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        with lock:
            answer = json.dumps(seen)
            seen.clear()
        self.answer(200, answer)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        with lock:
            seen.append({
                "at": time.monotonic(),
                "path": self.path,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "body": base64.b64encode(body).decode(),
            })
        key = self.headers.get("authorization", "").removeprefix("Bearer ")
        message = f"Too many requests for key {key}, please slow down"
        self.answer(429, json.dumps({"error": {"message": message, "code": 429}}))

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


# Bound but not listening: connections are refused, and nobody else can take the port.
closed = socket.socket()
closed.bind(("127.0.0.1", 0))

server = ThreadingHTTPServer(("127.0.0.1", 0), Busy)
print(server.server_address[1], closed.getsockname()[1], flush=True)
server.serve_forever()
