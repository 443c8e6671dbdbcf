#!/usr/bin/env bash
# usage: lint.sh VENV
# Judges the files of the containers; no engine is needed. VENV has what requirements.txt names.
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=$1/bin
# Its wrapper always exits 0.
compose=$("$bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')/compose/docker-compose
host=Tests/Deploy

# Versions of Debian's packages come with the release: pinned ones are gone with the next security update.
"$bin/hadolint" --ignore DL3008 Dockerfile "$host/other.Dockerfile"
"$bin/check-jsonschema" -q --builtin-schema vendor.compose-spec docker-compose.yml docker-compose.test.yml
checked() { env -i PATH="$PATH" DEPLOY_CONFIG=/dev/null "$compose" --env-file /dev/null "$@" config -q; }
checked -f docker-compose.yml
checked -f docker-compose.yml -f "$host/host.yml"
checked -f docker-compose.test.yml --profile '*'
checked -f docker-compose.test.yml -f "$host/host.test.yml" --profile '*'
"$bin/compose-lint" check -q --no-env --strict-config --fail-on low docker-compose.yml
"$bin/compose-lint" check -q --no-env --config "$host/compose-lint.yml" --skip-suppressed --fail-on low docker-compose.test.yml
echo "container files: 2 Dockerfiles, 2 compose files, 0 complaints"
