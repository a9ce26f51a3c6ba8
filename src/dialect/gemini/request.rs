//! A unified request in Gemini's form.
//!
//! What it cannot carry is in [`gaps`](super::gaps).

use super::NAME;
use super::host::Host;
use super::models::{Model, Thinking};
use super::turns::{Turn, conversation};
use crate::chat::{FunctionTool, Request, ResponseFormat, Tool, ToolChoice};
use crate::dialect::features::native;
use crate::dialect::shared::raws::Raws;
use crate::dialect::shared::turns::cannot_carry;
use crate::dialect::shared::write::{named, write_body};
use crate::dialect::{Encoded, Target, path_segment};
use crate::error::{Error, cut, quoted};
use crate::json::{self, Members, Shape, Str};
use serde::Serialize;
use serde_json::value::RawValue;

/// The most stop sequences that Google takes: <https://ai.google.dev/api/generate-content#generationconfig>.
const MAX_STOPS: usize = 5;

/// Gemini's names for what the unified form says in another way.
const TRANSLATED: &[&str] = &[
    "contents",
    "generationConfig",
    "generation_config",
    "systemInstruction",
    "system_instruction",
    "toolConfig",
    "tool_config",
];

/// The members of `generationConfig` that the unified form has no word for.
const CONFIG: &[&str] = &["enableEnhancedCivicAnswers", "mediaResolution", "speechConfig"];

/// Its tiers by OpenAI's names and its own: <https://ai.google.dev/api/generate-content>.
const TIERS: &[(&str, &str)] = &[
    ("default", "standard"),
    ("fast", "priority"),
    ("flex", "flex"),
    ("priority", "priority"),
    ("standard", "standard"),
];

