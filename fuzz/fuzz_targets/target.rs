//! Where a message is to go, as people and agents write it.
#![no_main]

use clawvoice_session::UserId;
use clawvoice_text::delivery::target::{Target, TargetKind, parse};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let listed = [UserId::new(7)];
    for kind in [None, Some(TargetKind::Channel), Some(TargetKind::User)] {
        match parse(text, kind, &listed) {
            Ok(Target::User(user)) => {
                assert_eq!(parse(&format!("user:{user}"), None, &[]), Ok(Target::User(user)));
            }
            Ok(Target::Channel(channel)) => {
                let again = parse(&format!("channel:{channel}"), None, &[]);
                assert_eq!(again, Ok(Target::Channel(channel)));
            }
            Ok(Target::ChannelName(name)) => assert!(!name.trim().is_empty()),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
});
