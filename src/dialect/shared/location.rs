//! The place of the user, for a tool that searches the web.

use super::raws::Raws;
use crate::json::Members;
use serde_json::value::RawValue;

/// Adds the `user_location` of a chat's `web_search_options` to `tool`: chats have it one object deeper than the tools of
/// Anthropic and OpenAI.
pub(in crate::dialect) fn set_location(options: &RawValue, tool: &mut Raws<'_>) {
    let given = Members::of(options).get("user_location").map(Members::of);
    let place = given.unwrap_or_default().get("approximate").map(Members::of);
    let Some(place) = place else { return };
    let mut location = Raws::default();
    location.set("type", "approximate");
    for name in ["city", "country", "region", "timezone"] {
        location.keep(name, place.get(name));
    }
    tool.set("user_location", &location);
}
