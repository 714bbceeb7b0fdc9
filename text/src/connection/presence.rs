//! What the bot's status line says: as configured, or how the runtime is doing.
//!
//! Source: Discord, "Gateway Events", Update Presence; OpenClaw, Discord channel, `autoPresence`.

use std::time::Duration;

use clawvoice_session::SessionTime;
use serde_json::{Value, json};

/// `status`, `activity…` and `autoPresence`. Nothing is sent when nothing is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PresenceSettings {
    /// `status`.
    pub status: Option<OnlineStatus>,
    /// `activity`, with its type and address.
    pub activity: Option<Activity>,
    /// `autoPresence`; `None`: switched off.
    pub auto: Option<AutoPresence>,
}

/// The dot beside the bot's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnlineStatus {
    /// Green.
    Online,
    /// Yellow.
    Idle,
    /// Red: do not disturb.
    Dnd,
    /// As if offline.
    Invisible,
}

impl OnlineStatus {
    fn word(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Idle => "idle",
            Self::Dnd => "dnd",
            Self::Invisible => "invisible",
        }
    }
}

/// What the bot is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// The text.
    pub text: String,
    /// 0 playing, 1 streaming, 2 listening, 3 watching, 4 custom, 5 competing.
    pub kind: u8,
    /// Of a stream.
    pub url: Option<String>,
}

/// How the status line follows the runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoPresence {
    /// `minUpdateIntervalMs`: the least time between two changes.
    pub min_update_interval: Duration,
    /// `healthyText`; `None`: the configured activity.
    pub healthy_text: Option<String>,
    /// `degradedText`.
    pub degraded_text: Option<String>,
    /// `exhaustedText`.
    pub exhausted_text: Option<String>,
}

impl Default for AutoPresence {
    fn default() -> Self {
        Self {
            min_update_interval: Duration::from_secs(15),
            healthy_text: None,
            degraded_text: None,
            exhausted_text: None,
        }
    }
}

/// How the runtime is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RuntimeHealth {
    /// All is well.
    Healthy,
    /// Something fails now and then.
    Degraded,
    /// Not known yet.
    #[default]
    Unknown,
    /// Without a connection that is needed.
    Disconnected,
    /// Every key has used up its allowance.
    Exhausted,
    /// No model answers.
    Unavailable {
        /// In a few words.
        reason: String,
    },
}

/// A status line, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Presence {
    status: OnlineStatus,
    activity: Option<Activity>,
}

impl Presence {
    /// The data of op 3, which is also the `presence` of IDENTIFY.
    pub(crate) fn data(&self) -> Value {
        let activities: Vec<Value> = self.activity.iter().map(activity_json).collect();
        json!({"since": null, "activities": activities, "status": self.status.word(), "afk": false})
    }
}

/// A custom status shows its state; its name is never shown.
const CUSTOM: u8 = 4;

fn activity_json(activity: &Activity) -> Value {
    if activity.kind == CUSTOM {
        return json!({"name": "Custom Status", "type": CUSTOM, "state": activity.text});
    }
    let mut shown = json!({"name": activity.text, "type": activity.kind});
    if let Some(url) = &activity.url {
        shown["url"] = url.as_str().into();
    }
    shown
}

/// Decides what is shown, and when it changes.
#[derive(Debug)]
pub(crate) struct PresenceLine {
    settings: PresenceSettings,
    health: RuntimeHealth,
    ready: bool,
    shown: Option<Presence>,
    shown_at: Option<SessionTime>,
    due: Option<SessionTime>,
}

impl PresenceLine {
    /// Before the first READY, with nothing known of the runtime.
    pub(crate) fn new(settings: PresenceSettings) -> Self {
        Self {
            settings,
            health: RuntimeHealth::default(),
            ready: false,
            shown: None,
            shown_at: None,
            due: None,
        }
    }

    /// What is to be shown now; `None`: nothing is set.
    pub(crate) fn wanted(&self) -> Option<Presence> {
        let PresenceSettings { status, activity, auto } = &self.settings;
        let Some(auto) = auto else {
            return (status.is_some() || activity.is_some()).then(|| Presence {
                status: status.unwrap_or(OnlineStatus::Online),
                activity: activity.clone(),
            });
        };
        let custom = |text: &str| Activity { text: text.to_owned(), kind: CUSTOM, url: None };
        let say = |set: &Option<String>, usual: &str| custom(set.as_deref().unwrap_or(usual));
        Some(match &self.health {
            RuntimeHealth::Healthy => Presence {
                status: status.unwrap_or(OnlineStatus::Online),
                activity: auto.healthy_text.as_deref().map(custom).or_else(|| activity.clone()),
            },
            RuntimeHealth::Degraded | RuntimeHealth::Unknown | RuntimeHealth::Disconnected => {
                Presence {
                    status: OnlineStatus::Idle,
                    activity: Some(say(&auto.degraded_text, "runtime degraded")),
                }
            }
            RuntimeHealth::Exhausted => Presence {
                status: OnlineStatus::Dnd,
                activity: Some(say(&auto.exhausted_text, "token exhausted")),
            },
            RuntimeHealth::Unavailable { reason } => Presence {
                status: OnlineStatus::Dnd,
                activity: Some(say(&auto.exhausted_text, &format!("model unavailable ({reason})"))),
            },
        })
    }

