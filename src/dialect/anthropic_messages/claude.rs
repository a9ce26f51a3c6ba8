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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    fn plan(model: &str, request: &str) -> Plan {
        let request = Request::parse(request.as_bytes().to_vec()).unwrap();
        let target = Target {
            model,
            stream: false,
            default_max_tokens: 4_000,
            quirks: &crate::dialect::Quirks::NONE,
        };
        Plan::of(&request, &target, Rules::find(model).unwrap_or(Rules::COMPATIBLE)).unwrap()
    }

    fn budget(request: &str) -> (Option<u64>, u64) {
        let plan = plan("claude-sonnet-4-5", request);
        let budget = plan.thinking.map(|thinking| match thinking {
            Thinking::Enabled { budget_tokens } => budget_tokens,
            Thinking::Adaptive { .. } => panic!("adaptive"),
        });
        (budget, plan.max_tokens)
    }

    #[test]
    fn a_budget_stays_below_the_callers_limit_and_never_raises_it() {
        assert_eq!(
            budget(r#"{"max_tokens":10000,"reasoning":{"effort":"high"}}"#),
            (Some(8_000), 10_000)
        );
        assert_eq!(
            budget(r#"{"max_tokens":2000,"reasoning":{"max_tokens":5000}}"#),
            (Some(1_999), 2_000)
        );
        assert_eq!(
            budget(r#"{"max_tokens":1500,"reasoning":{"effort":"minimal"}}"#),
            (Some(1_024), 1_500)
        );
        assert_eq!(
            budget(r#"{"max_tokens":1024,"reasoning":{"effort":"high"}}"#),
            (None, 1_024)
        );
        assert_eq!(
            budget(r#"{"max_tokens":18446744073709551615,"reasoning":{"effort":"high"}}"#).0,
            Some(128_000)
        );
    }

    #[test]
    fn a_limit_of_ours_gives_way_to_the_budget() {
        assert_eq!(
            budget(r#"{"reasoning":{"max_tokens":9000}}"#),
            (Some(9_000), 10_024)
        );
        assert_eq!(budget(r#"{"reasoning":{"enabled":true}}"#), (Some(2_000), 4_000));
        assert_eq!(budget(r#"{"reasoning":{"enabled":false}}"#), (None, 4_000));
    }

    #[test]
    fn newer_models_get_an_effort_instead_of_a_budget() {
        let plan = plan(
            "claude-opus-5",
            r#"{"reasoning":{"effort":"minimal","exclude":true},"top_k":3}"#,
        );
        assert_eq!(plan.thinking, Some(Thinking::Adaptive { display: "omitted" }));
        assert_eq!(plan.effort, Some("low"));
        assert!(plan.top_k.is_none());
    }

    #[test]
    fn verbosity_is_an_effort_that_the_model_knows() {
        let effort = |model| plan(model, r#"{"verbosity":"xhigh","reasoning":{"effort":"low"}}"#).effort;
        assert_eq!(effort("claude-opus-4-8"), Some("xhigh"));
        assert_eq!(effort("claude-sonnet-4-6"), Some("high"));
        assert_eq!(effort("claude-opus-4-5"), None);
    }

    #[test]
    fn no_budget_is_asked_for_in_the_middle_of_a_turn_that_began_without_thinking() {
        let thinks = |model: &str, before: bool| {
            let text = r#"{"reasoning":{"effort":"low"},"temperature":0.5}"#;
            let request = Request::parse(text.as_bytes().to_vec()).unwrap();
            let target = Target {
                model,
                stream: false,
                default_max_tokens: 4_000,
                quirks: &crate::dialect::Quirks::NONE,
            };
            let rules = Rules::find(model).unwrap().at_a_result(before);
            let plan = Plan::of(&request, &target, rules).unwrap();
            (plan.thinking.is_some(), plan.temperature.is_some())
        };
        assert_eq!(thinks("claude-sonnet-4-5", true), (true, false));
        assert_eq!(thinks("claude-sonnet-4-5", false), (false, true));
        assert_eq!(thinks("claude-opus-4-8", false), (true, false));
    }

    #[test]
    fn thinking_is_turned_down_where_it_cannot_be_turned_off() {
        let off = r#"{"reasoning":{"effort":"none"}}"#;
        assert_eq!(plan("claude-opus-5-5", off).effort, Some("low"));
        assert_eq!(plan("claude-opus-4-8", off).effort, None);
        assert_eq!(plan("claude-opus-5-5", "{}").effort, None);
    }

    #[test]
    fn rows_are_found_in_every_spelling_of_an_id() {
        let style = |model: &str| Rules::find(model).map(|rules| rules.thinking);
        assert_eq!(
            style("us.anthropic.claude-opus-4-20250514-v1:0"),
            Some(Style::Budget)
        );
        assert_eq!(style("claude-opus-4.7"), Some(Style::Adaptive));
        assert_eq!(style("claude-3-7-sonnet@20250219"), Some(Style::Budget));
        assert_eq!(style("Claude-Nova-9"), Some(Style::AdaptiveAlways));
        assert_eq!(style("kimi-k2"), None);
    }

    #[test]
    fn sampling_keeps_its_spelling_and_is_left_out_where_it_is_refused() {
        let text = |raw: Option<Box<RawValue>>| raw.map(|raw| raw.get().to_owned());
        let both = r#"{"temperature":0.70,"top_p":0.9}"#;
        let old = plan("claude-3-5-haiku", both);
        assert_eq!(
            (text(old.temperature).as_deref(), text(old.top_p).as_deref()),
            (Some("0.70"), Some("0.9"))
        );
        let newer = plan("claude-haiku-4-5", both);
        assert_eq!(
            (text(newer.temperature).as_deref(), text(newer.top_p)),
            (Some("0.70"), None)
        );
        assert!(plan("claude-opus-4-7", both).temperature.is_none());
        assert_eq!(
            text(plan("claude-haiku-4-5", r#"{"temperature":1.7}"#).temperature).as_deref(),
            Some("1")
        );
    }
}
