# Every target works on a fresh Debian or Ubuntu machine with a Rust toolchain: `setup` installs
# the system packages that are missing, or says in one line which to install.

CARGO ?= cargo
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)

.PHONY: demo test bench soak check fuzz foreign html-check setup

## The whole thing on localhost: two humans and an agent in an encrypted voice channel.
demo: setup
	$(CARGO) build --release --bin clawvoice
	$(CARGO) build --release --package localcord --bin localcord
	$(TARGET_DIR)/release/clawvoice demo --localcord $(TARGET_DIR)/release/localcord --out target/demo

## All tests: no network, no key.
test: setup
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
		$(CARGO) nextest run --workspace; \
	else \
		RUST_TEST_THREADS=8 $(CARGO) test --workspace --all-targets; \
	fi
	$(CARGO) test --workspace --doc --quiet

## Each figure beside a peer or a limit; JSON in target/bench/.
BENCHES := media endurance conversation routing
bench: setup
	$(CARGO) build --release --workspace --bins
	$(CARGO) bench $(addprefix --bench ,$(BENCHES))

## A day in virtual time and 20 minutes of the real program: its memory must stay flat.
soak: setup
	$(CARGO) build --release --bin clawvoice
	$(CARGO) bench --bench endurance -- soak_virtual soak_real 20

## What CI checks besides the tests.
check: setup
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items --quiet

## A bounded run of every fuzz target (needs cargo-fuzz).
fuzz: setup
	./fuzz/run.sh

## Unpatched (npm and pip fetch them): discord.js and discord.py as bots on localcord, OpenAI's SDKs
## in conversation with the local realtime provider.
foreign: setup
	./tests/foreign/run.sh

## The pages of `clawvoice timeline --html` in a headless Chromium; skipped where there is none.
html-check: setup
	./tests/html/run.sh

setup:
	@./.ci/setup
