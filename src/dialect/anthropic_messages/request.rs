//! A unified request in Anthropic's form.
//!
//! What it cannot carry is in [`gaps`](super::gaps).

use super::NAME;
use super::host::{Host, Search, Version};
use super::search::{self, search};
use super::turns::{Block, conversation, refuse_addresses};
use crate::chat::{FunctionTool, Request, ResponseFormat, Tool, ToolChoice};
use crate::dialect::features::native;
use crate::dialect::shared::claude::{Plan, Rules, Thinking};
use crate::dialect::shared::raws::Raws;
use crate::dialect::shared::schema::schema;
use crate::dialect::shared::turns::{Turn, cannot_carry};
use crate::dialect::shared::write::{named, write_body};
use crate::dialect::{Encoded, Target};
use crate::error::{Error, cut};
use crate::json::{Members, Str};
use serde::Serialize;
use serde_json::value::RawValue;

/// The member that names what of the API is not released yet; the header is called the same, with a hyphen.
const BETA: &str = "anthropic_beta";

/// Anthropic's names for what the unified form says in another way.
const TRANSLATED: &[&str] = &["output_config", "stop_sequences", "system", "thinking"];

/// Its tiers by OpenAI's names and its own: <https://docs.anthropic.com/en/api/service-tiers>. `auto` takes the capacity
/// that was bought ahead where there is some, which is what OpenAI calls priority.
const TIERS: &[(&str, &str)] = &[
    ("auto", "auto"),
    ("default", "standard_only"),
    ("fast", "auto"),
    ("priority", "auto"),
    ("standard_only", "standard_only"),
];

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    anthropic_version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    max_tokens: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Block<'a>>,
    messages: Vec<Turn<Block<'a>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolEntry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<Str<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<&'a RawValue>,
    #[serde(flatten)]
    rest: Raws<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ToolEntry<'a> {
    Function(FunctionEntry<'a>),
    Search(Raws<'a>),
    Native(&'a RawValue),
}

#[derive(Serialize)]
struct FunctionEntry<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(serialize_with = "schema")]
    input_schema: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Choice<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    disable_parallel_tool_use: bool,
}

#[derive(Serialize)]
struct OutputConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<OutputFormat<'a>>,
}

#[derive(Serialize)]
struct OutputFormat<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    schema: &'a RawValue,
}

#[derive(Serialize)]
struct Metadata<'a> {
    user_id: Str<'a>,
}

/// Writes `request` for `target` at `host`.
pub(super) fn encode(request: &Request, target: &Target<'_>, host: &Host) -> Result<Encoded, Error> {
    let mut bytes = Vec::new();
    translate(request, target, host, &mut |body| {
        bytes = write_body(request, body);
    })
    .map_err(|error| error.named(NAME, host.name))?;
    let mut headers = Vec::new();
    if let Version::Header(version) = host.version {
        headers.push(("anthropic-version", version.to_owned()));
    }
    let beta = beta(request, host)?;
    if !beta.is_empty() && !host.beta_in_body {
        headers.push(("anthropic-beta", beta));
    }
    Ok(Encoded {
        path: (host.path)(target),
        headers,
        body: bytes,
    })
}

/// Finds what `encode` would refuse, and writes nothing.
pub(super) fn check(request: &Request, target: &Target<'_>, host: &Host) -> Result<(), Error> {
    translate(request, target, host, &mut |_| ()).map_err(|error| error.named(NAME, host.name))
}

