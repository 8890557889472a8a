"""A provider whose streams break off: it passes requests on to a real one and cuts its answers short.

    cut.py REAL_BASE_URL EVENTS

Prints its port once it is there.
"""

import socket
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

real, most = sys.argv[1], int(sys.argv[2])


class Cut(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        request = urllib.request.Request(real + "/chat/completions", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            events = 0
            for line in answer:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
                events += line.startswith(b"data:")
                if events == most:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Cut)
print(server.server_address[1], flush=True)
server.serve_forever()
