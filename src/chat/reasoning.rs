//! A caller's wishes for thinking.

use serde::{Deserialize, Deserializer, Serialize};

/// The `reasoning` member, as OpenRouter documents it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ReasoningRequest {
    /// How hard to think.
    pub effort: Option<Effort>,
    /// How many tokens thinking may take; used as it is where a provider takes a budget.
    pub max_tokens: Option<u64>,
    /// Think, but leave the thinking out of the answer.
    #[serde(default, deserialize_with = "flag")]
    pub exclude: bool,
    /// `true` alone means medium effort; `false` turns thinking off.
    pub enabled: Option<bool>,
}

impl ReasoningRequest {
    /// OpenAI's word for this. A token budget alone has no equal there and becomes medium effort.
    pub fn effort(&self) -> Option<Effort> {
        match (self.enabled, self.effort) {
            (Some(false), _) => Some(Effort::None),
            (_, Some(effort)) => Some(effort),
            (Some(true), None) => Some(Effort::Medium),
            (None, None) => self.max_tokens.map(|_| Effort::Medium),
        }
    }

    /// Whether it asks for no thinking at all.
    pub fn is_off(&self) -> bool {
        self.enabled == Some(false) || self.effort == Some(Effort::None)
    }

    /// The tokens to spend on thinking when `max_tokens` bounds the whole completion; `None` when thinking is off.
    ///
    /// The ratios are OpenRouter's: <https://openrouter.ai/docs/use-cases/reasoning-tokens>.
    pub fn budget(&self, max_tokens: u64) -> Option<u64> {
        if self.is_off() {
            return None;
        }
        if self.max_tokens.is_some() {
            return self.max_tokens;
        }
        let percent = match (self.effort, self.enabled) {
            (None, Some(true)) | (Some(Effort::Medium), _) => 50,
            (Some(Effort::Max | Effort::Xhigh), _) => 95,
            (Some(Effort::High), _) => 80,
            (Some(Effort::Low), _) => 20,
            (Some(Effort::Minimal), _) => 10,
            (Some(Effort::None) | None, _) => return None,
        };
        Some(max_tokens.saturating_mul(percent) / 100)
    }
}

/// A flag that may be `null`.
fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// How hard a model is asked to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// As hard as it can.
    Max,
    /// Harder than high.
    Xhigh,
    /// Hard.
    High,
    /// Half.
    Medium,
    /// Little.
    Low,
    /// As little as possible.
    Minimal,
    /// Not at all.
    None,
}

#[cfg(test)]
mod tests {
    use crate::chat::Request;
    use crate::test;

    fn request(text: &str) -> Request {
        Request::parse(text.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn effort_is_a_share_of_the_completion_limit() {
        let reasoning = request(r#"{"reasoning_effort":"high"}"#)
            .reasoning()
            .unwrap()
            .unwrap();
        assert_eq!(reasoning.budget(1000), Some(800));
        let off = request(r#"{"reasoning":{"enabled":false,"max_tokens":5}}"#)
            .reasoning()
            .unwrap()
            .unwrap();
        assert_eq!(off.budget(1000), None);
    }
}
