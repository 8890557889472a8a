# shellcheck shell=bash
# What the end-to-end runs share. Sourced, with `set -euo pipefail`, by a script that stands beside it.
#
#   BACKSTOP_BIN         the binary to test        (built with cargo otherwise)
#   BACKSTOP_E2E_CACHE   where the parts are kept  (~/.cache/backstop-e2e)

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${BACKSTOP_E2E_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/backstop-e2e}
mkdir -p "$cache"

say() { printf 'e2e: %s\n' "$*"; }

work=$(mktemp -d "${TMPDIR:-/tmp}/backstop-e2e.XXXXXX")
started=()

finish() {
  local status=$? pid log
  # A second signal, as `timeout` sends it, shall not leave anything behind.
  trap - EXIT
  trap '' INT TERM
  # Each process leads a group of its own, so whatever it started ends with it.
  for pid in "${started[@]}"; do kill -TERM -- "-$pid" 2>/dev/null || true; done
  # Not all of them end when they are told to, llama.cpp while it answers for one.
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

# run COMMAND…: in the background all the same, for a signal ends a `wait` at once but waits for a command.
run() {
  set -m
  "$@" &
  set +m
  started+=($!)
  wait $!
}

# wait_for NAME SECONDS COMMAND…: until the command succeeds, while the process started last lives.
wait_for() {
  local name=$1 limit=$((SECONDS + $2)) pid=${started[-1]}
  shift 2
  # In a shell of its own, or what `finish` says of a signal would go to /dev/null, too.
  until ("$@") >/dev/null 2>&1; do
    kill -0 "$pid" 2>/dev/null || { say "\`$name\` ended before it was ready" >&2; return 1; }
    [ "$SECONDS" -lt "$limit" ] || { say "\`$name\` was not ready in time" >&2; return 1; }
    sleep 0.1
  done
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
answers() { python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=2)' "$1"; }

# One run at a time may write to the cache.
lock_cache() {
  exec 9>"$cache/lock"
  flock 9
}
unlock_cache() { exec 9>&-; }

build_backstop() {
  backstop=${BACKSTOP_BIN:-}
  [ -n "$backstop" ] && return
  say "building backstop"
  (cd "$root" && cargo build --release --quiet)
  backstop=${CARGO_TARGET_DIR:-$root/target}/release/backstop
}

# start_backstop CONFIG: checks the configuration, serves it on a free port, and waits until it is ready.
start_backstop() {
  "$backstop" check "$1" >"$work/check.log" 2>&1 || { say "\`backstop check\` refuses the config" >&2; return 1; }
  backstop_port=$(free_port)
  start backstop "$backstop" serve --config "$1" --listen "127.0.0.1:$backstop_port"
  backstop_pid=${started[-1]}
  wait_for backstop 20 answers "http://127.0.0.1:$backstop_port/health/ready"
}

stop_backstop() {
  local status=0
  kill -TERM "$backstop_pid"
  wait "$backstop_pid" || status=$?
  [ "$status" -eq 0 ] || { say "backstop ended with status $status after SIGTERM" >&2; return 1; }
  echo "ok - SIGTERM ends backstop with status 0"
}
