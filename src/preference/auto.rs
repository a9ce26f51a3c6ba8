//! The automatic choice of a model: the names that ask for it, and what a request prefers of it.

use crate::chat::Request;
use crate::error::{Error, quoted};
use crate::json::{self, Members, Str};
use serde::Deserialize;

/// Names that ask for it; OpenRouter's is the second.
pub const NAMES: [&str; 2] = ["crosspoint/auto", "openrouter/auto"];

/// The id of the plugin in which a request says more about it:
/// <https://openrouter.ai/docs/guides/routing/routers/auto-router>.
pub(crate) const PLUGIN: &str = "auto-router";
/// Its members that are honoured; `hints` is our own.
const KNOWN: &str = "id, enabled, allowed_models, excluded_models, hints";

/// Preferences of a request among the models of the shortlist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AutoPreferences {
    /// Patterns of models that may be picked; empty: all.
    pub allowed: Vec<String>,
    /// Patterns of models that may not.
    pub excluded: Vec<String>,
    /// Skills that the model should have, in the words of the shortlist's scores: `coding`, `german`.
    pub hints: Vec<String>,
}

impl AutoPreferences {
    /// The preferences of a request.
    ///
    /// # Errors
    /// Names the member that is wrong or not honoured. Other plugins are not looked at.
    pub fn of(request: &Request) -> Result<Self, Error> {
        let mut preferences = Self::default();
        let Some(plugins) = request.raw("plugins") else {
            return Ok(preferences);
        };
        // What is no list of objects names no plugin of this one's.
        for (at, plugin) in json::items(plugins).enumerate() {
            let members = Members::of(plugin);
            let is_off = members.get("enabled").is_some_and(|raw| raw.get() == "false");
            if members.text("id").as_deref() == Some(PLUGIN) && !is_off {
                preferences.read(&format!("plugins[{at}]"), &members)?;
            }
        }
        Ok(preferences)
    }

    fn read(&mut self, place: &str, members: &Members<'_>) -> Result<(), Error> {
        for (name, raw) in members.iter() {
            let list = match &*name {
                _ if raw.get() == "null" => continue,
                "id" | "enabled" => continue,
                "allowed_models" => &mut self.allowed,
                "excluded_models" => &mut self.excluded,
                "hints" => &mut self.hints,
                other => {
                    let other = quoted(other);
                    return Err(Error::invalid(format!(
                        "{place}.{}: {PLUGIN} does not support it; known: {KNOWN}",
                        other.trim_matches('"')
                    )));
                }
            };
            let read = Vec::<Str<'_>>::deserialize(raw);
            let read =
                read.map_err(|_| Error::invalid(format!("{place}.{}: expected a list of strings", &*name)))?;
            *list = read.into_iter().map(Str::into_string).collect();
        }
        Ok(())
    }
}
