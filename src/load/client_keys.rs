//! `keys`, `identity` and `budgets`: callers, the place of their names, and the limits of their usage.

use super::policy::{Served, policy};
use super::price::usd;
use super::reader::{Members, Node};
use crate::config::{ANY, Balance, Budgets, ClientKey, Identity, Unbounded};
use crate::error::quoted;
use crate::hash;
use crate::meter::PicoUsd;
use crate::meter::budget::{Allowance, SPANS};
use crate::preference::PolicySource;
use crate::time::{Date, parse_rfc3339};
use std::collections::BTreeSet;
use std::rc::Rc;

/// The most members of a key's metadata, and the longest name or value of one, in bytes: they are in every receipt.
const MAX_METADATA: usize = 16;
const MAX_METADATA_BYTES: usize = 256;

/// Reads `keys`; with an identity, a key may do without a hash.
pub(super) fn client_keys(node: &Node<'_>, identity: bool, served: &Served<'_>) -> Vec<ClientKey> {
    let nodes = node.list();
    if nodes.is_empty() && node.value.is_array() {
        node.problem("is empty, which would let nobody in; leave it out to let everybody in");
    }
    let mut keys: Vec<ClientKey> = Vec::new();
    let (mut names, mut hashes) = (BTreeSet::new(), BTreeSet::new());
    for node in nodes {
        let Some(key) = node.members().and_then(|members| key(members, identity, served)) else {
            continue;
        };
        let new_name = names.insert(key.name.clone());
        let new_hash = key.sha256.is_none_or(|hash| hashes.insert(hash));
        if !new_name || !new_hash {
            node.problem("another key has the same name or the same hash");
        }
        keys.push(key);
    }
    keys
}

fn key(mut members: Members<'_>, identity: bool, served: &Served<'_>) -> Option<ClientKey> {
    let name = members.required("name").and_then(|node| node.string());
    let sha256_node = match name {
        Some(ANY) => members.optional("sha256"),
        _ if identity => members.optional("sha256"),
        _ => members.required("sha256"),
    };
    let source = PolicySource::Key(Rc::from(name.unwrap_or_default()));
    let policy = policy(&mut members, source, served);
    let expires_ms = members.optional("expires").and_then(|node| {
        let time = parse_rfc3339(node.string()?);
        if time.is_none() {
            node.problem("expected a date or a time, such as 2027-01-31 or 2027-01-31T12:00:00Z");
        }
        time
    });
    let disabled = members.optional("disabled").and_then(|node| node.boolean());
    let metadata = members.optional("metadata").map(|node| metadata(&node));
    let allowance = Allowance {
        requests_per_minute: members
            .optional("requests_per_minute")
            .and_then(|node| node.whole()),
        tokens_per_minute: members
            .optional("tokens_per_minute")
            .and_then(|node| node.whole()),
        budget: members
            .optional("budget")
            .and_then(|node| node.members())
            .map(budget)
            .unwrap_or_default(),
    };
    members.done();
    let mut sha256 = None;
    if let Some(node) = sha256_node {
        sha256 = node.string().and_then(hash::from_hex);
        if sha256.is_none() {
            node.problem("expected 64 hexadecimal digits: printf %s \"$KEY\" | sha256sum");
        } else if name == Some(ANY) {
            node.problem("the key * stands for callers that identity names; leave it out");
        }
    } else if !identity && name != Some(ANY) {
        return None;
    }
    Some(ClientKey {
        name: name?.to_owned(),
        sha256,
        expires_ms,
        disabled: disabled.unwrap_or(false),
        metadata: metadata.unwrap_or_default(),
        allowance,
        policy,
    })
}

fn metadata(node: &Node<'_>) -> Vec<(String, String)> {
    let Some(members) = node.members() else {
        return Vec::new();
    };
    let all = members.all();
    if all.len() > MAX_METADATA {
        node.problem(format!("at most {MAX_METADATA} members are written to receipts"));
    }
    let short = |text: &str| text.len() <= MAX_METADATA_BYTES;
    let read = |(name, node): (&str, Node<'_>)| {
        let value = node.string()?;
        if !short(name) || !short(value) {
            node.problem(format!("may have {MAX_METADATA_BYTES} bytes"));
        }
        Some((name.to_owned(), value.to_owned()))
    };
    all.into_iter().filter_map(read).collect()
}

fn budget(mut members: Members<'_>) -> [Option<PicoUsd>; SPANS.len()] {
    let budget = SPANS.map(|(_, name)| members.optional(name).and_then(|node| usd(&node)));
    members.done();
    budget
}

/// Reads `identity`.
pub(super) fn identity(node: &Node<'_>) -> Option<Identity> {
    let mut members = node.members()?;
    let header = members.optional("header");
    let filter_state = members.optional("filter_state");
    let metadata = members.optional("metadata");
    members.done();
    match (header, filter_state, metadata) {
        (Some(header), None, None) => {
            let name = header.string()?.to_ascii_lowercase();
            let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            if !name.bytes().all(sound) {
                header.problem(format!("{} is no name of a header", quoted(&name)));
            }
            Some(Identity::Header(name))
        }
        (None, Some(state), None) => state.string().map(|name| Identity::FilterState(name.to_owned())),
        (None, None, Some(metadata)) => {
            let nodes = metadata.list();
            let path: Vec<String> = nodes
                .iter()
                .filter_map(|node| node.string().map(ToOwned::to_owned))
                .collect();
            if metadata.value.is_array() && nodes.len() < 2 {
                metadata.problem("name a filter, and a path in its metadata");
            }
            Some(Identity::Metadata(path))
        }
        _ => {
            node.problem("needs one of header, filter_state and metadata");
            None
        }
    }
}

/// Reads `budgets`.
pub(super) fn budgets(node: &Node<'_>) -> Budgets {
    let mut budgets = Budgets::default();
    let Some(mut members) = node.members() else {
        return budgets;
    };
    if let Some(node) = members.optional("on_unavailable") {
        match node.value.as_str() {
            Some("refuse") => {}
            Some("allow") => budgets.allow_when_unavailable = true,
            _ => node.problem("expected refuse or allow"),
        }
    }
    if let Some(node) = members.optional("unbounded") {
        match node.value.as_str() {
            Some("clamp") => budgets.unbounded = Unbounded::Clamp,
            Some("reserve") => budgets.unbounded = Unbounded::Reserve,
            Some("refuse") => budgets.unbounded = Unbounded::Refuse,
            _ => node.problem("expected clamp, reserve or refuse"),
        }
    }
    if let Some(node) = members.optional("balances") {
        let all = node.members().map(|members| members.all()).unwrap_or_default();
        budgets.balances = all
            .into_iter()
            .filter_map(|(key, node)| balance(key, &node))
            .collect();
        budgets.balances.sort_by(|a, b| a.key.cmp(&b.key));
    }
    members.done();
    budgets
}

fn balance(key: &str, node: &Node<'_>) -> Option<Balance> {
    let mut members = node.members()?;
    let spent = SPANS.map(|(_, name)| {
        let mut members = members.optional(name)?.members()?;
        let start = members.required("start").and_then(|node| {
            let date = Date::parse(node.string()?);
            if date.is_none() {
                node.problem("expected a date, such as 2027-01-31");
            }
            date
        });
        let used = members.required("used").and_then(|node| usd(&node));
        members.done();
        Some((start?.days(), used?))
    });
    let total = members.optional("total").and_then(|node| usd(&node));
    members.done();
    Some(Balance {
        key: key.to_owned(),
        spent,
        total,
    })
}
