//! What the generations of Claude ask of a request, wherever they are served: the form of thinking, which sampling
//! parameters are still accepted, whether a tool can be forced. Everything that differs by model is in one table.
//!
//! ```text
//! claude-sonnet-4-5 + effort high, max_tokens 8000  ->  thinking {enabled, budget 6400}, temperature dropped
//! claude-opus-5     + effort high, max_tokens 8000  ->  thinking {adaptive}, effort high, sampling dropped
//! ```

use crate::chat::{Effort, ReasoningRequest, Request};
use crate::dialect::Target;
use crate::error::Error;
use crate::json::{self, Str};
use serde::Serialize;
use serde_json::value::RawValue;

#[cfg(test)]
mod tests;

/// The least that Anthropic takes as a budget for thinking.
/// <https://platform.claude.com/docs/en/build-with-claude/extended-thinking>
const MIN_BUDGET: u64 = 1_024;

/// The most that OpenRouter asks for: <https://openrouter.ai/docs/use-cases/reasoning-tokens>.
const MAX_BUDGET: u64 = 128_000;

/// The rules of one generation of models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dialect) struct Rules {
    thinking: Style,
    sampling: Sampling,
    forced_tools: bool,
    efforts: Efforts,
}

/// Which efforts a model knows, whether it thinks or not:
/// <https://platform.claude.com/docs/en/build-with-claude/effort>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Efforts {
    /// None. (Opus 4.5 wants a beta header for it.)
    None,
    /// All but `xhigh`.
    NotXhigh,
    /// All.
    All,
}

/// How thinking is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// Not at all.
    Never,
    /// With a number of tokens.
    Budget,
    /// With an effort; the model chooses how long. It does not think unless asked.
    Adaptive,
    /// The same, but it thinks unless told otherwise, and some of these models refuse to be told so.
    AdaptiveAlways,
}

/// Which of `temperature`, `top_p` and `top_k` a model takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sampling {
    /// All of them.
    All,
    /// `temperature` or `top_p`, not both.
    NotBoth,
    /// None: anything but the default is refused, so nothing is sent.
    Default,
}

const fn row(thinking: Style, sampling: Sampling, forced_tools: bool) -> Rules {
    Rules {
        thinking,
        sampling,
        forced_tools,
        efforts: match thinking {
            Style::Never | Style::Budget => Efforts::None,
            Style::Adaptive | Style::AdaptiveAlways => Efforts::All,
        },
    }
}

const GENERATION_4_6: Rules = Rules {
    efforts: Efforts::NotXhigh,
    ..row(Style::Budget, Sampling::NotBoth, true)
};

/// The first fragment that a model's id contains decides. The older generations are a closed set, so that a model that
/// is not out yet falls to the last row, the rules of the newest ones.
///
/// Budgets: <https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-adaptive-thinking.html>. Forced tools
/// and default thinking: <https://platform.claude.com/docs/en/models/opus-5-5/whats-new-opus-5-5>.
static GENERATIONS: &[(&str, Rules)] = &[
    ("claude-instant", row(Style::Never, Sampling::All, true)),
    ("claude-2", row(Style::Never, Sampling::All, true)),
    ("claude-3-7", row(Style::Budget, Sampling::All, true)),
    ("claude-3", row(Style::Never, Sampling::All, true)),
    ("claude-opus-4-7", row(Style::Adaptive, Sampling::Default, true)),
    ("claude-opus-4-8", row(Style::Adaptive, Sampling::Default, true)),
    ("claude-opus-4-5", row(Style::Budget, Sampling::NotBoth, true)),
    ("claude-opus-4-6", GENERATION_4_6),
    ("claude-sonnet-4-5", row(Style::Budget, Sampling::NotBoth, true)),
    ("claude-sonnet-4-6", GENERATION_4_6),
    ("claude-haiku-4", row(Style::Budget, Sampling::NotBoth, true)),
    ("claude-opus-4", row(Style::Budget, Sampling::All, true)),
    ("claude-sonnet-4", row(Style::Budget, Sampling::All, true)),
    (
        "claude-opus-5-5",
        row(Style::AdaptiveAlways, Sampling::Default, false),
    ),
    (
        "claude-sonnet-5-5",
        row(Style::AdaptiveAlways, Sampling::Default, false),
    ),
    (
        "claude-fable-5-1",
        row(Style::AdaptiveAlways, Sampling::Default, false),
    ),
    ("claude-", row(Style::AdaptiveAlways, Sampling::Default, true)),
];

