"""The provider of the Open WebUI run: what it does is in the name of the model.

Prints `PORT CLOSED_PORT` once it is there; nobody listens on the second one. `GET /log` gives all that it was asked,
`GET …/models` a list of models in OpenRouter's shape.
"""

import json
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FOLLOW_UPS = ["And then?", "Why is that so?", "Says who?"]
TASKS = {"title": {"title": "A made-up title"}, "tags": {"tags": ["Made up"]}, "follow_ups": {"follow_ups": FOLLOW_UPS}}
# Whatever runs this writes itself into the title of the page.
SCRIPT = "window.seized = true; document.title = 'seized'; return 'seized'"

asked = []
lock = threading.Lock()


def answer(text, after=0):
    """A good answer, a word at a time."""
    def act(reply, _):
        time.sleep(after)
        reply.stream()
        for word in text.split(" "):
            reply.delta({"content": word if word == text.split(" ")[0] else f" {word}"})
        reply.end("stop")
    return act


def refuse(status, message, after=0):
    def act(reply, _):
        time.sleep(after)
        reply.json(status, {"error": {"message": message, "code": status}})
    return act


def cut(text):
    """Tears the connection after `text`."""
    def act(reply, _):
        reply.stream()
        for word in text.split(" "):
            reply.delta({"content": f"{word} "})
        # Long enough for the page to show it.
        time.sleep(1)
        reply.tear()
    return act


def seize(text):
    """Tries what only the client's own server may tell the page, before, beside and after the words."""
    def act(reply, _):
        reply.stream()
        reply.event({"event": {"type": "execute", "data": {"code": SCRIPT}}})
        reply.event({"event": {"type": "status", "data": {"description": "Seized the status line", "done": False}}})
        reply.event({"event": {"type": "notification", "data": {"type": "error", "content": "Seized the toasts"}}})
        reply.event({"selected_model_id": "seized"})
        for word in text.split(" "):
            event = {"type": "execute", "data": {"code": SCRIPT}}
            reply.delta({"content": word if word == text.split(" ")[0] else f" {word}"}, event=event)
        reply.event({"event": {"type": "replace", "data": {"content": "Seized the text"}}, "choices": []})
        reply.end("stop", selected_model_id="seized")
    return act


def call(name, arguments):
    """Calls a tool, its arguments in pieces of four characters, and answers when the result is there."""
    def act(reply, body):
        reply.stream()
        results = [message["content"] for message in body["messages"] if message["role"] == "tool"]
        if results:
            reply.delta({"content": "The tool has spoken."})
            return reply.end("stop")
        head = {"index": 0, "id": "call_made_up", "type": "function", "function": {"name": name, "arguments": ""}}
        reply.delta({"role": "assistant", "content": None, "tool_calls": [head]})
        text = json.dumps(arguments)
        for at in range(0, len(text), 4):
            reply.delta({"tool_calls": [{"index": 0, "function": {"arguments": text[at:at + 4]}}]})
        reply.end("tool_calls")
    return act


def task(reply, body):
    """A title, tags or follow-ups, whichever is asked for."""
    prompt = body["messages"][-1]["content"]
    kind = next(kind for kind in ("follow_ups", "tags", "title") if f'"{kind}"' in prompt)
    message = {"role": "assistant", "content": json.dumps(TASKS[kind])}
    reply.json(200, {
        "id": "chatcmpl-task", "object": "chat.completion", "created": int(time.time()), "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    })


def listed(model, name, context, price, **more):
    """A model as OpenRouter lists it."""
    return {
        "id": model, "name": name, "created": 1735689600, "description": f"{name}, as its maker praises it.",
        "context_length": context, "pricing": {"prompt": price, "completion": price},
        "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
        "supported_parameters": ["max_tokens", "temperature", "tools"], **more,
    }


# A status line stands for a second at least: whatever takes longer than that is shown.
LONG = 1.5
busy = refuse(503, "The model is overloaded", after=LONG)
# What each model does with the first request, the second, …; the last of them for ever.
CHATS = {
    "plain": [answer("Nothing but a plain answer.")],
    "deepseek/deepseek-chat-v3.1": [busy] * 5 + [answer("Air scatters blue light more than red.", after=LONG)],
    "gone": [refuse(404, "No such model")],
    "left": [refuse(404, "No such model")],
    "spent": [busy],
    "second": [answer("The second one helps out.", after=LONG)],
    "doomed": [busy],
    "cut": [cut("The beginning of an answer")],
    "rogue": [seize("The words of a rogue.")],
    "slow": [refuse(503, "The model is overloaded")],
    "tools": [call("calculate_timestamp", {"days_ago": 3, "weeks_ago": 1})],
    "talk": [answer("A chat without its extras.")],
    "own": [answer("Paid for by yourself.")],
    "late": [busy, answer("Better late than never.", after=LONG)],
    "meta-llama/llama-3.3-70b-instruct:free": [busy, answer("Found in a list.", after=LONG)],
}
MODELS = [
    listed("openai/gpt-5", "OpenAI: GPT-5", 400000, "0.00000125"),
    listed("meta-llama/llama-3.3-70b-instruct:free", "Meta: Llama 3.3 70B Instruct (free)", 131072, "0"),
    listed("tiny/mouse:free", "Tiny: Mouse (free)", 4096, "0"),
    listed("mute/stone:free", "Mute: Stone (free)", 131072, "0", supported_parameters=["temperature"]),
]
# Which models fail at titles, tags and follow-ups.
NO_TASKS = {"talk"}


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """Clients that leave while nothing is under way are no errors."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(*_)


class Provider(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path.endswith("/models"):
            return self.json(200, {"data": MODELS})
        with lock:
            self.json(200, asked)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))))
        self.model = body["model"]
        first = body["messages"][0]["content"]
        kind = "task" if isinstance(first, str) and first.startswith("### Task:") else "chat"
        headers = {name.lower(): value for name, value in self.headers.items()}
        with lock:
            count = sum(1 for other in asked if other["model"] == self.model and other["kind"] == kind)
            asked.append({"at": time.time(), "model": self.model, "kind": kind, "headers": headers, "body": body})
        if kind == "task":
            act = refuse(500, "No tasks today") if self.model in NO_TASKS else task
        else:
            acts = CHATS[self.model]
            act = acts[min(count, len(acts) - 1)]
        try:
            act(self, body)
        except OSError:  # it has left
            self.close_connection = True

    def json(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def delta(self, delta, finish_reason=None, **more):
        self.event({
            "id": "chatcmpl-made-up", "object": "chat.completion.chunk", "created": int(time.time()),
            "model": self.model, "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}], **more,
        })
        time.sleep(0.02)

    def event(self, value):
        self.chunk(f"data: {json.dumps(value)}\n\n".encode())

    def end(self, finish_reason, **more):
        self.delta({}, finish_reason, **more)
        self.chunk(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def tear(self):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_):
        pass


# Bound but not listening: connections are refused, and nobody else can take the port.
closed = socket.socket()
closed.bind(("127.0.0.1", 0))

server = Server(("127.0.0.1", 0), Provider)
print(server.server_address[1], closed.getsockname()[1], flush=True)
server.serve_forever()
