# Two commands for a fresh machine: `make demo` and `make test`. Both install what is missing.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

BIN = $(shell swift build --show-bin-path)
VENV := .venv
# LiteLLM wants other versions of what it shares with the clients.
LITELLM_VENV := .venv-litellm
# And so do clients of MCP's SDK 2, beside those of its SDK 1.
MCP2_VENV := .venv-mcp2
# What judges the container files.
DEPLOY_VENV := .venv-deploy
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# Seconds that `make fuzz` spends on all targets together, and a seed to repeat a run.
FUZZ_SECONDS ?= 600
FUZZ_SEED ?=
# `mutator` is our own; `libfuzzer` is Clang's, with coverage and the address sanitizer.
FUZZER ?= mutator
# Parts and options of Tests/Bench/run.py; all parts without.
BENCH ?=

.PHONY: help deps build demo test ready unit coverage prove prove-short fuzz-short venv promtool venv-litellm venv-mcp2 \
  browser fetch interop bench fuzz sanitize sanitize-address sanitize-thread lint lint-deploy venv-deploy test-deploy \
  docs release static clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

deps: ## install the system libraries that are missing
	@if ! pkg-config --exists sqlite3 yaml-0.1 2>/dev/null; then \
	  if command -v apt-get >/dev/null; then \
	    echo "installing libsqlite3-dev, libyaml-dev and pkg-config"; \
	    $(SUDO) apt-get update -qq; \
	    $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	      libsqlite3-dev libyaml-dev pkg-config >/dev/null; \
	  elif command -v brew >/dev/null; then \
	    brew install sqlite libyaml pkgconf; \
	  else \
	    echo "please install SQLite, libyaml and pkg-config with their headers" >&2; exit 1; \
	  fi; \
	fi
	@command -v swift >/dev/null || { echo "a Swift 6.2 toolchain or newer is needed: https://swift.org/install" >&2; exit 1; }

build: deps ## build the three programs
	swift build

demo: build ## start mock and server, judge the server, print the verdict
	@Tests/beside.sh '$(BIN)/omni-conformance demo' '$(BIN)/omni-conformance demo --profile faults'

test: ready unit coverage prove-short fuzz-short interop ## everything: unit tests, corpora, coverage, a little fuzzing, real clients

# The compiler works while the clients are fetched.
ready: deps
	@Tests/beside.sh 'swift build --build-tests' '$(MAKE) --no-print-directory fetch'

# One test at a time in each half: the corpora keep a thread busy, and more of them would let time limits
# of real sockets pass in other tests. The halves take as long as each other.
HALF := swift test --skip-build --ignore-lock --no-parallel
unit: deps ## unit tests and corpora
	swift build --build-tests
	@Tests/beside.sh '$(HALF) --skip "^ConformanceTests\."' '$(HALF) --filter "^ConformanceTests\."'

coverage: build ## what of the specification no case shows
	$(BIN)/omni-conformance coverage

prove: build ## make every answer wrong and see each case fail
	$(BIN)/omni-conformance prove
	$(BIN)/omni-conformance prove --profile deployed
	$(BIN)/omni-conformance prove --profile mcp-2025-11-25
	$(BIN)/omni-conformance prove --profile mcp-2026-07-28 --transport http

prove-short: build
	@Tests/beside.sh '$(BIN)/omni-conformance prove --sample 400' \
	  '$(BIN)/omni-conformance prove --profile mcp-2025-11-25 --transport http --sample 100' \
	  '$(BIN)/omni-conformance prove --profile mcp-2026-07-28 --transport stdio --sample 100'

fuzz-short: deps
	swift build --product omni-fuzz
	$(BIN)/omni-fuzz run --seconds 9 --seed 1

# Nothing is lost where there is no PyPI: what needs it is skipped, and says so.
venv:
	@if ! $(VENV)/bin/python -c '' 2>/dev/null; then \
	  python3 -m venv $(VENV) 2>/dev/null || { rm -rf $(VENV); \
	    command -v apt-get >/dev/null && $(SUDO) apt-get update -qq && \
	    $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null && \
	    python3 -m venv $(VENV); } || true; \
	fi

# The page of a run is read in a real browser; where none can be had, its test is skipped and says so.
browser:
	@if ! command -v chromium chromium-browser google-chrome >/dev/null && command -v apt-get >/dev/null; then \
	  echo "installing chromium"; \
	  { $(SUDO) apt-get update -qq && $(SUDO) env DEBIAN_FRONTEND=noninteractive \
	    apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; } || true; \
	fi

# Only its tool is wanted: the package would start a service.
promtool: venv
	@if [ ! -x $(VENV)/bin/promtool ] && ! command -v promtool >/dev/null && command -v apt-get >/dev/null; then \
	  echo "fetching promtool"; \
	  { folder=$$(mktemp -d) && $(SUDO) apt-get update -qq && ( cd "$$folder" && apt-get download -qq prometheus ) && \
	    dpkg -x "$$folder"/prometheus_*.deb "$$folder" && cp "$$folder/usr/bin/promtool" $(VENV)/bin/; \
	    rm -rf "$$folder"; } || true; \
	fi

venv-litellm: venv
	@[ -x $(LITELLM_VENV)/bin/python ] || python3 -m venv $(LITELLM_VENV) 2>/dev/null || true
	@$(LITELLM_VENV)/bin/pip install -q --disable-pip-version-check -r Tests/Interop/requirements-litellm.txt || \
	  { rm -rf $(LITELLM_VENV); true; }

