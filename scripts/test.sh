#!/usr/bin/env bash
# Every test. Those with phones wait more than they compute: beside them, at a lower priority, run those that only compute.
# Real phones hear and speak at the pace of the clock, and two cores have several of these tests at once: what fails is
# said, and run once more, alone; what fails then has failed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
waiting=(tests/live tests/voicemail tests/peers)
computing=()
for folder in tests/*/; do
  folder=${folder%/}
  case " ${waiting[*]} " in *" $folder "*) ;; *) [ "$folder" = tests/__pycache__ ] || computing+=("$folder") ;; esac
done
pytest() { # name of its cache, then arguments
  nice -n "${nicely:-0}" .venv/bin/pytest -q --dist loadfile --no-loadscope-reorder -o "cache_dir=.pytest_cache/$1" "${@:2}"
}
settled() { # name, exit code of the first run, and what was run
  [ "$2" -eq 1 ] || return "$2"
  echo "test: what failed of '$1' is run once more, alone"
  pytest "$1" -n 0 --last-failed --last-failed-no-failures none "${@:3}"
}

said=$(mktemp)
trap 'rm -f "$said"' EXIT
(nicely=10; pytest computing -n 2 --timeout 400 "${computing[@]}" >"$said" 2>&1) &
beside=$!
pytest waiting -n "${WORKERS:-5}" "${waiting[@]}"; waited=$?
wait $beside; computed=$?
cat "$said"
result=0
settled computing $computed "${computing[@]}" || result=$?
settled waiting $waited "${waiting[@]}" || result=$?
exit $result
