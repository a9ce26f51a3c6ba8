//! A unified request in Ollama's form.
//!
//! What it cannot carry is in [`gaps`](super::gaps). A call of one certain tool is asked for by offering no other. What a
//! caller writes in Ollama's own words (`options`, `think`, `format`) goes before what is made of the unified ones.

use super::NAME;
use super::turns::{Turn, conversation};
use crate::caps;
use crate::chat::{Effort, ReasoningRequest, Request, ResponseFormat, Tool, ToolChoice};
use crate::dialect::features::native;
use crate::dialect::shared::raws::Raws;
use crate::dialect::shared::turns::cannot_carry;
use crate::dialect::shared::write::write_body;
use crate::dialect::{Encoded, Target};
use crate::error::{Error, cut};
use crate::json::{self, Members, Shape, Str};
use serde::Serialize;
use serde_json::value::RawValue;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Offer<'a>>,
    #[serde(skip_serializing_if = "Raws::is_empty")]
    options: Raws<'a>,
    #[serde(flatten)]
    rest: Raws<'a>,
    /// A stream is what Ollama sends when nothing is said.
    stream: bool,
}

#[derive(Serialize)]
struct Offer<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<&'a RawValue>,
}

/// The members of `options` that the unified form has no word for (`api/types.go`, `Options` and `Runner`).
const OPTIONS: &[&str] = &[
    "draft_num_predict",
    "main_gpu",
    "num_batch",
    "num_ctx",
    "num_gpu",
    "num_keep",
    "num_predict",
    "num_thread",
    "repeat_last_n",
    "repeat_penalty",
    "typical_p",
    "use_mmap",
];

/// Writes `request` for `target`.
pub(super) fn encode(request: &Request, target: &Target<'_>) -> Result<Encoded, Error> {
    let mut bytes = Vec::new();
    translate(request, target, &mut |body| bytes = write_body(request, body))?;
    Ok(Encoded {
        path: "/api/chat".to_owned(),
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
    let messages = request.messages()?;
    let offered = request.tools()?;
    let own: Option<Members<'_>> = request.get("options")?;
    let own = own.unwrap_or_default();
    caps::check_options(own.iter().count())?;
    let own: Vec<_> = own.iter().collect();
    let (native, others): (Vec<_>, Vec<_>) =
        native(request, &["options"]).partition(|(name, _)| OPTIONS.contains(name));
    let mut rest = Raws::of(others);
    answer(request, &mut rest)?;
    take(&Body {
        model: target.model,
        messages: conversation(&messages)?,
        tools: tools(&offered, request.tool_choice()?.as_ref())?,
        options: options(request, &own, native)?,
        rest,
        stream: target.stream,
    });
    Ok(())
}

/// The members that are numbers on both sides, with their spelling kept.
static NUMBERS: &[(&str, &str)] = &[
    ("temperature", "temperature"),
    ("top_p", "top_p"),
    ("top_k", "top_k"),
    ("min_p", "min_p"),
    ("seed", "seed"),
    ("frequency_penalty", "frequency_penalty"),
    ("presence_penalty", "presence_penalty"),
    ("repetition_penalty", "repeat_penalty"),
];

/// The limit on the tokens of a completion: the smaller one of the caller's and that in Ollama's own words, where a
/// negative number is none.
pub(super) fn limit(request: &Request) -> Result<Option<u64>, Error> {
    let own: Option<Members<'_>> = request.get("options")?;
    let own = own.unwrap_or_default().get("num_predict").map(RawValue::get);
    let own = own.or_else(|| request.raw("num_predict"));
    let own = own.and_then(|text| text.parse::<u64>().ok());
    let limit = request.max_tokens()?;
    Ok(match (limit, own) {
        (Some(limit), Some(own)) => Some(limit.min(own)),
        (limit, own) => limit.or(own),
    })
}

fn options<'a>(
    request: &'a Request,
    own: &'a [(Str<'a>, &'a RawValue)],
    native: Vec<(&'a str, &'a RawValue)>,
) -> Result<Raws<'a>, Error> {
    let own = own.iter().map(|(name, raw)| (&**name, *raw));
    let mut out = Raws::default();
    if let Some(limit) = limit(request)? {
        out.set("num_predict", &limit);
    }
    out.extend(own.chain(native));
    for (name, theirs) in NUMBERS {
        match request.get::<&RawValue>(name)? {
            None => {}
            Some(raw) if json::shape(raw) == Shape::Number => out.keep(theirs, Some(raw)),
            Some(_) => return Err(Error::invalid(format!("{name}: expected a number"))),
        }
    }
    let stops = request.stop()?;
    if !stops.is_empty() {
        out.set("stop", &stops);
    }
    Ok(out)
}

/// What the answer is to hold: its form, thinking, probabilities.
fn answer<'a>(request: &'a Request, out: &mut Raws<'a>) -> Result<(), Error> {
    match request.response_format()? {
        None | Some(ResponseFormat::Text) => {}
        Some(ResponseFormat::JsonObject) => out.set("format", "json"),
        Some(ResponseFormat::JsonSchema { schema, .. }) => out.keep("format", Some(schema)),
        Some(ResponseFormat::Other(kind)) => {
            return Err(cannot_carry(
                format_args!("response_format"),
                NAME,
                cut(&kind, 80),
            ));
        }
    }
    match request.reasoning()?.and_then(think) {
        None => {}
        Some(Think::Switch(on)) => out.set("think", &on),
        Some(Think::Level(level)) => out.set("think", level),
    }
    if request.get::<bool>("logprobs")? == Some(true) {
        out.set("logprobs", &true);
        if let Some(most) = request.get::<u64>("top_logprobs")? {
            out.set("top_logprobs", &most);
        }
    }
    Ok(())
}

/// Ollama's `think`.
enum Think {
    Switch(bool),
    Level(&'static str),
}

/// The levels are those that Ollama itself makes of OpenAI's (`openai/openai.go`, `thinkFromReasoningEffort`). Models
/// that only know a switch take any level as yes.
fn think(wish: ReasoningRequest) -> Option<Think> {
    Some(match (wish.enabled, wish.effort) {
        (Some(false), _) | (_, Some(Effort::None)) => Think::Switch(false),
        (_, Some(Effort::Minimal | Effort::Low)) => Think::Level("low"),
        (_, Some(Effort::Medium)) => Think::Level("medium"),
        (_, Some(Effort::High)) => Think::Level("high"),
        (_, Some(Effort::Xhigh | Effort::Max)) => Think::Level("max"),
        (Some(true), None) => Think::Switch(true),
        (None, None) => return wish.max_tokens.map(|_| Think::Switch(true)),
    })
}

fn tools<'a>(offered: &'a [Tool<'a>], choice: Option<&ToolChoice>) -> Result<Vec<Offer<'a>>, Error> {
    let mut out = Vec::with_capacity(offered.len());
    for (at, tool) in offered.iter().enumerate() {
        let function = match tool {
            Tool::Function(function) => function,
            Tool::Other { kind, .. } => {
                return Err(cannot_carry(format_args!("tools[{at}]"), NAME, cut(kind, 80)));
            }
        };
        let is_wanted = match choice {
            None | Some(ToolChoice::Auto | ToolChoice::Required) => true,
            Some(ToolChoice::None) => false,
            Some(ToolChoice::Function(name)) => *name == *function.name,
        };
        if is_wanted {
            out.push(Offer {
                kind: "function",
                function: Function {
                    name: &function.name,
                    description: function.description.as_deref(),
                    parameters: function.parameters,
                },
            });
        }
    }
    Ok(out)
}
