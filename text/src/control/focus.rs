//! `/focus`: a place belongs to a session.
//!
//! In a thread, a direct message or a group the place itself is bound; in a channel a thread is
//! opened for it.

use clawvoice_session::{ChannelId, SessionKey, agent_id};

use super::{ControlContext, ControlDoor, DoorFailure, words::quoted};
use crate::routing::{
    Surface,
    binding::{Bind, BindRefusal, BoundPlace, thread_name},
};

/// What was named.
enum Target {
    /// A session.
    Session { key: SessionKey, label: Option<String> },
    /// An agent: in the place it gets a session of its own.
    Agent { id: String },
}

/// Binds the place, or a new thread.
pub(super) async fn focus(
    named: &str,
    context: &ControlContext<'_>,
    door: &dyn ControlDoor,
) -> Result<String, DoorFailure> {
    if !context.rules.bindings {
        return Err(DoorFailure(BindRefusal::Disabled.to_string()));
    }
    let target = target(named, context, door).await?;
    let name = match &target {
        Target::Session { key, label } => label.clone().unwrap_or_else(|| key.agent().to_owned()),
        Target::Agent { id } => id.clone(),
    };
    let (place, parent, is_new) = match context.from.surface {
        Surface::Thread { parent } => (context.place(), Some(parent), false),
        Surface::Direct { .. } | Surface::Group => (context.place(), None, false),
        Surface::Channel => {
            let channel = context.from.channel;
            let thread = door.open_thread(channel, &thread_name(&name)).await?;
            (BoundPlace::Channel(thread), Some(channel), true)
        }
    };
    door.bind(bind(target, place, parent, context)).await?;
    Ok(match (is_new, place) {
        (true, BoundPlace::Channel(thread)) => {
            format!("Opened <#{thread}>, bound to {}.", quoted(&name))
        }
        _ => format!("Bound to {}.", quoted(&name)),
    })
}

fn bind(
    target: Target,
    place: BoundPlace,
    parent: Option<ChannelId>,
    context: &ControlContext<'_>,
) -> Bind {
    let by = context.from.sender;
    match target {
        Target::Session { key, label } => {
            let agent = key.agent().to_owned();
            Bind { place, parent, agent, label, by, key }
        }
        Target::Agent { id } => {
            let channel = match place {
                BoundPlace::Channel(channel) => channel,
                BoundPlace::User(_) => context.from.channel,
            };
            let key = SessionKey::channel(&id, channel);
            Bind { place, parent, agent: id, label: None, by, key }
        }
    }
}

async fn target(
    named: &str,
    context: &ControlContext<'_>,
    door: &dyn ControlDoor,
) -> Result<Target, DoorFailure> {
    let agents = door.agents().await;
    let agent_of = |id: &str| agents.iter().find(|agent| agent_id(&agent.id) == agent_id(id));
    let key = named.parse::<SessionKey>().ok();
    // `agent:<id>` is that agent too.
    let id = named.strip_prefix("agent:").filter(|id| !id.contains(':')).unwrap_or(named);
    if key.is_none()
        && let Some(agent) = agent_of(id)
    {
        return Ok(Target::Agent { id: agent.id.clone() });
    }
    let found = door.find_session(named).await.map(|it| (it.key, it.label));
    // A session that is known to nobody yet begins with the first message.
    let found =
        found.or_else(|| key.filter(|key| agent_of(key.agent()).is_some()).map(|key| (key, None)));
    let Some((key, label)) = found else {
        return Err(DoorFailure(format!(
            "There is no session or agent {}. `/agents` lists the agents.",
            quoted(named)
        )));
    };
    if is_elsewhere(&key) && key != context.route.key && !context.owner {
        let refusal = "Only an owner of the agent can bind a place to another conversation.";
        return Err(DoorFailure(refusal.to_owned()));
    }
    Ok(Target::Session { key, label })
}

/// Whether it is a conversation that people have in a place of their own: whoever reads the bound
/// place would come to see what was said there.
fn is_elsewhere(key: &SessionKey) -> bool {
    !(key.is_subagent() || key.is_acp())
}
