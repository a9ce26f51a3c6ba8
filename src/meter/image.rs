//! How many tokens an image is, by its size and by the rule that the model's provider documents for it.
//!
//! A provider promises none of these rules, and what it counts may differ: a prompt with an image is an estimate.

pub(super) mod size;

use super::counter::Words;
use size::Size;

/// How closely an image is to be looked at, as OpenAI's callers say it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Detail {
    Low,
    High,
    Original,
    #[default]
    Auto,
}

impl Detail {
    /// A word that nobody knows is the provider's to judge.
    pub(super) fn of(word: &str) -> Self {
        match word {
            "low" => Self::Low,
            "high" => Self::High,
            "original" => Self::Original,
            _ => Self::Auto,
        }
    }
}

/// What an image is scaled down to, with its sides in proportion: a longest side, and so many patches.
#[derive(Clone, Copy)]
struct Limit {
    side: u64,
    patches: u64,
}

/// How a provider counts an image.
enum Rule {
    /// OpenAI's older one: some tokens, and more for each square of 512 pixels.
    Tiles { base: u64, tile: u64 },
    /// OpenAI's newer one: patches of 32 pixels, times a factor in thousandths.
    Patches {
        factor: u64,
        low: Limit,
        high: Limit,
        original: Limit,
        auto: Limit,
    },
    /// Anthropic's: patches of 28 pixels.
    Visual(Limit),
    /// Google's older one: crops.
    Crops,
    /// So many, whatever the size.
    Fixed(u64),
}

struct Family {
    /// Words of a model's name; one of them is enough. A hyphen may stand for any sign.
    words: &'static [&'static str],
    rule: Rule,
}

const fn limit(side: u64, patches: u64) -> Limit {
    Limit { side, patches }
}

const fn tiles(words: &'static [&'static str], base: u64, tile: u64) -> Family {
    let rule = Rule::Tiles { base, tile };
    Family { words, rule }
}

/// A family that looks equally closely whatever is asked for.
const fn patches(words: &'static [&'static str], factor: u64, all: Limit) -> Family {
    let rule = Rule::Patches {
        factor,
        low: all,
        high: all,
        original: all,
        auto: all,
    };
    Family { words, rule }
}

/// As far as these limits go there is no scaling: an image of more patches is refused.
const REFUSED: Limit = limit(65_535, 30_000);
const CLOSE: Limit = limit(2_048, 2_500);
const CLOSER: Limit = limit(6_000, 10_000);

