//! What the agent can do besides talking: tools, and who may have them called.
//!
//! A model's call is text from outside. Whether it is carried out is decided in [`permission`]
//! alone, by the speaker and the turn's scope, both when tools are offered and when one is called.

pub mod clock;
pub mod memory;
pub mod permission;

use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;
use serde_json::{Map, Value};

pub use permission::{Access, Denied};

use crate::{
    SessionKey,
    agent::{AskedBy, ToolGrant},
    brain::{ToolCall, ToolSpec},
};

/// For whom a tool is called.
#[derive(Clone, Debug)]
pub struct ToolContext {
    /// The session of the run.
    pub session: SessionKey,
    /// Whose turn it is.
    pub by: AskedBy,
}

/// Why a tool gave no result, in words for the model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ToolError(pub String);

/// Something the agent can do.
#[async_trait]
pub trait Tool: Send + Sync {
    /// Its name: letters, digits, `_` and `-`, at most 64.
    fn name(&self) -> &str;

    /// What it does, for the model.
    fn description(&self) -> &str;

    /// JSON Schema of its arguments, an object.
    fn parameters(&self) -> Value;

    /// Who may have it called.
    fn access(&self) -> Access;

    /// Does it. Dropping the call stops it.
    ///
    /// # Errors
    ///
    /// In words that the model is told.
    async fn call(
        &self,
        context: &ToolContext,
        arguments: Map<String, Value>,
    ) -> Result<String, ToolError>;
}

/// A call of the model that may be carried out.
#[derive(Clone)]
pub struct Prepared {
    /// What it calls.
    pub tool: Arc<dyn Tool>,
    /// With what.
    pub arguments: Map<String, Value>,
}

/// Every tool there is, by name.
#[derive(Clone, Default)]
pub struct Tools(BTreeMap<String, Arc<dyn Tool>>);

impl fmt::Debug for Tools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Tools {
    /// Adds a tool; it takes the place of another of its name.
    pub fn add(&mut self, tool: Arc<dyn Tool>) {
        self.0.insert(tool.name().to_owned(), tool);
    }

    /// What the model is offered in a turn.
    #[must_use]
    pub fn offered(&self, grant: &ToolGrant, by: &AskedBy) -> Vec<ToolSpec> {
        self.0
            .values()
            .filter(|tool| permission::check(tool.name(), tool.access(), grant, by).is_ok())
            .map(|tool| ToolSpec {
                name: tool.name().to_owned(),
                description: tool.description().to_owned(),
                parameters: tool.parameters(),
            })
            .collect()
    }

    /// The tool that a call of the model asks for, and its arguments, if it may be carried out.
    ///
    /// # Errors
    ///
    /// In words for the model: no such tool, not permitted, or the arguments are no JSON object.
    pub fn prepare(
        &self,
        grant: &ToolGrant,
        by: &AskedBy,
        call: &ToolCall,
    ) -> Result<Prepared, ToolError> {
        let unavailable = || ToolError(format!("Tool \"{}\" not available", call.name));
        let tool = self.0.get(&call.name).ok_or_else(unavailable)?;
        permission::check(tool.name(), tool.access(), grant, by).map_err(|_| unavailable())?;
        let arguments = match call.arguments.trim() {
            "" => Map::new(),
            text => serde_json::from_str(text)
                .map_err(|error| ToolError(format!("the arguments are no JSON object: {error}")))?,
        };
        Ok(Prepared { tool: Arc::clone(tool), arguments })
    }
}

/// What the model is told of a tool that gave no result.
#[must_use]
pub fn error_output(error: &ToolError) -> String {
    serde_json::json!({ "error": error.0 }).to_string()
}

#[cfg(test)]
mod tests {
    use super::{clock::CurrentTime, *};
    use crate::{UserId, agent::ToolScope};

    fn tools() -> Tools {
        let mut tools = Tools::default();
        tools.add(Arc::new(CurrentTime));
        tools
    }

    fn by() -> AskedBy {
        AskedBy { user: UserId::new(1), label: "Ada".into(), owner: false }
    }

    fn call(name: &str, arguments: &str) -> ToolCall {
        ToolCall { id: "c".into(), name: name.into(), arguments: arguments.into() }
    }

    fn refusal(call: &ToolCall, scope: ToolScope) -> String {
        match tools().prepare(&scope.into(), &by(), call) {
            Ok(_) => panic!("{call:?} was permitted"),
            Err(error) => error.0,
        }
    }

    #[test]
    fn arguments_must_be_an_object() {
        for arguments in ["", "{}", " {\"a\": 1} "] {
            assert!(
                tools()
                    .prepare(&ToolScope::OfSpeaker.into(), &by(), &call("current_time", arguments))
                    .is_ok(),
                "{arguments:?}"
            );
        }
        for arguments in ["{", "[]", "null", "\"x\"", "{} {}"] {
            let told = refusal(&call("current_time", arguments), ToolScope::OfSpeaker);
            assert!(told.starts_with("the arguments are no JSON object"), "{arguments:?}: {told}");
        }
    }

    #[test]
    fn what_is_not_offered_is_not_carried_out() {
        let told = "Tool \"rm\" not available";
        assert_eq!(refusal(&call("rm", "{}"), ToolScope::OfSpeaker), told);
        for scope in [ToolScope::None, ToolScope::SafeReadOnly] {
            assert!(tools().offered(&scope.into(), &by()).is_empty());
            let told = refusal(&call("current_time", "{}"), scope);
            assert_eq!(told, "Tool \"current_time\" not available");
        }
        assert_eq!(tools().offered(&ToolScope::OfSpeaker.into(), &by()).len(), 1);
    }
}