impl Rules {
    /// For another maker's model behind Anthropic's API: these servers took over the older form.
    pub(in crate::dialect) const COMPATIBLE: Self = row(Style::Budget, Sampling::All, true);

    /// For another maker's model behind Bedrock, whose thinking is not asked for in Anthropic's way.
    pub(in crate::dialect) const OTHER: Self = row(Style::Never, Sampling::All, true);

    /// The rules of the Claude model with this id; `None` when it is no Claude.
    pub(in crate::dialect) fn find(model: &str) -> Option<Self> {
        let id = model.to_ascii_lowercase().replace('.', "-");
        GENERATIONS
            .iter()
            .find(|(fragment, _)| id.contains(fragment))
            .map(|(_, rules)| *rules)
    }
}

impl Rules {
    /// The rules for a conversation that stands at the result of a tool. Claude goes on thinking only where its turn
    /// before began so, and answers 400 otherwise: the thinking was excluded, or another model made the call. With an
    /// effort instead of a budget it does not ask for that.
    /// <https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking>
    pub(in crate::dialect) const fn at_a_result(self, thought_before: bool) -> Self {
        match self.thinking {
            Style::Budget if !thought_before => Self {
                thinking: Style::Never,
                ..self
            },
            _ => self,
        }
    }
}

/// The `thinking` member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(in crate::dialect) enum Thinking {
    /// So many tokens.
    Enabled {
        /// How many.
        budget_tokens: u64,
    },
    /// As the model likes.
    Adaptive {
        /// Whether the text of the thinking is wanted; left out, these models do not give it.
        display: &'static str,
    },
}

/// What a request comes to under the rules of its model.
#[derive(Debug)]
pub(in crate::dialect) struct Plan {
    /// The limit on completion tokens, thinking included.
    pub(in crate::dialect) max_tokens: u64,
    /// Whether that limit must be sent even where a dialect could leave it out.
    pub(in crate::dialect) limited: bool,
    /// The `thinking` member.
    pub(in crate::dialect) thinking: Option<Thinking>,
    /// `output_config.effort`.
    pub(in crate::dialect) effort: Option<&'static str>,
    /// `temperature`, at most 1.
    pub(in crate::dialect) temperature: Option<Box<RawValue>>,
    /// `top_p`
    pub(in crate::dialect) top_p: Option<Box<RawValue>>,
    /// `top_k`
    pub(in crate::dialect) top_k: Option<Box<RawValue>>,
    /// Whether the model may be made to call a tool; if not, it is only allowed to.
    pub(in crate::dialect) forced_tools: bool,
}

impl Plan {
    /// Reads what the caller asked for.
    ///
    /// # Errors
    /// When a member has not its documented form.
    pub(in crate::dialect) fn of(
        request: &Request,
        target: &Target<'_>,
        rules: Rules,
    ) -> Result<Self, Error> {
        let limit = request.max_tokens()?;
        let mut plan = Self {
            max_tokens: limit.unwrap_or(target.default_max_tokens),
            limited: limit.is_some(),
            thinking: None,
            effort: None,
            temperature: number(request, "temperature", 1.0)?,
            top_p: number(request, "top_p", f64::INFINITY)?,
            top_k: number(request, "top_k", f64::INFINITY)?,
            forced_tools: rules.forced_tools,
        };
        if let Some(reasoning) = request.reasoning()? {
            plan.think(&reasoning, limit, rules.thinking);
        }
        let verbosity = verbosity(request)?.or(plan.effort);
        plan.effort = match rules.efforts {
            Efforts::None => None,
            Efforts::NotXhigh => verbosity.map(|effort| if effort == "xhigh" { "high" } else { effort }),
            Efforts::All => verbosity,
        };
        plan.sample(rules.sampling);
        Ok(plan)
    }

