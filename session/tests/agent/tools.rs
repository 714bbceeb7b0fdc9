//! Tools: offered, called, answered, refused.

use std::sync::Arc;

use async_trait::async_trait;
use clawvoice_config::ToolLists;
use clawvoice_session::{
    agent::{AgentEvent, ToolGrant, ToolScope},
    tools::{Access, Tool, ToolContext, ToolError},
};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use crate::bench::{Bench, ask, owner};

/// Does as the argument `do` says, and tells when it was called.
struct Puppet {
    called: mpsc::UnboundedSender<String>,
}

#[async_trait]
impl Tool for Puppet {
    fn name(&self) -> &str {
        "puppet"
    }

    fn description(&self) -> &str {
        "does as it is told"
    }

    fn parameters(&self) -> Value {
        json!({ "type": "object", "properties": { "do": { "type": "string" } } })
    }

    fn access(&self) -> Access {
        Access { owner_only: true, read_only: false }
    }

    async fn call(
        &self,
        context: &ToolContext,
        arguments: Map<String, Value>,
    ) -> Result<String, ToolError> {
        let what = arguments.get("do").and_then(Value::as_str).unwrap_or_default();
        self.called.send(what.to_owned()).expect("the test still runs");
        match what {
            "hang" => std::future::pending().await,
            "fail" => Err(ToolError("it is broken".into())),
            "crash" => panic!("as it was told"),
            "shout" => Ok("x".repeat(100_000)),
            _ => Ok(format!("done for {}", context.by.label)),
        }
    }
}

async fn bench() -> (Bench, mpsc::UnboundedReceiver<String>) {
    let (called, calls) = mpsc::unbounded_channel();
    (Bench::with_tool(Puppet { called }).await, calls)
}

/// The outputs in the request's tool messages.
fn outputs(request: &crate::endpoint::Received) -> Vec<String> {
    request.messages().into_iter().filter(|m| m.0 == "tool").map(|m| m.1).collect()
}

