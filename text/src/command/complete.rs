//! What an option could be, while somebody types. Source: Discord, "Autocomplete".

use super::MOST_CHOICES;

/// Characters of a choice.
const LONGEST: usize = 100;

/// The texts that have in them what is typed, whatever the case: at most 25, in their order.
#[must_use]
pub fn matching(all: &[String], typed: &str) -> Vec<String> {
    let typed = typed.trim().to_lowercase();
    let fits = |text: &&String| {
        (1..=LONGEST).contains(&text.chars().count()) && text.to_lowercase().contains(&typed)
    };
    all.iter().filter(fits).take(MOST_CHOICES).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_in_any_case_and_no_more_than_discord_takes() {
        let all: Vec<String> = ["openai/GPT-5", "local/qwen", "azure/gpt-5", ""]
            .map(str::to_owned)
            .into_iter()
            .chain(["x".repeat(101)])
            .collect();
        assert_eq!(matching(&all, " gpt "), ["openai/GPT-5", "azure/gpt-5"]);
        assert_eq!(matching(&all, "QWEN"), ["local/qwen"]);
        assert_eq!(matching(&all, ""), &all[..3]);
        assert_eq!(matching(&all, "nothing"), [""; 0]);
        let many: Vec<String> = (0..40).map(|it| format!("m{it}")).collect();
        assert_eq!(matching(&many, "m"), &many[..25]);
    }
}
