//! What REST tells of a guild, its roles and its members.
//!
//! Source: Discord, "Guild Object", "Role Object", "Guild Member Object", "Permissions".

use clawvoice_session::{GuildId, RoleId, UserId};
use serde::{Deserialize, Deserializer, de};

use crate::message::Author;

/// A guild.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct GuildInfo {
    /// Its id.
    pub id: GuildId,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Who may do everything in it.
    #[serde(rename = "owner_id")]
    pub owner: UserId,
    /// Its roles, `@everyone` among them, which has the guild's id.
    #[serde(default)]
    pub roles: Vec<RoleInfo>,
}

/// A role.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RoleInfo {
    /// Its id.
    pub id: RoleId,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// What it permits, as Discord's bits.
    #[serde(deserialize_with = "bits")]
    pub permissions: u64,
}

/// A member.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct MemberInfo {
    /// Who it is.
    pub user: Author,
    /// The nickname in the guild.
    #[serde(default)]
    pub nick: Option<String>,
    /// The roles, without `@everyone`.
    #[serde(default)]
    pub roles: Vec<RoleId>,
}

impl GuildInfo {
    /// What a role permits; `None`: there is no such role.
    #[must_use]
    pub fn permissions(&self, role: RoleId) -> Option<u64> {
        self.roles.iter().find(|one| one.id == role).map(|one| one.permissions)
    }

    /// What everybody may: the bits of the role that has the guild's id.
    #[must_use]
    pub fn everyone(&self) -> u64 {
        self.permissions(RoleId::new(self.id.get())).unwrap_or(0)
    }
}

/// Permission bits, which are a decimal number in a string.
pub(crate) fn bits<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    text.parse().map_err(|_| de::Error::custom("permissions are a decimal number in a string"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guild_tells_what_its_roles_permit() {
        let json = r#"{"id":"1","name":"Guild","owner_id":"9","roles":[
            {"id":"1","name":"@everyone","permissions":"1024"},
            {"id":"7","name":"Crew","permissions":"18014398509481983"}]}"#;
        let guild: GuildInfo = serde_json::from_str(json).unwrap();
        assert_eq!((guild.everyone(), guild.owner), (1024, UserId::new(9)));
        assert_eq!(guild.permissions(RoleId::new(7)), Some((1 << 54) - 1));
        assert_eq!(guild.permissions(RoleId::new(8)), None);
        for bad in ["1024", "\"-1\"", "\"x\"", "null"] {
            let json = format!(r#"{{"id":"1","permissions":{bad}}}"#);
            assert!(serde_json::from_str::<RoleInfo>(&json).is_err(), "{bad}");
        }
    }
}
