"""Asks Backstop through the OpenAI SDK and says, line by line, what holds."""

import argparse
import base64
import json
import pathlib
import re
import time
import urllib.request

import openai

CHAT = {
    "messages": [{"role": "user", "content": "1 2 3 4 5 6"}],
    "max_tokens": 12,
    "temperature": 0,
    "seed": 1,
    # A field no SDK knows: it must reach llama.cpp, and makes two runs of it comparable.
    "extra_body": {"cache_prompt": False},
}
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather now, in °C",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "enum": ["Paris", "Oslo"]}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
QUESTION = {"role": "user", "content": "What is the weather in Paris?"}
# llama.cpp's grammar lets nothing but a call of the tool through, and the stop word ends it after one.
TOOL_CALL = {
    "messages": [QUESTION],
    "tools": [TOOL],
    "tool_choice": "required",
    "parallel_tool_calls": False,
    "stop": ["</tool_call>"],
    "max_tokens": 200,
    "temperature": 0,
    "seed": 1,
}

parser = argparse.ArgumentParser()
parser.add_argument("--backstop", required=True)
parser.add_argument("--llama", required=True)
parser.add_argument("--busy", required=True)
parser.add_argument("--busy-key", required=True)
parser.add_argument("--logs", nargs="+", type=pathlib.Path, required=True)
options = parser.parse_args()

# `max_retries` stays at the SDK's default: what it does with our errors is part of the test.
client = openai.OpenAI(base_url=f"{options.backstop}/v1", api_key="sk-of-the-client", timeout=120)
llama = openai.OpenAI(base_url=f"{options.llama}/v1", api_key="none", timeout=120)


def fetch(url):
    with urllib.request.urlopen(url, timeout=10) as response:
        return json.load(response)


def busy_saw():
    """What the busy provider was asked since the last call of this."""
    return fetch(f"{options.busy}/seen")


def same(what, got, expected):
    assert got == expected, f"{what}: {got!r}, expected {expected!r}"


def rescued(response):
    """Asserts that an answer came the whole way: refused, 429, 429, llama.cpp."""
    headers = response.headers
    same("x-backstop-route", headers["x-backstop-route"], "rescue")
    same("x-backstop-provider", headers["x-backstop-provider"], "llama")
    same("x-backstop-model", headers["x-backstop-model"], "gemma")
    same("x-backstop-attempts", headers["x-backstop-attempts"], "4")
    assert headers["x-request-id"], "no x-request-id"

    seen = busy_saw()
    same("requests at the busy provider", len(seen), 2)
    gap = seen[1]["at"] - seen[0]["at"]
    assert 0.19 <= gap < 2, f"the second attempt came {gap:.3f} s after the first, not 0.2 to 0.3 s"
    sent = response.http_request.read()
    same("`model` in the request", sent.count(b'"model":"rescue"'), 1)
    for request in seen:
        same("path", request["path"], "/v1/chat/completions")
        same("key", request["headers"]["authorization"], f"Bearer {options.busy_key}")
        same("body", base64.b64decode(request["body"]), sent.replace(b'"model":"rescue"', b'"model":"always-busy"'))
        strangers = [name for name in request["headers"] if name.startswith(("x-stainless", "cookie", "x-backstop"))]
        same("headers that must not pass", strangers, [])


def refusal(kind, ask):
    """The error that `ask` raises, which must be of just this `kind`."""
    try:
        ask()
    except openai.APIStatusError as error:
        same("exception", type(error).__name__, kind.__name__)
        return error
    raise AssertionError(f"no {kind.__name__}")


def lists_the_models():
    listed = {model.id for model in client.models.list()}
    assert {"rescue", "busy", "doomed"} <= listed, f"listed: {listed}"
    same("model", client.models.retrieve("rescue").id, "rescue")


def answers_whole():
    response = client.chat.completions.with_raw_response.create(model="rescue", **CHAT)
    rescued(response)
    answer = response.parse()
    direct = llama.chat.completions.create(model="gemma", **CHAT)
    same("object", answer.object, "chat.completion")
    same("answer", answer.choices[0].message.content, direct.choices[0].message.content)
    same("finish reason", answer.choices[0].finish_reason, direct.choices[0].finish_reason)
    same("usage", answer.usage.completion_tokens, direct.usage.completion_tokens)


