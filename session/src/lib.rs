//! What voice and text share: ids, session keys, the session clock's type, generations, timeline
//! records, the doors between the two sides, and the agent that answers on both.
//!
//! ```text
//! config ← session ← { voice, text } ← src
//! ```
//!
//! [`access`] is who may talk to the agent where, and who may command it; [`mail`] what came in and
//! what goes out; [`budget`] what is deleted when that is too much; [`audit`] what credentials are
//! used for. Of the agent, [`agent`] is what may be asked of it and the order of its runs,
//! [`brain`] how models are spoken to, [`tools`] what it can do, [`history`] what it remembers,
//! [`spending`] what it costs, and [`shell`] the tasks, connections and files behind them.
//!
//! Does not: know twilight, songbird or a speech provider.

pub mod access;
pub mod agent;
pub mod audit;
pub mod brain;
pub mod budget;
mod directory;
mod gateway;
mod generation;
pub mod history;
mod id;
mod key;
mod lookup;
pub mod mail;
pub mod pairing;
pub mod shell;
pub mod spending;
mod stage;
mod time;
pub mod timeline;
pub mod tools;
mod voice_control;

pub use directory::Directory;
pub use gateway::{
    VoiceChannel, VoiceGatewayEvent, VoiceServerChange, VoiceStateChange, VoiceStateRequest,
};
pub use generation::Generation;
pub use id::{ChannelId, GuildId, IdError, MessageId, RoleId, UserId, WebhookId};
pub use key::{DirectScope, KeyError, SessionKey, agent_id};
pub use lookup::{LookupDoor, RoomLookup, RoomPermission, VoiceStateLookup};
pub use stage::{StageAnswer, StageDoor};
pub use time::SessionTime;
pub use voice_control::{JoinFailure, JoinOutcome, LeaveOutcome, VoiceControl, VoiceStatus};
