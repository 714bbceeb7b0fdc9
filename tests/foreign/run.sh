#!/usr/bin/env bash
# Foreign client libraries, unpatched: discord.js and discord.py as bots on localcord, OpenAI's SDKs
# in conversation with the local realtime provider. Needs the network once, for npm and pip.
#
#   tests/foreign/run.sh [discordjs|discordpy|openai]…     all without an argument
#
# LOCALCORD, CLAWVOICE and LOCAL_PROVIDER are the binaries (built if they are not set). A library whose language is not installed is
# skipped in one line. Exit code 0: everything that ran passed.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/localcord-foreign-XXXXXX")
server=

finish() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap finish EXIT

has() {
  command -v "$1" >/dev/null 2>&1
}

# A server of its own for every run: what one client leaves behind is nobody else's.
serve() {
  rm -f "$work/summary.json"
  "$@" >"$work/summary.json" 2>"$work/server.log" &
  server=$!
  for _ in $(seq 100); do
    if [ -s "$work/summary.json" ]; then break; fi
    if ! kill -0 "$server" 2>/dev/null; then
      echo "$1 did not start" >&2
      cat "$work/server.log" >&2
      exit 1
    fi
    sleep 0.1
  done
}

start() {
  serve "$LOCALCORD" serve --port 0 --proxy-port 0 --json
  ca=$(sed 's/.*"ca_file":"\([^"]*\)".*/\1/' "$work/summary.json")
}

stop() {
  kill "$server"
  wait "$server" || true
  server=
}

discordjs() {
  if ! has node || ! has npm; then
    echo "skipped: discord.js (no node or npm)"
    return
  fi
  if [ "$(node -p 'process.versions.node.split(".")[0] >= 20')" != true ]; then
    echo "skipped: discord.js (node $(node --version); 20 or newer is needed)"
    return
  fi
  if [ -z "${CLAWVOICE:-}" ]; then
    (cd "$repo" && cargo build --quiet --bin clawvoice)
    CLAWVOICE=${CARGO_TARGET_DIR:-$repo/target}/debug/clawvoice
  fi
  mkdir -p "$work/discordjs"
  cp "$here"/discordjs/{package.json,package-lock.json,run.mjs,text.mjs,components.mjs,agent.mjs,audio.mjs,expect.mjs,localcord.mjs} "$work/discordjs"
  npm --prefix "$work/discordjs" ci --silent --no-audit --no-fund
  for scheme in https http; do
    echo "discord.js over $scheme"
    start
    NODE_EXTRA_CA_CERTS=$ca FIXTURES=$repo/fixtures/audio/ \
      node "$work/discordjs/run.mjs" "$work/summary.json" "$LOCALCORD" "$scheme"
    stop
    start
    NODE_EXTRA_CA_CERTS=$ca node "$work/discordjs/text.mjs" "$work/summary.json" "$scheme"
    stop
    start
    NODE_EXTRA_CA_CERTS=$ca node "$work/discordjs/components.mjs" "$work/summary.json" "$scheme"
    stop
    start
    NODE_EXTRA_CA_CERTS=$ca node "$work/discordjs/agent.mjs" "$work/summary.json" "$CLAWVOICE" "$scheme"
    stop
  done
}

discordpy() {
  if ! has python3 || ! python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
    echo "skipped: discord.py (no python3 3.9 or newer with venv)"
    return
  fi
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/discordpy/requirements.txt"
  for way in proxy base; do
    echo "discord.py by $way"
    start
    SSL_CERT_FILE=$ca "$work/venv/bin/python" "$here/discordpy/run.py" "$work/summary.json" "$LOCALCORD" "$way"
    stop
  done
}

openai() {
  if ! has node || ! has npm; then
    echo "skipped: openai (no node or npm)"
    return
  fi
  if [ "$(node -p 'process.versions.node.split(".")[0] >= 20')" != true ]; then
    echo "skipped: openai (node $(node --version); 20 or newer is needed)"
    return
  fi
  if [ -z "${LOCAL_PROVIDER:-}" ]; then
    (cd "$repo" && cargo build --quiet --package clawvoice-voice --example local_provider)
    LOCAL_PROVIDER=${CARGO_TARGET_DIR:-$repo/target}/debug/examples/local_provider
  fi
  mkdir -p "$work/openai"
  cp "$here"/openai/{package.json,package-lock.json,run.mjs} "$work/openai"
  npm --prefix "$work/openai" ci --silent --no-audit --no-fund
  # The openai package speaks TLS only.
  for way in "openai wss" "agents wss" "agents ws"; do
    read -r sdk scheme <<<"$way"
    echo "$sdk SDK over $scheme"
    tls=()
    if [ "$scheme" = wss ]; then tls=(--tls-cert-out "$work/provider.pem"); fi
    serve "$LOCAL_PROVIDER" --script "$here/openai/script.json5" ${tls[@]+"${tls[@]}"}
    NODE_EXTRA_CA_CERTS=$work/provider.pem FIXTURES=$repo/fixtures/audio/ \
      node "$work/openai/run.mjs" "$work/summary.json" "$sdk"
    stop
  done
}

if [ "$#" -eq 0 ]; then set -- discordjs discordpy openai; fi
for client in "$@"; do
  case $client in
    discordjs | discordpy | openai) ;;
    *) echo "usage: $0 [discordjs|discordpy|openai]…" >&2; exit 2 ;;
  esac
done

if [ -z "${LOCALCORD:-}" ] && [ "$*" != openai ]; then
  (cd "$repo" && cargo build --quiet --package localcord --bin localcord)
  LOCALCORD=${CARGO_TARGET_DIR:-$repo/target}/debug/localcord
fi
for client in "$@"; do "$client"; done
