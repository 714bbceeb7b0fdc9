//! What a plain turn is: asked, streamed, told, paid for.

use clawvoice_session::{
    ChannelId, SessionKey,
    agent::{AgentEvent, Usage},
    brain::Api,
    shell::{agent::RunningAgent, profile::AgentProfile},
};
use serde_json::json;

use crate::{
    bench::{Asker, Bench, KEY, ask, session, settings},
    endpoint::Endpoint,
};

#[tokio::test]
async fn an_answer_is_streamed() {
    let mut bench = Bench::start().await;
    bench.ask(ask(1, "hello?")).await;
    let request = bench.endpoint.request().await;
    assert_eq!(request.path, "/v1/chat/completions");
    assert_eq!(request.headers["authorization"], format!("Bearer {KEY}"));
    assert_eq!(request.body["model"], "m");
    assert_eq!(
        request.messages(),
        [
            ("system".to_owned(), "You are Molty.\n\nSpeak.".to_owned()),
            ("user".to_owned(), "[Ada, user 7]: hello?".to_owned()),
        ]
    );
    let stream = request.stream();
    assert_eq!(bench.asker.next(1).await, AgentEvent::Started);
    for piece in ["Hel", "lo."] {
        stream.text(piece).await;
        assert_eq!(bench.asker.next(1).await, AgentEvent::Text(piece.into()));
    }
    stream.done("stop").await;
    let usage = Usage { input: 10, cached: 0, output: 2 };
    assert_eq!(bench.asker.next(1).await, AgentEvent::Answered { text: "Hello.".into(), usage });
}

#[tokio::test]
async fn turns_of_a_session_come_one_after_the_other() {
    let mut bench = Bench::start().await;
    bench.ask(ask(1, "one")).await;
    bench.ask(ask(2, "two")).await;
    let first = bench.endpoint.request().await;
    assert!(bench.endpoint.is_quiet());
    first.say("ONE").await;
    assert_eq!(bench.asker.answer(1).await, "ONE");
    let second = bench.endpoint.request().await;
    let history: Vec<String> = second.messages().into_iter().skip(1).map(|m| m.1).collect();
    assert_eq!(history, ["[Ada, user 7]: one", "ONE", "[Ada, user 7]: two"]);
    second.say("TWO").await;
    assert_eq!(bench.asker.answer(2).await, "TWO");
}

#[tokio::test]
async fn sessions_do_not_wait_for_each_other() {
    let mut bench = Bench::start().await;
    let mut elsewhere = ask(2, "two");
    elsewhere.session = SessionKey::channel("main", ChannelId::new(43));
    bench.ask(ask(1, "one")).await;
    let first = bench.endpoint.request().await;
    bench.ask(elsewhere).await;
    let second = bench.endpoint.request().await;
    assert_eq!(bench.asker.next(1).await, AgentEvent::Started);
    second.say("TWO").await;
    assert_eq!(bench.asker.answer(2).await, "TWO");
    first.say("ONE").await;
    assert_eq!(bench.asker.answer(1).await, "ONE");
}

#[tokio::test]
async fn a_session_is_answered_by_the_agent_it_belongs_to() {
    let mut bench = Bench::with(|settings| {
        let models = vec!["p0/large".parse().unwrap()];
        let ops = AgentProfile { system_prompt: "You are Ops.".into(), models };
        settings.profiles.others.insert("ops".into(), ops);
    })
    .await;
    for (run, agent, prompt, model) in
        [(1, "ops", "You are Ops.", "large"), (2, "main", "You are Molty.", "m")]
    {
        let mut ask = ask(run, "hello?");
        ask.session = SessionKey::channel(agent, ChannelId::new(42));
        bench.ask(ask).await;
        let request = bench.endpoint.request().await;
        assert_eq!(request.body["model"], model);
        assert_eq!(request.messages()[0].1, format!("{prompt}\n\nSpeak."));
        request.say("Hello.").await;
        assert_eq!(bench.asker.answer(run).await, "Hello.");
    }
}

#[tokio::test]
async fn provider_scenario_48_a_character_split_between_packets_arrives_whole() {
    let mut bench = Bench::start().await;
    bench.ask(ask(1, "cut it")).await;
    let stream = bench.endpoint.request().await.stream();
    let event = json!({ "choices": [{ "delta": { "content": "d\u{e9}j\u{e0} \u{1f600}" } }] });
    let bytes = format!("data: {event}\r\n\r\n").into_bytes();
    for byte in bytes {
        stream.raw(&[byte]).await;
    }
    stream.done("stop").await;
    assert_eq!(bench.asker.answer(1).await, "d\u{e9}j\u{e0} \u{1f600}");
}

