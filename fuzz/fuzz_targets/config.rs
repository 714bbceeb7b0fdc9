//! Configuration files: every text is settings or complaints in words, and no secret is shown.
#![no_main]

use std::{collections::BTreeMap, path::Path};

/// The value of every secret there is.
const SECRET: &str = "hunter2-secret";

libfuzzer_sys::fuzz_target!(|text: &str| {
    let env: BTreeMap<String, String> = ["DISCORD_BOT_TOKEN", "OPENAI_API_KEY", "X"]
        .into_iter()
        .map(|name| (name.to_owned(), SECRET.to_owned()))
        .collect();
    // A text could name any program as the keeper of a secret.
    let exec = clawvoice_config::ExecRefs::Skip;
    let checked = clawvoice_config::check(text, Path::new("folder/file.json5"), &env, exec);
    let shown = match checked.outcome {
        Ok(config) => format!("{config:?}"),
        Err(errors) => {
            let shown = errors.to_string();
            assert!(!shown.is_empty());
            format!("{shown}{errors:?}")
        }
    };
    assert!(text.contains(SECRET) || !shown.contains(SECRET), "a secret is shown: {shown}");
});
