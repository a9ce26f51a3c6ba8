//! A unified request in Converse's form.
//!
//! What it cannot carry is in [`gaps`](super::gaps). Converse cannot forbid tools: when a conversation has used some,
//! `tool_choice: none` leaves the choice to the model. Members that nobody knows go to the model as additional fields,
//! which is what Converse has them for.

use super::NAME;
use super::turns::{Block, CachePoint, Conversation, conversation};
use crate::chat::{FunctionTool, Message, Request, ResponseFormat, Tool, ToolChoice};
use crate::dialect::features::native;
use crate::dialect::shared::claude::{Plan, Rules, Thinking};
use crate::dialect::shared::raws::Raws;
use crate::dialect::shared::schema::schema;
use crate::dialect::shared::turns::{Turn, cannot_carry};
use crate::dialect::shared::write::{named, write_body};
use crate::dialect::{Encoded, Target, path_segment};
use crate::error::{Error, cut};
use crate::json::{Members, Str};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::collections::BTreeSet;

/// The members of Converse's own that the unified form has no word for.
const NATIVE: &[&str] = &[
    "additionalModelResponseFieldPaths",
    "guardrailConfig",
    "performanceConfig",
    "promptVariables",
];

/// The names of Converse and of Claude for what the unified form says in another way.
const TRANSLATED: &[&str] = &["output_config", "stop_sequences", "system", "thinking"];

/// Its tiers by OpenAI's names and its own:
/// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ServiceTier.html>.
const TIERS: &[(&str, &str)] = &[
    ("default", "default"),
    ("fast", "priority"),
    ("flex", "flex"),
    ("priority", "priority"),
    ("reserved", "reserved"),
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Block<'a>>,
    messages: Vec<Turn<Block<'a>>>,
    #[serde(skip_serializing_if = "Inference::is_empty")]
    inference_config: Inference<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<Tier>,
    #[serde(skip_serializing_if = "Pairs::is_empty")]
    request_metadata: Pairs<'a>,
    #[serde(skip_serializing_if = "Additional::is_empty")]
    additional_model_request_fields: Additional<'a>,
    #[serde(flatten)]
    native: Raws<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Inference<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<Str<'a>>,
}

impl Inference<'_> {
    const fn is_empty(&self) -> bool {
        self.max_tokens.is_none()
            && self.temperature.is_none()
            && self.top_p.is_none()
            && self.stop_sequences.is_empty()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolConfig<'a> {
    tools: Vec<ToolEntry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum ToolEntry<'a> {
    #[serde(rename_all = "camelCase")]
    ToolSpec {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        input_schema: Schema<'a>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        strict: bool,
    },
    CachePoint(CachePoint),
}

#[derive(Serialize)]
struct Schema<'a> {
    #[serde(serialize_with = "schema")]
    json: Option<&'a RawValue>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
enum Choice<'a> {
    Auto {},
    Any {},
    Tool { name: &'a str },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutputConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    text_format: Option<TextFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
}

#[derive(Serialize)]
struct TextFormat<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    structure: Structure<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Structure<'a> {
    json_schema: JsonSchema<'a>,
}

#[derive(Serialize)]
struct JsonSchema<'a> {
    /// The schema as text: Converse wants it inside a string.
    schema: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Str<'a>>,
}

#[derive(Serialize)]
struct Tier {
    #[serde(rename = "type")]
    kind: &'static str,
}

/// What Converse hands to the model unread.
#[derive(Serialize)]
struct Additional<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<AloneChoice>,
    #[serde(flatten)]
    unknown: Raws<'a>,
}

impl Additional<'_> {
    const fn is_empty(&self) -> bool {
        self.thinking.is_none()
            && self.top_k.is_none()
            && self.tool_choice.is_none()
            && self.unknown.is_empty()
    }
}

/// Claude's own `tool_choice`, for what Converse's cannot say. It must then stand alone.
#[derive(Serialize)]
struct AloneChoice {
    #[serde(rename = "type")]
    kind: &'static str,
    disable_parallel_tool_use: bool,
}

/// Strings by name.
#[derive(Default)]
struct Pairs<'a>(Vec<(String, Str<'a>)>);

impl Pairs<'_> {
    const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// Writes `request` for `target`.
