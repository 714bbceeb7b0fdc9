#!/usr/bin/env bash
# A bounded run of every fuzz target, one line each; exits 1 if one of them found something.
#
#   fuzz/run.sh [target...]
#
#   FUZZ_SECONDS    seconds per target (60)
#   FUZZ_SANITIZER  none, or address for the C library below as well; then slower (none)
#
# Finds are kept in fuzz/artifacts/<target>/, inputs that reach new code in fuzz/corpus/<target>/.
set -euo pipefail
cd "$(dirname "$0")"

seconds=${FUZZ_SECONDS:-60}
sanitizer=${FUZZ_SANITIZER:-none}

if ! cargo fuzz --version >/dev/null 2>&1; then
  echo "cargo-fuzz is missing: cargo install --locked cargo-fuzz" >&2
  exit 1
fi
# Sanitizers are options of the nightly compiler; the stable one takes them when told to.
if ! rustc --version | grep -q nightly; then
  export RUSTC_BOOTSTRAP=1
fi

options=(--fuzz-dir . --release --sanitizer "$sanitizer")
all=$(cargo fuzz list --fuzz-dir .)
targets=("$@")
if [ "${#targets[@]}" -eq 0 ]; then
  mapfile -t targets <<<"$all"
fi
for target in "${targets[@]}"; do
  if ! grep -qx -- "$target" <<<"$all"; then
    echo "no target is called $target; there are:" $all >&2
    exit 1
  fi
done

log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "building fuzz targets" >&2
if [ "${#targets[@]}" -eq 1 ]; then build=("${targets[0]}"); else build=(); fi
if ! cargo fuzz build "${options[@]}" "${build[@]}" >"$log" 2>&1; then
  tail -n 40 "$log" >&2
  exit 1
fi

failed=0
for target in "${targets[@]}"; do
  mkdir -p "corpus/$target"
  limits=(-max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1)
  if [ -f "dictionaries/$target.dict" ]; then
    limits+=(-dict="dictionaries/$target.dict")
  fi
  if cargo fuzz run "${options[@]}" "$target" "corpus/$target" "seeds/$target" -- "${limits[@]}" >"$log" 2>&1; then
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
    coverage=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    printf '%-16s ok      %9s runs  %6s edges\n' "$target" "${runs:-0}" "${coverage:-0}"
  else
    failed=1
    cause=$(grep -m 1 -E "panicked at|ERROR: |^error" "$log" || true)
    kept=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
    printf '%-16s FAILED  %s\n' "$target" "${cause:-see below}"
    grep -A 1 -m 1 "panicked at" "$log" | tail -n 1 >&2 || tail -n 20 "$log" >&2
    if [ -n "$kept" ]; then
      echo "  again: cd fuzz && RUSTC_BOOTSTRAP=1 cargo fuzz run ${options[*]} $target ${kept#./}" >&2
    fi
  fi
done
exit "$failed"
