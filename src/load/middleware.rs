//! `middleware`: the stages, in order.

use super::reader::Node;
use crate::middleware::Middleware;
use crate::middleware::redact::{Redact, Rule};
use std::rc::Rc;

pub(super) fn stages(node: &Node<'_>) -> Vec<Rc<dyn Middleware>> {
    node.list().iter().filter_map(stage).collect()
}

fn stage(node: &Node<'_>) -> Option<Rc<dyn Middleware>> {
    let mut members = node.members()?;
    let redact = members.optional("redact");
    members.done();
    let Some(redact) = redact else {
        node.problem("names no middleware; known: redact");
        return None;
    };
    let mut members = redact.members()?;
    let rules_node = members.required("rules");
    members.done();
    let rules_node = rules_node?;
    let nodes = rules_node.list();
    if nodes.is_empty() && rules_node.value.is_array() {
        rules_node.problem("name at least one rule");
    }
    let rules: Vec<_> = nodes.iter().filter_map(rule).collect();
    if rules.len() != nodes.len() {
        return None;
    }
    match Redact::new(rules) {
        Ok(redact) => Some(Rc::new(redact)),
        Err(problems) => {
            for (index, message) in problems {
                if let Some(node) = nodes.get(index) {
                    node.problem(message);
                }
            }
            None
        }
    }
}

fn rule(node: &Node<'_>) -> Option<Rule> {
    let mut members = node.members()?;
    let pattern = members.optional("pattern");
    let literal = members.optional("literal");
    let mask = members
        .optional("mask")
        .map_or(Some("[redacted]"), |node| node.string());
    members.done();
    let (text, is_literal) = match (&pattern, &literal) {
        (Some(node), None) => (node.string()?, false),
        (None, Some(node)) => (node.string()?, true),
        _ => {
            node.problem("needs either a pattern or a literal");
            return None;
        }
    };
    Some(Rule {
        pattern: text.to_owned(),
        literal: is_literal,
        mask: mask?.to_owned(),
    })
}
