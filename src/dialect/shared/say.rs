//! Small steps of reading a response.

use crate::chat::{Delta, Format, Piece, Reasoning};
use crate::json::Str;

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

/// Tells what Claude thought, and its signature: both hold wherever Claude is served.
pub(in crate::dialect) fn say_thought(
    index: u32,
    text: Option<Str<'_>>,
    signature: Option<Str<'_>>,
    out: &mut Vec<Delta>,
) {
    let format = Format::Anthropic;
    let filled = |text: &Str<'_>| !text.is_empty();
    if let Some(text) = text.filter(filled).map(Str::into_string) {
        say(Piece::Reasoning(Reasoning::Text { index, text, format }), out);
    }
    if let Some(signature) = signature.filter(filled).map(Str::into_string) {
        let signed = Reasoning::Signature {
            index,
            signature,
            format,
        };
        say(Piece::Reasoning(signed), out);
    }
}