/// Who counts how; the first row that fits.
///
/// - OpenAI's: <https://developers.openai.com/api/docs/guides/images-vision>, as of the autumn of 2026. Where that gives a
///   retired model's factor but no limits any more, the limits are what it gave before. It does not name GPT-6, which by
///   <https://huggingface.co/datasets/JOHNISKING/image-token-cost> counts as GPT-5.6 does.
/// - Anthropic's: <https://platform.claude.com/docs/en/build-with-claude/vision>. The (width × height) / 750 of earlier
///   years comes to nearly the same.
/// - Google's: <https://ai.google.dev/gemini-api/docs/image-understanding>, and from Gemini 3 on what
///   <https://ai.google.dev/gemini-api/docs/media-resolution> has for an image of which nothing else is said.
static FAMILIES: &[Family] = &[
    Family {
        words: &["gpt-6", "gpt-5-6"],
        rule: Rule::Patches {
            factor: 1_200,
            low: limit(512, 2_500),
            high: CLOSE,
            original: REFUSED,
            auto: REFUSED,
        },
    },
    Family {
        words: &["gpt-5-5"],
        rule: Rule::Patches {
            factor: 1_200,
            low: limit(512, 2_500),
            high: CLOSE,
            original: CLOSER,
            auto: CLOSER,
        },
    },
    Family {
        words: &["gpt-5-4"],
        rule: Rule::Patches {
            factor: 1_200,
            // Larger than what `high` may be: so it is documented.
            low: limit(2_048, 6_144),
            high: CLOSE,
            original: CLOSER,
            auto: CLOSE,
        },
    },
    patches(&["gpt-5-nano"], 1_500, limit(2_048, 1_536)),
    patches(
        &["gpt-5-mini", "gpt-5-codex-mini", "gpt-5-1-codex-mini"],
        1_200,
        limit(2_048, 1_536),
    ),
    patches(&["gpt-5-2", "gpt-5-3"], 1_200, limit(2_048, 6_144)),
    patches(&["gpt-4-1-mini"], 1_620, limit(2_048, 6_144)),
    patches(&["gpt-4-1-nano"], 2_460, limit(2_048, 1_536)),
    patches(&["o4-mini"], 1_720, limit(2_048, 1_536)),
    tiles(&["gpt-5"], 70, 140),
    tiles(&["gpt-4o-mini"], 2_833, 5_667),
    tiles(&["o1", "o3"], 75, 150),
    // The higher resolution is of Claude 4.7 and all later ones; the rest has the standard one.
    Family {
        words: &[
            "opus-4-7",
            "opus-4-8",
            "sonnet-4-7",
            "sonnet-4-8",
            "claude-4-7",
            "claude-4-8",
        ],
        rule: Rule::Visual(limit(2_576, 4_784)),
    },
    Family {
        words: &["claude-3", "claude-4", "opus-4", "sonnet-4", "haiku-4"],
        rule: Rule::Visual(limit(1_568, 1_568)),
    },
    Family {
        words: &["claude"],
        rule: Rule::Visual(limit(2_576, 4_784)),
    },
    Family {
        words: &["gemini-1", "gemini-2"],
        rule: Rule::Crops,
    },
    Family {
        words: &["gemini"],
        rule: Rule::Fixed(1_120),
    },
    tiles(&["gpt-4o", "chatgpt-4o", "gpt-4-1", "gpt-4-5", "gpt-4"], 85, 170),
];

/// The rule for whatever nobody knows: that of GPT-4o.
static DEFAULT: Rule = Rule::Tiles { base: 85, tile: 170 };

/// What is taken for the size of an image that is somewhere else, or in no format that is known.
const UNKNOWN: Size = Size {
    width: 1_024,
    height: 1_024,
};

/// The sizes at which the rules give the most: of an image that may have any.
const LARGEST: [Size; 3] = [
    Size {
        width: 16_384,
        height: 16_384,
    },
    // The most of OpenAI's tiles.
    Size {
        width: 2_048,
        height: 768,
    },
    // The most of Google's crops.
    Size {
        width: 3_072,
        height: 384,
    },
];

