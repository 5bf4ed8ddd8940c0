#!/bin/sh
# Installs the Debian packages that Qt and venv need when we are root; otherwise names what is missing in one line.
# Some tests of faults use strace; without it they are skipped.
set -eu

command -v dpkg-query >/dev/null 2>&1 || exit 0   # not Debian: Qt says itself what it misses

wanted="python3-venv libglib2.0-0 libgl1 libegl1 libxkbcommon0 libdbus-1-3 libfontconfig1 fonts-dejavu-core
        libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0 libxcb-xinerama0
        libxcb-image0 libxcb-render-util0"
is_installed() {
    # Since Debian 13 and Ubuntu 24.04 some are called NAMEt64; apt finds them by the old name, dpkg doesn't.
    for name in "$1" "$1t64"; do
        if dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed'; then return 0; fi
    done
    return 1
}

missing=""
for package in $wanted; do
    if [ "$package" = python3-venv ] && "${PYTHON:-python3}" -c 'import ensurepip' 2>/dev/null; then
        continue   # a Python that is not Debian's brings its own
    fi
    is_installed "$package" || missing="$missing $package"
done
optional=""
if [ "$(id -u)" = 0 ] && ! command -v strace >/dev/null 2>&1; then
    optional=strace
fi
[ -n "$missing$optional" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq || [ -z "$missing" ]
    # shellcheck disable=SC2086
    [ -z "$missing" ] || apt-get install -y -qq --no-install-recommends $missing >/dev/null
    [ -z "$optional" ] || apt-get install -y -qq --no-install-recommends $optional >/dev/null 2>&1 || true
else
    echo "traceview: system packages are missing; run: sudo apt-get install$missing" >&2
    exit 1
fi
