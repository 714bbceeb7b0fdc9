//! A guild moves to another voice server, and its humans with it: on demand, or when the fault
//! settings say so.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{Json, extract::State, http::StatusCode};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{Control, Refusal, humans::id_in};
use crate::{
    fault::{ServerMove, ServerMoveVariant},
    human::{Human, Unspoken},
    rest::body::JsonBody,
    voice::VoiceInvite,
};

/// How long a speech waits after a server move until everybody in the channel can hear the rest.
const SPEAK_ON_TIME: Duration = Duration::from_secs(5);

/// `POST faults/server-move`: the answer comes when bots have been told and humans are over.
pub(super) async fn move_server(
    State(control): State<Control>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, Refusal> {
    let variant = body.get("variant").cloned().map(serde_json::from_value).transpose();
    let variant: Option<ServerMoveVariant> = variant.map_err(|_| {
        let known = "nullFirst, update, close4014, close4015, close4022, sameEndpoint";
        Refusal::bad(format!("`variant` must be one of {known}"))
    })?;
    let ms = |field: &str, usual: u64| match body.get(field) {
        None => Ok(usual),
        Some(value) => value
            .as_u64()
            .ok_or_else(|| Refusal::bad(format!("`{field}` must be a whole number of ms"))),
    };
    let wanted = ServerMove {
        guild: id_in(&body, "guild_id")?,
        variant: variant.unwrap_or_default(),
        after_ms: 0,
        keep_old_ms: ms("keepOldMs", 0)?,
        pause_ms: ms("pauseMs", ServerMove::default().pause_ms)?,
    };
    wanted.check().map_err(Refusal::bad)?;
    carry_out(control, wanted).await.map(Json)
}

/// Carries out the server moves of the fault settings, as often as they are set.
pub(crate) async fn follow_faults(control: Control) {
    let mut changes = control.rest.faults.subscribe();
    let mut done = None;
    loop {
        changes.mark_unchanged();
        let (revision, settings) = control.rest.faults.numbered();
        let mut moves = settings.server_moves.clone();
        if done.replace(revision) == Some(revision) {
            moves.clear();
        }
        moves.sort_by_key(|one| one.after_ms);
        let began = Instant::now();
        let all = async {
            for one in moves {
                sleep_until(began + Duration::from_millis(one.after_ms)).await;
                // A task of its own: one that has begun is not broken off by other settings.
                let moved = tokio::spawn(carry_out(control.clone(), one)).await;
                if let Ok(Err(refusal)) = moved {
                    tracing::warn!(?refusal, "a server move failed");
                }
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = all => {}
            changed = changes.changed() => if changed.is_err() { return },
        }
    }
}

async fn carry_out(control: Control, wanted: ServerMove) -> Result<Value, Refusal> {
    let ServerMove { guild, variant, keep_old_ms, pause_ms, .. } = wanted;
    let (keep_old, pause) = (Duration::from_millis(keep_old_ms), Duration::from_millis(pause_ms));
    let world = &control.rest.world;
    let first = || world.read(|state| state.default_guild().map(|guild| guild.id));
    let guild = guild.or_else(first).ok_or_else(|| Refusal::bad("`guild_id` must be there"))?;
    let voices = world.voices_in(guild);
    let bots = || voices.iter().filter(|(_, bot)| *bot).map(|(user, _)| *user);
    // Nobody else joins or leaves meanwhile.
    let _moving = control.humans.moving.lock().await;
    let data = json!({ "guild_id": guild.to_string(), "variant": variant });
    control.rest.journal.record("fault", "server_move", data);
    if variant == ServerMoveVariant::NullFirst {
        for bot in bots() {
            world.tell_voice_server(guild, bot, "", None);
        }
        sleep(pause).await;
    }
    if let Some(code) = variant.close_code() {
        for bot in bots() {
            control.voice.close_websocket(guild, bot, code);
        }
        sleep(pause).await;
    }
    if variant != ServerMoveVariant::SameEndpoint {
        control
            .voice
            .relocate(guild)
            .await
            .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    }
    let invites = world.renew_invites(guild);
    let connected: Vec<(VoiceInvite, Arc<Human>)> = invites
        .into_iter()
        .filter_map(|invite| {
            let human = control.humans.latest(invite.user_id)?;
            human.ended().is_none().then_some((invite, human))
        })
        .collect();
    let voice = control.voice.clone();
    let retire = async move {
        sleep(keep_old).await;
        voice.retire(guild);
    };
    // What is left to say goes to the new connection: before the old one ends, if that is at once,
    // otherwise when the new one is there.
    let mut unspoken = HashMap::new();
    if keep_old.is_zero() {
        for (invite, human) in &connected {
            unspoken.insert(invite.user_id, human.take_unspoken().await);
        }
        retire.await;
    } else {
        tokio::spawn(retire);
    }
    let joining = connected.into_iter().map(|(invite, old)| async {
        let (user, settings) = (invite.user_id, control.humans.settings(invite.user_id));
        (user, old, Human::join_with(invite, settings).await)
    });
    let mut moved = Vec::new();
    for (user, old, joined) in join_all(joining).await {
        match joined {
            Ok(joined) => {
                let joined = control.humans.keep(user, joined);
                let rest = match unspoken.remove(&user) {
                    Some(rest) => rest,
                    None => old.take_unspoken().await,
                };
                if !rest.is_empty() {
                    tokio::spawn(speak_on(control.clone(), user, joined, rest));
                }
                moved.push(user.to_string());
            }
            Err(error) => {
                let data = json!({ "human": user.to_string(), "error": error.to_string() });
                control.rest.journal.record("human", "lost", data);
            }
        }
    }
    let endpoint = control.voice.endpoint_in(guild);
    Ok(json!({ "endpoint": endpoint, "humans": moved }))
}

/// Says the rest of a speech as soon as everybody in the channel can hear it.
async fn speak_on(control: Control, user: u64, human: Arc<Human>, rest: Unspoken) {
    let others: Vec<u64> = control.rest.world.read(|state| {
        let own = state.voice_states.values().find(|voice| voice.user_id == user);
        let there = own.map(|own| state.voice_states_in(own.channel_id));
        let there = there.into_iter().flatten().map(|voice| voice.user_id);
        there.filter(|other| *other != user).collect()
    });
    // Somebody who does not come back must not silence the others.
    let _ = timeout(SPEAK_ON_TIME, human.shares_epoch_with(&others)).await;
    control.rest.journal.record("human", "speaks_on", json!({ "human": user.to_string() }));
    human.speak_on(rest).await;
}
