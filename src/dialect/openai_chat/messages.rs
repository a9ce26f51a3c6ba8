//! The messages of a request as a provider's quirks want them. What they do not name keeps its bytes.

use super::super::Quirks;
use crate::hash;
use crate::json::{self, Members, Str, member};
use serde::Serialize;
use serde_json::value::RawValue;
use std::cell::RefCell;

/// The mark for caching, as OpenRouter took it over from Anthropic.
pub(super) const CACHE_CONTROL: &str = "cache_control";

/// Whether any of the messages in `text` may have to be written anew. A word of ours inside a prompt says so too, and costs
/// only the look: what need not change keeps its bytes.
pub(super) fn concern(quirks: &Quirks, text: &str) -> bool {
    !quirks.messages.is_none()
        || (!quirks.developer_role && text.contains("developer"))
        || (quirks.short_tool_ids && text.contains("tool_call"))
        || is_marked(quirks, text)
        || (quirks.document_parts && (text.contains("\"file\"") || text.contains("\"input_audio\"")))
}

/// Whether `text` has marks for caching that the provider does not take, or a word that looks like one.
pub(super) fn is_marked(quirks: &Quirks, text: &str) -> bool {
    !quirks.cache_control && text.contains(CACHE_CONTROL)
}

/// Writes the array in `text` without the marks for caching on its items.
pub(super) fn write_unmarked(body: &mut Vec<u8>, text: &str) {
    each(body, text, &|body, item| {
        object(body, item, &|name, _, _| {
            (name != CACHE_CONTROL).then_some((name, None))
        });
    });
}

/// Writes the messages in `text`.
pub(super) fn write(body: &mut Vec<u8>, text: &str, quirks: &Quirks) {
    each(body, text, &|body, raw| message(body, raw, quirks));
}

fn message<'v>(body: &mut Vec<u8>, raw: &'v RawValue, quirks: &'v Quirks) {
    object(body, raw, &|name, value, has| {
        let name = quirks.messages.name(name, has)?;
        let write: Write<'v> = match name {
            "role" if !quirks.developer_role && string(value).as_deref() == Some("developer") => {
                Box::new(|out| json::write(out, "system"))
            }
            "content" if is_marked(quirks, value.get()) => Box::new(|out| write_unmarked(out, value.get())),
            "tool_call_id" if quirks.short_tool_ids => Box::new(|out| short_id(out, value)),
            "tool_calls" if quirks.short_tool_ids => Box::new(|out| each(out, value.get(), &tool_call)),
            "content" if quirks.document_parts => Box::new(|out| each(out, value.get(), &document_part)),
            _ => return Some((name, None)),
        };
        Some((name, Some(write)))
    });
}

fn tool_call(out: &mut Vec<u8>, raw: &RawValue) {
    object(out, raw, &|name, value, _| {
        let write: Option<Write<'_>> = match name {
            "id" => Some(Box::new(|out| short_id(out, value))),
            _ => None,
        };
        Some((name, write))
    });
}

/// A part of a content: a file with data, or at an address, as `document_url`; sound as bare base64.
fn document_part(out: &mut Vec<u8>, raw: &RawValue) {
    #[derive(Serialize)]
    struct Document<'a> {
        r#type: &'static str,
        document_url: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        document_name: Option<&'a str>,
    }
    #[derive(Serialize)]
    struct Sound<'a> {
        r#type: &'static str,
        input_audio: &'a str,
    }
    let members = Members::of(raw);
    let inside = |name| members.get(name).map(Members::of).unwrap_or_default();
    let data = |name, data| {
        let is_it = members.text("type").as_deref() == Some(name);
        is_it.then(|| inside(name).text(data)).flatten()
    };
    if let Some(url) = data("file", "file_data") {
        let name = inside("file").text("filename");
        let part = Document {
            r#type: "document_url",
            document_url: &url,
            document_name: name.as_deref(),
        };
        json::write(out, &part);
    } else if let Some(sound) = data("input_audio", "data") {
        let (r#type, input_audio) = ("input_audio", &*sound);
        json::write(out, &Sound { r#type, input_audio });
    } else {
        out.extend_from_slice(raw.get().as_bytes());
    }
}

/// Writes every item of the array in `text` with `item`; anything but an array as it stands there.
fn each(body: &mut Vec<u8>, text: &str, item: &dyn Fn(&mut Vec<u8>, &RawValue)) {
    let start = body.len();
    body.push(b'[');
    let read = json::each(text, |raw: &RawValue| {
        if body.len() > start + 1 {
            body.push(b',');
        }
        item(body, raw);
    });
    body.push(b']');
    if read.is_err() {
        body.truncate(start);
        body.extend_from_slice(text.as_bytes());
    }
}

/// Whether a member is there and not `null`.
type Has<'f> = &'f dyn Fn(&str) -> bool;
/// Writes a value. It goes where it stays: a content may have megabytes, and memory that was taken is never given back.
type Write<'v> = Box<dyn FnOnce(&mut Vec<u8>) + 'v>;
/// The name of a member and, if it is another, its value; `None` leaves the member out.
type Edited<'n, 'v> = Option<(&'n str, Option<Write<'v>>)>;

/// Writes the object `raw` member by member, each as `edit` says. Where nothing changes, the bytes stay.
fn object<'v>(
    body: &mut Vec<u8>,
    raw: &'v RawValue,
    edit: &dyn for<'n> Fn(&'n str, &'v RawValue, Has<'_>) -> Edited<'n, 'v>,
) {
    let members = Members::of(raw);
    // Looked for once each: a member may stand there a thousand times.
    let asked = RefCell::new(Vec::<(String, bool)>::new());
    let has = |name: &str| {
        if let Some((_, found)) = asked.borrow().iter().find(|(known, _)| known == name) {
            return *found;
        }
        let is_it =
            |(known, value): (Str<'_>, &RawValue)| &*known == name && json::present(Some(value)).is_some();
        let found = members.iter().any(is_it);
        asked.borrow_mut().push((name.to_owned(), found));
        found
    };
    let start = body.len();
    let mut changed = false;
    body.push(b'{');
    for (name, value) in members.iter() {
        match edit(&name, value, &has) {
            None => changed = true,
            Some((theirs, new)) => {
                changed |= theirs != &*name || new.is_some();
                member(body, theirs, |body| match new {
                    Some(write) => write(body),
                    None => body.extend_from_slice(value.get().as_bytes()),
                });
            }
        }
    }
    body.push(b'}');
    if !changed {
        body.truncate(start);
        body.extend_from_slice(raw.get().as_bytes());
    }
}

fn string(raw: &RawValue) -> Option<String> {
    serde_json::from_str::<Str<'_>>(raw.get())
        .ok()
        .map(Str::into_string)
}

/// The id `raw`, if it is nine letters or digits; else nine that are made of it, so that a call and its result get the
/// same ones. Mistral refuses others (400, code 3280), and a conversation can come from another provider.
fn short_id(out: &mut Vec<u8>, raw: &RawValue) {
    const LENGTH: usize = 9;
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let id =
        string(raw).filter(|id| id.len() != LENGTH || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let Some(id) = id else {
        out.extend_from_slice(raw.get().as_bytes());
        return;
    };
    // Who makes two ids of one hash mixes up the calls of its own conversation.
    let mut rest = hash::stable(&[&id]);
    let short: String = std::iter::repeat_with(|| {
        let digit = usize::try_from(rest % 36).ok().and_then(|at| DIGITS.get(at));
        rest /= 36;
        char::from(digit.copied().unwrap_or(b'0'))
    })
    .take(LENGTH)
    .collect();
    json::write(out, &short);
}