    /// The runtime is doing differently.
    pub(crate) fn handle_health(&mut self, now: SessionTime, health: RuntimeHealth) {
        self.health = health;
        self.plan(now);
    }

    /// The configuration changed.
    pub(crate) fn handle_settings(&mut self, now: SessionTime, settings: PresenceSettings) {
        self.settings = settings;
        self.plan(now);
    }

    /// READY came: Discord is told, whatever it was told before.
    pub(crate) fn handle_ready(&mut self, now: SessionTime) {
        self.ready = true;
        self.shown = None;
        self.due = self.wanted().map(|_| now);
    }

    /// What is to be sent now.
    pub(crate) fn poll_output(&mut self, now: SessionTime) -> Option<Presence> {
        self.due.filter(|due| now >= *due)?;
        self.due = None;
        self.shown = self.wanted();
        self.shown_at = Some(now);
        self.shown.clone()
    }

    /// When there will be something to send.
    pub(crate) fn poll_timeout(&self) -> Option<SessionTime> {
        self.due
    }

    fn plan(&mut self, now: SessionTime) {
        if !self.ready {
            return;
        }
        let wanted = self.wanted();
        if wanted.is_none() || wanted == self.shown {
            self.due = None;
            return;
        }
        let pause = self.settings.auto.as_ref().map(|auto| auto.min_update_interval);
        let earliest = self.shown_at.zip(pause).map_or(now, |(at, pause)| at + pause);
        self.due = Some(earliest.max(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> SessionTime {
        SessionTime::from_millis(secs * 1000)
    }

    fn custom(status: &str, text: &str) -> Value {
        json!({"since": null, "afk": false, "status": status,
            "activities": [{"name": "Custom Status", "type": 4, "state": text}]})
    }

    fn auto() -> PresenceLine {
        let auto = Some(AutoPresence::default());
        PresenceLine::new(PresenceSettings { auto, ..PresenceSettings::default() })
    }

    #[test]
    fn nothing_is_sent_when_nothing_is_set() {
        let mut line = PresenceLine::new(PresenceSettings::default());
        line.handle_ready(at(0));
        line.handle_health(at(1), RuntimeHealth::Exhausted);
        assert_eq!((line.wanted(), line.poll_output(at(9))), (None, None));
    }

    #[test]
    fn a_configured_line_is_told_at_each_ready_and_on_change() {
        let activity = Activity { text: "the sea".to_owned(), kind: 2, url: None };
        let settings = PresenceSettings {
            status: Some(OnlineStatus::Idle),
            activity: Some(activity),
            auto: None,
        };
        let mut line = PresenceLine::new(settings.clone());
        let data = json!({"since": null, "afk": false, "status": "idle",
            "activities": [{"name": "the sea", "type": 2}]});
        assert_eq!(line.wanted().unwrap().data(), data);
        for ready in [1, 2] {
            line.handle_ready(at(ready));
            assert_eq!(line.poll_output(at(ready)).unwrap().data(), data);
        }
        line.handle_settings(at(3), settings.clone());
        assert_eq!(line.poll_output(at(3)), None);
        let streaming = Activity {
            text: "live".to_owned(),
            kind: 1,
            url: Some("https://twitch.tv/x".to_owned()),
        };
        line.handle_settings(at(4), PresenceSettings { activity: Some(streaming), ..settings });
        let shown = line.poll_output(at(4)).unwrap().data();
        assert_eq!(
            shown["activities"][0],
            json!({"name": "live", "type": 1, "url": "https://twitch.tv/x"})
        );
    }

    #[test]
    fn the_line_follows_the_runtime() {
        let reason = "overloaded".to_owned();
        let cases = [
            (RuntimeHealth::Degraded, custom("idle", "runtime degraded")),
            (RuntimeHealth::Unknown, custom("idle", "runtime degraded")),
            (RuntimeHealth::Disconnected, custom("idle", "runtime degraded")),
            (RuntimeHealth::Exhausted, custom("dnd", "token exhausted")),
            (
                RuntimeHealth::Unavailable { reason },
                custom("dnd", "model unavailable (overloaded)"),
            ),
            (
                RuntimeHealth::Healthy,
                json!({"since": null, "afk": false, "status": "online", "activities": []}),
            ),
        ];
        for (health, shown) in cases {
            let mut line = auto();
            line.handle_health(at(0), health);
            assert_eq!(line.wanted().unwrap().data(), shown);
        }
    }

    #[test]
    fn changes_are_fifteen_seconds_apart_except_after_ready() {
        let mut line = auto();
        line.handle_health(at(0), RuntimeHealth::Healthy);
        assert_eq!(line.poll_timeout(), None, "before READY nothing can be sent");
        line.handle_ready(at(10));
        assert!(line.poll_output(at(10)).is_some());
        line.handle_health(at(11), RuntimeHealth::Degraded);
        assert_eq!((line.poll_timeout(), line.poll_output(at(24))), (Some(at(25)), None));
        // Back to what is shown: there is nothing to tell any more.
        line.handle_health(at(24), RuntimeHealth::Healthy);
        assert_eq!(line.poll_timeout(), None);
        line.handle_health(at(24), RuntimeHealth::Exhausted);
        assert_eq!(line.poll_output(at(25)).unwrap().data(), custom("dnd", "token exhausted"));
        line.handle_health(at(26), RuntimeHealth::Healthy);
        line.handle_ready(at(27));
        assert!(line.poll_output(at(27)).is_some());
    }
}
