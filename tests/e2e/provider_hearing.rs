//! The local provider's transcripts: recordings known again after Opus, encryption and the VAD.

use crate::{
    audio::{ASK, INTERRUPT, SECOND},
    provider_script::Scripted,
    soon,
};

#[tokio::test]
async fn the_local_provider_knows_recordings_that_were_spoken_on_discord() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/audio");
    let spoken = [("ask", ASK), ("second", SECOND), ("interrupt", INTERRUPT)];
    let known: Vec<String> = spoken
        .iter()
        .map(|(name, _)| format!("'{folder}/{name}.wav': 'words of {name}',"))
        .collect();
    let script = format!(
        "{{ heardBy: {{ {} }}, turns: [{{ reply: {{ tone: 440, ms: 400 }} }}] }}",
        known.concat()
    );
    let scripted = Scripted::met(&script).await;
    for (name, wav) in spoken {
        let (from, heard) = (scripted.agent.position(), scripted.heard());
        soon("a speech", scripted.ada.speak(wav)).await.unwrap();
        let transcript = scripted.agent.record_from(from, "realtime user transcript").await;
        let words = format!("words of {name}");
        assert!(format!("{transcript:?}").contains(&words), "{words}: {transcript:?}");
        scripted.hears(heard, 360).await;
    }
    scripted.ends().await;
}
