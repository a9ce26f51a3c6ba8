//! Typed views of tools, their choice, and the wanted form of the answer, borrowed from a request.
//!
//! A dialect takes these when it must translate. Every error begins with the path inside the tool.

use super::message::read;
use crate::error::{Error, quoted};
use crate::json::{self, Shape, Str};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A tool that the model may call.
#[derive(Clone, Debug)]
pub enum Tool<'a> {
    /// A function.
    Function(FunctionTool<'a>),
    /// A provider's or gateway's own tool, named so that it can be passed on or refused.
    Other {
        /// The `type` of the tool.
        kind: Str<'a>,
        /// The whole tool.
        raw: &'a RawValue,
    },
}

/// A function tool.
#[derive(Clone, Debug, Deserialize)]
pub struct FunctionTool<'a> {
    /// Its name.
    #[serde(borrow)]
    pub name: Str<'a>,
    /// What it is for.
    #[serde(borrow)]
    pub description: Option<Str<'a>>,
    /// The JSON Schema of its arguments.
    #[serde(borrow)]
    pub parameters: Option<&'a RawValue>,
    /// Whether the arguments must follow the schema exactly.
    pub strict: Option<bool>,
    /// The caller's mark that the prompt up to here is to be cached.
    #[serde(skip)]
    pub cache_control: Option<&'a RawValue>,
}

/// Which tool the model must call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    /// None may be called.
    None,
    /// As the model likes.
    Auto,
    /// At least one.
    Required,
    /// This one.
    Function(String),
}

/// The form that the answer must have.
#[derive(Clone, Debug)]
pub enum ResponseFormat<'a> {
    /// Text.
    Text,
    /// Some JSON object.
    JsonObject,
    /// JSON by a schema.
    JsonSchema {
        /// The schema's name.
        name: Str<'a>,
        /// The schema.
        schema: &'a RawValue,
    },
    /// A form that only some dialects carry.
    Other(Str<'a>),
}

impl<'a> FunctionTool<'a> {
    /// Reads one tool.
    ///
    /// # Errors
    /// The message of the error begins with `.` and the path inside this tool.
    pub(super) fn parse(raw: &'a RawValue) -> Result<Tool<'a>, Error> {
        #[derive(Deserialize)]
        struct Wire<'a> {
            #[serde(borrow, rename = "type", default)]
            kind: Option<Str<'a>>,
            #[serde(borrow)]
            function: Option<&'a RawValue>,
            #[serde(borrow)]
            cache_control: Option<&'a RawValue>,
        }
        let wire: Wire<'a> = read(".", raw)?;
        match (wire.kind, json::present(wire.function)) {
            (None, Some(function)) => Self::function(function, wire.cache_control),
            (Some(kind), Some(function)) if &*kind == "function" => {
                Self::function(function, wire.cache_control)
            }
            (Some(kind), _) if &*kind != "function" => Ok(Tool::Other { kind, raw }),
            _ => Err(Error::invalid(".function: missing")),
        }
    }

    fn function(raw: &'a RawValue, cache_control: Option<&'a RawValue>) -> Result<Tool<'a>, Error> {
        let mut tool: FunctionTool<'a> = read(".function", raw)?;
        tool.cache_control = json::present(cache_control);
        tool.parameters = json::present(tool.parameters);
        Ok(Tool::Function(tool))
    }
}

impl ToolChoice {
    pub(super) fn parse(raw: &RawValue) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Wire<'a> {
            #[serde(borrow)]
            function: Name<'a>,
        }
        #[derive(Deserialize)]
        struct Name<'a> {
            #[serde(borrow)]
            name: Str<'a>,
        }
        if json::shape(raw) == Shape::Object {
            return Ok(Self::Function(
                read::<Wire<'_>>("tool_choice", raw)?.function.name.into_string(),
            ));
        }
        match &*read::<Str<'_>>("tool_choice", raw)? {
            "none" => Ok(Self::None),
            "auto" => Ok(Self::Auto),
            // `any` is Mistral's and Anthropic's word for it.
            "required" | "any" => Ok(Self::Required),
            other => Err(Error::invalid(format!(
                "tool_choice: {} is none of none, auto, required or {{\"type\":\"function\",\"function\":{{\"name\":…}}}}",
                quoted(other)
            ))),
        }
    }
}

impl<'a> ResponseFormat<'a> {
    pub(super) fn parse(raw: &'a RawValue) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Wire<'a> {
            #[serde(borrow, rename = "type")]
            kind: Str<'a>,
            #[serde(borrow)]
            json_schema: Option<JsonSchema<'a>>,
        }
        #[derive(Deserialize)]
        struct JsonSchema<'a> {
            #[serde(borrow, default)]
            name: Str<'a>,
            #[serde(borrow)]
            schema: Option<&'a RawValue>,
        }
        let wire: Wire<'a> = read("response_format", raw)?;
        match &*wire.kind {
            "text" => Ok(Self::Text),
            "json_object" => Ok(Self::JsonObject),
            "json_schema" => match wire.json_schema {
                Some(JsonSchema {
                    name,
                    schema: Some(schema),
                }) => Ok(Self::JsonSchema { name, schema }),
                _ => Err(Error::invalid("response_format.json_schema.schema: missing")),
            },
            _ => Ok(Self::Other(wire.kind)),
        }
    }
}
