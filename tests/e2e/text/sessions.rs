//! What a session remembers, and what is shared.

use localcord::world::default::{ADA, BEN, GENERAL, RANDOM};

use super::chat::{Chat, OPEN, at_bot, model};
use crate::brain::{Reply, Served, messages};

/// `/new` in text begins the conversation anew, there and nowhere else.
#[tokio::test]
async fn a_reset_forgets_one_conversation() {
    let served = Served::new(&[Reply::Text(&["noted"])]).await;
    let chat = Chat::new().await;
    let keys = format!("{OPEN} allowFrom: ['{ADA}'],");
    let mut agent = chat.agent(&keys, &model(&served)).await;
    for (number, (channel, text)) in
        [(GENERAL, "my cat is called Mia"), (RANDOM, "my dog is called Rex")]
            .into_iter()
            .enumerate()
    {
        chat.writes(ADA, channel, text).await;
        served.request(number).await;
    }
    let from = chat.position();
    chat.writes(ADA, GENERAL, "/new").await;
    chat.bot_from(from, "").await;
    chat.writes(ADA, GENERAL, "what is it called?").await;
    chat.writes(ADA, RANDOM, "what is it called?").await;
    let (one, other) = (messages(&served.request(2).await), messages(&served.request(3).await));
    let knows =
        |asked: &[(String, String)], word: &str| asked.iter().any(|(_, it)| it.contains(word));
    assert!(!knows(&one, "Mia") && !knows(&other, "Mia"), "{one:?} {other:?}");
    assert!(knows(&one, "Rex") != knows(&other, "Rex"), "{one:?} {other:?}");
    agent.stop().await;
}

/// Scenario 39: whoever may not command does not, and is not answered either.
#[tokio::test]
async fn a_command_needs_authority() {
    let chat = Chat::new().await;
    let keys = format!("{OPEN} allowFrom: ['{ADA}'],");
    let mut agent = chat.agent(&keys, "").await;
    chat.writes(BEN, GENERAL, "/reset").await;
    agent.logs("control-command-unauthorized").await;
    assert_eq!(chat.by_bot(), [""; 0]);
    chat.writes(ADA, GENERAL, "/status").await;
    chat.bot("agent:main:discord:channel:").await;
    agent.stop().await;
}

/// Messages of one session are answered one after the other, whoever writes them.
#[tokio::test]
async fn a_session_answers_in_order() {
    let chat = Chat::new().await;
    let rest = "models: { providers: { echo: { thinkMs: 30 } } }";
    let config = chat.config_with(OPEN, rest, "queue: { mode: 'followup', cap: 100 }");
    let mut agent = chat.start(&config).await;
    for number in 0..8 {
        let human = if number % 2 == 0 { ADA } else { BEN };
        chat.writes(human, GENERAL, &format!("number {number}")).await;
    }
    chat.bot("You said: number 7").await;
    let expected: Vec<String> = (0..8).map(|number| format!("You said: number {number}")).collect();
    assert_eq!(chat.by_bot(), expected);
    agent.stop().await;
}

/// What is written while the agent works reaches the run that is at work.
#[tokio::test]
async fn a_message_steers_the_run_at_work() {
    let served =
        Served::new(&[Reply::Hold("I am writing the large fix"), Reply::Text(&["Smaller it is."])])
            .await;
    let chat = Chat::new().await;
    let mut agent = chat.agent(OPEN, &model(&served)).await;
    chat.writes(ADA, GENERAL, "fix it").await;
    served.request(0).await;
    chat.writes(ADA, GENERAL, "the smaller fix, please").await;
    agent.logs("steered").await;
    served.model.released.send_replace(true);
    let steered = messages(&served.request(1).await);
    assert!(steered.iter().any(|(_, text)| text.contains("the smaller fix")), "{steered:?}");
    chat.bot("Smaller it is.").await;
    agent.stop().await;
}

/// A bot that is mentioned in two guild channels keeps two conversations.
#[tokio::test]
async fn a_mention_is_not_part_of_the_question() {
    let chat = Chat::new().await;
    let mut agent = chat.agent(crate::scene::EVERYBODY, "").await;
    chat.writes(ADA, GENERAL, &at_bot("who goes there?")).await;
    let answer = chat.bot("You said: ").await;
    assert!(answer["content"].as_str().unwrap().contains("who goes there?"), "{answer}");
    agent.stop().await;
}

/// A run that makes no progress is told in the log, and left alone.
#[tokio::test]
async fn a_stuck_session_is_told() {
    let served = Served::new(&[Reply::Hold("I am still thinking")]).await;
    let chat = Chat::new().await;
    let rest = format!("{} diagnostics: {{ stuckSessionWarnMs: 1000 }},", model(&served));
    let mut agent = chat.agent(OPEN, &rest).await;
    chat.writes(ADA, GENERAL, "are you sure?").await;
    let told = agent.logs("stuck session: ").await;
    let session = format!("sessionKey=agent:main:discord:channel:{GENERAL}");
    let begins = format!("stuck session: sessionId=unknown {session} state=processing age=");
    let ends = "s queueDepth=0 reason=processing_without_queue";
    assert!(told.contains(&begins) && told.ends_with(ends), "{told}");
    served.model.released.send_replace(true);
    chat.bot("I am still thinking").await;
    agent.stop().await;
}