/// The tools that Google runs itself, as a caller may name them in `type`.
static NATIVE_TOOLS: &[(&str, &str)] = &[
    ("code_execution", "codeExecution"),
    ("computer_use", "computerUse"),
    ("file_search", "fileSearch"),
    ("google_maps", "googleMaps"),
    ("google_search", "googleSearch"),
    ("url_context", "urlContext"),
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Turn<'a>>,
    contents: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolEntry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig<'a>>,
    #[serde(skip_serializing_if = "Raws::is_empty")]
    generation_config: Raws<'a>,
    #[serde(flatten)]
    rest: Raws<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum ToolEntry<'a> {
    FunctionDeclarations(Vec<Declaration<'a>>),
    #[serde(untagged)]
    Native(Raws<'a>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Declaration<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_json_schema: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolConfig<'a> {
    function_calling_config: Calling<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Calling<'a> {
    mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_function_names: Option<[&'a str; 1]>,
}

/// Writes `request` for `target`.
pub(super) fn encode(request: &Request, target: &Target<'_>, host: &Host) -> Result<Encoded, Error> {
    let mut bytes = Vec::new();
    translate(request, target, host, &mut |body| {
        bytes = write_body(request, body);
    })
    .map_err(|error| error.named(NAME, host.name))?;
    let operation = if target.stream {
        "streamGenerateContent?alt=sse"
    } else {
        "generateContent"
    };
    let given = host
        .paths
        .iter()
        .find_map(|path| Some((*path, target.model.strip_prefix(path)?)));
    let (before, id) = given.unwrap_or((host.models, target.model));
    Ok(Encoded {
        path: format!("/{before}{}:{operation}", path_segment(id)),
        headers: Vec::new(),
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
    let model = Model::of(target.model);
    let messages = request.messages()?;
    let offered = request.tools()?;
    let choice = request.tool_choice()?;
    let mut talk = conversation(&messages, model)?;
    if host.wants_types
        && let Some(url) = talk.untyped()
    {
        return Err(Error::invalid(format!(
            "messages: gemini must be told what is at {}; use a name that ends with its type, such as .png",
            quoted(url)
        )));
    }
    let mut tools = tools(&offered)?;
    let strict = model.validates_calls()
        && offered
            .iter()
            .any(|tool| matches!(tool, Tool::Function(function) if function.strict == Some(true)));
    let has_functions = tools
        .iter()
        .any(|tool| matches!(tool, ToolEntry::FunctionDeclarations(_)));
    search(request, model, has_functions, &mut tools)?;
    let (config, others): (Vec<_>, Vec<_>) =
        native(request, TRANSLATED).partition(|(name, _)| CONFIG.contains(name));
    let mut generation_config = generation(request, target, model)?;
    generation_config.extend(config);
    let mut rest = Raws::of(others);
    let tier: Option<Str<'_>> = request.get("service_tier")?;
    if let Some(tier) = tier.and_then(|tier| named(TIERS, &tier)) {
        rest.set("serviceTier", tier);
    }
    let body = Body {
        system_instruction: talk.system,
        contents: talk.turns,
        tool_config: has_functions
            .then(|| calling(choice.as_ref(), strict))
            .flatten()
            .map(|function_calling_config| ToolConfig {
                function_calling_config,
            }),
        tools,
        generation_config,
        rest,
    };
    take(&body);
    Ok(())
}

/// The members that are numbers on both sides, with their spelling kept.
static NUMBERS: &[(&str, &str)] = &[
    ("temperature", "temperature"),
    ("top_p", "topP"),
    ("top_k", "topK"),
];

static PENALTIES: &[(&str, &str)] = &[
    ("presence_penalty", "presencePenalty"),
    ("frequency_penalty", "frequencyPenalty"),
];

fn generation<'a>(request: &'a Request, target: &Target<'_>, model: Model<'_>) -> Result<Raws<'a>, Error> {
    let mut out = Raws::default();
    let limit = request.max_tokens()?;
    if let Some(limit) = limit {
        out.set("maxOutputTokens", &limit);
    }
    let penalties = if model.has_penalties() { PENALTIES } else { &[] };
    for (name, theirs) in NUMBERS.iter().chain(penalties) {
        let Some(raw) = request.get::<&RawValue>(name)? else {
            continue;
        };
        if json::shape(raw) != Shape::Number {
            return Err(Error::invalid(format!("{name}: expected a number")));
        }
        out.keep(
            theirs,
            Some(raw).filter(|raw| *name != "top_k" || raw.get() != "0"),
        );
    }
    let stops: Vec<Str<'_>> = request
        .stop()?
        .into_iter()
        .filter(|stop| !stop.is_empty())
        .collect();
    if stops.len() > MAX_STOPS {
        return Err(Error::invalid(format!(
            "stop: gemini takes at most {MAX_STOPS} sequences; send fewer of them"
        )));
    }
    if !stops.is_empty() {
        out.set("stopSequences", &stops);
    }
    if let Some(choices) = Some(request.choices()?).filter(|choices| *choices > 1) {
        out.set("candidateCount", &choices);
    }
    if let Some(raw) = request.get::<&RawValue>("seed")? {
        out.set("seed", &seed(raw.get())?);
    }
    if request.get::<bool>("logprobs")? == Some(true) {
        out.set("responseLogprobs", &true);
        if let Some(most) = request.get::<u64>("top_logprobs")?.filter(|most| *most > 0) {
            out.set("logprobs", &most);
        }
    }
    answer(request, &mut out)?;
    let thinking: Option<Thinking> =
        model.thinking(request.reasoning()?, limit.unwrap_or(target.default_max_tokens));
    if let Some(thinking) = thinking {
        out.set("thinkingConfig", &thinking);
    }
    Ok(out)
}

/// The form of the answer: JSON or text, text or images.
fn answer<'a>(request: &'a Request, out: &mut Raws<'a>) -> Result<(), Error> {
    const JSON: &str = "application/json";
    match request.response_format()? {
        None | Some(ResponseFormat::Text) => {}
        Some(ResponseFormat::JsonObject) => out.set("responseMimeType", JSON),
        Some(ResponseFormat::JsonSchema { schema, .. }) => {
            out.set("responseMimeType", JSON);
            out.keep("responseJsonSchema", Some(schema));
        }
        Some(ResponseFormat::Other(kind)) => {
            return Err(cannot_carry(
                format_args!("response_format"),
                NAME,
                cut(&kind, 80),
            ));
        }
    }
    let modalities: Vec<Str<'_>> = request.get("modalities")?.unwrap_or_default();
    if let Some(other) = modalities
        .iter()
        .find(|kind| !matches!(&***kind, "text" | "image"))
    {
        return Err(Error::invalid(format!(
            "modalities: gemini carries text and image, not {}",
            quoted(other)
        )));
    }
    if modalities.iter().any(|kind| &**kind == "image") {
        let names: Vec<_> = modalities.iter().map(|kind| kind.to_ascii_uppercase()).collect();
        out.set("responseModalities", &names);
    }
    if let Some(raw) = request.get::<&RawValue>("image_config")? {
        let (theirs, mut config) = (Members::of(raw), Raws::default());
        config.keep("aspectRatio", theirs.get("aspect_ratio"));
        config.keep("imageSize", theirs.get("image_size"));
        if !config.is_empty() {
            out.set("imageConfig", &config);
        }
    }
    Ok(())
}

/// Google's seeds have 32 bits with a sign. A longer one is folded: the same seed always comes to the same.
fn seed(text: &str) -> Result<i32, Error> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::invalid("seed: expected an integer"));
    }
    let folded = || i32::try_from(crc32fast::hash(text.as_bytes()) >> 1).unwrap_or_default();
    Ok(text.parse().unwrap_or_else(|_| folded()))
}

