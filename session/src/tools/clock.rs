//! `current_time`: what time it is. Models do not know.

use async_trait::async_trait;
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Map, Value, json};

use super::{Access, Tool, ToolContext, ToolError};

/// Tells the date and time in UTC.
#[derive(Clone, Copy, Debug, Default)]
pub struct CurrentTime;

#[async_trait]
impl Tool for CurrentTime {
    fn name(&self) -> &str {
        "current_time"
    }

    fn description(&self) -> &str {
        "The current date, weekday and time in UTC."
    }

    fn parameters(&self) -> Value {
        json!({ "type": "object", "properties": {} })
    }

    fn access(&self) -> Access {
        Access { owner_only: false, read_only: true }
    }

    #[allow(clippy::disallowed_methods, reason = "to tell the time is what it is for")]
    async fn call(&self, _: &ToolContext, _: Map<String, Value>) -> Result<String, ToolError> {
        Ok(told(Timestamp::now()))
    }
}

fn told(now: Timestamp) -> String {
    now.to_zoned(TimeZone::UTC).strftime("%A, %Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_the_weekday() {
        assert_eq!(told(Timestamp::UNIX_EPOCH), "Thursday, 1970-01-01 00:00:00 UTC");
    }
}
