"use strict";
// Draws the review. Everything of the recording goes into the page as text, never as markup.
(() => {
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

  // --- the head ---
  function head() {
    const header = data.timeline.header || {};
    by("title").textContent = data.title;
    document.title = data.title + " – clawvoice timeline";
    const parts = [];
    if (header.channel) parts.push("channel " + header.channel);
    parts.push(ordered ? "only the order is known" : length(Math.round(end / 1000)));
    const zero = data.timeline.unix_micros_at_zero;
    if (zero !== null) parts.push("from " + new Date(zero / 1000).toISOString().replace("T", " ").slice(0, 19) + " UTC");
    if (data.skipped.length) parts.push(data.skipped.length + data.skipped_more + " lines could not be used as they are");
    by("about").textContent = parts.join(" · ");
  }

  // --- left: the verdict and the story ---
  function verdict() {
    const box = by("verdict");
    const wrong = data.findings.filter((finding) => finding.severity !== "normal");
    for (const finding of wrong) {
      const card = el("div", { class: "finding " + finding.severity },
        el("strong", {}, finding.title),
        el("p", {}, breakable(finding.cause)));
      if (finding.change) card.append(el("p", {}, "Change: " + breakable(finding.change)));
      clickable(card, finding.times_us[0], eventOfLine(finding.lines[0]));
      box.append(card);
    }
    // Cuts that a problem has not explained.
    const explained = new Set(wrong.flatMap((finding) => finding.times_us));
    const cuts = data.story.filter((item) => item.tone === "cut" && !explained.has(item.at_us));
    for (const cut of cuts.slice(0, 3)) {
      const why = reasonBefore(cut);
      const card = el("div", { class: "finding cut" },
        el("strong", {}, "The " + name(cut.who) + " " + cut.text + "."),
        why ? el("p", {}, why.text) : null, why && why.detail ? el("p", {}, why.detail) : null);
      clickable(card, cut.at_us, cut.event);
      box.append(card);
    }
    if (cuts.length > 3) box.append(el("p", { class: "more" }, `and ${cuts.length - 3} more answers cut off`));
    if (!wrong.length) {
      const words = data.timeline.events ? "Nothing went wrong." : "Nothing in this file is a line of a voice timeline.";
      box.append(el("div", { class: "finding" }, el("strong", {}, words)));
    }
  }
  // The last confirmed decision shortly before a cut, as a sentence.
  function reasonBefore(cut) {
    const earlier = data.story.filter((item) =>
      item.tone === "decision" && item.at_us <= cut.at_us && item.at_us > cut.at_us - 1.5e6 &&
      item.who.kind === "speaker");
    const last = earlier[earlier.length - 1];
    return last ? { text: name(last.who) + " " + last.text + ".", detail: last.detail } : null;
  }
  // Settings' names break at their dots.
  const breakable = (text) => text.replace(/\.(?=[a-z])/g, ".\u200b");
  function eventOfLine(line) {
    const found = Object.keys(data.events).find((index) => data.events[index].line === line);
    return found === undefined ? null : Number(found);
  }
  function clickable(card, at, event) {
    if (at === undefined) return;
    card.dataset.at = at;
    card.addEventListener("click", () => choose(event, at, true));
  }
  const MOST = 5000;
  let filter = "all";
  function story() {
    const list = by("story");
    list.replaceChildren();
    const shown = data.story.filter((item) => filter === "all" || item.tone !== "plain").slice(0, MOST);
    for (const item of shown) {
      const line = el("button", { class: item.tone },
        el("time", {}, place(item.at_us)),
        el("span", {}, el("b", {}, name(item.who)), " ", el("span", { class: "said" }, item.text),
          item.detail ? el("small", {}, item.detail) : null));
      const row = el("li", { "data-event": item.event, "data-at": item.at_us }, line);
      row.className = item.tone;
      line.addEventListener("click", () => choose(item.event, item.at_us, true));
      list.append(row);
    }
    if (data.story.length > MOST) list.append(el("li", {}, "The list ends here; --json has all of it."));
    highlight();
  }
  function highlight(scroll) {
    let found = null;
    for (const row of by("story").children) {
      const is = chosen !== null && Number(row.dataset.event) === chosen.event && Number(row.dataset.at) === chosen.at;
      row.classList.toggle("chosen", is);
      if (is) found = row;
    }
    if (found && scroll) found.scrollIntoView({ block: "nearest" });
  }

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

  // --- below: detail, sounds, budgets ---
  const isChosen = (event) => chosen !== null && chosen.event === event;
  function detail() {
    const box = by("detail");
    box.replaceChildren();
    const entry = chosen === null ? null : data.events[chosen.event];
    if (!entry) {
      box.append(el("h3", {}, "Click anything"), el("p", { class: "sub" },
        "A decision shows what it looked at and what it compared that with. Wheel: zoom. Drag or ← →: move. + and −: zoom. 0: all of it. ↑ ↓: next and previous."));
      const settings = (data.timeline.header || {}).settings || {};
      if (Object.keys(settings).length) {
        box.append(el("h3", {}, "Settings of this session"));
        facts(box, settings);
      }
      return;
    }
    const where = `at ${place(entry.at_us)}${ordered ? "" : " s"}, line ${entry.line} of the file`;
    if (entry.decision) return decision(box, entry.decision, where);
    if (entry.record) {
      box.append(el("h3", {}, entry.record.name), el("p", { class: "sub" }, where));
      if (entry.record.detail) box.append(el("p", {}, entry.record.detail));
      return facts(box, entry.record.fields);
    }
    const kind = ["input", "audio", "other"].find((key) => entry[key]);
    box.append(el("h3", {}, kind || "entry"), el("p", { class: "sub" }, where));
    facts(box, (entry.input && entry.input.values) || entry[kind] || {});
  }
  function facts(box, fields) {
    const table = el("table");
    for (const [key, value] of Object.entries(fields)) {
      table.append(el("tr", {}, el("th", {}, key), el("td", { class: "figure" }, plain(value))));
    }
    box.append(table);
  }
  function decision(box, made, where) {
    const said = data.story.find((item) => item.event === chosen.event && item.tone === "decision");
    const title = said ? `${name(said.who)} ${said.text}` : made.kind;
    box.append(el("h3", {}, title), el("p", { class: "sub" }, `decision “${made.kind}” ${where}`));
    const limits = Object.assign({}, made.thresholds);
    const table = el("table", {}, el("tr", {}, el("th", {}, "looked at"), el("th", {}, "value"), el("th", {}, "limit"), el("th", {}, "")));
    for (const [key, value] of Object.entries(made.inputs)) {
      const limit = [key, "min_" + key, "max_" + key].find((candidate) => Object.hasOwn(limits, candidate));
      const against = limit === undefined ? undefined : limits[limit];
      if (limit !== undefined) delete limits[limit];
      table.append(el("tr", {}, el("th", {}, term(key)), el("td", { class: "figure" }, plain(value)),
        el("td", { class: "figure" }, against === undefined ? "" : plain(against)), el("td", {}, gauge(value, against))));
    }
    for (const [key, value] of Object.entries(limits)) {
      table.append(el("tr", {}, el("th", {}, term(key)), el("td", {}, ""), el("td", { class: "figure" }, plain(value)), el("td", {})));
    }
    box.append(table);
    if (made.rest && Object.keys(made.rest).length) facts(box, made.rest);
  }
  // A bar for the value and a stroke where the limit is.
  function gauge(value, limit) {
    if (typeof value !== "number" || typeof limit !== "number") return null;
    const low = Math.min(0, value, limit) * 1.25, high = Math.max(0, value, limit) * 1.25 || 1;
    const share = (figure) => clamp(((figure - low) / (high - low)) * 100, 0, 100);
    return el("div", { class: "gauge", title: `${value} against ${limit}` },
      el("i", { style: `width: ${share(value)}%` }), el("u", { style: `left: ${share(limit)}%` }));
  }
  function soundList() {
    const box = by("sounds");
    if (!data.clips.length) return;
    box.append(el("h3", {}, "Recorded sound"));
    const here = data.clips.filter((clip) => clip.source);
    const missing = data.clips.length - here.length;
    if (missing) box.append(el("p", { class: "sub" }, `${missing} of ${data.clips.length} pieces are not in this page.`));
    for (const clip of here) {
      const whose = clip.user ? label(clip.user) : "agent";
      box.append(el("p", { class: "sub" }, `${whose}, from ${place(clip.from_us)} s`));
      const player = el("audio", { controls: "", preload: "metadata", src: clip.source });
      player.addEventListener("loadedmetadata", () => { clip.length_us = player.duration * 1e6; draw(); });
      player.addEventListener("timeupdate", () => {
        cursor = clip.from_us + player.currentTime * 1e6;
        draw();
      });
      clip.player = player;
      box.append(player);
    }
  }
  function hear(clip, at) {
    clip.player.currentTime = clamp((at - clip.from_us) / 1e6, 0, clip.player.duration || 0);
    clip.player.play().catch(() => {});
  }
  function budgetList() {
    const box = by("budgets");
    const turns = ordered ? [] : data.turns.filter((turn) => turn.stages.length);
    if (!turns.length) return;
    box.append(el("h3", {}, "From the end of a question to the first sound of its answer"));
    const longest = Math.max(...turns.map((turn) => turn.latency_ms), 1);
    for (const turn of turns.slice(0, 500)) {
      const bar = el("div", { class: "bar", style: `width: ${(turn.latency_ms / longest) * 100}%` });
      const parts = el("small");
      for (const stage of turn.stages) {
        bar.append(el("i", { class: stage.name, style: `flex: ${Math.max(stage.ms, 1)} 0 0`, title: stageName(stage) }));
        parts.append(el("i", { class: stage.name }), stageName(stage));
      }
      const row = el("div", { class: "budget" },
        el("p", {}, el("b", {}, `${turn.label || "somebody"} ${length(turn.latency_ms)} `), turn.words), bar, parts);
      row.addEventListener("click", () => choose(turn.events[0], turn.speech_ended_us ?? turn.transcribed_us, true));
      box.append(row);
    }
  }
  function legend() {
    const box = by("legend");
    const items = [["--speech", "speaks"], ["--agent", "agent speaks"], ["--thinking", "works"], ["--doubt", "decision; might be interrupting; held back"], ["--cut", "cut off"], ["--trouble", "trouble"]];
    for (const [ink, words] of items) box.append(el("i", { style: `background: var(${ink})` }), words);
    // The small curves under a speaker.
    const curves = Object.keys(SCALES).filter((key) => data.lanes.some((lane) => (lane.curves || []).some((curve) => curve.name === key)));
    for (const key of curves) box.append(el("i", { style: `background: ${INKS[key]}; height: 2px; vertical-align: middle` }), term(key));
  }

  // --- choosing, moving, the address ---
  function choose(event, at, show) {
    chosen = event === null || event === undefined ? null : { event, at };
    cursor = at;
    if (show && !(at >= view.from && at <= view.to)) move(at - (view.to - view.from) / 2, view.to - view.from);
    draw(); detail(); highlight(true); remember();
  }
  function move(from, span) {
    span = clamp(span, 2000, end * 1.04);
    const margin = span * 0.02;
    from = clamp(from, -margin, Math.max(end + margin - span, -margin));
    view.from = from;
    view.to = from + span;
  }
  function zoom(factor, around) {
    const span = clamp((view.to - view.from) * factor, 2000, end * 1.04);
    const share = (around - view.from) / (view.to - view.from);
    move(around - share * span, span);
    draw(); remember();
  }
  let waiting = null;
  function remember() {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      const parts = [];
      if (cursor !== null) parts.push("at=" + seconds(cursor));
      if (chosen !== null) parts.push("event=" + chosen.event);
      parts.push(`view=${seconds(view.from)}_${seconds(view.to)}`);
      history.replaceState(null, "", "#" + parts.join("&"));
    }, 150);
  }
  function recall() {
    const parts = new URLSearchParams(location.hash.slice(1));
    const [from, to] = (parts.get("view") || "").split("_").map((part) => Number(part) * 1e6);
    if (to > from) move(from, to - from); else move(-end * 0.02, end * 1.04);
    const at = parts.has("at") ? Number(parts.get("at")) * 1e6 : NaN;
    if (Number.isFinite(at)) cursor = at;
    const event = Number(parts.get("event"));
    if (parts.has("event") && data.events[event]) {
      const same = data.story.find((item) => item.event === event);
      chosen = { event, at: same ? same.at_us : data.events[event].at_us };
      cursor = cursor ?? chosen.at;
    } else if (!parts.has("at")) {
      // A stranger wants to know first why an answer was cut.
      const cut = data.story.find((item) => item.tone === "cut");
      const why = cut && data.story.filter((item) => item.tone === "decision" && item.at_us <= cut.at_us && item.who.kind === "speaker").pop();
      const first = why || cut;
      if (first) {
        chosen = { event: first.event, at: first.at_us };
        cursor = first.at_us;
        // All of a long recording shows nothing.
        if (end > LONG && !(to > from)) move(cursor - LONG / 4, LONG / 2);
      }
    }
  }
  const pixel = (event) => event.clientX - by("picture").getBoundingClientRect().left;
  function listen() {
    const picture = by("picture");
    picture.addEventListener("wheel", (event) => {
      event.preventDefault();
      if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        const by = (event.deltaX || event.deltaY) * ((view.to - view.from) / width);
        move(view.from + by, view.to - view.from); draw(); remember();
      } else {
        zoom(Math.exp(event.deltaY * 0.0015), time(Math.max(pixel(event), NAME)));
      }
    }, { passive: false });
    let drag = null;
    picture.addEventListener("pointerdown", (event) => { drag = { x: event.clientX, from: view.from, moved: false }; });
    window.addEventListener("pointermove", (event) => {
      if (!drag) return;
      const away = event.clientX - drag.x;
      if (Math.abs(away) < 4 && !drag.moved) return;
      drag.moved = true;
      picture.classList.add("dragged");
      move(drag.from - away * ((view.to - view.from) / (width - NAME)), view.to - view.from);
      draw();
    });
    window.addEventListener("pointerup", () => {
      if (drag && drag.moved) remember();
      drag = null;
      picture.classList.remove("dragged");
    });
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.target instanceof HTMLMediaElement) return;
      const span = view.to - view.from;
      const middle = cursor !== null && visible(cursor, cursor) ? cursor : view.from + span / 2;
      const actions = {
        ArrowLeft: () => { move(view.from - span / 8, span); draw(); remember(); },
        ArrowRight: () => { move(view.from + span / 8, span); draw(); remember(); },
        "+": () => zoom(0.7, middle), "=": () => zoom(0.7, middle), "-": () => zoom(1.4, middle),
        0: () => { move(-end * 0.02, end * 1.04); draw(); remember(); },
        ArrowDown: () => step(1), j: () => step(1), ArrowUp: () => step(-1), k: () => step(-1),
        Escape: () => { chosen = null; cursor = null; draw(); detail(); highlight(); remember(); },
      };
      if (!Object.hasOwn(actions, event.key)) return;
      event.preventDefault();
      actions[event.key]();
    });
    by("zoom-in").addEventListener("click", () => zoom(0.6, view.from + (view.to - view.from) / 2));
    by("zoom-out").addEventListener("click", () => zoom(1.6, view.from + (view.to - view.from) / 2));
    by("fit").addEventListener("click", () => { move(-end * 0.02, end * 1.04); draw(); remember(); });
    for (const button of by("filters").children) {
      button.addEventListener("click", () => {
        filter = button.dataset.filter;
        for (const other of by("filters").children) other.setAttribute("aria-pressed", other === button);
        story();
      });
    }
    window.addEventListener("resize", draw);
    window.addEventListener("hashchange", () => { recall(); draw(); detail(); highlight(true); });
  }
  // The next or previous thing that happened.
  function step(by) {
    const items = data.story.filter((item) => filter === "all" || item.tone !== "plain");
    if (!items.length) return;
    let index = chosen === null ? -1 : items.findIndex((item) => item.event === chosen.event && item.at_us === chosen.at);
    if (index < 0 && by < 0) index = items.length;
    const item = items[clamp(index + by, 0, items.length - 1)];
    choose(item.event, item.at_us, true);
  }

  head(); verdict(); legend(); recall(); soundList(); budgetList(); story(); draw(); detail(); highlight(true); listen();
  // For a check without eyes: how much was drawn.
  document.body.dataset.drawn = by("picture").querySelectorAll("rect, path").length;
})();