/// The rule of a model with certain names.
#[derive(Clone, Copy)]
pub(super) struct Images(&'static Rule);

impl Images {
    /// The rule by the first of these names of a model that says which it is.
    pub(super) fn of(names: &[&str]) -> Self {
        let fits = |name: &&str| {
            let name = Words::of(name);
            let is_of = |family: &&Family| family.words.iter().any(|word| name.has(word));
            FAMILIES.iter().find(is_of)
        };
        let family = names.iter().find_map(fits);
        Self(family.map_or(&DEFAULT, |family| &family.rule))
    }

    /// The tokens of the image at a URL, which may stand as JSON has it.
    pub(super) fn tokens(self, url: &str, detail: Detail) -> u64 {
        self.of_size(Size::of_url(url).unwrap_or(UNKNOWN), detail)
    }

    /// Whether it is the same rule.
    pub(super) fn is(self, other: Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }

    /// The most tokens that the image at a URL may come to, however closely it is looked at.
    pub(super) fn most(self, url: &str) -> u64 {
        let details = [Detail::Low, Detail::High, Detail::Original, Detail::Auto];
        let of_size = |size: Size| details.map(|detail| self.of_size(size, detail)).into_iter().max();
        let most = match Size::of_url(url) {
            Some(size) => of_size(size),
            None => LARGEST.into_iter().filter_map(of_size).max(),
        };
        most.unwrap_or_default()
    }

    fn of_size(self, size: Size, detail: Detail) -> u64 {
        match self.0 {
            Rule::Tiles { base, .. } if detail == Detail::Low => *base,
            Rule::Tiles { base, tile } => base + tile * size.within(2_048).tiles(),
            Rule::Patches {
                factor,
                low,
                high,
                original,
                auto,
            } => {
                let limit = match detail {
                    Detail::Low => low,
                    Detail::High => high,
                    Detail::Original => original,
                    Detail::Auto => auto,
                };
                (size.patches(*limit) * factor).div_ceil(1_000)
            }
            Rule::Visual(limit) => size.visual(*limit),
            Rule::Crops => 258 * size.within(3_072).crops(),
            Rule::Fixed(tokens) => *tokens,
        }
    }
}

impl Size {
    /// Scaled down so that no side is longer.
    fn within(self, side: u64) -> Self {
        let longest = self.width.max(self.height);
        if longest <= side {
            return self;
        }
        let scaled = |length: u64| ((length * side + longest / 2) / longest).max(1);
        Self {
            width: scaled(self.width),
            height: scaled(self.height),
        }
    }

    /// How many squares of so many pixels cover it.
    fn squares(self, side: u64) -> u64 {
        self.width.div_ceil(side) * self.height.div_ceil(side)
    }

    /// OpenAI's tiles: the shorter side is brought to 768 pixels at most, and squares of 512 pixels counted.
    fn tiles(self) -> u64 {
        let shortest = self.width.min(self.height);
        let scaled = |length: u64| match shortest {
            0..=768 => length,
            _ => length * 768 / shortest,
        };
        let (width, height) = (scaled(self.width), scaled(self.height));
        Self { width, height }.squares(512)
    }

    /// OpenAI's patches: of an image with more of them than it may have, one side is brought to as many whole ones as fit,
    /// and the other follows.
    fn patches(self, limit: Limit) -> u64 {
        let Self { width, height } = self.within(limit.side);
        let all = Self { width, height }.squares(32);
        if all <= limit.patches {
            return all;
        }
        let across = (limit.patches * width / height).isqrt();
        let down = (limit.patches * height / width).isqrt();
        let all = if across * height <= down * width {
            across * (32 * across * height / width).div_ceil(32)
        } else {
            down * (32 * down * width / height).div_ceil(32)
        };
        all.clamp(1, limit.patches)
    }

    /// Anthropic's patches: of the largest image of these proportions that has no more of them than it may have.
    /// <https://platform.claude.com/docs/en/build-with-claude/vision-coordinates>
    fn visual(self, limit: Limit) -> u64 {
        let (long, short) = (self.width.max(self.height), self.width.min(self.height));
        let of_long = |length: u64| Self {
            width: length,
            height: ((length * short + long / 2) / long).max(1),
        };
        let fits = |length: &u64| of_long(*length).squares(28) <= limit.patches;
        let (mut low, mut high) = (1, long.min(limit.side) + 1);
        while low + 1 < high {
            let middle = u64::midpoint(low, high);
            if fits(&middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        of_long(low).squares(28)
    }

    /// Google's crops: one, or squares of two thirds of the shorter side.
    /// The limits of a square are Vertex's: <https://cloud.google.com/vertex-ai/generative-ai/docs/multimodal/image-understanding>.
    fn crops(self) -> u64 {
        if self.width.max(self.height) <= 384 {
            return 1;
        }
        let side = self.width.min(self.height) * 2 / 3;
        self.squares(side.clamp(256, 768))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    fn tokens(name: &str, width: u64, height: u64, detail: Detail) -> u64 {
        Images::of(&[name]).of_size(Size { width, height }, detail)
    }

    /// The examples of the documentation, and what was billed by others' accounts.
    #[test]
    fn an_image_counts_as_documented() {
        use Detail::{Auto, High, Low, Original};
        for (name, width, height, detail, expected) in [
            // <https://developers.openai.com/api/docs/guides/images-vision>
            ("gpt-4o", 1_024, 1_024, High, 765),
            ("gpt-4o", 2_048, 4_096, High, 1_105),
            ("gpt-4o", 4_096, 8_192, Low, 85),
            ("openai/gpt-4.1", 1_024, 1_024, Auto, 765),
            ("gpt-4o-mini-2024-07-18", 4_096, 8_192, Low, 2_833),
            ("gpt-4o-mini", 1_024, 1_024, Auto, 25_501),
            ("gpt-5.1", 512, 512, Auto, 210),
            ("o1", 512, 512, Auto, 225),
            ("gpt-5.4", 1_024, 1_024, High, 1_229),
            ("gpt-5.4", 2_048, 2_048, High, 3_000),
            ("gpt-5.4-mini", 2_048, 2_048, Low, 4_916),
            ("gpt-5-mini", 1_024, 1_024, High, 1_229),
            // 1452 patches.
            ("o4-mini", 1_800, 2_400, High, 2_498),
            ("gpt-4.1-nano", 1_800, 2_400, High, 3_572),
            ("gpt-5.6-sol", 4_032, 3_024, Original, 14_364),
            // <https://community.openai.com/t/1281361>: what was billed, less eight for the rest of the prompt.
            ("gpt-4.1", 2_049, 513, High, 1_445),
            ("gpt-4.1", 2_050, 513, High, 765),
            // <https://huggingface.co/datasets/JOHNISKING/image-token-cost>
            ("gpt-6-astra", 4_032, 3_024, Auto, 14_364),
            ("gpt-6-astra", 4_032, 3_024, High, 2_942),
            ("gpt-5.5", 4_032, 3_024, Auto, 11_868),
            // <https://platform.claude.com/docs/en/build-with-claude/vision>
            ("claude-opus-4-7", 1_920, 1_080, Auto, 2_691),
            ("claude-opus-5-5", 3_840, 2_160, Auto, 4_784),
            ("claude-fable-5", 1_000, 1_000, Auto, 1_296),
            ("anthropic/claude-sonnet-4.5", 1_920, 1_080, Auto, 1_560),
            (
                "us.anthropic.claude-opus-4-20250514-v1:0",
                2_000,
                1_500,
                Auto,
                1_564,
            ),
            ("claude-3-5-sonnet", 200, 200, Auto, 64),
            ("claude-haiku-4-5", 1_075, 1_520, Auto, 1_551),
            // <https://ai.google.dev/gemini-api/docs/image-understanding>
            ("gemini-2.5-flash", 384, 384, Auto, 258),
            ("gemini-2.5-flash", 960, 540, Auto, 1_548),
            ("gemini-2.0-flash", 50_000, 50_000, Auto, 4_128),
            ("google/gemini-3.1-pro-preview", 50_000, 1, Auto, 1_120),
            ("acme/own-model", 1_024, 1_024, Auto, 765),
            ("", 1_024, 1_024, Auto, 765),
        ] {
            let found = tokens(name, width, height, detail);
            assert_eq!(found, expected, "{name}: {width} x {height}, {detail:?}");
        }
    }

    #[test]
    fn the_name_that_says_which_model_it_is_decides() {
        let found = Images::of(&["ours/best", "gpt-4o-mini"]).of_size(UNKNOWN, Detail::Auto);
        assert_eq!(found, 25_501);
        assert_eq!(Images::of(&[]).of_size(UNKNOWN, Detail::Auto), 765);
    }

    #[test]
    fn no_size_is_too_large() {
        let sides = [1, 2, 31, 512, 2_048, 65_535, 65_536, 1 << 24, u64::from(u32::MAX)];
        for family in FAMILIES {
            let images = Images(&family.rule);
            for (width, height) in sides.iter().flat_map(|side| sides.map(|other| (*side, other))) {
                for word in ["low", "high", "original", "auto", "?"] {
                    let found = images.of_size(Size { width, height }, Detail::of(word));
                    assert!(
                        (1..=36_001).contains(&found) || found <= 2_833 + 8 * 5_667,
                        "{found}"
                    );
                }
            }
        }
    }
}
