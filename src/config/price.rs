//! `price`: what tokens cost at an endpoint.

use super::reader::{Members, Node};
use crate::error::quoted;
use crate::meter::{KINDS, PicoUsd, Price};
use serde_json::Value;

/// Reads `price`; `usual` is what the catalogue has. Its kinds and steps belong to its prices, and are not taken over.
pub(super) fn price(node: &Node<'_>, usual: &Price) -> Price {
    let Some(mut members) = node.members() else {
        return Price::default();
    };
    let mut price = rates(&mut members, usual);
    let steps = members.optional("steps").map(|node| node.list());
    members.done();
    for node in steps.unwrap_or_default() {
        let Some(mut members) = node.members() else {
            continue;
        };
        let above = members.required("above");
        let step = rates(&mut members, &price);
        members.done();
        if let Some(node) = above
            && let Some(above) = node.whole()
            && !price.add_step(above, step)
        {
            node.problem("must be more than that of the step before it");
        }
    }
    price
}

/// The prices themselves; prompt and completion as usual, where nothing is said of them.
fn rates(members: &mut Members<'_>, usual: &Price) -> Price {
    let mut amount = |name| members.optional(name).and_then(|node| usd_per_million(&node));
    let mut price = Price {
        prompt: amount("prompt").unwrap_or(usual.prompt),
        completion: amount("completion").unwrap_or(usual.completion),
        ..Price::default()
    };
    for (kind, name, _) in KINDS {
        if let Some(own) = amount(name) {
            price.set(kind, own);
        }
    }
    price
}

/// A price in USD per million tokens, which is the same number in millionths of a USD per token.
fn usd_per_million(node: &Node<'_>) -> Option<PicoUsd> {
    let text = match node.value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    let price = PicoUsd::per_token_from_usd_per_million(&text);
    if price.is_none() {
        node.problem(format!(
            "{} is no price in USD per million tokens, such as \"3.00\"",
            quoted(&text)
        ));
    }
    price
}
