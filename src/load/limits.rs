//! `limits`: caps on sizes, of the whole configuration or of a route, and on memory.

use super::reader::{self, Members, Node};
use crate::config::{DEFAULT_MEMORY, Limits, Route};

/// The caps on sizes go up to this, in bytes: beyond it one request could take a worker's whole 32-bit memory.
const MAX_BODY: u64 = 256 << 20;
/// `limits.memory` has room below and above it in the 1 GiB that a VM has, in bytes.
const MEMORY: std::ops::RangeInclusive<u64> = (4 << 20)..=(768 << 20);

/// The limits of a route.
pub(super) fn limits(members: Option<Members<'_>>, usual: Limits) -> Limits {
    let Some(mut members) = members else { return usual };
    let limits = sizes(Some(&mut members), usual);
    members.done();
    limits
}

pub(super) fn sizes(members: Option<&mut Members<'_>>, mut limits: Limits) -> Limits {
    let Some(members) = members else { return limits };
    for (name, limit) in [
        ("request_body", &mut limits.request_body),
        ("response_body", &mut limits.response_body),
    ] {
        let Some(node) = members.optional(name) else {
            continue;
        };
        match size(&node).filter(|size| (1_024..=MAX_BODY).contains(&(*size as u64))) {
            Some(size) => *limit = size,
            None => node.problem("expected a size from 1KiB to 256MiB, such as 512KiB or 32MiB"),
        }
    }
    limits
}

/// A number of bytes, or a size such as `32MiB`.
fn size(node: &Node<'_>) -> Option<usize> {
    let size = match node.value.as_str() {
        Some(text) => reader::bytes(text),
        None => node.as_whole(),
    };
    usize::try_from(size?).ok()
}

/// `limits.memory`: two of the largest bodies have room in it, or none could be read beside anything else.
pub(super) fn memory(node: Option<&Node<'_>>, limits: Limits, routes: &[Route]) -> usize {
    let usual = usize::try_from(DEFAULT_MEMORY).unwrap_or(usize::MAX);
    let Some(node) = node else { return usual };
    let Some(memory) = size(node).filter(|size| MEMORY.contains(&(*size as u64))) else {
        node.problem("expected a size from 4MiB to 768MiB, such as 512MiB");
        return usual;
    };
    let all = routes.iter().map(|route| route.limits).chain([limits]);
    let largest = all
        .map(|limits| limits.request_body.max(limits.response_body))
        .max();
    let least = largest.unwrap_or_default().saturating_mul(2);
    if memory < least {
        node.problem(format!(
            "must be at least {least} bytes, twice the largest request_body and response_body; raise it, or lower them"
        ));
    }
    memory
}
