//! The deadlines of a configuration: those of all exchanges, and an endpoint's own.

use super::reader::{self, Members, Node};
use crate::config::{Adaptive, StreamUpstream, Timeouts, Waiting};
use crate::error::quoted;

/// Shortest wait for a first token before comments begin, unless `early` is set, in milliseconds.
const USUAL_WAIT_MS: u64 = 15_000;
const DURATION: &str = "expected a duration from 1ms to 24h, such as 250ms, 30s or 10m";

/// Reads `stream_upstream` of a provider or an endpoint.
pub(super) fn stream_upstream(members: &mut Members<'_>) -> Option<StreamUpstream> {
    let node = members.optional("stream_upstream")?;
    match node.string()? {
        "auto" => Some(StreamUpstream::Auto),
        "always" => Some(StreamUpstream::Always),
        "never" => Some(StreamUpstream::Never),
        other => {
            node.problem(format!("{} is none of auto, always, never", quoted(other)));
            None
        }
    }
}

/// Reads `timeouts` of the whole configuration, or of a route, which says what is other than `usual`.
pub(super) fn timeouts(members: Option<Members<'_>>, mut timeouts: Timeouts) -> Timeouts {
    let Some(mut members) = members else {
        return timeouts;
    };
    for (name, field) in [
        ("first_token", &mut timeouts.first_token_ms),
        ("stall", &mut timeouts.stall_ms),
        ("total", &mut timeouts.total_ms),
    ] {
        if let Some(ms) = duration(&mut members, name) {
            *field = ms;
        }
    }
    let node = members.optional("adaptive");
    timeouts.adaptive = match timeouts.adaptive {
        None if node.is_none() => None,
        own => adaptive(node.as_ref(), usual(own, timeouts.first_token_ms)),
    };
    if let Some(node) = members.optional("waiting_comment") {
        timeouts.waiting = waiting(&node);
    }
    members.done();
    timeouts
}

/// Reads `timeouts` of a provider or an endpoint.
pub(super) fn first_token(members: &mut Members<'_>) -> Option<u64> {
    let mut members = members.optional("timeouts")?.members()?;
    let ms = duration(&mut members, "first_token");
    members.done();
    ms
}

/// Defaults of `adaptive`: never more than `first_token`.
fn usual(own: Option<Adaptive>, max_ms: u64) -> Adaptive {
    Adaptive {
        factor_percent: own.map_or(Adaptive::FACTOR_PERCENT, |own| own.factor_percent),
        min_ms: own.map_or(Adaptive::MIN_MS, |own| own.min_ms).min(max_ms),
        max_ms,
    }
}

fn adaptive(node: Option<&Node<'_>>, usual: Adaptive) -> Option<Adaptive> {
    let Some(node) = node else { return Some(usual) };
    if let Some(on) = node.value.as_bool() {
        return on.then_some(usual);
    }
    let mut members = node.members()?;
    let mut adaptive = usual;
    if let Some(node) = members.optional("factor") {
        match node
            .value
            .as_f64()
            .filter(|factor| (1.0..=100.0).contains(factor))
        {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "checked: from 1 to 100"
            )]
            Some(factor) => adaptive.factor_percent = (factor * 100.0) as u64,
            None => node.problem("expected a number from 1 to 100"),
        }
    }
    if let Some(ms) = duration(&mut members, "max") {
        adaptive.max_ms = ms;
        adaptive.min_ms = adaptive.min_ms.min(ms);
    }
    if let Some(ms) = duration(&mut members, "min") {
        adaptive.min_ms = ms;
    }
    if adaptive.min_ms > adaptive.max_ms {
        members.problem(
            "min",
            "is longer than max, which is timeouts.first_token by default",
        );
    }
    members.done();
    Some(adaptive)
}

fn waiting(node: &Node<'_>) -> Option<Waiting> {
    if node.value.as_bool() == Some(false) {
        return None;
    }
    let (after_ms, every_ms, early) = if node.value.is_object() {
        let mut members = node.members()?;
        let after = duration(&mut members, "after");
        let every = duration(&mut members, "every");
        let early = members.optional("early").and_then(|node| node.boolean());
        members.done();
        let after = after.unwrap_or(USUAL_WAIT_MS);
        (after, every.unwrap_or(after), early == Some(true))
    } else {
        let ms = duration_of(node)?;
        (ms, ms, false)
    };
    if after_ms < USUAL_WAIT_MS && !early {
        node.problem(
            "below 15s clients lose failovers that would have come in time; if that is meant, write { after: …, early: true }",
        );
    }
    Some(Waiting { after_ms, every_ms })
}

fn duration(members: &mut Members<'_>, name: &'static str) -> Option<u64> {
    members.optional(name).and_then(|node| duration_of(&node))
}

fn duration_of(node: &Node<'_>) -> Option<u64> {
    let text = node.value.as_str();
    let ms = text
        .and_then(reader::duration_ms)
        .filter(|ms| (1..=86_400_000).contains(ms));
    if ms.is_none() {
        node.problem(DURATION);
    }
    ms
}
