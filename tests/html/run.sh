#!/usr/bin/env bash
# Opens the pages of `clawvoice timeline --html` in a headless Chromium: every page must draw itself
# without a word on the browser's console. Pages and some screenshots are kept in target/html/. Then
# the dashboard, live.
#
#   tests/html/run.sh
#
#   CHROMIUM   the browser (chromium, chromium-browser or google-chrome of the PATH)
#   CLAWVOICE  the program (built if unset)
set -euo pipefail
cd "$(dirname "$0")/../.."

browser=${CHROMIUM:-}
for candidate in chromium chromium-browser google-chrome; do
  if [ -z "$browser" ] && command -v "$candidate" >/dev/null; then browser=$candidate; fi
done
if [ -z "$browser" ]; then
  echo "skipped: no Chromium (Debian/Ubuntu: apt-get install chromium, or set CHROMIUM)"
  exit 0
fi
if [ -z "${CLAWVOICE:-}" ]; then
  cargo build --quiet --bin clawvoice
  CLAWVOICE=${CARGO_TARGET_DIR:-target}/debug/clawvoice
fi
out=target/html
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Opens a page: the drawn document on stdout, the browser's log in $work/log.
open() {
  timeout 60 "$browser" --headless --no-sandbox --disable-gpu --no-first-run \
    --user-data-dir="$work/profile" --window-size=1500,950 --virtual-time-budget=4000 \
    --enable-logging=stderr "$@" 2>"$work/log"
}
# What the page said on the console.
said() { grep -a ":CONSOLE" "$work/log" || true; }

failed=0
# check <page> <parts that must at least be drawn>
check() {
  local page=$1 least=$2 name drawn words
  name=$(basename "$page" .html)
  open --dump-dom "file://$PWD/$page" >"$work/dom" || true
  words=$(said)
  drawn=$(sed -n 's/.*data-drawn="\([0-9]*\)".*/\1/p' "$work/dom" | head -n 1)
  if [ -n "$words" ] || [ "${drawn:-0}" -lt "$least" ]; then
    echo "$name: FAILED, ${drawn:-0} parts drawn (at least $least); the console says: ${words:-nothing}"
    return 1
  fi
  echo "$name: ok, $drawn parts drawn, $page"
}

for recording in fixtures/timeline/*; do
  [ -f "$recording" ] || continue
  name=$(basename "$recording")
  "$CLAWVOICE" timeline "$recording" --html "$out/$name.html" >/dev/null
  check "$out/$name.html" 4 || failed=1
done

for name in interrupted.jsonl dismissed.jsonl echo.log; do
  open --screenshot="$out/$name.png" "file://$PWD/$out/$name.html" >/dev/null || true
done

# Everything that can be clicked, turned and pressed; the address must keep the place.
cat >"$work/hands.html" <<'SCRIPT'
<script>
(() => {
  const picture = document.getElementById("picture");
  const key = (name) => document.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
  const facts = [];
  for (const hit of [...picture.querySelectorAll(".hit")]) hit.dispatchEvent(new MouseEvent("click", { bubbles: true, clientX: 700 }));
  for (const row of [...document.querySelectorAll("#story button, .finding, .budget")]) {
    row.click();
    if (!document.getElementById("detail").textContent) facts.push("an empty detail");
  }
  for (const button of document.querySelectorAll("#filters button")) button.click();
  for (const name of ["+", "-", "ArrowLeft", "ArrowRight", "ArrowDown", "j", "k", "ArrowUp", "Escape", "0", "+", "+", "ArrowDown"]) key(name);
  picture.dispatchEvent(new WheelEvent("wheel", { deltaY: -300, clientX: 800, bubbles: true, cancelable: true }));
  picture.dispatchEvent(new WheelEvent("wheel", { deltaX: 80, clientX: 800, bubbles: true, cancelable: true }));
  picture.dispatchEvent(new PointerEvent("pointerdown", { clientX: 800, bubbles: true }));
  window.dispatchEvent(new PointerEvent("pointermove", { clientX: 700 }));
  window.dispatchEvent(new PointerEvent("pointerup", { clientX: 700 }));
  document.body.dataset.drawn = picture.querySelectorAll("rect, path").length;
  setTimeout(() => {
    if (!/^#at=[\d.]+&event=\d+&view=[\d.-]+_[\d.]+$/.test(location.hash)) facts.push("the address is " + location.hash);
    for (const fact of facts) console.error(fact);
  }, 1000);
})();
</script>
SCRIPT
sed "/<\/body>/{
r $work/hands.html
N
}" "$out/interrupted.jsonl.html" >"$out/hands.html"
check "$out/hands.html" 4 || failed=1
rm -f "$out/hands.html"

# Text of a log must stay text.
printf '%s\n' \
  '{"at_us":1,"level":"warn","line":"realtime error","fields":{"message":"</script><script>console.log(1)</script><img src=x onerror=console.log(2)>","user":"__proto__","speaker":"<b>x</b>"}}' \
  '{"at_us":900000,"line":"realtime speaker turn opened","fields":{"user":"__proto__","speaker":"<script>console.log(3)</script>"}}' \
  '{"at_us":950000,"line":"realtime input audio started","fields":{"user":"__proto__"}}' \
  '{"at_us":2000000,"decision":"confirmed","user":"constructor","inputs":{"__proto__":1,"toString":2},"thresholds":{"toString":1}}' \
  >"$work/hostile.jsonl"
"$CLAWVOICE" timeline "$work/hostile.jsonl" --html "$out/hostile.html" >/dev/null
check "$out/hostile.html" 4 || failed=1

# A page that fails must be noticed.
sed 's/head(); verdict();/head(); verdikt();/' "$out/clean.jsonl.html" >"$out/broken.html"
if check "$out/broken.html" 4 >/dev/null; then
  echo "the check does not notice a broken page"
  failed=1
fi
rm -f "$out/broken.html"

# The dashboard, while a call comes, is interrupted and ends; its picture is target/dashboard.png.
if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --workspace --run-ignored only -E 'binary(e2e) and test(dashboard::)' || failed=1
else
  cargo test --workspace --test e2e -- --ignored dashboard:: || failed=1
fi
exit "$failed"
