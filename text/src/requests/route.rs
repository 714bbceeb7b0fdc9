//! Which requests share a rate limit, and who goes first.

/// Who goes first when several could.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Priority {
    /// The first answer to an interaction, due within 3 s.
    Callback,
    /// What changes something.
    Write,
    /// What only looks.
    Read,
}

/// A request's place among the rate limits: method, path without ids, and the top-level resource
/// (a channel, a guild, a webhook with its token), which each has limits of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Route {
    template: String,
    major: String,
}

impl Route {
    /// Of a method and a path below `/api/v10`, with or without a slash in front, and its query.
    pub(crate) fn of(method: &str, path: &str) -> Self {
        let path = path.split('?').next().unwrap_or_default();
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let first = parts.first().copied().unwrap_or_default();
        let tokened = matches!(first, "webhooks" | "interactions");
        let major = match first {
            "channels" | "guilds" => 2,
            "webhooks" | "interactions" => 3,
            _ => 0,
        };
        let mut template = method.to_owned();
        for (at, part) in parts.iter().enumerate() {
            let number = part.bytes().all(|byte| byte.is_ascii_digit());
            let emoji = at > 0 && parts.get(at - 1) == Some(&"reactions");
            template.push('/');
            template.push_str(match number || emoji || (tokened && at == 2) {
                true => "{id}",
                false => part,
            });
        }
        let major = parts.iter().take(major).copied().collect::<Vec<_>>().join("/");
        Self { template, major }
    }

    /// The path without ids: for logs, and for limits that several resources share.
    pub(crate) fn template(&self) -> &str {
        &self.template
    }

    /// The top-level resource.
    pub(crate) fn major(&self) -> &str {
        &self.major
    }

    /// Answers to interactions are outside the limit over all routes.
    pub(crate) fn is_interaction(&self) -> bool {
        self.major.starts_with("interactions/") || self.major.starts_with("webhooks/")
    }

    /// Who goes first.
    pub(crate) fn priority(&self) -> Priority {
        if self.template.starts_with("POST/interactions/") {
            Priority::Callback
        } else if self.template.starts_with("GET/") {
            Priority::Read
        } else {
            Priority::Write
        }
    }

    /// Whether asking again after an attempt that may have been carried out could do harm: threads
    /// and what webhooks write have no nonce.
    pub(crate) fn is_only_once(&self) -> bool {
        self.template == "POST/webhooks/{id}/{id}"
            || (self.template.starts_with("POST/channels/") && self.template.ends_with("/threads"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_lose_their_ids_and_keep_their_resource() {
        let cases = [
            ("POST", "channels/1/messages", "POST/channels/{id}/messages", "channels/1"),
            ("GET", "/guilds/3/members/4?x=1", "GET/guilds/{id}/members/{id}", "guilds/3"),
            (
                "PATCH",
                "webhooks/5/a.b/messages/@original",
                "PATCH/webhooks/{id}/{id}/messages/@original",
                "webhooks/5/a.b",
            ),
            (
                "PUT",
                "channels/1/messages/2/reactions/%F0/@me",
                "PUT/channels/{id}/messages/{id}/reactions/{id}/@me",
                "channels/1",
            ),
            ("GET", "users/@me", "GET/users/@me", ""),
        ];
        for (method, path, template, major) in cases {
            let route = Route::of(method, path);
            assert_eq!((route.template(), route.major()), (template, major));
        }
    }

    #[test]
    fn callbacks_go_first_and_reads_last() {
        let of = |method, path| Route::of(method, path).priority();
        assert_eq!(of("POST", "interactions/7/tok/callback"), Priority::Callback);
        assert_eq!(of("POST", "channels/1/messages"), Priority::Write);
        assert_eq!(of("GET", "channels/1"), Priority::Read);
        assert!(Priority::Callback < Priority::Write && Priority::Write < Priority::Read);
        assert!(Route::of("POST", "channels/1/messages/2/threads").is_only_once());
        assert!(Route::of("POST", "webhooks/1/tok?wait=true").is_only_once());
        assert!(!Route::of("POST", "channels/1/messages").is_only_once());
        assert!(!Route::of("PATCH", "webhooks/1/tok/messages/2").is_only_once());
    }
}