/// Makes the body of `request` for `target` and gives it to `take`: everything that can be wrong is found on the way.
fn translate(
    request: &Request,
    target: &Target<'_>,
    host: &Host,
    take: &mut dyn FnMut(&Body<'_>),
) -> Result<(), Error> {
    let messages = request.messages()?;
    let offered = request.tools()?;
    let choice = request.tool_choice()?;
    if !host.is_anthropic {
        refuse_addresses(&messages)?;
    }
    let mut talk = conversation(&messages)?;
    let rules = Rules::find(target.model).unwrap_or(Rules::COMPATIBLE);
    let plan = Plan::of(request, target, rules.at_a_result(talk.has_thought()))?;
    // Marks the end of the conversation by itself; the other hosts know only marks on blocks.
    let mut cache_control = request.get("cache_control")?;
    if let (Some(mark), false) = (cache_control, host.is_anthropic) {
        talk.mark_end(mark);
        cache_control = None;
    }
    beta(request, host)?;
    let mut tools = tools(&offered)?;
    tools.extend(search(request, host)?.map(ToolEntry::Search));
    let tool_choice = match tools.is_empty() {
        true => None,
        false => tool_choice(
            choice.as_ref(),
            request.get("parallel_tool_calls")?,
            plan.forced_tools,
        ),
    };
    let body = Body {
        anthropic_version: match host.version {
            Version::Body(version) => Some(version),
            Version::Header(_) => None,
        },
        model: host.names_model.then_some(target.model),
        max_tokens: plan.max_tokens,
        stream: target.stream && host.names_stream,
        system: talk.system,
        messages: talk.turns,
        tools,
        tool_choice,
        thinking: plan.thinking,
        output_config: output_config(request, plan.effort)?,
        temperature: plan.temperature,
        top_p: plan.top_p,
        top_k: plan.top_k,
        // Anthropic refuses a sequence of nothing but white space.
        stop_sequences: request
            .stop()?
            .into_iter()
            .filter(|stop| !stop.trim().is_empty())
            .collect(),
        metadata: user(request)?.map(|user_id| Metadata { user_id }),
        service_tier: request
            .get::<Str<'_>>("service_tier")?
            .filter(|_| host.is_anthropic)
            .and_then(|tier| named(TIERS, &tier)),
        cache_control,
        rest: Raws::of(native(request, TRANSLATED).filter(|(name, _)| *name != BETA || host.beta_in_body)),
    };
    take(&body);
    Ok(())
}

/// Whose request it is: `user`, or the newer `safety_identifier`, or what stands under Anthropic's own name.
fn user(request: &Request) -> Result<Option<Str<'_>>, Error> {
    if let Some(user) = request.get("user")? {
        return Ok(Some(user));
    }
    if let Some(user) = request.get("safety_identifier")? {
        return Ok(Some(user));
    }
    let metadata = request.get::<&RawValue>("metadata")?;
    Ok(metadata.and_then(|metadata| Members::of(metadata).text("user_id")))
}

/// The names of betas as a header lists them.
fn beta(request: &Request, host: &Host) -> Result<String, Error> {
    let names = request.get::<Vec<Str<'_>>>(BETA)?.unwrap_or_default();
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let unsound = |name: &Str<'_>| name.is_empty() || !name.bytes().all(sound);
    if let Some(at) = names.iter().position(unsound) {
        return Err(Error::invalid(format!(
            "{BETA}[{at}]: a name of letters, digits, '.', '_' and '-' is wanted"
        )));
    }
    let mut names: Vec<&str> = names.iter().map(|name| &**name).collect();
    if let Search::Beta(beta) = host.search
        && search::is_asked(request)
        && !names.contains(&beta)
    {
        names.push(beta);
    }
    Ok(names.join(","))
}

fn tools<'a>(offered: &'a [Tool<'a>]) -> Result<Vec<ToolEntry<'a>>, Error> {
    offered
        .iter()
        .enumerate()
        .map(|(at, tool)| match tool {
            Tool::Function(FunctionTool {
                name,
                description,
                parameters,
                strict,
                cache_control,
            }) => Ok(ToolEntry::Function(FunctionEntry {
                name,
                description: description
                    .as_deref()
                    .filter(|description| !description.is_empty()),
                input_schema: *parameters,
                strict: *strict,
                cache_control: *cache_control,
            })),
            // A gateway's own tool that no stage took out, and one of OpenAI's: the provider would not know them.
            Tool::Other { kind, raw }
                if kind.starts_with("openrouter:")
                    || kind.starts_with("crosspoint:")
                    || Members::of(raw).get("custom").is_some() =>
            {
                Err(cannot_carry(format_args!("tools[{at}]"), NAME, cut(kind, 80)))
            }
            Tool::Other { raw, .. } => Ok(ToolEntry::Native(raw)),
        })
        .collect()
}

fn tool_choice(choice: Option<&ToolChoice>, parallel: Option<bool>, may_force: bool) -> Option<Choice<'_>> {
    let alone = parallel == Some(false);
    let (kind, name) = match choice {
        None if !alone => return None,
        Some(ToolChoice::None) => ("none", None),
        Some(ToolChoice::Required) if may_force => ("any", None),
        Some(ToolChoice::Function(name)) if may_force => ("tool", Some(name.as_str())),
        None | Some(ToolChoice::Auto | ToolChoice::Required | ToolChoice::Function(_)) => ("auto", None),
    };
    Some(Choice {
        kind,
        name,
        disable_parallel_tool_use: alone && kind != "none",
    })
}

fn output_config<'a>(
    request: &'a Request,
    effort: Option<&'static str>,
) -> Result<Option<OutputConfig<'a>>, Error> {
    let format = match request.response_format()? {
        None | Some(ResponseFormat::Text | ResponseFormat::JsonObject) => None,
        Some(ResponseFormat::JsonSchema { schema, .. }) => Some(OutputFormat {
            kind: "json_schema",
            schema,
        }),
        Some(ResponseFormat::Other(kind)) => {
            return Err(cannot_carry(
                format_args!("response_format"),
                NAME,
                cut(&kind, 80),
            ));
        }
    };
    Ok((effort.is_some() || format.is_some()).then_some(OutputConfig { effort, format }))
}