pub(super) fn encode(request: &Request, target: &Target<'_>) -> Result<Encoded, Error> {
    let mut bytes = Vec::new();
    translate(request, target, &mut |body| bytes = write_body(request, body))?;
    let operation = if target.stream {
        "converse-stream"
    } else {
        "converse"
    };
    Ok(Encoded {
        path: format!("/model/{}/{operation}", path_segment(target.model)),
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
    let choice = request.tool_choice()?;
    let claude = Rules::find(target.model);
    let caches = has_caches(target.model);
    let mut talk = conversation(&messages, caches)?;
    let rules = claude.unwrap_or(Rules::OTHER).at_a_result(talk.has_thought());
    let mut plan = Plan::of(request, target, rules)?;
    talk.mark_end(request.get("cache_control")?);
    let tools = tools(&offered, &messages, &talk, choice.as_ref(), caches)?;
    let tool_choice = choice
        .as_ref()
        .and_then(|choice| tool_choice(choice, plan.forced_tools));
    let alone = claude.is_some()
        && !tools.is_empty()
        && request.get("parallel_tool_calls")? == Some(false)
        && matches!(tool_choice, None | Some(Choice::Auto {}));
    let (own, unknown): (Vec<_>, Vec<_>) =
        native(request, TRANSLATED).partition(|(name, _)| NATIVE.contains(name));
    let body = Body {
        inference_config: Inference {
            max_tokens: plan.limited.then_some(plan.max_tokens),
            temperature: plan.temperature.take(),
            top_p: plan.top_p.take(),
            stop_sequences: request
                .stop()?
                .into_iter()
                .filter(|stop| !stop.trim().is_empty())
                .collect(),
        },
        tool_config: (!tools.is_empty()).then_some(ToolConfig {
            tools,
            tool_choice: tool_choice.filter(|_| !alone),
        }),
        output_config: output_config(request, plan.effort)?,
        service_tier: request
            .get::<Str<'_>>("service_tier")?
            .and_then(|tier| named(TIERS, &tier))
            .map(|kind| Tier { kind }),
        request_metadata: request_metadata(request)?,
        additional_model_request_fields: Additional {
            thinking: plan.thinking,
            top_k: plan.top_k.filter(|_| claude.is_some()),
            tool_choice: alone.then_some(AloneChoice {
                kind: "auto",
                disable_parallel_tool_use: true,
            }),
            unknown: Raws::of(unknown),
        },
        native: Raws::of(own),
        system: talk.system,
        messages: talk.turns,
    };
    take(&body);
    Ok(())
}

/// The caller's `metadata` as tags for AWS's logs: those pairs that are such tags.
/// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>
fn request_metadata(request: &Request) -> Result<Pairs<'_>, Error> {
    const MOST: usize = 16;
    const LONGEST: usize = 256;
    let is_tag = |text: &str| {
        let takes = |c: char| c.is_ascii_alphanumeric() || c.is_whitespace() || ":_@$#=/+,-.".contains(c);
        text.len() <= LONGEST && text.chars().all(takes)
    };
    let Some(metadata) = request.get::<Members<'_>>("metadata")? else {
        return Ok(Pairs::default());
    };
    let strings = metadata.iter().filter_map(|(name, raw)| {
        // What is no string is no tag.
        let value: Str<'_> = serde_json::from_str(raw.get()).ok()?;
        (!name.is_empty() && is_tag(&name) && is_tag(&value)).then(|| (name.into_string(), value))
    });
    Ok(Pairs(strings.take(MOST).collect()))
}

/// Which models take cache points: <https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html>. What an
/// application's inference profile stands for cannot be seen; its owner asked for caching.
fn has_caches(model: &str) -> bool {
    ["anthropic", "claude", "nova", "application-inference-profile"]
        .iter()
        .any(|part| model.contains(part))
}

fn tools<'a>(
    offered: &'a [Tool<'a>],
    messages: &'a [Message<'a>],
    talk: &Conversation<'_>,
    choice: Option<&ToolChoice>,
    caches: bool,
) -> Result<Vec<ToolEntry<'a>>, Error> {
    let used = talk.has_tools();
    if choice == Some(&ToolChoice::None) && !used {
        return Ok(Vec::new());
    }
    let mut out = Vec::with_capacity(offered.len());
    for (at, tool) in offered.iter().enumerate() {
        let FunctionTool {
            name,
            description,
            parameters,
            strict,
            cache_control,
        } = match tool {
            Tool::Function(function) => function,
            Tool::Other { kind, .. } => {
                return Err(cannot_carry(format_args!("tools[{at}]"), NAME, cut(kind, 80)));
            }
        };
        let description = description
            .as_deref()
            .filter(|description| !description.is_empty());
        // `strict: false` is the default, and some models refuse the member whatever it says.
        let strict = *strict == Some(true);
        out.push(ToolEntry::ToolSpec {
            name,
            description,
            input_schema: Schema { json: *parameters },
            strict,
        });
        let point = cache_control.filter(|_| caches).map(CachePoint::of);
        out.extend(point.map(ToolEntry::CachePoint));
    }
    if out.is_empty() && used {
        // Converse refuses a conversation with calls in it unless it is told of the tools.
        let calls = messages.iter().flat_map(|message| &message.tool_calls);
        let mut seen = BTreeSet::new();
        let names = calls
            .map(|call| &*call.function.name)
            .filter(|name| seen.insert(*name));
        out.extend(names.map(|name| ToolEntry::ToolSpec {
            name,
            description: None,
            input_schema: Schema { json: None },
            strict: false,
        }));
    }
    Ok(out)
}

fn tool_choice(choice: &ToolChoice, may_force: bool) -> Option<Choice<'_>> {
    match choice {
        ToolChoice::None => None,
        ToolChoice::Required if may_force => Some(Choice::Any {}),
        ToolChoice::Function(name) if may_force => Some(Choice::Tool { name }),
        ToolChoice::Auto | ToolChoice::Required | ToolChoice::Function(_) => Some(Choice::Auto {}),
    }
}

fn output_config<'a>(
    request: &'a Request,
    effort: Option<&'static str>,
) -> Result<Option<OutputConfig<'a>>, Error> {
    let text_format = match request.response_format()? {
        None | Some(ResponseFormat::Text | ResponseFormat::JsonObject) => None,
        Some(ResponseFormat::JsonSchema { name, schema }) => Some(TextFormat {
            kind: "json_schema",
            structure: Structure {
                json_schema: JsonSchema {
                    schema: schema.get(),
                    name: Some(name).filter(|name| !name.is_empty()),
                },
            },
        }),
        Some(ResponseFormat::Other(kind)) => {
            return Err(cannot_carry(
                format_args!("response_format"),
                NAME,
                cut(&kind, 80),
            ));
        }
    };
    Ok((effort.is_some() || text_format.is_some()).then_some(OutputConfig { text_format, effort }))
}
