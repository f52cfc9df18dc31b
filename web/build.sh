#!/bin/sh
# build.sh OUTDIR [C_FILE [DEPFILE]] - builds the web UI into OUTDIR and, when asked, the C file that embeds it.
# Needs Node 18 or newer; packages are installed when they are missing or the lock file has changed.
set -eu
out=${1:?usage: build.sh OUTDIR [C_FILE [DEPFILE]]}
case $out in /*) ;; *) out=$PWD/$out ;; esac
c_file=${2:-}
DEP_TARGET=$c_file # as the caller names it
export DEP_TARGET
case $c_file in ''|/*) ;; *) c_file=$PWD/$c_file ;; esac
depfile=${3:-}
case $depfile in ''|/*) ;; *) depfile=$PWD/$depfile ;; esac
cd "$(dirname "$0")"

stamp=node_modules/.installed-lock
if ! cmp -s package-lock.json "$stamp" 2>/dev/null; then
    # Two builds of one tree at once must not install into each other.
    lock=.install-lock
    tries=0
    until mkdir "$lock" 2>/dev/null; do
        tries=$((tries + 1))
        if [ "$tries" -gt 300 ]; then
            echo "web/$lock is in the way: remove it when no other build runs" >&2
            exit 1
        fi
        sleep 1
    done
    trap 'rmdir "$lock"' EXIT
    if ! cmp -s package-lock.json "$stamp" 2>/dev/null; then
        npm ci --no-audit --no-fund --loglevel=error >&2
        cp package-lock.json "$stamp"
    fi
    rmdir "$lock"
    trap - EXIT
fi

node_modules/.bin/tsc -p tsconfig.json >&2
node_modules/.bin/tsc -p tsconfig.tools.json >&2
exec ./run build.ts "$out" "$c_file" "$depfile"
