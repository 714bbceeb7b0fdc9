//! What a component of an argument's menu or of the model picker says when it comes back.
#![no_main]

use clawvoice_session::{MessageId, UserId};
use clawvoice_text::{
    command::{
        CommandOption, Definition, Takes,
        argument_menu::{MenuClick, clicked},
        model_picker::{PickerId, PickerOutcome, Picking, Shelf, handle, view},
    },
    interaction::{Caller, ComponentUse, Resolved, SourceMessage},
};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let user = UserId::new(31);
    let (id, value) = text.split_once('\n').unwrap_or((text, ""));
    let choices = ["steer", "collect"].map(str::to_owned).to_vec();
    let mode = CommandOption::text("mode", "d").taking(Takes::Choice(choices)).with_menu();
    let queue = Definition { options: vec![mode], ..Definition::new("queue", "d") };
    let click = ComponentUse {
        by: Caller { user: Some(user), ..Caller::default() },
        custom_id: id.to_owned(),
        kind: 3,
        values: vec![value.to_owned()],
        named: Resolved::default(),
        message: SourceMessage { id: MessageId::new(7), flags: 64, text: String::new() },
    };
    if let MenuClick::Chosen { invocation, .. } = clicked(&click, &[queue]) {
        assert!(matches!(invocation.options["mode"].as_str(), "steer" | "collect"));
    }
    if let Some(read) = PickerId::decode(id) {
        assert_eq!(PickerId::decode(&read.encode()).as_ref(), Some(&read));
    }
    let shelf = Shelf::of(&["openai/gpt-5", "azure/gpt-5"].map(str::to_owned));
    let picking = Picking { shelf: &shelf, recents: &[], current: "openai/gpt-5" };
    match handle(id, &click.values, user, &picking) {
        PickerOutcome::Shown(id) => assert!(view(&id, &picking)["components"].is_array()),
        PickerOutcome::Apply(Some(model)) => assert!(model.ends_with("/gpt-5")),
        PickerOutcome::Apply(None) | PickerOutcome::Ignored | PickerOutcome::Said(_) => {}
    }
});
