//! Small steps of reading a response.

use crate::chat::{Delta, Piece};

/// Takes the next number.
pub(in crate::dialect) fn next(counter: &mut u32) -> u32 {
    let index = *counter;
    *counter = counter.saturating_add(1);
    index
}

/// Tells of a piece of the first choice: most dialects have only one.
pub(in crate::dialect) fn say(piece: Piece, out: &mut Vec<Delta>) {
    out.push(Delta::Piece { choice: 0, piece });
}
