//! `memory_search` and `memory_get`: what was said in this very session before the part of its
//! history that the model is shown. Other sessions' words are never found.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::{Access, Tool, ToolContext, ToolError};
use crate::{history::Found, shell::store::Store};

/// The most messages that one search gives.
const MOST: u32 = 8;

/// The most of a message that a search shows, in characters.
const EXCERPT: usize = 300;

/// Finds messages by words.
#[derive(Clone, Debug)]
pub struct MemorySearch(pub Arc<Store>);

/// Gives one message whole.
#[derive(Clone, Debug)]
pub struct MemoryGet(pub Arc<Store>);

#[async_trait]
impl Tool for MemorySearch {
    fn name(&self) -> &str {
        "memory_search"
    }

    fn description(&self) -> &str {
        "Searches everything said earlier in this conversation by words, best matches first. \
         Use it when somebody refers to something you do not see above."
    }

    fn parameters(&self) -> Value {
        json!({
            "type": "object",
            "properties": { "query": { "type": "string", "description": "a few words" } },
            "required": ["query"],
        })
    }

    fn access(&self) -> Access {
        Access { owner_only: false, read_only: true }
    }

    async fn call(
        &self,
        context: &ToolContext,
        arguments: Map<String, Value>,
    ) -> Result<String, ToolError> {
        let query = arguments.get("query").and_then(Value::as_str).unwrap_or_default();
        if !query.contains(char::is_alphanumeric) {
            return Err(ToolError("`query` must hold at least one word".to_owned()));
        }
        let found = self.0.search(&context.session, query, MOST).await;
        let found = found.map_err(|error| ToolError(error.to_string()))?;
        let found: Vec<Value> = found.iter().map(|found| shown(found, EXCERPT)).collect();
        Ok(json!({ "found": found }).to_string())
    }
}

#[async_trait]
impl Tool for MemoryGet {
    fn name(&self) -> &str {
        "memory_get"
    }

    fn description(&self) -> &str {
        "Gives one message of this conversation whole, by the id that memory_search gave."
    }

    fn parameters(&self) -> Value {
        json!({
            "type": "object",
            "properties": { "id": { "type": "integer" } },
            "required": ["id"],
        })
    }

    fn access(&self) -> Access {
        Access { owner_only: false, read_only: true }
    }

    async fn call(
        &self,
        context: &ToolContext,
        arguments: Map<String, Value>,
    ) -> Result<String, ToolError> {
        let id = arguments.get("id").and_then(Value::as_i64);
        let id = id.ok_or_else(|| ToolError("`id` must be a whole number".to_owned()))?;
        let found = self.0.message(&context.session, id).await;
        match found.map_err(|error| ToolError(error.to_string()))? {
            Some(found) => Ok(shown(&found, usize::MAX).to_string()),
            None => Err(ToolError(format!("no message {id} in this conversation"))),
        }
    }
}

fn shown(found: &Found, most: usize) -> Value {
    let who = if found.by_agent { "you" } else { found.label.as_str() };
    let cut = found.text.chars().nth(most).is_some();
    let mut text: String = found.text.chars().take(most).collect();
    if cut {
        text.push('…');
    }
    json!({ "id": found.id, "who": who, "at": found.at.to_string(), "text": text })
}
