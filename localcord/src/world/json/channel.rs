//! Channels, threads, direct messages and the members of threads.

use serde_json::{Value, json};

use super::{id_or_null, ids, timestamp};
use crate::world::{
    kind,
    state::{Channel, ForumTag, State, snowflake_ms},
};

/// Members of a thread are not counted beyond this.
const MOST_COUNTED: usize = 50;

impl State {
    /// The channel object as `viewer` sees it: a direct message without itself among the
    /// recipients, a thread with its own membership.
    #[must_use]
    pub fn channel_json(&self, channel: &Channel, viewer: Option<u64>) -> Value {
        let mut object = json!({
            "id": channel.id.to_string(),
            "type": channel.kind,
            "flags": channel.flags,
        });
        if channel.kind != kind::CATEGORY {
            object["last_message_id"] = id_or_null(channel.last_message_id);
        }
        if let Some(pinned) = channel.last_pin_ms {
            object["last_pin_timestamp"] = timestamp(pinned).into();
        }
        let Some(guild_id) = channel.guild_id else {
            self.add_direct_fields(&mut object, channel, viewer);
            return object;
        };
        object["guild_id"] = guild_id.to_string().into();
        object["name"] = channel.name.clone().into();
        object["parent_id"] = id_or_null(channel.parent_id);
        object["rate_limit_per_user"] = channel.slowmode_s.into();
        if channel.is_thread() {
            self.add_thread_fields(&mut object, channel, viewer);
            return object;
        }
        object["position"] = channel.position.into();
        object["nsfw"] = channel.nsfw.into();
        object["topic"] = channel.topic.clone().into();
        object["permission_overwrites"] =
            channel.overwrites.iter().map(|overwrite| overwrite.to_json()).collect();
        if let Some(minutes) = channel.default_auto_archive {
            object["default_auto_archive_duration"] = minutes.into();
        }
        if channel.is_voice() {
            object["bitrate"] = channel.bitrate().into();
            object["user_limit"] = channel.user_limit.into();
            object["rtc_region"] = Value::Null;
        }
        if channel.is_forum() {
            object["available_tags"] = channel.tags.iter().map(ForumTag::to_json).collect();
            object["default_reaction_emoji"] = Value::Null;
            object["default_sort_order"] = Value::Null;
            object["default_forum_layout"] = 0.into();
        }
        object
    }

    fn add_direct_fields(&self, object: &mut Value, channel: &Channel, viewer: Option<u64>) {
        let others = channel.recipients.iter().filter(|user| Some(**user) != viewer);
        object["recipients"] = others.map(|user| self.user_json(*user)).collect();
        if channel.kind == kind::GROUP_DM {
            object["name"] = match channel.name.as_str() {
                "" => Value::Null,
                name => name.into(),
            };
            object["icon"] = Value::Null;
            object["owner_id"] = id_or_null(channel.owner_id);
        }
    }

    fn add_thread_fields(&self, object: &mut Value, channel: &Channel, viewer: Option<u64>) {
        let thread = &channel.thread;
        let made = snowflake_ms(channel.id);
        object["owner_id"] = id_or_null(channel.owner_id);
        object["message_count"] = thread.messages.into();
        object["total_message_sent"] = thread.total_messages.into();
        object["member_count"] = thread.members.len().min(MOST_COUNTED).into();
        object["thread_metadata"] = json!({
            "archived": thread.archived,
            "auto_archive_duration": thread.auto_archive_minutes,
            "archive_timestamp": timestamp(thread.archive_changed_ms.unwrap_or(made)),
            "create_timestamp": timestamp(made),
            "locked": thread.locked,
        });
        if channel.kind == kind::PRIVATE_THREAD {
            object["thread_metadata"]["invitable"] = thread.invitable.into();
        }
        let parent = channel.parent_id.and_then(|parent| self.channels.get(&parent));
        if parent.is_some_and(Channel::is_forum) {
            object["applied_tags"] = ids(channel.applied_tags.iter().copied());
        }
        let member = viewer.and_then(|viewer| thread_member_json(channel, viewer));
        if let Some(member) = member {
            object["member"] = member;
        }
    }
}

/// The thread member object; `None` for somebody who did not join.
pub(crate) fn thread_member_json(thread: &Channel, user: u64) -> Option<Value> {
    let joined = thread.thread.members.get(&user)?;
    Some(json!({
        "id": thread.id.to_string(),
        "user_id": user.to_string(),
        "join_timestamp": timestamp(*joined),
        "flags": 0,
    }))
}
