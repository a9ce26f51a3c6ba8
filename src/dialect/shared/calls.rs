//! The functions that a conversation has called, by the ids of the calls: dialects that name the function beside a result
//! find it here. Searching the messages for each result would take the square of their number.

use crate::chat::Message;
use std::collections::BTreeMap;

/// The functions called so far.
#[derive(Debug, Default)]
pub(in crate::dialect) struct Called<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Called<'a> {
    /// Takes the calls of the next message. Where messages share an id the last one's stands, and in a message the first.
    pub(in crate::dialect) fn take(&mut self, message: &'a Message<'a>) {
        for call in message.tool_calls.iter().rev() {
            self.0.insert(&call.id, &call.function.name);
        }
    }

    /// The function that the call of this id called.
    pub(in crate::dialect) fn name(&self, id: &str) -> Option<&'a str> {
        self.0.get(id).copied()
    }
}
