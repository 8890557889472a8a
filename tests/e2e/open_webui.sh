#!/usr/bin/env bash
# A real Open WebUI in a real browser, asking a provider that fails on purpose through Backstop.
#
# Needs root for the Debian packages that are missing (Chromium, Node), PyPI and the npm registry. The first run
# installs Open WebUI, 700 MB, for about a minute. Screenshots and the log of what the provider saw are kept.
#   BACKSTOP_BIN             the binary to test           (built with cargo otherwise)
#   BACKSTOP_E2E_CACHE       where the parts are kept     (~/.cache/backstop-e2e)
#   BACKSTOP_E2E_ARTEFACTS   where the screenshots go     (artefacts/ in the cache)
# Arguments are names of scenarios; without any, all are played.
set -euo pipefail

# shellcheck source=tests/e2e/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
files=$here/open_webui
artefacts=${BACKSTOP_E2E_ARTEFACTS:-$cache/artefacts}
open_webui_version=0.12.4
uv_version=0.13.9
# Of the versions that run on Debian's Node the newest; it drives Debian's Chromium, which comes newer than that.
playwright_version=1.60.0
open_webui=$cache/open-webui-$open_webui_version
playwright=$cache/playwright-core-$playwright_version

missing() { ! command -v "$1" >/dev/null; }

install_packages() {
  local packages=()
  missing chromium && packages+=(chromium)
  missing node && packages+=(nodejs)
  missing flock && packages+=(util-linux)
  { ! missing python3 && python3 -c 'import ensurepip, venv' 2>/dev/null; } || packages+=(python3 python3-venv)
  apt_install "${packages[@]}"
  # Debian's Node has its npm in a package of its own; those of others bring it along, and refuse that one.
  if missing npm; then apt_install npm; fi
}

apt_install() {
  [ "$#" -gt 0 ] || return 0
  say "installing $*"
  { apt-get update -qq &&
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null; } ||
    { say "cannot go on without $*, which apt-get could not install" >&2; return 1; }
}

install_open_webui() {
  [ -e "$open_webui/complete" ] && return
  say "installing Open WebUI $open_webui_version into $open_webui"
  local python
  for python in python3 python3.12 python3.11 none; do
    "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null && break
  done
  [ "$python" != none ] || { say "Open WebUI $open_webui_version needs Python 3.11 or 3.12, and there is none here" >&2; return 1; }
  rm -rf "$open_webui"
  "$python" -m venv "$open_webui"
  local pip=("$open_webui/bin/pip" --quiet --disable-pip-version-check) uv=("$open_webui/bin/uv" pip install --quiet)
  # Its own dependencies include PyTorch and more; those of its slim image, listed in the wheel, do for a chat.
  { "${pip[@]}" install "uv==$uv_version" &&
    "${pip[@]}" download --no-deps --only-binary :all: --dest "$work" "open-webui==$open_webui_version" &&
    python3 -m zipfile -e "$work"/open_webui-*.whl "$work/wheel" &&
    find "$work/wheel" -name requirements-slim.txt -exec cp {} "$work/slim.txt" \; &&
    "${uv[@]}" --python "$open_webui/bin/python" -r "$work/slim.txt" &&
    "${uv[@]}" --python "$open_webui/bin/python" --no-deps "$work"/open_webui-*.whl; } ||
    { say "Open WebUI $open_webui_version could not be installed; is PyPI to be reached?" >&2; return 1; }
  rm -rf "$work"/open_webui-*.whl "$work/wheel"
  touch "$open_webui/complete"
}

install_playwright() {
  [ -e "$playwright/complete" ] && return
  say "installing playwright-core $playwright_version into $playwright"
  rm -rf "$playwright"
  mkdir -p "$playwright"
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$playwright" \
    "playwright-core@$playwright_version" ||
    { say "playwright-core $playwright_version could not be installed; is the npm registry to be reached?" >&2; return 1; }
  touch "$playwright/complete"
}

# start_open_webui BASE_URL CONNECTIONS: with an empty database, nobody to log in, and no way out of this machine but
# that URL. The settings of connections are what the page for administrators stores, by position.
start_open_webui() {
  open_webui_port=$(free_port)
  mkdir "$work/data"
  start open-webui env --chdir="$work/data" \
    DATA_DIR="$work/data" USE_SLIM_DOCKER=true WEBUI_AUTH=False WEBUI_SECRET_KEY=made-up-for-this-run-and-thirty-two-bytes-long \
    OPENAI_API_BASE_URL="$1" OPENAI_API_KEY=sk-of-the-chat OPENAI_API_CONFIGS="$2" ENABLE_OLLAMA_API=False ENABLE_PERSISTENT_CONFIG=False \
    OFFLINE_MODE=True HF_HUB_OFFLINE=1 ENABLE_VERSION_UPDATE_CHECK=False ENABLE_COMMUNITY_SHARING=False \
    ANONYMIZED_TELEMETRY=False DO_NOT_TRACK=1 SCARF_NO_ANALYTICS=true \
    "$open_webui/bin/open-webui" serve --host 127.0.0.1 --port "$open_webui_port"
  wait_for open-webui 120 answers "http://127.0.0.1:$open_webui_port/health"
}

build_backstop
install_packages
lock_cache
install_open_webui
install_playwright
unlock_cache

start provider python3 "$files/provider.py"
wait_for provider.py 20 test -s "$work/provider.out"
read -r provider_port closed_port <"$work/provider.out"

export BACKSTOP_PROVIDERS__SIM__BASE_URL=http://127.0.0.1:$provider_port/v1
export BACKSTOP_PROVIDERS__METERED__BASE_URL=$BACKSTOP_PROVIDERS__SIM__BASE_URL
export BACKSTOP_PROVIDERS__MARKET__BASE_URL=$BACKSTOP_PROVIDERS__SIM__BASE_URL
export BACKSTOP_PROVIDERS__CLOSED__BASE_URL=http://127.0.0.1:$closed_port/v1
start_backstop "$files/backstop.toml"
start_open_webui "http://127.0.0.1:$backstop_port/open-webui/v1" \
  '{"0": {"headers": {"x-backstop-key-metered": "sk-of-my-own-0123456789abcdef"}}}'

mkdir -p "$artefacts"
status=0
PLAYWRIGHT=$playwright CHROMIUM=$(command -v chromium) ARTEFACTS=$artefacts BACKSTOP_LOG_FILE=$work/backstop.log \
  OPEN_WEBUI=http://127.0.0.1:$open_webui_port PROVIDER=http://127.0.0.1:$provider_port \
  run node "$files/run.mjs" "$@" || status=$?
say "screenshots are in $artefacts"
[ "$status" -eq 0 ] || exit "$status"

stop_backstop
