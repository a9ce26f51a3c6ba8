//! Deadlines, keep-alives and endings that fall due for the exchanges of this worker as time passes.
//!
//! A tick may write into a response that the attempt placement holds, and resume it, as if a piece of it had come. So it
//! ends an attempt at an endpoint that sent headers and then too little, and tells a client to keep waiting. An attempt
//! without response headers can be neither reset nor answered for without ending the exchange.

use super::contract::RETRY_HEADER;
use super::dispatch::set_next_cluster;
use super::host::{self, Stream};
use super::registry;
use super::slot::{Slot, Written};
use super::{downstream, health, reply};
use crate::exchange::{Due, Head};

/// Looks at every exchange under way.
pub(super) fn tick(now: u64) {
    for slot in registry::all() {
        slot.promise.tick(now);
        let seen = slot.with(|exchange| (exchange.due(now), exchange.take_samples()));
        let Some((due, samples)) = seen else { continue };
        health::store(slot.namespace, samples, now);
        match due {
            Some(Due::BreakOff(event)) => downstream::break_off(&slot, &event),
            Some(Due::Write(comment)) => {
                // Where nothing can be written now the next one may.
                let _unwritten = downstream::write(&slot, comment);
            }
            Some(Due::Retry(head)) => retry(&slot, head),
            Some(Due::Release(head)) => release(&slot, head),
            None => {}
        }
    }
}

/// Asks for a retry of the attempt with held headers.
fn retry(slot: &Slot, mut head: Head) {
    if !host::set_effective_context(slot.attempt.get()) {
        return;
    }
    set_next_cluster(slot);
    slot.written.set(Written::Retry);
    slot.refused.replace(Some(head.clone()));
    head.headers.push((RETRY_HEADER.to_owned(), "1".to_owned()));
    reply::write_held(head, false);
    host::resume(Stream::Response);
}

/// Releases the answer with held headers.
fn release(slot: &Slot, head: Head) {
    if !host::set_effective_context(slot.attempt.get()) {
        return;
    }
    slot.written.set(Written::Answer);
    slot.released.set(true);
    reply::write_held(head, false);
    host::resume(Stream::Response);
}