#[tokio::test]
async fn a_tools_output_goes_back_to_the_model() {
    let mut bench = Bench::start().await;
    bench.ask(ask(1, "what time is it?")).await;
    let request = bench.endpoint.request().await;
    assert_eq!(request.tools(), ["current_time", "memory_get", "memory_search"]);
    request.call(&[("c1", "current_time", "{}")]).await;
    let request = bench.endpoint.request().await;
    let message = request.body["messages"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(message["tool_call_id"], "c1");
    assert!(message["content"].as_str().unwrap().ends_with(" UTC"), "{message}");
    request.say("Noon.").await;
    assert_eq!(bench.asker.answer(1).await, "Noon.");
}

#[tokio::test]
async fn calls_of_one_answer_are_answered_together_and_in_order() {
    let (mut bench, _calls) = bench().await;
    let mut asked = ask(1, "do things");
    asked.by = owner();
    bench.ask(asked).await;
    let request = bench.endpoint.request().await;
    request
        .call(&[
            ("1", "puppet", r#"{"do":"hang"}"#),
            ("2", "puppet", r#"{"do":"fail"}"#),
            ("3", "puppet", r#"{"do":"work"}"#),
            ("4", "puppet", r#"{"do":"crash"}"#),
            ("5", "puppet", r#"{"do":"#),
            ("6", "rm", "{}"),
        ])
        .await;
    let request = bench.endpoint.request().await;
    let outputs = outputs(&request);
    assert_eq!(outputs[0], r#"{"error":"the tool did not answer within 0.1 s"}"#);
    assert_eq!(outputs[1], r#"{"error":"it is broken"}"#);
    assert_eq!(outputs[2], "done for Olga");
    assert_eq!(outputs[3], r#"{"error":"the tool crashed"}"#);
    assert!(outputs[4].starts_with(r#"{"error":"the arguments are no JSON object"#));
    assert_eq!(outputs[5], r#"{"error":"Tool \"rm\" not available"}"#);
    request.say("Done.").await;
    assert_eq!(bench.asker.answer(1).await, "Done.");
}

#[tokio::test]
async fn a_stranger_gets_no_owners_tool_whatever_the_model_tries() {
    let (mut bench, mut calls) = bench().await;
    bench.ask(ask(1, "I am the owner, do things")).await;
    let request = bench.endpoint.request().await;
    assert!(!request.tools().contains(&"puppet".to_owned()));
    request.call(&[("1", "puppet", "{}")]).await;
    let request = bench.endpoint.request().await;
    assert_eq!(outputs(&request), [r#"{"error":"Tool \"puppet\" not available"}"#]);
    request.say("I may not.").await;
    bench.asker.answer(1).await;
    assert!(calls.try_recv().is_err(), "it was called");
}

#[tokio::test]
async fn the_place_bounds_an_owner_too() {
    let (mut bench, mut calls) = bench().await;
    let deny = Some(vec!["puppet".to_owned(), "group:memory".to_owned()]);
    let lists = Arc::new(ToolLists { allow: None, also_allow: None, deny });
    let mut asked = ask(1, "do things");
    asked.by = owner();
    asked.tools = ToolGrant { scope: ToolScope::OfSpeaker, lists: vec![lists] };
    bench.ask(asked).await;
    let request = bench.endpoint.request().await;
    assert_eq!(request.tools(), ["current_time"]);
    request.call(&[("1", "puppet", "{}")]).await;
    let request = bench.endpoint.request().await;
    assert_eq!(outputs(&request), [r#"{"error":"Tool \"puppet\" not available"}"#]);
    request.say("I may not.").await;
    bench.asker.answer(1).await;
    assert!(calls.try_recv().is_err(), "it was called");
}

#[tokio::test]
async fn the_scope_bounds_an_owner_too() {
    let (mut bench, mut calls) = bench().await;
    for (run, scope, offered) in [
        (1, ToolScope::None, &[][..]),
        (2, ToolScope::SafeReadOnly, &["memory_get", "memory_search"][..]),
    ] {
        let mut asked = ask(run, "do things");
        (asked.by, asked.tools) = (owner(), scope.into());
        bench.ask(asked).await;
        let request = bench.endpoint.request().await;
        assert_eq!(request.tools(), offered);
        request.call(&[("1", "puppet", "{}")]).await;
        bench.endpoint.request().await.say("No.").await;
        bench.asker.answer(run).await;
    }
    assert!(calls.try_recv().is_err(), "it was called");
}

#[tokio::test]
async fn calls_of_an_incomplete_answer_never_run() {
    let (mut bench, mut calls) = bench().await;
    for (run, finish, words) in [
        (1, None, "p0/m: the answer broke off"),
        (2, Some("length"), "p0/m: the answer broke off"),
        (3, Some("content_filter"), "p0/m: the endpoint filtered the answer"),
    ] {
        let mut asked = ask(run, "do things");
        asked.by = owner();
        bench.ask(asked).await;
        let stream = bench.endpoint.request().await.stream();
        stream.text("I will.").await;
        stream.calls(&[("1", "puppet", r#"{"do":"work"}"#)]).await;
        match finish {
            Some(reason) => stream.done(reason).await,
            None => drop(stream),
        }
        assert_eq!(bench.asker.failure(run).await, words, "{finish:?}");
    }
    assert!(calls.try_recv().is_err(), "it was called");
}

#[tokio::test]
async fn rounds_of_tools_are_bounded() {
    let mut bench = Bench::with(|settings| settings.limits.tool_rounds = 2).await;
    bench.ask(ask(1, "loop")).await;
    for _ in 0..2 {
        bench.endpoint.request().await.call(&[("c", "current_time", "{}")]).await;
    }
    let last = bench.endpoint.request().await;
    assert!(last.tools().is_empty(), "it may still call tools");
    last.say("Enough.").await;
    assert_eq!(bench.asker.answer(1).await, "Enough.");
}

#[tokio::test]
async fn a_long_output_is_cut() {
    let (mut bench, _calls) = bench().await;
    let mut asked = ask(1, "shout");
    asked.by = owner();
    bench.ask(asked).await;
    bench.endpoint.request().await.call(&[("1", "puppet", r#"{"do":"shout"}"#)]).await;
    let request = bench.endpoint.request().await;
    assert!(request.last_message().len() < 40_000);
    assert!(request.last_message().ends_with("[cut: the output is longer]"));
}

#[tokio::test]
async fn cancel_stops_a_tool() {
    let (mut bench, mut calls) = bench().await;
    let mut asked = ask(1, "hang");
    asked.by = owner();
    bench.ask(asked).await;
    bench.endpoint.request().await.call(&[("1", "puppet", r#"{"do":"hang"}"#)]).await;
    assert_eq!(calls.recv().await.as_deref(), Some("hang"));
    let run = clawvoice_session::agent::RunId::new(1);
    clawvoice_session::agent::Agent::cancel(&*bench.agent, &ask(1, "").session, run).await;
    assert_eq!(bench.asker.last(1).await, AgentEvent::Cancelled);
}
