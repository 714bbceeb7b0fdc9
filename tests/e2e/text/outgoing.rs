//! Files that go out with answers.

use localcord::{
    fault::{FaultSettings, RestFault},
    world::default::{ADA, GENERAL},
};
use rustix::process::Signal;

use super::chat::{Chat, OPEN, model};
use crate::{
    agent::Agent,
    brain::{Reply, Served},
};

impl Chat {
    /// Keys of the file by which this model answers, with a workspace in which there is a chart.
    fn with_workspace(&self, served: &Served) -> String {
        let workspace = self.scene.folder.path().join("workspace");
        std::fs::create_dir_all(&workspace).unwrap();
        std::fs::write(workspace.join("chart.png"), "bars").unwrap();
        let workspace = workspace.display();
        model(served).replace("defaults: {", &format!("defaults: {{ workspace: '{workspace}',"))
    }
}

fn files(message: &serde_json::Value) -> Vec<&str> {
    let files = message["attachments"].as_array().unwrap().iter();
    files.map(|file| file["filename"].as_str().unwrap()).collect()
}

/// A file of the workspace goes along; one from elsewhere is neither sent nor told of, and nobody
/// sees the lines that name them.
#[tokio::test]
async fn an_answer_carries_a_file_of_the_workspace_and_none_from_elsewhere() {
    let served = Served::new(&[
        Reply::Text(&["Here it is.\nMEDIA:./cha", "rt.png\nMEDIA:/etc/hostname"]),
        Reply::Text(&["MEDIA:chart.png"]),
        Reply::Text(&["Done.\nMEDIA:https://127.0.0.1/secret.png"]),
    ])
    .await;
    let chat = Chat::new().await;
    let mut agent = chat.agent(OPEN, &chat.with_workspace(&served)).await;
    chat.writes(ADA, GENERAL, "a chart, please").await;
    let answer = chat.bot("Here it is.").await;
    assert_eq!((&answer["content"], files(&answer)), (&"Here it is.".into(), vec!["chart.png"]));
    let told = agent.logs("a file of an answer is not sent").await;
    assert!(told.contains("outside of the folders"), "{told}");
    let from = chat.position();
    chat.writes(ADA, GENERAL, "only the chart").await;
    let answer = chat.bot_from(from, "").await;
    assert_eq!((&answer["content"], files(&answer)), (&"".into(), vec!["chart.png"]));
    chat.writes(ADA, GENERAL, "and the other").await;
    let answer = chat.bot("Done.").await;
    assert_eq!((&answer["content"], files(&answer)), (&"Done.".into(), vec![]));
    agent.stop().await;
}

/// What is killed between the answer and its sending is sent by the next process, once, with its
/// file.
#[tokio::test]
async fn a_kill_loses_no_file_and_doubles_none() {
    let served = Served::new(&[Reply::Text(&["Here it is.\nMEDIA:chart.png"])]).await;
    let chat = Chat::new().await;
    let config = chat.config(OPEN, &chat.with_workspace(&served));
    let mut first = chat.start(&config).await;
    let fault = |times| RestFault {
        path_prefix: format!("/channels/{GENERAL}/messages"),
        status: 503,
        times,
        retry_after: 0.0,
        carried_out: false,
    };
    let refuses = FaultSettings { rest: vec![fault(1_000)], ..FaultSettings::default() };
    chat.scene.server.faults().set(refuses);
    chat.writes(ADA, GENERAL, "a chart, please").await;
    first.logs("next try in").await;
    first.stop_by(Signal::KILL).await;
    chat.scene.server.faults().set(FaultSettings::default());
    let mut second = Agent::start(&config, &chat.scene.server.bot_token());
    let answer = chat.bot("Here it is.").await;
    assert_eq!(files(&answer), ["chart.png"]);
    // Whatever it would send a second time goes before the next answer.
    chat.writes(ADA, GENERAL, "again").await;
    served.request(1).await;
    second.stop().await;
    assert_eq!(chat.by_bot(), ["Here it is.", "Here it is."]);
}
