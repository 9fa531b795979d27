#!/usr/bin/env bash
# Brings a bare Debian machine to where e2e-ml runs: system libraries, uv, and the locked environment in .venv.
# Says what it will do before it does it, does only what is missing, and may be run again at any time.
# E2E_ML_SETUP=quiet prints nothing when there is nothing to do. `packaging/setup.sh tests` also brings the servers that
# tests start by themselves.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The machine's own certificates, as pip uses them: many companies read their traffic with an authority of their own.
export UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS:-1}

LOCK=packaging/requirements.lock
STAMP=.venv/.lock-sha256
say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
fail() { printf '\033[31merror:\033[0m %s\n' "$*" >&2; exit 1; }

# --- 1. system libraries: what QtWebEngine needs on a machine without a desktop, fonts, and a virtual display --------
PACKAGES=(
  libglib2.0-0 libegl1 libgl1 libnss3 libxkbcommon0 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1
  libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 libxcb-xkb1 libdbus-1-3 libasound2 libxcomposite1
  libxdamage1 libxrandr2 libxtst6 libfontconfig1 fonts-inter fonts-dejavu-core
)
[ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] || PACKAGES+=(xvfb)

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else return 1; fi
}

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

install_system() {
  command -v dpkg-query >/dev/null || { say "Not a Debian system: make sure that QtWebEngine's libraries are there ('e2e-ml doctor' lists them)."; return; }
  local missing=() package
  for package in "$@"; do
    # Debian 13 and Ubuntu 24.04 renamed some libraries for 64-bit time.
    installed "$package" || installed "${package}t64" || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return
  say "System packages missing, installed now with apt-get: ${missing[*]}"
  as_root apt-get update -qq || fail "apt-get needs root. Run as root, install sudo, or install yourself: ${missing[*]}"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    fail "apt-get could not install: ${missing[*]}. Its own message is above."
}
install_system "${PACKAGES[@]}"

# What tests start themselves, on ports and in folders of their own: Redis, PostgreSQL, and Java for Spark; and curl, by
# which the tutorial asks the server.
install_test_servers() {
  local missing=() policy=/usr/sbin/policy-rc.d package
  command -v redis-server >/dev/null || missing+=(redis-server)
  command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
  command -v java >/dev/null || missing+=(default-jre-headless)
  command -v curl >/dev/null || missing+=(curl)
  [ ${#missing[@]} = 0 ] && return
  say "The tests need ${missing[*]}: installed now; none of it is started or enabled as a service of this machine."
  # Debian starts a service as it is installed, unless this file says that it must not (101).
  if [ -e "$policy" ]; then policy=
  else
    trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null && as_root chmod 755 "$policy" ||
      fail "apt-get needs root. Run as root, install sudo, or install yourself: ${missing[*]}"
  fi
  install_system "${missing[@]}"
  if [ -n "$policy" ]; then as_root rm -f "$policy"; trap - EXIT; fi
  for package in redis-server postgresql; do
    case " ${missing[*]} " in *" $package "*)
      if command -v systemctl >/dev/null; then as_root systemctl disable --quiet "$package" 2>/dev/null || true; fi ;;
    esac
  done
}
if [ "${1:-}" = tests ]; then install_test_servers; fi

# --- 2. uv ----------------------------------------------------------------------------------------------------------
find_python() {
  local candidate
  for candidate in python3.13 python3.12 python3.11 python3; do
    if command -v "$candidate" >/dev/null &&
      "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then
      command -v "$candidate"; return
    fi
  done
  return 1
}
PYTHON=$(find_python) || { install_system python3; PYTHON=$(find_python); } ||
  fail "Python 3.11, 3.12 or 3.13 is needed and none is on PATH. Install one (on Debian 12: apt-get install python3)."

UV=$(command -v uv || true)
if [ -z "$UV" ]; then
  UV=build/uv/bin/uv
  if [ ! -x "$UV" ]; then
    say "uv is missing: it goes into build/uv"
    "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || install_system python3-venv
    "$PYTHON" -m venv build/uv || fail "Python cannot make a virtual environment. On Debian: apt-get install python3-venv."
    build/uv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r packaging/uv.lock.txt
  fi
fi

# --- 3. the locked environment --------------------------------------------------------------------------------------
wanted=$(cat "$LOCK" pyproject.toml | sha256sum | cut -d' ' -f1)
if [ "$(cat "$STAMP" 2>/dev/null)" != "$wanted" ] || [ ! -x .venv/bin/e2e-ml ]; then
  say "Environment: $(grep -c '^[A-Za-z0-9].*==' "$LOCK") locked packages into .venv (about 2.5 GB, once)"
  [ -x .venv/bin/python ] || "$UV" venv --quiet --python "$PYTHON" .venv
  "$UV" pip sync --python .venv/bin/python --require-hashes "$LOCK"
  "$UV" pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
  printf '%s\n' "$wanted" >"$STAMP"
fi
[ "${E2E_ML_SETUP:-}" = quiet ] || say "Ready: .venv/bin/e2e-ml"
