//! The voice gateway's messages: JSON text, and binary with what DAVE puts into it.
#![no_main]

use std::time::Duration;

use clawvoice_voice::wire::{
    dave,
    gateway::{Incoming, IncomingBinary, parse_binary, parse_text},
};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        match parse_text(text) {
            Ok((_, Incoming::Hello { heartbeat_interval })) => {
                let sane = Duration::from_millis(100)..=Duration::from_secs(600);
                assert!(sane.contains(&heartbeat_interval), "{heartbeat_interval:?}");
            }
            Ok((_, Incoming::Description(description))) => {
                let shown = format!("{description:?}");
                // The server may call a mode whatever it likes.
                let named = description.mode.contains("secret_key");
                assert!(named || !shown.contains("secret_key"), "a key in a log");
            }
            Ok(_) => {}
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    match parse_binary(data) {
        Ok((_, IncomingBinary::Proposals { revoke: false, body })) => {
            if let Some(users) = dave::added_users(body) {
                assert!(users.len() <= body.len(), "more users than bytes");
            }
        }
        Ok((_, IncomingBinary::Commit { commit, .. })) => {
            let _ = dave::commit_epoch(commit);
        }
        Ok(_) => {}
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