    /// The limit that a request comes to where nothing forbids to think, and whether it must be sent.
    ///
    /// # Errors
    /// When a member has not its documented form.
    pub(in crate::dialect) fn limit(
        request: &Request,
        target: &Target<'_>,
        rules: Rules,
    ) -> Result<(u64, bool), Error> {
        Self::of(request, target, rules).map(|plan| (plan.max_tokens, plan.limited))
    }

    fn think(&mut self, reasoning: &ReasoningRequest, limit: Option<u64>, style: Style) {
        let asked = reasoning.budget(self.max_tokens);
        match (style, asked) {
            (Style::Never, _) | (Style::Budget | Style::Adaptive, None) => {}
            (Style::Budget, Some(asked)) => self.spend(asked, limit),
            (Style::AdaptiveAlways, None) if reasoning.is_off() => {
                // Of these models some refuse `disabled`, each in its own way; all of them think least at low effort.
                self.effort = Some("low");
            }
            (Style::AdaptiveAlways, None) => {}
            (Style::Adaptive | Style::AdaptiveAlways, Some(_)) => {
                let display = if reasoning.exclude {
                    "omitted"
                } else {
                    "summarized"
                };
                self.thinking = Some(Thinking::Adaptive { display });
                self.effort = reasoning.effort.and_then(effort);
            }
        }
    }

    /// A budget must be below the limit. The caller's own limit is a bound on money and is never raised: the budget
    /// gives way, and where not even the least budget fits, there is no thinking. A limit of ours is raised instead.
    fn spend(&mut self, asked: u64, limit: Option<u64>) {
        let budget = asked.clamp(MIN_BUDGET, MAX_BUDGET);
        let budget_tokens = match limit {
            Some(limit) if limit <= MIN_BUDGET => return,
            Some(limit) => budget.min(limit.saturating_sub(1)),
            None => {
                self.max_tokens = self.max_tokens.max(budget.saturating_add(MIN_BUDGET));
                budget
            }
        };
        self.limited = true;
        self.thinking = Some(Thinking::Enabled { budget_tokens });
    }

    fn sample(&mut self, sampling: Sampling) {
        if self.thinking.is_some() {
            // <https://platform.claude.com/docs/en/build-with-claude/extended-thinking#feature-compatibility>
            self.forced_tools = false;
            self.temperature = None;
            self.top_k = None;
            self.top_p
                .take_if(|top_p| top_p.get().parse::<f64>().is_ok_and(|top_p| top_p < 0.95));
        }
        match sampling {
            Sampling::All => {}
            Sampling::NotBoth => {
                if self.temperature.is_some() {
                    self.top_p = None;
                }
            }
            Sampling::Default => {
                self.temperature = None;
                self.top_p = None;
                self.top_k = None;
            }
        }
    }
}

const fn effort(effort: Effort) -> Option<&'static str> {
    match effort {
        Effort::Max => Some("max"),
        Effort::Xhigh => Some("xhigh"),
        Effort::High => Some("high"),
        Effort::Medium => Some("medium"),
        Effort::Low | Effort::Minimal => Some("low"),
        Effort::None => None,
    }
}

fn verbosity(request: &Request) -> Result<Option<&'static str>, Error> {
    const EFFORTS: &[&str] = &["low", "medium", "high", "xhigh", "max"];
    let wanted = request.get::<Str<'_>>("verbosity")?;
    Ok(wanted.and_then(|wanted| EFFORTS.iter().copied().find(|effort| *effort == &*wanted)))
}

/// A number in the caller's spelling, or `max` where it is larger.
fn number(request: &Request, name: &str, max: f64) -> Result<Option<Box<RawValue>>, Error> {
    let Some(value) = request.get::<f64>(name)? else {
        return Ok(None);
    };
    if value > max {
        return Ok(Some(json::to_raw(&1)));
    }
    Ok(request.get::<&RawValue>(name)?.map(ToOwned::to_owned))
}
