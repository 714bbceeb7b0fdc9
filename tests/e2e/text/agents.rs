//! Several agents in one process: who answers whom.

use localcord::world::default::{ADA, BEN, GENERAL, GUILD, RANDOM};
use reqwest::Method;
use serde_json::json;

use super::chat::{Chat, OPEN, id};
use crate::brain::{Reply, Served, messages};

/// Keys of the file by which there are the agents Molty and Ops, each with a model of its own, and
/// these `bindings`.
pub(crate) fn two_agents(molty: &Served, ops: &Served, bindings: &str) -> String {
    let provider = |served: &Served| format!("{{ baseUrl: '{}', apiKey: 'k' }}", served.base);
    let (one, other) = (provider(molty), provider(ops));
    format!(
        "models: {{ providers: {{ one: {one}, other: {other} }} }},
         agents: {{ list: [
             {{ id: 'main', identity: {{ name: 'Molty' }}, model: 'one/small' }},
             {{ id: 'ops', identity: {{ name: 'Ops' }}, model: 'other/large' }},
         ] }},
         bindings: [{bindings}],"
    )
}

fn system(request: &serde_json::Value) -> String {
    messages(request).into_iter().find(|(role, _)| role == "system").unwrap().1
}

/// Scenario 41: whoever has the role is answered by its agent, with its model and under its name;
/// others by the guild's.
#[tokio::test]
async fn a_role_leads_to_another_agent() {
    let molty = Served::new(&[Reply::Text(&["I am Molty."])]).await;
    let ops = Served::new(&[Reply::Text(&["I am Ops."])]).await;
    let chat = Chat::new().await;
    let role = json!({ "name": "on call" });
    let role = chat.control(Method::POST, &format!("/guilds/{GUILD}/roles"), &role).await;
    let member = json!({ "roles": [role["id"]] });
    chat.control(Method::PUT, &format!("/guilds/{GUILD}/members/{BEN}"), &member).await;
    let bindings = format!(
        "{{ agentId: 'main', match: {{ channel: 'discord', guildId: '{GUILD}' }} }},
         {{ agentId: 'ops', match: {{ channel: 'discord', guildId: '{GUILD}', roles: ['{}'] }} }}",
        id(&role)
    );
    let mut agent = chat.agent(OPEN, &two_agents(&molty, &ops, &bindings)).await;
    chat.writes(BEN, GENERAL, "who are you?").await;
    chat.bot("I am Ops.").await;
    chat.writes(ADA, GENERAL, "and you?").await;
    chat.bot("I am Molty.").await;
    for (served, name, model) in [(&ops, "Ops", "large"), (&molty, "Molty", "small")] {
        let request = served.request(0).await;
        assert_eq!(request["model"], model);
        assert!(system(&request).starts_with(&format!("You are {name}, ")), "{request}");
        // Each has a conversation of its own.
        let asked = messages(&request).iter().filter(|(role, _)| role == "assistant").count();
        assert_eq!(asked, 0, "{request}");
    }
    agent.stop().await;
}

/// Scenario 42: a thread has its channel's agent, and a session of its own.
#[tokio::test]
async fn a_thread_has_its_channels_agent() {
    let molty = Served::new(&[Reply::Text(&["I am Molty."])]).await;
    let ops = Served::new(&[Reply::Text(&["I am Ops."])]).await;
    let chat = Chat::new().await;
    let bindings = format!(
        "{{ agentId: 'ops', match: {{ channel: 'discord', peer: {{ kind: 'channel', id: '{RANDOM}' }} }} }}"
    );
    let mut agent = chat.agent(OPEN, &two_agents(&molty, &ops, &bindings)).await;
    let message = chat.writes(ADA, RANDOM, "my cat is called Mia").await;
    ops.request(0).await;
    let path = format!("/channels/{RANDOM}/messages/{}/threads", id(&message));
    let body = json!({ "name": "cats" });
    let thread = id(&chat.acts(ADA, Method::POST, &path, &body).await);
    chat.writes(BEN, thread, "who are you?").await;
    let request = ops.request(1).await;
    assert_eq!(request["model"], "large");
    assert!(system(&request).starts_with("You are Ops, "), "{request}");
    agent.logs(&format!("session=agent:ops:discord:channel:{thread}")).await;
    chat.writes(BEN, GENERAL, "and here?").await;
    chat.bot("I am Molty.").await;
    agent.stop().await;
}
