//! What the generations of Gemini ask of a request: how thinking is asked for, and which parameters they still take.
//!
//! ```text
//! gemini-3.1-pro   + effort high                     ->  thinkingLevel high
//! gemini-2.5-flash + effort high, max_tokens 8000    ->  thinkingBudget 6400
//! ```

use crate::chat::{Effort, ReasoningRequest};
use serde::Serialize;

/// What is known of a model from its id.
#[derive(Clone, Copy, Debug)]
pub(super) struct Model<'a> {
    id: &'a str,
    /// Ten times its number: 25 for `gemini-2.5-pro`. An id without one (`gemini-flash-latest`) stands for the newest.
    /// 0: another family's model (`gemma-…`).
    generation: u32,
}

/// The `thinkingConfig` member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Thinking {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    include_thoughts: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_budget: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_level: Option<&'static str>,
}

impl<'a> Model<'a> {
    pub(super) fn of(id: &'a str) -> Self {
        let generation = id.rsplit('/').next().and_then(|id| id.strip_prefix("gemini-"));
        let generation = generation.map_or(0, |rest| {
            let mut digits = rest
                .bytes()
                .filter(|byte| *byte != b'.')
                .take_while(u8::is_ascii_digit);
            let digit = |byte: u8| u32::from(byte.saturating_sub(b'0'));
            match (digits.next(), digits.next()) {
                (Some(major), minor) => digit(major) * 10 + minor.map_or(0, digit),
                (None, _) => u32::MAX,
            }
        });
        Self { id, generation }
    }

    fn is(&self, part: &str) -> bool {
        self.id.contains(part)
    }

    /// Whether a function call goes back only with its signature:
    /// <https://ai.google.dev/gemini-api/docs/thought-signatures>.
    pub(super) const fn wants_signatures(&self) -> bool {
        self.generation >= 30
    }

    /// Whether Google searches the web for it. For Gemma it does not, and for the first Gemini by another tool:
    /// <https://ai.google.dev/gemini-api/docs/google-search>.
    pub(super) const fn searches(&self) -> bool {
        self.generation >= 20
    }

    /// Whether instructions have a place of their own. Gemma takes them as the user's words.
    pub(super) fn has_instructions(&self) -> bool {
        !self.is("gemma-3")
    }

    /// Whether it takes penalties: from 3.5 on they are an error.
    /// <https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/gemini/3-5-flash-lite>
    pub(super) const fn has_penalties(&self) -> bool {
        self.generation < 35
    }

    /// Whether calls can be held to their schemas (mode `VALIDATED`).
    pub(super) const fn validates_calls(&self) -> bool {
        self.generation >= 25
    }

    /// What a caller's wish for thinking comes to; `None` leaves it to the model, or the model can't.
    ///
    /// The text of the thinking is asked for where a model thinks unless told otherwise, because OpenRouter gives it out
    /// unless it is excluded.
    pub(super) fn thinking(&self, wish: Option<ReasoningRequest>, limit: u64) -> Option<Thinking> {
        let draws = self.is("-image");
        if self.generation < 25 || (draws && self.generation < 30) || self.is("-tts") {
            return None;
        }
        let wish = wish.unwrap_or_default();
        let off = wish.is_off();
        let said = off || wish.enabled.is_some() || wish.effort.is_some() || wish.max_tokens.is_some();
        let include_thoughts = !wish.exclude && !off && (said || !self.is("flash-lite"));
        let budget = if off { Some(0) } else { wish.max_tokens };
        let thinking = match (self.generation < 30, said && !draws) {
            (_, false) => Thinking::default(),
            (true, true) => Thinking {
                thinking_budget: budget
                    .or_else(|| wish.budget(limit))
                    .map(|budget| self.clamp(budget)),
                ..Thinking::default()
            },
            // Only one of the two may be said.
            (false, true) if !off && wish.max_tokens.is_some() => Thinking {
                thinking_budget: wish.max_tokens,
                ..Thinking::default()
            },
            (false, true) => Thinking {
                thinking_level: Some(self.level(if off { Some(Effort::None) } else { wish.effort })),
                ..Thinking::default()
            },
        };
        let thinking = Thinking {
            include_thoughts,
            ..thinking
        };
        (thinking != Thinking::default()).then_some(thinking)
    }

    /// The least and the most that a model of generation 2.5 takes as a budget:
    /// <https://ai.google.dev/gemini-api/docs/thinking#set-budget>.
    fn clamp(&self, budget: u64) -> u64 {
        let (off, least, most) = match () {
            () if self.is("flash-lite") => (0, 512, 24_576),
            () if self.is("flash") => (0, 1, 24_576),
            () => (128, 128, 32_768),
        };
        if budget == 0 {
            off
        } else {
            budget.clamp(least, most)
        }
    }

