// What stands around the picture: the head, the story, the detail, and what is done by hand.
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
