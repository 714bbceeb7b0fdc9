"use strict";
// The recording, how its figures are written, and the lanes. Everything of the recording goes into the
// page as text, never as markup. This file and page.js share one function (see template.html).
const data = JSON.parse(document.getElementById("data").textContent);
const by = (id) => document.getElementById(id);
const NAME = 118, RULER = 26, NS = "http://www.w3.org/2000/svg";
const ordered = data.timeline.clock === "order";
const end = Math.max(data.timeline.end_us, 1000);
const view = { from: 0, to: end };
const LONG = 120e6;
let chosen = null, cursor = null;

// --- small builders ---
function el(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}
function svg(name, attributes, text) {
  const node = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const seconds = (us, digits = 3) => (us / 1e6).toFixed(digits);
const place = (us) => (ordered ? "#" + (Math.round(us / 1e6) + 1) : seconds(us));
function length(ms) {
  if (ms < 1000) return ms + " ms";
  if (ms < 10000) return (Math.floor(ms / 10) / 100).toFixed(2) + " s";
  if (ms < 60000) return (Math.floor(ms / 100) / 10).toFixed(1) + " s";
  return Math.floor(ms / 60000) + " min " + Math.floor((ms % 60000) / 1000) + " s";
}
const term = (key) => (Object.hasOwn(data.terms, key) ? data.terms[key] : key.replaceAll("_", " "));
const label = (user) => (Object.hasOwn(data.labels, user) ? data.labels[user] : user);
function name(who) {
  if (who.kind === "speaker") return label(who.user);
  return who.kind;
}
const plain = (value) => (typeof value === "string" ? value : JSON.stringify(value));

// --- the picture ---
const lanes = data.lanes.filter((lane) => lane.spans.length || lane.marks.length || (lane.curves || []).length);
const budgetRow = data.turns.some((turn) => turn.stages.length) && !ordered;
function rows() {
  const found = [];
  let top = RULER;
  for (const lane of lanes) {
    const height = lane.curves ? 62 : lane.kind === "call" || lane.kind === "provider" ? 34 : 44;
    found.push({ lane, top, height });
    top += height;
    if (budgetRow && lane.kind === "thinking") {
      found.push({ budget: true, top, height: 30 });
      top += 30;
    }
  }
  return { found, bottom: top };
}
let width = 800;
const x = (us) => NAME + ((us - view.from) / (view.to - view.from)) * (width - NAME - 12);
const time = (px) => view.from + ((px - NAME) / (width - NAME - 12)) * (view.to - view.from);
const visible = (from, to) => to >= view.from && from <= view.to;

function draw() {
  const holder = by("picture");
  width = Math.max(holder.clientWidth, 400);
  const { found, bottom } = rows();
  const height = bottom + 20;
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, height });
  root.append(patterns());
  const clip = svg("clipPath", { id: "inside" });
  clip.append(svg("rect", { x: NAME, y: 0, width: width - NAME, height }));
  root.append(clip);
  ruler(root, bottom);
  const inside = svg("g", { "clip-path": "url(#inside)" });
  crowded = new Map();
  let speaker = 0;
  for (const row of found) {
    root.append(svg("line", { class: "row", x1: 0, x2: width, y1: row.top + row.height, y2: row.top + row.height }));
    if (row.budget) {
      root.append(svg("text", { x: 12, y: row.top + 19, class: "faint" }, "where the wait went"));
      budgets(inside, row);
      continue;
    }
    const text = row.lane.label.length > 15 ? row.lane.label.slice(0, 14) + "…" : row.lane.label;
    const title = svg("text", { x: 12, y: row.top + row.height / 2 + 4, class: "lane-name" }, text);
    title.append(svg("title", {}, row.lane.user || row.lane.label));
    root.append(title);
    row.variant = row.lane.kind === "speaker" ? speaker++ % 4 : 0;
    curves(inside, row);
    const texts = svg("g");
    for (const span of row.lane.spans) drawSpan(inside, row, span, texts);
    inside.append(texts);
    for (const mark of row.lane.marks) drawMark(inside, row, mark);
    sounds(inside, row);
  }
  flows(inside, found);
  cutLines(inside, found, bottom);
  if (cursor !== null && visible(cursor, cursor)) {
    inside.append(svg("line", { class: "cursor", x1: x(cursor), x2: x(cursor), y1: 0, y2: bottom }));
  }
  root.append(inside);
  holder.replaceChildren(root);
}
function patterns() {
  const defs = svg("defs");
  const held = svg("pattern", { id: "held", width: 8, height: 8, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
  held.append(svg("rect", { width: 8, height: 8, style: "fill: var(--back)" }));
  held.append(svg("rect", { width: 4, height: 8, style: "fill: var(--doubt)" }));
  defs.append(held);
  return defs;
}
function ruler(root, bottom) {
  const steps = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 600, 1800, 3600, 21600, 86400];
  const span = (view.to - view.from) / 1e6;
  const step = steps.find((candidate) => (span / candidate) * 70 <= width - NAME) || steps[steps.length - 1];
  const digits = step >= 1 ? 0 : Math.ceil(-Math.log10(step));
  for (let at = Math.ceil(view.from / 1e6 / step) * step; at <= view.to / 1e6; at += step) {
    const px = x(at * 1e6);
    root.append(svg("line", { class: "grid", x1: px, x2: px, y1: RULER - 6, y2: bottom }));
    root.append(svg("text", { x: px + 3, y: RULER - 10, class: "faint" }, ordered ? "#" + (Math.round(at) + 1) : at.toFixed(digits) + " s"));
  }
}
function fitted(text, px) {
  const room = Math.floor((px - 8) / 6);
  if (room < 4) return "";
  return text.length <= room ? text : text.slice(0, room - 1) + "…";
}
const FULL = { speech: 1, playback: 1, cut: 1, thinking: 0.8, connected: 0.35, response: 0.55, hearing: 0.55, connecting: 0.55, repair: 0.55, grace: 0.4, doubt: 1.25, paused: 1 };
// Of many things on the same pixel one is drawn.
let crowded = new Map();
function isCrowded(key, from, to) {
  const last = crowded.has(key) ? crowded.get(key) : -10;
  if (from - last < 0.7 && to - from < 0.7) return true;
  crowded.set(key, Math.max(last, to));
  return false;
}
function drawSpan(into, row, span, texts) {
  if (!visible(span.from_us, span.to_us)) return;
  if (isCrowded(row.top + span.kind, x(span.from_us), x(span.to_us))) return;
  const from = Math.max(x(span.from_us), NAME - 4), to = Math.min(x(span.to_us), width + 4);
  const body = row.lane.curves ? 26 : Math.min(row.height - 14, 26);
  const tall = body * (FULL[span.kind] || 0.6);
  const middle = row.lane.curves ? row.top + 8 + body / 2 : row.top + row.height / 2;
  const box = svg("rect", {
    class: `hit ${span.kind} v${row.variant}` + (isChosen(span.event) ? " chosen" : ""),
    x: from, width: Math.max(to - from, 1.5), y: middle - tall / 2, height: tall, rx: 3,
  });
  box.append(svg("title", {}, `${span.label}\n${place(span.from_us)} to ${place(span.to_us)}` + (ordered ? "" : ` (${length(Math.round((span.to_us - span.from_us) / 1000))})`)));
  box.addEventListener("click", () => choose(span.event, span.from_us));
  into.append(box);
  if (span.kind === "cut") lost(into, span, middle, tall);
  const solid = ["speech", "playback", "cut", "thinking"].includes(span.kind);
  const held = row.lane.spans.find((other) => other.kind === "paused" && other.from_us > span.from_us && other.from_us < span.to_us);
  const free = held && span.kind !== "paused" ? Math.min(to, x(held.from_us)) : to;
  const text = solid ? fitted(span.label, free - from) : "";
  if (text) texts.append(svg("text", { class: "inside", x: from + 5, y: middle + 4 }, text));
}
// What was there of an answer and was not heard.
function lost(into, span, middle, tall) {
  const entry = data.events[span.event];
  const fields = entry && entry.record ? entry.record.fields : {};
  const total = Number(fields.audioMs), heard = (span.to_us - span.from_us) / 1000;
  if (!(total > heard)) return;
  const to = x(span.from_us + total * 1000);
  into.append(svg("rect", { class: "lost", x: x(span.to_us), width: Math.max(to - x(span.to_us), 1), y: middle - tall / 2 + 1, height: tall - 2 }));
  const text = fitted("not said", to - x(span.to_us));
  if (text) into.append(svg("text", { class: "faint", x: x(span.to_us) + 6, y: middle + 4 }, text));
}
function drawMark(into, row, mark) {
  if (!visible(mark.at_us, mark.at_us)) return;
  if (isCrowded(row.top + "mark " + mark.kind, x(mark.at_us), x(mark.at_us))) return;
  const px = x(mark.at_us), top = row.top + 5, low = row.top + row.height - 5;
  let shape;
  if (mark.kind === "decision") shape = svg("path", { d: `M${px} ${top - 3} l5 6 l-5 6 l-5 -6z` });
  else if (mark.kind === "trouble") shape = svg("path", { d: `M${px} ${top - 4} l7 12 h-14z` });
  else if (mark.kind === "words") shape = svg("path", { d: `M${px - 5} ${low - 8} h10 v6 h-5 l-3 4 v-4 h-2z` });
  else shape = svg("rect", { x: px - 1, y: low - 8, width: 2, height: 8 });
  shape.setAttribute("class", `hit mark-${mark.kind}` + (isChosen(mark.event) ? " chosen" : ""));
  shape.append(svg("title", {}, `${place(mark.at_us)} ${mark.label}`));
  shape.addEventListener("click", () => choose(mark.event, mark.at_us));
  into.append(shape);
}
const SCALES = { level_dbfs: [-60, 0], speech: [0, 1], explained: [0, 1] };
const INKS = { level_dbfs: "var(--faint)", speech: "var(--good)", explained: "var(--trouble)" };
function curves(into, row) {
  const known = (row.lane.curves || []).filter((curve) => Object.hasOwn(SCALES, curve.name));
  for (const curve of known) {
    const [low, high] = SCALES[curve.name];
    const base = row.top + row.height - 4, tall = 20;
    let path = "", before = null;
    for (const [at, value] of curve.points) {
      if (at < view.from - 1e6 || at > view.to + 1e6) continue;
      if (before !== null && at > before && x(at) - x(before) < 0.3) continue;
      const y = base - clamp((value - low) / (high - low), 0, 1) * tall;
      const joined = before !== null && at - before < 200000;
      path += `${joined ? "L" : "M"}${x(at).toFixed(1)} ${y.toFixed(1)}`;
      before = at;
    }
    const line = svg("path", { class: "curve", d: path || "M0 0", style: `stroke: ${INKS[curve.name]}` });
    line.append(svg("title", {}, term(curve.name)));
    into.append(line);
  }
}
function stageName(stage) { return `${stage.words}: ${length(stage.ms)}`; }
function budgets(into, row) {
  for (const turn of data.turns) {
    for (const stage of turn.stages) {
      if (!visible(stage.from_us, stage.to_us)) continue;
      const from = x(stage.from_us), to = x(stage.to_us);
      if (isCrowded("stage " + stage.name, from, to)) continue;
      const box = svg("rect", { class: "hit " + stage.name, x: from, width: Math.max(to - from, 1), y: row.top + 7, height: 16 });
      box.append(svg("title", {}, stageName(stage)));
      box.addEventListener("click", () => choose(turn.events[0], stage.from_us));
      into.append(box);
      const text = fitted(`${stage.name} ${length(stage.ms)}`, to - from);
      if (text) into.append(svg("text", { class: "inside", x: from + 4, y: row.top + 19 }, text));
    }
  }
}
// From the end of a question to the first sample of its answer.
function flows(into, found) {
  const voice = found.find((row) => row.lane && row.lane.kind === "voice");
  for (const turn of data.turns) {
    const asker = found.find((row) => row.lane && row.lane.kind === "speaker" && row.lane.user === turn.user);
    const from = turn.speech_ended_us ?? turn.transcribed_us;
    if (!voice || !asker || turn.played_us === null || from === null || !visible(from, turn.played_us)) continue;
    const x1 = x(from), x2 = x(turn.played_us);
    if (x2 - x1 < 4) continue;
    const y1 = asker.top + (asker.lane.curves ? 34 : asker.height / 2 + 8), y2 = voice.top + voice.height / 2 - 8;
    const bend = (x2 - x1) / 2;
    into.append(svg("path", { class: "flow", d: `M${x1} ${y1} C${x1 + bend} ${y1 + 6} ${x2 - bend} ${y2 - 10} ${x2 - 2} ${y2}` }));
    into.append(svg("path", { class: "flow-head", d: `M${x2} ${y2 + 2} l-8 -2 l5 -5z` }));
    if (!ordered && turn.latency_ms !== null && x2 - x1 > 40) {
      into.append(svg("text", { class: "faint", x: x1 + bend + 6, y: y1 * 0.4 + y2 * 0.6 }, length(turn.latency_ms)));
    }
  }
}
function cutLines(into, found, bottom) {
  const voice = found.find((row) => row.lane && row.lane.kind === "voice");
  if (!voice) return;
  let written = -200;
  for (const span of voice.lane.spans) {
    if (span.kind !== "cut" || !visible(span.to_us, span.to_us)) continue;
    const px = x(span.to_us);
    if (isCrowded("cut", px, px)) continue;
    into.append(svg("line", { class: "cutline", x1: px, x2: px, y1: RULER, y2: bottom }));
    if (px - written < 130) continue;
    written = px;
    into.append(svg("text", { class: "cuttext", x: px + 5, y: bottom + 14 }, "✂ answer cut here"));
  }
}
function sounds(into, row) {
  for (const clip of data.clips) {
    const mine = clip.user ? row.lane.user === clip.user : row.lane.kind === "voice";
    const long = clip.length_us || 0;
    if (!mine || !clip.source || !visible(clip.from_us, clip.from_us + long)) continue;
    const box = svg("rect", { class: "hit clip", x: x(clip.from_us), width: Math.max(x(clip.from_us + long) - x(clip.from_us), 6), y: row.top + 2, height: 4, rx: 2 });
    box.append(svg("title", {}, "recorded sound: click to hear it from here"));
    box.addEventListener("click", (event) => hear(clip, time(pixel(event))));
    into.append(box);
  }
}
