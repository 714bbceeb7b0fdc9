//! A review as a page for a browser: one file, no network, nothing of the recording is executed.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};

use super::{Review, document, words::term};

const TEMPLATE: &str = include_str!("html/template.html");
const STYLE: &str = include_str!("html/style.css");
const PICTURE: &str = include_str!("html/picture.js");
const PAGE: &str = include_str!("html/page.js");

/// Points of one curve on the page; of a longer one every n-th.
const MAX_POINTS: usize = 20_000;

/// The page. `title` names the recording; `sounds` are the files of its clips by the names the
/// recording gives them, as far as they are to be heard.
#[must_use]
pub fn page(review: &Review, title: &str, sounds: &BTreeMap<String, Vec<u8>>) -> String {
    let mut data = document(review);
    thin_out(&mut data);
    data["title"] = json!(title);
    data["labels"] = labels(review);
    data["terms"] = terms(review);
    data["events"] = referenced(review);
    data["clips"] = clips(review, sounds);
    let data = as_script_data(&data);
    let parts = [("STYLE", STYLE), ("DATA", data.as_str()), ("PICTURE", PICTURE), ("PAGE", PAGE)];
    fill(TEMPLATE, &parts)
}

/// Puts parts where the template names them, in one pass: what is put in is not looked at again.
fn fill(template: &str, parts: &[(&str, &str)]) -> String {
    let mut page = String::with_capacity(template.len());
    let mut rest = template;
    for (name, part) in parts {
        let place = format!("/*{name}*/");
        let Some((before, after)) = rest.split_once(&place) else { continue };
        page.push_str(before);
        page.push_str(part);
        rest = after;
    }
    page + rest
}

/// JSON that can stand inside a `script` element: no text of a log can end the element, begin a
/// comment, or break a line where JavaScript sees one.
fn as_script_data(data: &Value) -> String {
    let mut safe = String::new();
    for c in data.to_string().chars() {
        match c {
            '<' => safe.push_str("\\u003c"),
            '>' => safe.push_str("\\u003e"),
            '&' => safe.push_str("\\u0026"),
            '\u{2028}' => safe.push_str("\\u2028"),
            '\u{2029}' => safe.push_str("\\u2029"),
            other => safe.push(other),
        }
    }
    safe
}

fn thin_out(data: &mut Value) {
    let lanes = data["lanes"].as_array_mut().map(Vec::as_mut_slice).unwrap_or_default();
    for lane in lanes {
        for curve in lane["curves"].as_array_mut().map(Vec::as_mut_slice).unwrap_or_default() {
            if let Some(points) = curve["points"].as_array_mut()
                && points.len() > MAX_POINTS
            {
                let step = points.len().div_ceil(MAX_POINTS);
                *points = points.iter().step_by(step).cloned().collect();
            }
        }
    }
}

fn labels(review: &Review) -> Value {
    let label = |user: &str| json!(review.facts.label(user));
    review
        .facts
        .speakers
        .iter()
        .map(|speaker| (speaker.user.clone(), label(&speaker.user)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// Plain words for the figures of decisions.
fn terms(review: &Review) -> Value {
    let decisions = review.timeline.events.iter().filter_map(|event| event.what.decision());
    let names: BTreeSet<&String> = decisions
        .flat_map(|decision| decision.inputs.keys().chain(decision.thresholds.keys()))
        .collect();
    let words = |name: &String| (name.clone(), json!(term(name)));
    names.into_iter().map(words).collect::<serde_json::Map<_, _>>().into()
}

/// The entries that something on the page leads to, by their index.
fn referenced(review: &Review) -> Value {
    let mut wanted: BTreeSet<usize> = BTreeSet::new();
    for lane in &review.lanes {
        wanted.extend(lane.spans.iter().map(|span| span.event));
        wanted.extend(lane.marks.iter().map(|mark| mark.event));
    }
    wanted.extend(review.story.iter().map(|happening| happening.event));
    wanted.extend(review.facts.exchanges.iter().flat_map(|exchange| &exchange.events));
    wanted
        .into_iter()
        .filter_map(|index| Some((index.to_string(), json!(review.timeline.events.get(index)?))))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn clips(review: &Review, sounds: &BTreeMap<String, Vec<u8>>) -> Value {
    review
        .clips()
        .map(|clip| {
            let source = sounds.get(&clip.file).map(|bytes| {
                format!("data:{};base64,{}", media_type(&clip.file), BASE64.encode(bytes))
            });
            json!({"file": clip.file, "user": clip.user, "from_us": clip.from, "source": source})
        })
        .collect()
}

fn media_type(file: &str) -> &'static str {
    match file.rsplit('.').next() {
        Some("ogg" | "opus") => "audio/ogg",
        Some("mp3") => "audio/mpeg",
        Some("flac") => "audio/flac",
        _ => "audio/wav",
    }
}

#[cfg(test)]
mod tests;
