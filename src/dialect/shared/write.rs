//! Small steps of writing a request.

use crate::chat::Request;
use crate::json;
use serde::Serialize;

/// `body`, which is made of `request`, as JSON.
pub(in crate::dialect) fn write_body(request: &Request, body: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(request.capacity());
    json::write(&mut bytes, body);
    bytes
}

/// A provider's name for what a caller calls `ours`.
pub(in crate::dialect) fn named(
    names: &'static [(&'static str, &'static str)],
    ours: &str,
) -> Option<&'static str> {
    names
        .iter()
        .find(|(name, _)| *name == ours)
        .map(|(_, theirs)| *theirs)
}

/// Moves some items before all others; the order is kept among them and among the others.
pub(in crate::dialect) fn to_front<T>(items: &mut Vec<T>, is_first: fn(&T) -> bool) {
    let mut others = Vec::new();
    for item in std::mem::take(items) {
        if is_first(&item) {
            items.push(item);
        } else {
            others.push(item);
        }
    }
    items.append(&mut others);
}
