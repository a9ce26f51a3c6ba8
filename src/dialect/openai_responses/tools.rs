//! Tools and their choice: flat, where chats have an object inside of each.

use super::NAME;
use crate::chat::{FunctionTool, Request, Tool, ToolChoice};
use crate::dialect::shared::location::set_location;
use crate::dialect::shared::raws::Raws;
use crate::dialect::shared::schema::schema;
use crate::dialect::shared::turns::cannot_carry;
use crate::error::{Error, cut};
use crate::json::{self, Members, Shape, Str};
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// One tool.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Entry<'a> {
    Function(Function<'a>),
    Search(Raws<'a>),
    Native(&'a RawValue),
}

/// Functions are held to their schema here unless it is said that they are not; in chats it is the other way round:
/// <https://platform.openai.com/docs/guides/migrate-to-responses>.
#[derive(Debug, Serialize)]
pub(super) struct Function<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(serialize_with = "schema")]
    parameters: Option<&'a RawValue>,
    strict: bool,
}

/// The tools that are offered, and the search on the web that a chat asks for by a member of its own.
pub(super) fn tools<'a>(request: &'a Request, offered: &'a [Tool<'a>]) -> Result<Vec<Entry<'a>>, Error> {
    let mut out = Vec::with_capacity(offered.len());
    for (at, tool) in offered.iter().enumerate() {
        out.push(match tool {
            Tool::Function(function) => Entry::Function(flat(function)),
            // A gateway's own tool that no stage took out; and calls of custom tools have no place in the unified form.
            Tool::Other { kind, .. }
                if &**kind == "custom"
                    || kind.starts_with("openrouter:")
                    || kind.starts_with("crosspoint:") =>
            {
                return Err(cannot_carry(format_args!("tools[{at}]"), NAME, cut(kind, 80)));
            }
            Tool::Other { raw, .. } => Entry::Native(raw),
        });
    }
    let searches =
        |tool: &Tool<'_>| matches!(tool, Tool::Other { kind, .. } if kind.starts_with("web_search"));
    if let Some(raw) = request.get::<&RawValue>("web_search_options")?
        && !offered.iter().any(searches)
    {
        out.push(Entry::Search(search(raw)));
    }
    Ok(out)
}

fn flat<'a>(function: &'a FunctionTool<'a>) -> Function<'a> {
    Function {
        kind: "function",
        name: &function.name,
        description: function
            .description
            .as_deref()
            .filter(|description| !description.is_empty()),
        parameters: function.parameters,
        strict: function.strict.unwrap_or(false),
    }
}

fn search(raw: &RawValue) -> Raws<'_> {
    let mut out = Raws::default();
    out.set("type", "web_search");
    out.keep("search_context_size", Members::of(raw).get("search_context_size"));
    set_location(raw, &mut out);
    out
}

/// Which tool must be called. A choice of a tool that the provider runs has the same form on both sides.
pub(super) fn choice(request: &Request) -> Result<Option<Cow<'_, RawValue>>, Error> {
    let Some(raw) = request.get::<&RawValue>("tool_choice")? else {
        return Ok(None);
    };
    if json::shape(raw) == Shape::Object {
        let given = Members::of(raw);
        match given.text("type").as_deref() {
            Some("allowed_tools") => return Ok(Some(Cow::Owned(json::to_raw(&allowed(&given))))),
            Some("custom") => {
                return Err(cannot_carry(format_args!("tool_choice"), NAME, "custom"));
            }
            Some("function") | None => {}
            Some(_) => return Ok(Some(Cow::Borrowed(raw))),
        }
    }
    Ok(request.tool_choice()?.map(|choice| {
        Cow::Owned(match &choice {
            ToolChoice::None => json::to_raw("none"),
            ToolChoice::Auto => json::to_raw("auto"),
            ToolChoice::Required => json::to_raw("required"),
            ToolChoice::Function(name) => json::to_raw(&Named::function(Str::from(name.as_str()))),
        })
    }))
}

#[derive(Serialize)]
struct Named<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    name: Str<'a>,
}

impl<'a> Named<'a> {
    const fn function(name: Str<'a>) -> Self {
        Self {
            kind: "function",
            name,
        }
    }
}

#[derive(Serialize)]
struct Allowed<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    mode: Str<'a>,
    tools: Vec<AllowedTool<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum AllowedTool<'a> {
    Function(Named<'a>),
    Native(&'a RawValue),
}

fn allowed<'a>(given: &Members<'a>) -> Allowed<'a> {
    let inside = given.get("allowed_tools").map(Members::of).unwrap_or_default();
    let tool = |raw: &'a RawValue| {
        let function = Members::of(raw).get("function").map(Members::of);
        match function.and_then(|function| function.text("name")) {
            Some(name) => AllowedTool::Function(Named::function(name)),
            None => AllowedTool::Native(raw),
        }
    };
    Allowed {
        kind: "allowed_tools",
        mode: inside.text("mode").unwrap_or(Str::from("auto")),
        tools: inside.items("tools").into_iter().map(tool).collect(),
    }
}
