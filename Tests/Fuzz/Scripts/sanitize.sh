#!/usr/bin/env bash
# The unit tests and a little fuzzing under a sanitizer: address (with leaks) or thread.
set -euo pipefail
cd "$(dirname "$0")/../../.."

sanitizer=$1
here=$PWD/Tests/Fuzz/Scripts
scratch=.build-$sanitizer
flags=(--sanitize="$sanitizer" --scratch-path "$scratch")
# Reports go to files: the output of programs that tests start is not shown.
reports=$PWD/$scratch/reports
rm -rf "$reports" && mkdir -p "$reports"
export SWIFT_BACKTRACE=enable=no
export ASAN_OPTIONS="log_path=$reports/address"
export LSAN_OPTIONS="suppressions=$here/lsan.supp:print_suppressions=0"
export TSAN_OPTIONS="suppressions=$here/tsan.supp:log_path=$reports/thread:exitcode=0:atexit_sleep_ms=0"

swift build --build-tests "${flags[@]}"
swift test --skip-build --no-parallel "${flags[@]}"
"$(swift build "${flags[@]}" --show-bin-path)/omni-fuzz" run --seconds 27 --seed 1 --limit 60
if [ -n "$(ls "$reports")" ]; then
  cat "$reports"/*
  echo "sanitize: $sanitizer, $(ls "$reports" | wc -l) processes with reports" >&2
  exit 1
fi
echo "sanitize: $sanitizer clean"