    /// Most models refuse `minimal`, and the first of the generation refused `medium`. None can be turned off.
    fn level(&self, effort: Option<Effort>) -> &'static str {
        match effort {
            Some(Effort::Max | Effort::Xhigh | Effort::High) => "high",
            Some(Effort::Medium) | None if self.is("gemini-3-pro") => "high",
            Some(Effort::Medium) | None => "medium",
            Some(Effort::Minimal | Effort::None) if self.is("flash-lite") || self.is("gemini-3-flash") => {
                "minimal"
            }
            Some(Effort::Low | Effort::Minimal | Effort::None) => "low",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    fn check(model: &str, reasoning: &str, expected: &str) {
        let wish = (!reasoning.is_empty()).then(|| serde_json::from_str(reasoning).unwrap());
        let found = Model::of(model).thinking(wish, 8_000);
        let found = found.map_or_else(String::new, |found| serde_json::to_string(&found).unwrap());
        assert_eq!(found, expected, "{model} {reasoning}");
    }

    #[test]
    fn generations_are_read_from_the_id() {
        for (id, generation) in [
            ("gemini-2.5-pro", 25),
            ("gemini-3-flash-preview", 30),
            ("gemini-3.1-pro", 31),
            ("models/gemini-1.5-pro", 15),
            ("gemini-flash-latest", u32::MAX),
            ("gemma-3-27b-it", 0),
            ("", 0),
        ] {
            assert_eq!(Model::of(id).generation, generation, "{id}");
        }
    }

    #[test]
    fn older_models_take_a_budget_within_their_bounds() {
        check(
            "gemini-2.5-flash",
            r#"{"effort":"high"}"#,
            r#"{"includeThoughts":true,"thinkingBudget":6400}"#,
        );
        check(
            "gemini-2.5-pro",
            r#"{"max_tokens":90000}"#,
            r#"{"includeThoughts":true,"thinkingBudget":32768}"#,
        );
        check(
            "gemini-2.5-pro",
            r#"{"effort":"none"}"#,
            r#"{"thinkingBudget":128}"#,
        );
        check(
            "gemini-2.5-flash",
            r#"{"enabled":false}"#,
            r#"{"thinkingBudget":0}"#,
        );
        check(
            "gemini-2.5-flash-lite",
            r#"{"max_tokens":5}"#,
            r#"{"includeThoughts":true,"thinkingBudget":512}"#,
        );
        check(
            "gemini-2.5-flash",
            r#"{"effort":"low","exclude":true}"#,
            r#"{"thinkingBudget":1600}"#,
        );
    }

    #[test]
    fn newer_models_take_a_level_that_they_know() {
        check(
            "gemini-3.1-pro",
            r#"{"effort":"xhigh"}"#,
            r#"{"includeThoughts":true,"thinkingLevel":"high"}"#,
        );
        check(
            "gemini-3.1-pro",
            r#"{"effort":"none"}"#,
            r#"{"thinkingLevel":"low"}"#,
        );
        check(
            "gemini-3.7-flash",
            r#"{"effort":"minimal"}"#,
            r#"{"includeThoughts":true,"thinkingLevel":"low"}"#,
        );
        check(
            "gemini-3-flash",
            r#"{"effort":"minimal"}"#,
            r#"{"includeThoughts":true,"thinkingLevel":"minimal"}"#,
        );
        check(
            "gemini-3-pro",
            r#"{"enabled":true}"#,
            r#"{"includeThoughts":true,"thinkingLevel":"high"}"#,
        );
        check(
            "gemini-3-pro",
            r#"{"max_tokens":500,"effort":"low"}"#,
            r#"{"includeThoughts":true,"thinkingBudget":500}"#,
        );
    }

    #[test]
    fn nothing_is_asked_of_a_model_that_does_not_think() {
        for model in [
            "gemini-2.0-flash",
            "gemini-2.5-flash-image",
            "gemma-3-27b-it",
            "gemini-2.5-flash-preview-tts",
        ] {
            check(model, r#"{"effort":"high"}"#, "");
        }
        check("gemini-2.5-flash-lite", "", "");
        check("gemini-2.5-flash", "", r#"{"includeThoughts":true}"#);
        check(
            "gemini-3-pro-image",
            r#"{"effort":"high"}"#,
            r#"{"includeThoughts":true}"#,
        );
    }
}