fn tools<'a>(offered: &'a [Tool<'a>]) -> Result<Vec<ToolEntry<'a>>, Error> {
    let mut functions = Vec::new();
    let mut native = Vec::new();
    for (at, tool) in offered.iter().enumerate() {
        match tool {
            Tool::Function(FunctionTool {
                name,
                description,
                parameters,
                ..
            }) => functions.push(Declaration {
                name,
                description: description
                    .as_deref()
                    .filter(|description| !description.is_empty()),
                parameters_json_schema: parameters.filter(|schema| !json::is_empty_object(schema)),
            }),
            Tool::Other { kind, raw } => {
                let known = NATIVE_TOOLS
                    .iter()
                    .find(|(name, theirs)| *name == &**kind || *theirs == &**kind);
                let Some((name, theirs)) = known else {
                    return Err(cannot_carry(format_args!("tools[{at}]"), NAME, cut(kind, 80)));
                };
                let members = Members::of(raw);
                let mut entry = Raws::default();
                match members.get(theirs).or_else(|| members.get(name)) {
                    Some(settings) => entry.keep(theirs, Some(settings)),
                    None => entry.set(theirs, &Raws::default()),
                }
                native.push(ToolEntry::Native(entry));
            }
        }
    }
    if !functions.is_empty() {
        native.insert(0, ToolEntry::FunctionDeclarations(functions));
    }
    Ok(native)
}

/// The search of the web that a chat asks for by a member of its own. Where its user is, and how much of what it finds goes
/// into the context, cannot be said there: <https://ai.google.dev/gemini-api/docs/google-search>.
fn search(
    request: &Request,
    model: Model<'_>,
    has_functions: bool,
    tools: &mut Vec<ToolEntry<'_>>,
) -> Result<(), Error> {
    const SEARCH: &str = "googleSearch";
    let offered = tools.iter().any(|tool| match tool {
        ToolEntry::Native(tool) => tool.has(SEARCH),
        ToolEntry::FunctionDeclarations(_) => false,
    });
    if offered || !model.searches() || !request.has("web_search_options") {
        return Ok(());
    }
    // Older models refuse the two together, and newer ones want what was searched told back to them in each turn:
    // https://ai.google.dev/gemini-api/docs/tool-combination.
    if has_functions {
        return Err(Error::invalid(
            "web_search_options: gemini does not search the web where functions are offered; leave out one of the two",
        ));
    }
    let mut entry = Raws::default();
    entry.set(SEARCH, &Raws::default());
    tools.push(ToolEntry::Native(entry));
    Ok(())
}

/// Google holds calls to their schemas only all together, and does so anyway when a call is forced.
fn calling(choice: Option<&ToolChoice>, strict: bool) -> Option<Calling<'_>> {
    let (mode, name) = match choice {
        None | Some(ToolChoice::Auto) if strict => ("VALIDATED", None),
        None => return None,
        Some(ToolChoice::Auto) => ("AUTO", None),
        Some(ToolChoice::None) => ("NONE", None),
        Some(ToolChoice::Required) => ("ANY", None),
        Some(ToolChoice::Function(name)) => ("ANY", Some([name.as_str()])),
    };
    Some(Calling {
        mode,
        allowed_function_names: name,
    })
}