#[tokio::test]
async fn the_responses_api_is_spoken_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut endpoint = Endpoint::start().await;
    let settings = settings(folder.path(), &[(&endpoint.base_url(), "m")], Api::Responses);
    let agent = RunningAgent::start(settings).await.unwrap();
    let mut asker = Asker::new();
    clawvoice_session::agent::Agent::ask(&*agent, ask(1, "time?"), asker.reports.clone()).await;
    let request = endpoint.request().await;
    assert_eq!(request.path, "/v1/responses");
    assert_eq!(request.body["instructions"], "You are Molty.\n\nSpeak.");
    let stream = request.stream();
    let call = json!({ "type": "function_call", "call_id": "c", "name": "current_time",
                       "arguments": "{}", "status": "completed" });
    for event in [
        json!({ "type": "response.output_item.done", "output_index": 0, "item": call }),
        json!({ "type": "response.completed", "response": { "usage": { "input_tokens": 3 } } }),
    ] {
        stream.event(&event).await;
    }
    drop(stream);
    let request = endpoint.request().await;
    let items = request.body["input"].as_array().unwrap();
    assert_eq!(items[1]["type"], "function_call");
    assert_eq!(
        (&items[2]["type"], &items[2]["call_id"]),
        (&json!("function_call_output"), &json!("c"))
    );
    let stream = request.stream();
    stream.event(&json!({ "type": "response.output_text.delta", "delta": "Noon." })).await;
    stream
        .event(&json!({ "type": "response.completed",
                        "response": { "usage": { "input_tokens": 5, "output_tokens": 1 } } }))
        .await;
    drop(stream);
    assert_eq!(
        asker.last(1).await,
        AgentEvent::Answered {
            text: "Noon.".into(),
            usage: Usage { input: 8, cached: 0, output: 1 },
        }
    );
}

#[tokio::test]
async fn an_endpoint_that_answers_one_document_is_understood() {
    let mut bench = Bench::start().await;
    bench.ask(ask(1, "what time is it?")).await;
    let function = json!({ "name": "current_time", "arguments": "{}" });
    let calls = json!([{ "id": "c", "type": "function", "function": function }]);
    bench.endpoint.request().await.document(&json!({
        "choices": [{ "message": { "content": null, "tool_calls": calls },
                      "finish_reason": "tool_calls" }],
        "usage": { "prompt_tokens": 3, "completion_tokens": 1 },
    }));
    let request = bench.endpoint.request().await;
    let messages = request.messages();
    assert_eq!(messages.last().unwrap().0, "tool", "{messages:?}");
    request.document(&json!({
        "choices": [{ "message": { "role": "assistant", "content": "Noon." },
                      "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 5, "completion_tokens": 1 },
    }));
    let usage = Usage { input: 8, cached: 0, output: 2 };
    assert_eq!(bench.asker.last(1).await, AgentEvent::Answered { text: "Noon.".into(), usage });
}

#[tokio::test]
async fn what_was_spent_is_summed_by_session_and_user() {
    let mut bench = Bench::start().await;
    for run in 1..=2 {
        bench.ask(ask(run, "hi")).await;
        bench.endpoint.request().await.say("ho").await;
        bench.asker.answer(run).await;
    }
    for spent in [
        bench.agent.store().spent_in(&session()).await.unwrap(),
        bench.agent.store().spent_by(ask(0, "").by.user).await.unwrap(),
    ] {
        assert_eq!(spent.usage, Usage { input: 20, cached: 0, output: 4 });
        assert!(!spent.estimated);
        // Twice 10 tokens at 2 and 2 at 8 dollars a million.
        assert_eq!(spent.nano_dollars, 2 * (10 * 2_000 + 2 * 8_000));
    }
}

#[tokio::test]
async fn an_asker_that_is_gone_does_not_stop_the_next() {
    let mut bench = Bench::start().await;
    let gone = Asker::new();
    clawvoice_session::agent::Agent::ask(&*bench.agent, ask(1, "one"), gone.reports.clone()).await;
    drop(gone);
    bench.ask(ask(2, "two")).await;
    bench.endpoint.request().await.say("ONE").await;
    bench.endpoint.request().await.say("TWO").await;
    assert_eq!(bench.asker.answer(2).await, "TWO");
}
