//! What OpenAI's chat completions cannot carry. What single providers do not take is in their quirks.

use crate::dialect::gaps::{Gaps, dropped};

const ONLY_EFFORT: &str = "has only an effort for thinking";

pub(super) static GAPS: Gaps = Gaps {
    models: &["gpt-5"],
    list: &[
        dropped("reasoning.summary", ONLY_EFFORT),
        dropped("reasoning.context", ONLY_EFFORT),
        dropped("reasoning.mode", ONLY_EFFORT),
    ],
};
