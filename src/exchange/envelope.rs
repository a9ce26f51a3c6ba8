//! What the gateway itself must know of a request, whatever the dialect.

use crate::chat::Request;
use crate::error::Error;
use crate::json::Str;
use crate::route::Preferences;

/// What the gateway itself must know of a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Envelope {
    /// The model and its fallbacks, in order.
    pub(super) models: Vec<String>,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
    pub(super) hides_thinking: bool,
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
        for model in request.get::<Vec<Str<'_>>>("models")?.unwrap_or_default() {
            if !models.iter().any(|known| **known == *model) {
                models.push(model.into_string());
            }
        }
        if models.is_empty() {
            return Err(Error::invalid(
                "model: missing; name a model, or several in models",
            ));
        }
        let stream_options = request
            .get::<StreamOptions>("stream_options")?
            .and_then(|options| options.include_usage);
        let usage = request
            .get::<UsageOptions>("usage")?
            .and_then(|options| options.include);
        Ok(Self {
            models,
            stream: request.get::<bool>("stream")?.unwrap_or(false),
            include_usage: stream_options.or(usage).unwrap_or(false),
            hides_thinking: request.hides_thinking(),
            preferences: Preferences::of(request)?,
        })
    }
}
