//! The search of the web that a chat asks for by a member of its own, as the tool that Anthropic runs itself:
//! <https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool>.
//!
//! Its first version needs nothing else; the next one wants the tool that runs code beside it. How much of what it finds
//! goes into the context (`search_context_size`) cannot be said there.

use super::host::{Host, Search};
use crate::chat::Request;
use crate::dialect::shared::location::set_location;
use crate::dialect::shared::raws::Raws;
use crate::error::Error;
use crate::json::Members;
use serde_json::value::RawValue;

/// Whether a request asks for it by that member.
pub(super) fn is_asked(request: &Request) -> bool {
    request.has("web_search_options")
}

/// The tool, if it is asked for, the host has it, and the request does not offer it already.
pub(super) fn search<'a>(request: &'a Request, host: &Host) -> Result<Option<Raws<'a>>, Error> {
    let Some(raw) = request
        .get::<&RawValue>("web_search_options")?
        .filter(|_| host.search != Search::Never)
    else {
        return Ok(None);
    };
    let offered: Vec<&RawValue> = request.get("tools")?.unwrap_or_default();
    let is_search = |raw: &&RawValue| {
        let kind = Members::of(raw).text("type");
        kind.is_some_and(|kind| kind.starts_with("web_search"))
    };
    if offered.iter().any(is_search) {
        return Ok(None);
    }
    let mut tool = Raws::default();
    tool.set("type", "web_search_20250305");
    tool.set("name", "web_search");
    set_location(raw, &mut tool);
    Ok(Some(tool))
}
