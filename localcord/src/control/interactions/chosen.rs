//! What a human chooses in a select, as the client lets them.

use serde_json::Value;

use super::payload::Named;
use crate::world::{State as World, bits, component::kind_of, component_kind as kind};

/// Where a human chooses.
#[derive(Clone, Copy)]
pub(super) struct Chooser<'a> {
    pub(super) state: &'a World,
    pub(super) human: u64,
    pub(super) guild: Option<u64>,
    pub(super) channel: u64,
}

impl Chooser<'_> {
    /// The values of a select, checked; what they name is noted.
    ///
    /// # Errors
    /// In words: too many or too few, twice the same, or one that is not offered.
    pub(super) fn values(
        self,
        select: &Value,
        given: &Value,
        named: &mut Named,
    ) -> Result<Vec<String>, String> {
        let what = name(select);
        let list =
            given.as_array().ok_or_else(|| format!("the values of {what} must be a list"))?;
        let values = list.iter().map(|value| value.as_str().map(ToOwned::to_owned));
        let values = values.collect::<Option<Vec<String>>>();
        let values = values.ok_or_else(|| format!("the values of {what} must be texts"))?;
        count(select, values.len())?;
        for (at, value) in values.iter().enumerate() {
            if values[..at].contains(value) {
                return Err(format!("`{value}` is chosen twice in {what}"));
            }
            match kind_of(select) {
                kind::STRING_SELECT | kind::CHECKBOX_GROUP => offered(select, value)?,
                kind => self.entity(kind, select, value, named)?,
            }
        }
        Ok(values)
    }

    /// A user, role or channel that the select shows to this human.
    fn entity(
        self,
        kind: u64,
        select: &Value,
        value: &str,
        named: &mut Named,
    ) -> Result<(), String> {
        let absent = || format!("`{value}` is not offered in {}", name(select));
        let id: u64 = value.parse().map_err(|_| absent())?;
        match kind {
            kind::USER_SELECT if self.is_user(id) => named.users.push(id),
            kind::ROLE_SELECT if self.is_role(id) => named.roles.push(id),
            kind::MENTIONABLE_SELECT if self.is_user(id) => named.users.push(id),
            kind::MENTIONABLE_SELECT if self.is_role(id) => named.roles.push(id),
            kind::CHANNEL_SELECT if self.is_channel(id, select) => named.channels.push(id),
            _ => return Err(absent()),
        }
        Ok(())
    }

    /// A member of the guild, or somebody in the direct message.
    fn is_user(self, id: u64) -> bool {
        match self.guild.and_then(|guild| self.state.guilds.get(&guild)) {
            Some(guild) => guild.members.contains_key(&id),
            None => {
                let channel = self.state.channels.get(&self.channel);
                channel.is_some_and(|channel| channel.recipients.contains(&id))
            }
        }
    }

    fn is_role(self, id: u64) -> bool {
        let guild = self.guild.and_then(|guild| self.state.guilds.get(&guild));
        guild.is_some_and(|guild| guild.roles.contains_key(&id))
    }

    /// A channel of the guild that the human sees, of a type that is asked for.
    fn is_channel(self, id: u64, select: &Value) -> bool {
        let Some(channel) = self.state.channels.get(&id) else { return false };
        let wanted = select["channel_types"].as_array();
        self.guild.is_some()
            && channel.guild_id == self.guild
            && self.state.may(self.human, id, bits::VIEW_CHANNEL)
            && wanted.is_none_or(|wanted| {
                wanted.is_empty() || wanted.iter().any(|kind| *kind == channel.kind)
            })
    }
}

/// How a component is called in refusals.
pub(super) fn name(component: &Value) -> String {
    format!("`{}`", component["custom_id"].as_str().unwrap_or_default())
}

/// A number of values is within the bounds of a select, a group or an upload.
///
/// # Errors
/// In words.
pub(super) fn count(component: &Value, count: usize) -> Result<(), String> {
    let bound = |field: &str, usual: u64| component[field].as_u64().unwrap_or(usual);
    let (least, most) = (bound("min_values", 1), bound("max_values", 1));
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    if count == 0 && component["required"] == false {
        return Ok(());
    }
    if (least..=most).contains(&count) {
        return Ok(());
    }
    let what = name(component);
    Err(format!("{what} takes {least} to {most} values, not {count}"))
}

/// A value is one of the sender's own options.
///
/// # Errors
/// In words.
pub(super) fn offered(component: &Value, value: &str) -> Result<(), String> {
    let options = component["options"].as_array().into_iter().flatten();
    let mut values = options.filter_map(|option| option["value"].as_str());
    if values.any(|known| known == value) {
        return Ok(());
    }
    Err(format!("`{value}` is not offered in {}", name(component)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::world::default::{ADA, BEN, BOT_USER, GENERAL, GUILD, LOUNGE, default_state};

    #[test]
    fn a_human_chooses_among_what_is_offered() {
        let mut state = default_state();
        let direct = state.direct_message(ADA, BOT_USER);
        state.users.insert(404, Default::default());
        let options = json!([{ "value": "a" }, { "value": "b" }, { "value": "c" }]);
        let string = json!({ "type": 3, "custom_id": "s", "options": options,
            "min_values": 1, "max_values": 2 });
        let of = |kind: u64| json!({ "type": kind, "custom_id": "s" });
        let texts = json!({ "type": 8, "custom_id": "s", "channel_types": [0] });
        let (ben, lounge, guild) = (BEN.to_string(), LOUNGE.to_string(), GUILD.to_string());
        let cases = [
            (&string, json!(["a"]), Ok(())),
            (&string, json!(["b", "a"]), Ok(())),
            (&string, json!([]), Err("`s` takes 1 to 2 values, not 0")),
            (&string, json!(["a", "b", "c"]), Err("`s` takes 1 to 2 values, not 3")),
            (&string, json!(["a", "a"]), Err("`a` is chosen twice in `s`")),
            (&string, json!(["d"]), Err("`d` is not offered in `s`")),
            (&string, json!("a"), Err("the values of `s` must be a list")),
            (&string, json!([1]), Err("the values of `s` must be texts")),
            (&of(5), json!([ben]), Ok(())),
            (&of(5), json!(["404"]), Err("`404` is not offered in `s`")),
            (&of(5), json!(["ada"]), Err("`ada` is not offered in `s`")),
            (&of(6), json!([guild]), Ok(())),
            (&of(6), json!(["404"]), Err("`404` is not offered in `s`")),
            (&of(7), json!([ben]), Ok(())),
            (&of(7), json!([guild]), Ok(())),
            (&of(8), json!([lounge]), Ok(())),
            (&texts, json!([GENERAL.to_string()]), Ok(())),
            (&texts, json!([lounge]), Err("is not offered in `s`")),
        ];
        for (select, given, expected) in cases {
            let mut named = Named::default();
            let (guild, channel) = (Some(GUILD), GENERAL);
            let chooser = Chooser { state: &state, human: ADA, guild, channel };
            match (chooser.values(select, &given, &mut named), expected) {
                (Ok(_), Ok(())) => {}
                (Err(told), Err(words)) => assert!(told.ends_with(words), "{given}: {told}"),
                other => panic!("{select} {given}: {other:?}"),
            }
        }
        let direct = Chooser { state: &state, human: ADA, guild: None, channel: direct };
        let bot = json!([BOT_USER.to_string()]);
        assert!(direct.values(&of(5), &bot, &mut Named::default()).is_ok());
        assert!(direct.values(&of(5), &json!([ben]), &mut Named::default()).is_err());
        assert!(direct.values(&of(8), &json!([lounge]), &mut Named::default()).is_err());
    }
}
