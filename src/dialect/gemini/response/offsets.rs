//! Positions in a text that is not kept: Google counts bytes, annotations count characters.

/// How many changes of a character's length are remembered; behind them, positions are no more than near.
const MAX_RUNS: usize = 1_024;

/// A text, as far as its positions go.
#[derive(Debug)]
pub(super) struct Offsets {
    bytes: u32,
    chars: u32,
    /// Where characters of another length begin.
    runs: Vec<Run>,
}

/// A run begins at this byte, which is this character; so many bytes a character.
#[derive(Clone, Copy, Debug)]
struct Run(u32, u32, u8);

impl Offsets {
    pub(super) const fn new() -> Self {
        Self {
            bytes: 0,
            chars: 0,
            runs: Vec::new(),
        }
    }

    /// The text goes on.
    pub(super) fn push(&mut self, text: &str) {
        for char in text.chars() {
            let width = u8::try_from(char.len_utf8()).unwrap_or(1);
            let before = self.runs.last().map_or(1, |run| run.2);
            if width != before && self.runs.len() < MAX_RUNS {
                self.runs.push(Run(self.bytes, self.chars, width));
            }
            self.bytes = self.bytes.saturating_add(u32::from(width));
            self.chars = self.chars.saturating_add(1);
        }
    }

    /// How many characters the text has.
    pub(super) const fn len(&self) -> u32 {
        self.chars
    }

    /// How many characters stand before a byte.
    pub(super) fn chars_before(&self, byte: u64) -> u32 {
        let byte = u32::try_from(byte).unwrap_or(u32::MAX);
        let after = self.runs.partition_point(|run| run.0 <= byte);
        let run = after.checked_sub(1).and_then(|at| self.runs.get(at));
        let Run(start, chars, width) = run.copied().unwrap_or(Run(0, 0, 1));
        let more = byte.saturating_sub(start) / u32::from(width.max(1));
        chars.saturating_add(more).min(self.chars)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn bytes_are_turned_into_characters_wherever_the_text_was_cut() {
        let text = "aé日本 x👋y";
        for cut in 0..=text.len() {
            let Some((head, tail)) = text.split_at_checked(cut) else {
                continue;
            };
            let mut offsets = Offsets::new();
            offsets.push(head);
            offsets.push(tail);
            for (at, (byte, _)) in text.char_indices().enumerate() {
                assert_eq!(offsets.chars_before(byte as u64), at as u32, "{byte}");
            }
            assert_eq!(offsets.chars_before(999), offsets.len());
        }
    }

    #[test]
    fn a_text_of_changing_lengths_does_not_grow_without_end() {
        let mut offsets = Offsets::new();
        offsets.push(&"aé".repeat(5_000));
        assert_eq!(offsets.runs.len(), MAX_RUNS);
        assert!(offsets.chars_before(12_000) <= offsets.len());
    }
}
