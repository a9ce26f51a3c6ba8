//! A unified request in Cohere's form.
//!
//! What it cannot carry is in [`gaps`](super::gaps). Numbers out of Cohere's range become the nearest in it.

use super::NAME;
use super::turns::{Turn, conversation};
use crate::chat::{Effort, FunctionTool, ReasoningRequest, Request, ResponseFormat, Tool, ToolChoice};
use crate::dialect::features::native;
use crate::dialect::shared::raws::Raws;
use crate::dialect::shared::schema::schema;
use crate::dialect::shared::turns::cannot_carry;
use crate::dialect::shared::write::write_body;
use crate::dialect::{Encoded, Target};
use crate::error::{Error, cut, quoted};
use crate::json::{Members, Str};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// The most stop sequences that Cohere takes: <https://docs.cohere.com/reference/chat>.
const MAX_STOPS: usize = 5;

/// Cohere's names for what the unified form says in another way. Its other members (`documents`, `citation_options`,
/// `safety_mode`, `priority`) are handed on as they came.
const TRANSLATED: &[&str] = &["k", "p", "stop_sequences", "strict_tools", "thinking"];

/// The models that do not think, by the beginnings of their names. All newer ones do:
/// <https://docs.cohere.com/docs/models>.
static THOUGHTLESS: &[&str] = &[
    "c4ai-",
    "command-a-03",
    "command-a-translate",
    "command-a-vision",
    "command-light",
    "command-nightly",
    "command-r",
    "tiny-aya",
];

/// The members that are numbers on both sides: our name, Cohere's, the least and the most that it takes.
static NUMBERS: &[(&str, &str, &str, &str)] = &[
    ("temperature", "temperature", "0", "1"),
    ("top_p", "p", "0.01", "0.99"),
    ("top_k", "k", "0", "500"),
    ("frequency_penalty", "frequency_penalty", "0", "1"),
    ("presence_penalty", "presence_penalty", "0", "1"),
];

/// Written by hand: to flatten `rest` into a derived one is a lot of code in the filter.
struct Body<'a> {
    model: &'a str,
    stream: bool,
    messages: Vec<Turn<'a>>,
    tools: Vec<ToolEntry<'a>>,
    rest: Raws<'a>,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("model", self.model)?;
        if self.stream {
            map.serialize_entry("stream", &true)?;
        }
        map.serialize_entry("messages", &self.messages)?;
        if !self.tools.is_empty() {
            map.serialize_entry("tools", &self.tools)?;
        }
        for (name, value) in self.rest.members() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct ToolEntry<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: FunctionEntry<'a>,
}

#[derive(Serialize)]
struct FunctionEntry<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(serialize_with = "schema")]
    parameters: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct JsonObject<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    json_schema: Option<&'a RawValue>,
}

/// The `thinking` member.
#[derive(Serialize)]
struct Thinking {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_budget: Option<u64>,
}

/// Writes `request` for `target`.
pub(super) fn encode(request: &Request, target: &Target<'_>) -> Result<Encoded, Error> {
    let mut bytes = Vec::new();
    translate(request, target, &mut |body| bytes = write_body(request, body))?;
    Ok(Encoded {
        path: "/chat".to_owned(),
        headers: Vec::new(),
        body: bytes,
    })
}

/// Finds what `encode` would refuse, and writes nothing.
pub(super) fn check(request: &Request, target: &Target<'_>) -> Result<(), Error> {
    translate(request, target, &mut |_| ())
}

/// Makes the body of `request` for `target` and gives it to `take`: everything that can be wrong is found on the way.
fn translate(request: &Request, target: &Target<'_>, take: &mut dyn FnMut(&Body<'_>)) -> Result<(), Error> {
    let thinks = thinks(target.model);
    let messages = request.messages()?;
    let offered = request.tools()?;
    let mut functions = functions(&offered)?;
    let mut rest = Raws::default();
    if let Some(choice) = choose(&mut functions, request.tool_choice()?)? {
        rest.set("tool_choice", choice);
    }
    if strict(request, &functions)? {
        rest.set("strict_tools", &true);
    }
    answer(request, &mut rest)?;
    let limit = request.max_tokens()?;
    if let Some(limit) = limit {
        rest.set("max_tokens", &limit);
    }
    sampling(request, &mut rest)?;
    let wish = request.reasoning()?.filter(|_| thinks);
    if let Some(thinking) = wish.and_then(|wish| thinking(wish, limit, target.default_max_tokens)) {
        rest.set("thinking", &thinking);
    }
    rest.extend(native(request, TRANSLATED));
    let body = Body {
        model: target.model,
        stream: target.stream,
        messages: conversation(&messages, thinks)?,
        tools: functions.into_iter().map(entry).collect(),
        rest,
    };
    take(&body);
    Ok(())
}

/// Whether a model thinks. What is not known may.
fn thinks(model: &str) -> bool {
    model != "command" && !THOUGHTLESS.iter().any(|name| model.starts_with(name))
}

fn functions<'a>(offered: &'a [Tool<'a>]) -> Result<Vec<&'a FunctionTool<'a>>, Error> {
    let mut out = Vec::with_capacity(offered.len());
    for (at, tool) in offered.iter().enumerate() {
        match tool {
            Tool::Function(function) => out.push(function),
            Tool::Other { kind, .. } => {
                return Err(cannot_carry(format_args!("tools[{at}]"), NAME, cut(kind, 80)));
            }
        }
    }
    Ok(out)
}