venv-mcp2: venv
	@[ -x $(MCP2_VENV)/bin/python ] || python3 -m venv $(MCP2_VENV) 2>/dev/null || true
	@$(MCP2_VENV)/bin/pip install -q --disable-pip-version-check -r Tests/Interop/requirements-mcp2.txt || \
	  { rm -rf $(MCP2_VENV); true; }

fetch: venv venv-litellm venv-mcp2 browser promtool
	@$(VENV)/bin/pip install -q --disable-pip-version-check -r Tests/Interop/requirements.txt || true

# Most tests wait for processes and sockets, so more of them run beside each other than there are cores. Those
# that measure time come behind, and so do those that failed, in case the machine was too busy for them.
interop: build venv venv-litellm venv-mcp2 browser promtool ## clients and servers that are not ours, from PyPI
	@export OMNI_BIN=$(BIN); \
	failed=; \
	if $(VENV)/bin/pip install -q --disable-pip-version-check -r Tests/Interop/requirements.txt; then \
	  run="$(VENV)/bin/python -m pytest -q -rs Tests/Interop"; \
	  $$run -n 3 --dist loadscope --no-loadscope-reorder -m "not alone" || { \
	    echo "again: those that failed, in case the machine was too busy for them"; \
	    $$run --last-failed -m "not alone" || failed=1; \
	  }; \
	  $$run -m alone || { \
	    echo "again: those that failed, in case the machine was too busy for them"; \
	    $$run --last-failed -m alone || failed=1; \
	  }; \
	else \
	  echo "skipped: interop, because PyPI or python3-venv cannot be had here"; \
	fi; \
	if [ -x $(MCP2_VENV)/bin/pytest ]; then \
	  run="$(MCP2_VENV)/bin/python -m pytest -q -rs Tests/Interop/mcp2"; \
	  $$run || { echo "again: those that failed"; $$run --last-failed || failed=1; }; \
	else \
	  echo "skipped: clients of the MCP SDK 2, because PyPI or python3-venv cannot be had here"; \
	fi; \
	[ -z "$$failed" ]

bench: release venv ## the server beside its peers; some parts with BENCH="ping store"
	@if command -v apt-get >/dev/null; then \
	  command -v go >/dev/null || missing="golang-go"; \
	  [ -d /usr/share/gocode/src/github.com/gorilla/websocket ] || \
	    missing="$${missing:-} golang-github-gorilla-websocket-dev"; \
	  { command -v node && [ -d /usr/share/nodejs/ws ]; } >/dev/null || missing="$${missing:-} node-ws"; \
	  if [ -n "$${missing:-}" ]; then \
	    echo "installing $$missing"; \
	    { $(SUDO) apt-get update -qq && $(SUDO) env DEBIAN_FRONTEND=noninteractive \
	      apt-get install -y -qq --no-install-recommends $$missing >/dev/null; } || true; \
	  fi; \
	fi
	@$(VENV)/bin/pip install -q --disable-pip-version-check "$$(grep ^websockets Tests/Interop/requirements.txt)" || true
	@python3 Tests/Bench/run.py $(BENCH)

fuzz: deps ## hostile input for FUZZ_SECONDS; a find is kept below Fixtures/fail-cases
	@FUZZ_SECONDS=$(FUZZ_SECONDS) FUZZ_SEED=$(FUZZ_SEED) Tests/Fuzz/Scripts/$(FUZZER).sh

sanitize: sanitize-address sanitize-thread ## unit tests under the address and the thread sanitizer

sanitize-address: deps
	Tests/Fuzz/Scripts/sanitize.sh address

sanitize-thread: deps
	Tests/Fuzz/Scripts/sanitize.sh thread

lint: build lint-deploy ## formatting, and the mistakes of Spec/, Fixtures/ and the container files
	$(BIN)/omni-conformance lint --strict Spec Fixtures
	$(BIN)/omni-conformance fmt --check Fixtures
	swift format lint --strict -r Package.swift Sources Tests

venv-deploy: venv
	@[ -x $(DEPLOY_VENV)/bin/python ] || python3 -m venv $(DEPLOY_VENV) 2>/dev/null || true
	@$(DEPLOY_VENV)/bin/pip install -q --disable-pip-version-check -r Tests/Deploy/requirements.txt || \
	  { rm -rf $(DEPLOY_VENV); true; }

lint-deploy: venv-deploy
	@if [ -x $(DEPLOY_VENV)/bin/hadolint ]; then Tests/Deploy/lint.sh $(DEPLOY_VENV); \
	else echo "skipped: the container files, because PyPI or python3-venv cannot be had here"; fi

test-deploy: build venv-deploy ## the image and both compose files on a container engine, its own where there is none
	@if [ -x $(DEPLOY_VENV)/bin/hadolint ]; then OMNI_BIN=$(BIN) $(DEPLOY_VENV)/bin/python -u Tests/Deploy/run.py; \
	else echo "skipped: test-deploy, because PyPI or python3-venv cannot be had here"; fi

docs: build ## write docs/protocol.md again from Spec/
	$(BIN)/omni-conformance docs --output docs/protocol.md

release: deps ## optimised programs in .build/release
	swift build -c release

# What the image is made of; it needs libcurl4-openssl-dev and Python too. Without debug information, which is
# stripped at the end anyway.
static: deps ## the three programs as one static file, in .build/static/bin
	swift build -c release --static-swift-stdlib -Xswiftc -gnone --scratch-path .build/static
	deploy/image/link.sh .build/static/release .build/static/bin

clean: ## remove what was built
	rm -rf .build .build-address .build-thread .build-libfuzzer $(VENV) $(LITELLM_VENV) $(MCP2_VENV) $(DEPLOY_VENV) .venv27
