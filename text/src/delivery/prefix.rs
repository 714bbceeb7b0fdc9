//! `responsePrefix`: what stands before every answer.
//!
//! Source: OpenClaw, "Messages", `responsePrefix` and its variables.

use super::fence::Opening;

/// What the variables of a prefix stand for; `None`: the variable stays as it is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct PrefixNames<'a> {
    /// `{modelFull}`: `provider/model`; also `{model}`, without provider and date.
    pub model: Option<&'a str>,
    /// `{provider}`.
    pub provider: Option<&'a str>,
    /// `{thinkingLevel}` and `{think}`.
    pub thinking: Option<&'a str>,
    /// `{identity.name}`; with `auto`, the whole prefix in brackets.
    pub identity: Option<&'a str>,
}

/// The prefix of an answer: the account's `responsePrefix`, else that of `messages`. An empty one
/// stops the search.
#[must_use]
pub fn prefix(
    account: Option<&str>,
    messages: Option<&str>,
    names: &PrefixNames<'_>,
) -> Option<String> {
    let template = account.or(messages)?;
    let filled = match template {
        "auto" => names.identity.map(|name| format!("[{name}]"))?,
        template => fill(template, names),
    };
    Some(filled).filter(|filled| !filled.trim().is_empty())
}

/// A text with its prefix, unless it begins with it.
pub(crate) fn put(prefix: &str, text: &str) -> String {
    if text.starts_with(prefix) {
        return text.to_owned();
    }
    let first = text.lines().next().unwrap_or_default();
    // These mean something only at the beginning of a line.
    let is_block = Opening::of(first).is_some()
        || first.starts_with(['#', '>', '|'])
        || ["- ", "* ", "• ", "-# "].iter().any(|mark| first.starts_with(mark))
        || first.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(". ");
    let between = if is_block || prefix.ends_with('\n') { "\n" } else { " " };
    format!("{}{between}{text}", prefix.trim_end())
}

/// Variables are names in braces, however they are capitalised.
fn fill(template: &str, names: &PrefixNames<'_>) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        filled.push_str(before);
        let value =
            behind.split_once('}').and_then(|(name, after)| Some((names.get(name)?, after)));
        if let Some((value, after)) = value {
            filled.push_str(value);
            rest = after;
        } else {
            filled.push('{');
            rest = behind;
        }
    }
    filled.push_str(rest);
    filled
}

impl<'a> PrefixNames<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        match name.to_ascii_lowercase().as_str() {
            "model" => self.model.map(short),
            "modelfull" => self.model,
            "provider" => self.provider,
            "thinkinglevel" | "think" => self.thinking,
            "identity.name" | "identityname" => self.identity,
            _ => None,
        }
    }
}

/// A model's name without provider, date and `-latest`.
fn short(model: &str) -> &str {
    let name = model.rsplit_once('/').map_or(model, |(_, name)| name);
    let dated = name.rsplit_once('-').filter(|(_, date)| {
        *date == "latest" || (date.len() == 8 && date.bytes().all(|b| b.is_ascii_digit()))
    });
    dated.map_or(name, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: PrefixNames<'_> = PrefixNames {
        model: Some("anthropic/claude-opus-4-6-20260205"),
        provider: Some("anthropic"),
        thinking: Some("high"),
        identity: Some("Claw"),
    };

    #[test]
    fn the_account_goes_first_and_an_empty_prefix_is_none() {
        let cases = [
            (Some("a"), Some("b"), Some("a")),
            (None, Some("b"), Some("b")),
            (Some(""), Some("b"), None),
            (None, None, None),
            (Some("auto"), None, Some("[Claw]")),
        ];
        for (account, messages, expected) in cases {
            assert_eq!(prefix(account, messages, &NAMES).as_deref(), expected);
        }
        assert_eq!(prefix(Some("auto"), Some("b"), &PrefixNames::default()), None);
    }

    #[test]
    fn variables_are_filled_in_and_unknown_ones_stay() {
        let cases = [
            ("{model}|{MODELFULL}", "claude-opus-4-6|anthropic/claude-opus-4-6-20260205"),
            ("{provider} {think} {ThinkingLevel}", "anthropic high high"),
            ("{identity.name}: {nope} { {model", "Claw: {nope} { {model"),
            ("{{model}}", "{claude-opus-4-6}"),
        ];
        for (template, expected) in cases {
            assert_eq!(prefix(Some(template), None, &NAMES).as_deref(), Some(expected));
        }
        assert_eq!(short("gpt-5.4-latest"), "gpt-5.4");
    }

    #[test]
    fn it_stands_on_its_own_line_before_what_needs_one() {
        let cases = [
            ("Hello", "[C] Hello"),
            ("[C] Hello", "[C] Hello"),
            ("```rs\nx\n```", "[C]\n```rs\nx\n```"),
            ("# Title", "[C]\n# Title"),
            ("- item", "[C]\n- item"),
            ("12. item", "[C]\n12. item"),
            ("-1 is it", "[C] -1 is it"),
        ];
        for (text, expected) in cases {
            assert_eq!(put("[C]", text), expected);
        }
    }
}
