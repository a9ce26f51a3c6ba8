//! JSON schemas of the arguments of tools.

use crate::json;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// Writes a schema for Anthropic, Bedrock, Cohere and OpenAI's Responses, which require one, and `type` in it.
pub(in crate::dialect) fn schema<S: Serializer>(
    schema: &Option<&RawValue>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    const NO_ARGUMENTS: &str = r#"{"type":"object","properties":{}}"#;
    let given = schema.filter(|schema| !json::is_empty_object(schema));
    // It is JSON.
    let none = || serde_json::from_str::<&RawValue>(NO_ARGUMENTS).ok();
    given.or_else(none).serialize(serializer)
}