def answers_in_a_stream():
    response = client.chat.completions.with_raw_response.create(
        model="rescue", stream=True, stream_options={"include_usage": True}, **CHAT
    )
    rescued(response)
    assert response.headers["content-type"].startswith("text/event-stream"), response.headers["content-type"]
    chunks = list(response.parse())
    pieces = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
    assert len(pieces) > 3, f"only {len(pieces)} pieces: the stream did not come in pieces"
    direct = llama.chat.completions.create(model="gemma", **CHAT)
    same("answer", "".join(pieces), direct.choices[0].message.content)
    reasons = [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason]
    same("finish reasons", reasons, [direct.choices[0].finish_reason])
    same("usages", [c.usage.completion_tokens for c in chunks if c.usage], [direct.usage.completion_tokens])


def streamed(route):
    """The pieces of an answer, after checks that they are one answer; and its usage with what was said about it."""
    stream = client.chat.completions.create(model=route, stream=True, stream_options={"include_usage": True}, **CHAT)
    chunks = list(stream)
    same("ids", len({chunk.id for chunk in chunks}), 1)
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    same("roles", [choice.delta.role for choice in choices if choice.delta.role], ["assistant"])
    same("finish reasons", [choice.finish_reason for choice in choices if choice.finish_reason], ["length"])
    [usage] = [chunk for chunk in chunks if chunk.usage]
    return [choice.delta.content for choice in choices if choice.delta.content], usage


def has_parts(usage, providers):
    parts = usage.metadata["backstop"]["parts"]
    same("providers of the parts", [part["provider"] for part in parts], providers)


def continues_a_cut_stream_by_prefill():
    pieces, usage = streamed("mended")
    direct = llama.chat.completions.create(model="gemma", **CHAT)
    begun = "".join(pieces[:4])
    assert direct.choices[0].message.content.startswith(begun), f"it began with {begun!r}"
    # What llama.cpp was given back as the beginning is in its prompt, and it said as much again as it may.
    same("tokens said", usage.usage.completion_tokens, CHAT["max_tokens"])
    assert usage.usage.prompt_tokens > direct.usage.prompt_tokens, "the beginning was not in the prompt"
    assert len(pieces) > CHAT["max_tokens"], f"only {len(pieces)} pieces"
    has_parts(usage, ["cut", "llama"])


def continues_a_cut_stream_afresh():
    pieces, usage = streamed("afresh")
    direct = llama.chat.completions.create(model="gemma", **CHAT)
    same("answer", "".join(pieces), direct.choices[0].message.content)
    has_parts(usage, ["cut", "llama"])


def gives_no_piece_of_a_cut_answer_where_it_is_verified():
    pieces, _ = streamed("verified")
    direct = llama.chat.completions.create(model="gemma", **CHAT)
    same("answer", "".join(pieces), direct.choices[0].message.content)


def check_call(name, arguments):
    same("tool", name, "get_weather")
    assert json.loads(arguments)["city"] in ("Paris", "Oslo"), f"arguments: {arguments}"


def passes_a_tool_call():
    response = client.chat.completions.with_raw_response.create(model="rescue", **TOOL_CALL)
    rescued(response)
    choice = response.parse().choices[0]
    same("finish reason", choice.finish_reason, "tool_calls")
    (call,) = choice.message.tool_calls
    check_call(call.function.name, call.function.arguments)

    history = [QUESTION, choice.message, {"role": "tool", "tool_call_id": call.id, "content": "18 °C"}]
    response = client.chat.completions.with_raw_response.create(
        model="rescue", messages=history, tools=[TOOL], tool_choice="none", max_tokens=12, temperature=0, seed=1
    )
    rescued(response)
    assert response.parse().choices[0].message.content, "no text after the tool's result"


def passes_a_tool_call_in_a_stream():
    response = client.chat.completions.with_raw_response.create(model="rescue", stream=True, **TOOL_CALL)
    rescued(response)
    name, arguments, reasons = "", "", []
    for chunk in response.parse():
        choice = chunk.choices[0]
        for call in choice.delta.tool_calls or []:
            same("index of the call", call.index, 0)
            name += call.function.name or ""
            arguments += call.function.arguments or ""
        if choice.finish_reason:
            reasons.append(choice.finish_reason)
    check_call(name, arguments)
    same("finish reasons", reasons, ["tool_calls"])


def reaches_a_provider_by_name():
    response = client.chat.completions.with_raw_response.create(model="llama/gemma", **CHAT)
    same("x-backstop-attempts", response.headers["x-backstop-attempts"], "1")
    same("x-backstop-route", response.headers["x-backstop-route"], "llama/gemma")
    assert response.parse().choices[0].message.content