fn entry<'a>(function: &'a FunctionTool<'a>) -> ToolEntry<'a> {
    let description = function.description.as_deref();
    ToolEntry {
        kind: "function",
        function: FunctionEntry {
            name: &function.name,
            description: description.filter(|description| !description.is_empty()),
            parameters: function.parameters,
        },
    }
}

/// Cohere can demand a call, but not of which function: so the one that is demanded is the only one that is offered.
fn choose(
    functions: &mut Vec<&FunctionTool<'_>>,
    choice: Option<ToolChoice>,
) -> Result<Option<&'static str>, Error> {
    if functions.is_empty() {
        return Ok(None);
    }
    match choice {
        None | Some(ToolChoice::Auto) => Ok(None),
        Some(ToolChoice::None) => Ok(Some("NONE")),
        Some(ToolChoice::Required) => Ok(Some("REQUIRED")),
        Some(ToolChoice::Function(name)) => {
            functions.retain(|function| *function.name == name);
            if functions.is_empty() {
                return Err(Error::invalid(format!(
                    "tool_choice: no function of the name {} is among the tools",
                    quoted(&name)
                )));
            }
            Ok(Some("REQUIRED"))
        }
    }
}

/// Cohere holds calls to their schemas all together or not at all, and refuses to where a function needs no argument:
/// <https://docs.cohere.com/docs/structured-outputs#important-notes-on-using-strict_tools>.
fn strict(request: &Request, functions: &[&FunctionTool<'_>]) -> Result<bool, Error> {
    if let Some(said) = request.get::<bool>("strict_tools")? {
        return Ok(said);
    }
    let needs = |function: &&FunctionTool<'_>| {
        let schema = function.parameters.map(Members::of).unwrap_or_default();
        schema.items("required").next().is_some()
    };
    Ok(functions.iter().any(|function| function.strict == Some(true)) && functions.iter().all(needs))
}

fn answer<'a>(request: &'a Request, out: &mut Raws<'a>) -> Result<(), Error> {
    let json_schema = match request.response_format()? {
        None | Some(ResponseFormat::Text) => return Ok(()),
        Some(ResponseFormat::JsonObject) => None,
        Some(ResponseFormat::JsonSchema { schema, .. }) => Some(schema),
        Some(ResponseFormat::Other(kind)) => {
            return Err(cannot_carry(
                format_args!("response_format"),
                NAME,
                cut(&kind, 80),
            ));
        }
    };
    let kind = "json_object";
    out.set("response_format", &JsonObject { kind, json_schema });
    Ok(())
}

fn sampling<'a>(request: &'a Request, out: &mut Raws<'a>) -> Result<(), Error> {
    for &(name, theirs, least, most) in NUMBERS {
        let Some(value) = request.get::<f64>(name)? else {
            continue;
        };
        // Some models refuse two penalties at once, even where one of them is none.
        if name.ends_with("_penalty") && value <= 0.0 {
            continue;
        }
        let beyond = |bound: &'static str, outside: fn(f64, f64) -> bool| {
            let limit = bound.parse::<f64>().ok()?;
            // The bounds are JSON.
            outside(value, limit).then(|| serde_json::from_str::<&RawValue>(bound).ok())?
        };
        let bound = beyond(least, |value, least| value < least);
        let bound = bound.or_else(|| beyond(most, |value, most| value > most));
        out.keep(theirs, bound.or(request.get::<&RawValue>(name)?));
    }
    let stops: Vec<Str<'_>> = request
        .stop()?
        .into_iter()
        .filter(|stop| !stop.is_empty())
        .collect();
    if stops.len() > MAX_STOPS {
        return Err(Error::invalid(format!(
            "stop: cohere-v2 takes at most {MAX_STOPS} sequences; send fewer of them"
        )));
    }
    if !stops.is_empty() {
        out.set("stop_sequences", &stops);
    }
    if let Some(raw) = request.get::<&RawValue>("seed")? {
        out.set("seed", &seed(raw.get())?);
    }
    if request.get::<bool>("logprobs")? == Some(true) {
        out.set("logprobs", &true);
    }
    Ok(())
}

/// Cohere's seeds have 64 bits and no sign. One below zero, or longer, is folded: the same seed always comes to the same.
fn seed(text: &str) -> Result<u64, Error> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::invalid("seed: expected an integer"));
    }
    let signed = || text.parse::<i64>().ok().map(i64::cast_unsigned);
    let unsigned = text.parse().ok();
    Ok(unsigned
        .or_else(signed)
        .unwrap_or_else(|| crc32fast::hash(text.as_bytes()).into()))
}

/// What a caller's wish for thinking comes to. `None` leaves it to the model, which thinks unless told otherwise.
///
/// Cohere advises against a budget (<https://docs.cohere.com/docs/reasoning#thinking-budgets>), and its own compatible
/// API takes an effort of `high` for none; so high effort has a budget only where the whole completion is bounded.
fn thinking(wish: ReasoningRequest, limit: Option<u64>, default: u64) -> Option<Thinking> {
    let off = wish.enabled == Some(false) || wish.effort == Some(Effort::None) || wish.max_tokens == Some(0);
    if off {
        return Some(Thinking {
            kind: "disabled",
            token_budget: None,
        });
    }
    if wish.enabled.is_none() && wish.effort.is_none() && wish.max_tokens.is_none() {
        return None;
    }
    let hard = matches!(
        wish.effort,
        None | Some(Effort::High | Effort::Xhigh | Effort::Max)
    );
    let free = hard && wish.max_tokens.is_none() && limit.is_none();
    let budget = wish.budget(limit.unwrap_or(default));
    Some(Thinking {
        kind: "enabled",
        token_budget: budget.filter(|_| !free).map(|budget| budget.max(1)),
    })
}
