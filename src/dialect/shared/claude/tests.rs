//! What the generations of Claude come to.

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
        budget(r#"{"max_tokens":4294967295,"reasoning":{"effort":"high"}}"#).0,
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
