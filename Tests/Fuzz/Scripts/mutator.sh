#!/usr/bin/env bash
# The kit's own fuzzer, optimised, on all targets. See docs/fuzzing.md.
set -euo pipefail
cd "$(dirname "$0")/../../.."

swift build -c release --product omni-fuzz
exec "$(swift build -c release --show-bin-path)/omni-fuzz" run \
  --seconds "${FUZZ_SECONDS:-600}" ${FUZZ_SEED:+--seed "$FUZZ_SEED"}
