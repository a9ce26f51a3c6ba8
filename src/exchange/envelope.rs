//! What the gateway itself must know of a request, whatever the dialect.

use crate::chat::{Operation, Request};
use crate::error::Error;
use crate::json::Str;
use crate::preference::Preferences;

/// The prompts of a request that its provider alone can read. No provider takes more in one request.
const UNREAD_PROMPTS: u64 = 2_048;

/// What the gateway itself must know of a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Envelope {
    /// The model and its fallbacks, in order.
    pub(super) models: Vec<String>,
    pub(super) stream: bool,
    /// Whether a buffered answer may be folded from a stream.
    pub(super) may_fold: bool,
    pub(super) include_usage: bool,
    pub(super) hides_thinking: bool,
    /// Whether vectors are wanted in base64.
    pub(super) base64: bool,
    /// How many vectors are wanted, where that can be told.
    pub(super) vectors: Option<usize>,
    /// Whether the caller gave stop sequences.
    pub(super) stops: bool,
    /// The most completion tokens that the caller wants, of all choices together.
    pub(super) max_tokens: Option<u64>,
    /// How many prompts there are, and how many completions are written of them.
    pub(super) prompts: u64,
    pub(super) completions: u64,
    /// The provider may run tools: functions are not told apart from its own.
    pub(super) runs_tools: bool,
    pub(super) preferences: Preferences,
}

impl Envelope {
    pub(super) fn of(request: &Request) -> Result<Self, Error> {
        #[derive(serde::Deserialize)]
        struct StreamOptions {
            include_usage: Option<bool>,
        }
        #[derive(serde::Deserialize)]
        struct UsageOptions {
            include: Option<bool>,
        }
        let mut models: Vec<String> = request
            .get::<Str<'_>>("model")?
            .map(Str::into_string)
            .into_iter()
            .collect();
        let others = request.get::<Vec<Str<'_>>>("models")?.unwrap_or_default();
        for model in others {
            if !models.iter().any(|known| **known == *model) {
                models.push(model.into_string());
            }
        }
        if models.is_empty() {
            return Err(Error::invalid(
                "model: missing; name a model, or several in models",
            ));
        }
        let operation = request.operation();
        let stream = request.get::<bool>("stream")?.unwrap_or(false);
        if stream && !operation.streams() {
            return Err(Error::invalid(format!(
                "stream: an answer of {} comes whole; leave it out",
                operation.name()
            )));
        }
        let stream_options = request
            .get::<StreamOptions>("stream_options")?
            .and_then(|options| options.include_usage);
        let usage = request
            .get::<UsageOptions>("usage")?
            .and_then(|options| options.include);
        let prompts = request.prompts();
        let completions = request
            .choices()?
            .saturating_mul(prompts.unwrap_or(UNREAD_PROMPTS));
        Ok(Self {
            models,
            stream,
            // OpenAI streams no audio in the formats that its buffered answers have.
            may_fold: !stream && operation.streams() && request.raw("audio").is_none(),
            include_usage: stream_options.or(usage).unwrap_or(false),
            hides_thinking: request.hides_thinking(),
            base64: operation == Operation::Embeddings
                && request.get::<Str<'_>>("encoding_format")?.as_deref() == Some("base64"),
            // What is no input of OpenAI's, only its provider can count.
            vectors: match operation {
                Operation::Embeddings => prompts.and_then(|count| usize::try_from(count).ok()),
                Operation::Chat | Operation::Completions => None,
            },
            // What cannot be read its dialect refuses.
            stops: operation.streams()
                && request
                    .stop()
                    .is_ok_and(|stops| stops.iter().any(|stop| !stop.is_empty())),
            max_tokens: request.max_tokens()?.map(|most| most.saturating_mul(completions)),
            prompts: prompts.unwrap_or(UNREAD_PROMPTS),
            completions,
            runs_tools: ["tools", "plugins", "web_search_options"]
                .iter()
                .any(|name| request.has(name)),
            preferences: Preferences::of(request)?,
        })
    }
}
