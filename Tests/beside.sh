#!/usr/bin/env bash
# Runs commands beside each other and fails if one of them does: Tests/beside.sh COMMAND...
#
# What the first says is seen at once, and what each of the others says in one piece behind it.
set -uo pipefail

folder=$(mktemp -d)
ids=()
end() {
  for id in ${ids[@]+"${ids[@]}"}; do kill "$id" 2>/dev/null; done
  rm -rf "$folder"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

for ((number = 2; number <= $#; number++)); do
  bash -c "${!number}" >"$folder/$number" 2>&1 &
  ids+=("$!")
done
code=0
bash -c "$1" || code=$?
for ((number = 2; number <= $#; number++)); do
  wait "${ids[number - 2]}" || code=$?
  cat "$folder/$number"
done
ids=()
exit "$code"
