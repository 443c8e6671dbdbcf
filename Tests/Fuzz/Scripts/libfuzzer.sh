#!/usr/bin/env bash
# Clang's libFuzzer with the address sanitizer over the same targets. See docs/fuzzing.md.
set -euo pipefail
cd "$(dirname "$0")/../../.."

flags=(-c release --product omni-fuzz --scratch-path .build-libfuzzer
  -Xswiftc -sanitize=fuzzer,address -Xswiftc -DLIBFUZZER -Xlinker -lstdc++ -Xswiftc -use-ld=lld)
swift build "${flags[@]}"
fuzz=$(swift build "${flags[@]}" --show-bin-path)/omni-fuzz

# A backtrace of a crash would make the process hang.
export SWIFT_BACKTRACE=enable=no
targets=$("$fuzz" list)
each=$((${FUZZ_SECONDS:-600} / $(wc -w <<<"$targets")))
finds=0
unfinished=0
for target in $targets; do
  corpus=.build-libfuzzer/corpus/$target
  cases=Fixtures/fail-cases/$target
  made=.build-libfuzzer/finds/$target
  rm -rf "$made" && mkdir -p "$made" "$corpus"
  "$fuzz" seeds "$target" "$corpus"
  "$fuzz" libfuzzer "$target" -max_total_time="$((each > 0 ? each : 1))" -max_len=16384 -timeout=10 \
    -rss_limit_mb=2048 ${FUZZ_SEED:+-seed="$FUZZ_SEED"} -print_final_stats=1 -artifact_prefix="$made/" "$corpus" \
    >"$made.log" 2>&1 || true
  grep -h 'stat::number_of_executed_units\|cov: .*DONE\|DONE ' "$made.log" | tr -s ' ' | tail -2 |
    sed "s/^/fuzz $target: /" || true
  # A run that was cut short has proved nothing, unless it was a find that cut it.
  if ! grep -q 'DONE ' "$made.log" && [ -z "$(ls -A "$made")" ]; then
    echo "fuzz $target: did not finish, see $made.log"
    unfinished=$((unfinished + 1))
  fi
  for find in "$made"/*; do
    [ -f "$find" ] || continue
    name=$(basename "$find")
    mkdir -p "$cases"
    cp "$find" "$cases/$name.bin"
    {
      grep -hE 'Fatal error|ERROR: |SUMMARY' "$made.log" | cut -c1-600
      printf '\nfound by libFuzzer\nswift run omni-fuzz try %s %s\n' "$target" "$cases/$name.bin"
    } >"$cases/$name.txt"
    echo "fuzz $target: FOUND $cases/$name.bin"
    finds=$((finds + 1))
  done
done
echo "fuzz: libFuzzer, $finds finds, $unfinished unfinished"
[ "$finds" = 0 ] && [ "$unfinished" = 0 ]
