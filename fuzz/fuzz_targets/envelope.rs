//! What people write, in the envelope of a turn, and an answer that repeats it: nothing of the
//! envelope is in what is left. Pieces in this order: body, topic, names, quoted text, history.
#![no_main]

use clawvoice_fuzz::Input;
use clawvoice_session::{ChannelId, MessageId};
use clawvoice_text::envelope::{
    Chat, Marker, Quoted, Sender, TurnContext, compose, strip, strip_partial,
};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let mut text = || String::from_utf8_lossy(input.piece()).into_owned();
    let (body, topic, name, quoted) = (text(), text(), text(), text());
    let marker = Marker::new([0x5a; 16]);
    // As somebody who knows neither the code nor the process.
    let (left, partly) = (strip(&body, &marker), strip_partial(&body, &marker));
    assert!(!left.contains(marker.code()) && left.len() <= body.len());
    assert!(partly.len() <= body.len());
    let turn = TurnContext {
        account: "default",
        surface: "discord",
        channel: ChannelId::new(5),
        chat: Chat::Channel { guild: &name, name: &name },
        system_prompt: None,
        skills: None,
        topic: Some(&topic),
        forum_parent: Some(&name),
        sender: Sender { id: "7", label: &name, name: &name, username: &name, tag: &name },
        message: MessageId::new(9),
        batch: &[],
        at_ms: 1_700_000_000_000,
        elapsed_ms: Some(60_000),
        zone: &jiff::tz::TimeZone::UTC,
        shows_timestamp: true,
        shows_elapsed: true,
        was_mentioned: true,
        reply: Some(Quoted {
            message: MessageId::new(8),
            sender: &name,
            body: &quoted,
            is_quote: false,
        }),
        starter: None,
        forwarded: &[],
        history: &[],
        events: std::slice::from_ref(&quoted),
        body: &body,
        notes: &[],
    };
    let envelope = compose(&turn, &marker);
    // Trusted are the program's words alone, whatever people write and are called.
    let nobody = Sender { id: "7", label: "", name: "", username: "", tag: "" };
    let chat = Chat::Channel { guild: "", name: "" };
    let plain = TurnContext { chat, topic: None, forum_parent: None, sender: nobody, ..turn };
    let plain = TurnContext { reply: None, events: &[], body: "", ..plain };
    assert_eq!(compose(&plain, &marker).system, envelope.system);
    assert_eq!(strip(&envelope.system, &marker), "");
    assert_eq!(strip(&envelope.context, &marker), "");
    let message = envelope.message.trim();
    let echo = format!("{}\n{}\n{message}", envelope.system, envelope.context);
    assert_eq!(strip(&echo, &marker).trim(), strip(message, &marker).trim());
    assert!(!envelope.message.contains(marker.code()));
});
