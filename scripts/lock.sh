#!/usr/bin/env bash
# Pin every dependency with hashes, for Python 3.11 and 3.12 at once. Names no package index.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh run
tool=$PWD/.venv/lock
[ -x $tool/bin/uv ] || { .venv/bin/python -m venv $tool && $tool/bin/python -m pip --quiet --disable-pip-version-check install uv; }
cd requirements
compile() {
  UV_CUSTOM_COMPILE_COMMAND='make lock' $tool/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
    --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate "$@"
}
compile build.in -o build.txt
compile run.in -o run.txt
compile dev.in -c run.txt -o dev.txt
compile bench.in -c dev.txt -o bench.txt
