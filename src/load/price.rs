//! `price`: what tokens cost at an endpoint.

use super::reader::{Members, Node};
use crate::error::quoted;
use crate::meter::{KINDS, PicoUsd, Price, Time};
use serde_json::Value;

/// Reads `price`; `usual` is what the catalogue has. Its kinds and steps belong to its prices, and are not taken over.
/// Without one both prices must be written: an absent one is unknown, not 0.
pub(super) fn price(node: &Node<'_>, usual: Option<&Price>) -> Option<Price> {
    let mut members = node.members()?;
    if usual.is_none() {
        for name in ["prompt", "completion"] {
            if !members.has(name) {
                members.problem(
                    name,
                    "is missing, and the catalogue has no price; where nothing is charged, write 0",
                );
            }
        }
    }
    let mut price = stepped(&mut members, usual.unwrap_or(&Price::default()));
    let times = members.optional("times").map(|node| node.list());
    members.done();
    for node in times.unwrap_or_default() {
        let Some(mut members) = node.members() else {
            continue;
        };
        let [from, to] = ["from", "to"].map(|name| members.required(name).and_then(|node| minute(&node)));
        let then = stepped(&mut members, &price);
        members.done();
        if let (Some(from), Some(to)) = (from, to) {
            price.times.push(Time {
                from,
                to,
                price: then,
            });
        }
    }
    Some(price)
}

/// The prices, with their steps.
fn stepped(members: &mut Members<'_>, usual: &Price) -> Price {
    let mut price = rates(members, usual);
    if let Some(request) = members.optional("request") {
        price.request = usd(&request).unwrap_or(price.request);
    }
    let steps = members.optional("steps").map(|node| node.list());
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

/// A time of the day, as minutes since midnight.
fn minute(node: &Node<'_>) -> Option<u16> {
    let text = node.string()?;
    let part = |text: &str, below: u16| {
        let number = (text.len() == 2).then(|| text.parse::<u16>().ok()).flatten();
        number.filter(|number| *number < below)
    };
    let minute = text
        .split_once(':')
        .and_then(|(hours, minutes)| Some(part(hours, 24)? * 60 + part(minutes, 60)?));
    if minute.is_none() {
        node.problem(format!(
            "{} is no time of the day (UTC), such as \"16:30\"",
            quoted(text)
        ));
    }
    minute
}

/// An amount of USD.
pub(super) fn usd(node: &Node<'_>) -> Option<PicoUsd> {
    let text = decimal(node);
    let price = PicoUsd::from_usd(&text);
    if price.is_none() {
        node.problem(format!(
            "{} is no amount of USD, such as \"0.005\"",
            quoted(&text)
        ));
    }
    price
}

/// A number, as it is written.
fn decimal(node: &Node<'_>) -> String {
    match node.value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

/// The prices themselves; prompt and completion as usual, where nothing is said of them.
fn rates(members: &mut Members<'_>, usual: &Price) -> Price {
    let mut amount = |name| members.optional(name).and_then(|node| usd_per_million(&node));
    let mut price = Price {
        prompt: amount("prompt").unwrap_or(usual.prompt),
        completion: amount("completion").unwrap_or(usual.completion),
        request: usual.request,
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
    let text = decimal(node);
    let price = PicoUsd::per_token_from_usd_per_million(&text);
    if price.is_none() {
        node.problem(format!(
            "{} is no price in USD per million tokens, such as \"3.00\"",
            quoted(&text)
        ));
    }
    price
}