def names_the_nearest_route():
    error = refusal(openai.NotFoundError, lambda: client.chat.completions.create(model="rescu", **CHAT))
    same("code", error.code, "model_not_found")
    assert "rescue" in error.body["message"], error.body["message"]
    same("requests at the busy provider", len(busy_saw()), 0)


def fails_with_the_trail():
    error = refusal(openai.RateLimitError, lambda: client.chat.completions.create(model="busy", **CHAT))
    same("code", error.code, "rate_limited")
    same("x-should-retry", error.response.headers["x-should-retry"], "false")
    assert int(error.response.headers["retry-after"]) > 0
    # The SDK would have asked twice more, each time for the whole schedule.
    same("requests at the busy provider", len(busy_saw()), 2)
    attempts = error.body["metadata"]["attempts"]
    same("numbers", [attempt["number"] for attempt in attempts], [1, 2])
    same("statuses", [attempt["status"] for attempt in attempts], [429, 429])
    for text in (error.body["message"], attempts[0]["reason"]):
        assert "Too many requests" in text, f"the provider's reason is lost: {text}"
    assert options.busy_key not in error.response.text, "the provider's key is in the answer"


def fails_when_nobody_answers():
    for stream in (False, True):
        error = refusal(openai.InternalServerError, lambda: client.chat.completions.create(
            model="doomed", stream=stream, **CHAT
        ))
        same("status", error.status_code, 502)
        same("code", error.code, "connect")
        same("x-should-retry", error.response.headers["x-should-retry"], "false")
        trail = [(attempt["provider"], attempt["code"]) for attempt in error.body["metadata"]["attempts"]]
        refused, busy = ("closed", "connect"), ("busy", "rate_limited")
        # After a refusal the next candidate has its turn, and then the first is tried again.
        same("trail", trail, [refused, busy, busy, refused])
        same("requests at the busy provider", len(busy_saw()), 2)


def knows_llama_cpps_full_context():
    long = [{"role": "user", "content": "one two three four " * 1000}]
    error = refusal(
        openai.BadRequestError, lambda: client.chat.completions.create(model="llama/gemma", messages=long, max_tokens=4)
    )
    same("code", error.code, "context_length")


def stops_when_the_client_leaves():
    endless = {**CHAT, "max_tokens": 1500, "extra_body": {"ignore_eos": True}}
    with client.chat.completions.create(model="llama/gemma", stream=True, **endless) as stream:
        for _, _chunk in zip(range(5), stream):
            pass
        assert any(slot["is_processing"] for slot in fetch(f"{options.llama}/slots")), "llama.cpp is not at work"
    left = time.monotonic()
    while any(slot["is_processing"] for slot in fetch(f"{options.llama}/slots")):
        assert time.monotonic() - left < 2, "llama.cpp still works for a client that left"
        time.sleep(0.02)


def logs_attempts_but_no_secrets():
    text = "".join(path.read_text() for path in options.logs)
    for number in (1, 2, 3, 4):
        assert re.search(rf"Attempt {number}/\d+", text), f"no line for attempt {number}"
    assert "SUCCESS" in text, "no line for an answer"
    for secret in (options.busy_key, "sk-of-the-client", QUESTION["content"]):
        assert secret not in text, f"`{secret}` is in the log"


CHECKS = [
    lists_the_models,
    answers_whole,
    answers_in_a_stream,
    passes_a_tool_call,
    passes_a_tool_call_in_a_stream,
    reaches_a_provider_by_name,
    names_the_nearest_route,
    fails_with_the_trail,
    fails_when_nobody_answers,
    knows_llama_cpps_full_context,
    stops_when_the_client_leaves,
    continues_a_cut_stream_by_prefill,
    continues_a_cut_stream_afresh,
    gives_no_piece_of_a_cut_answer_where_it_is_verified,
    logs_attempts_but_no_secrets,
]

failed = 0
for check in CHECKS:
    title = check.__name__.replace("_", " ")
    busy_saw()
    begun = time.monotonic()
    try:
        check()
    except (AssertionError, openai.OpenAIError, KeyError, TypeError, ValueError, OSError) as error:
        failed += 1
        print(f"not ok - {title}: {type(error).__name__}: {error}", flush=True)
    else:
        print(f"ok - {title} ({time.monotonic() - begun:.1f} s)", flush=True)

print(f"{len(CHECKS) - failed} passed, {failed} failed", flush=True)
raise SystemExit(failed > 0)
