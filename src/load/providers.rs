//! The providers of a configuration: each completes the row of its name, or stands on its own dialect and address.

use super::Env;
use super::base_url::base_url;
use super::reader::{Members, Node};
use super::timeouts::{first_token, stream_upstream};
use crate::auth::{BaseUrl, Credential};
use crate::config::{Provider, Upstream};
use crate::dialect::{self, Dialect, Quirks};
use crate::error::quoted;
use crate::meter::Fee;
use crate::provider::{self, Address, DataPolicy, OnCancel, Row};
use std::collections::BTreeMap;

const DEFAULT_MAX_TOKENS: u64 = 8_192;
/// The dialect whose requests all go to one path.
const PATH_DIALECT: &str = "openai-chat";
/// The dialects of the service that signatures are made for.
const SIGNED_DIALECTS: [&str; 2] = ["bedrock-converse", "anthropic-bedrock"];

/// The providers; `false` beside one that has problems of its own, so that its endpoints do not report them again.
pub(super) fn providers(node: &Node<'_>, env: Env<'_>) -> Vec<(Provider, bool)> {
    let Some(members) = node.members() else {
        return Vec::new();
    };
    let mut providers: Vec<(Provider, bool)> = Vec::new();
    // The provider of each cluster.
    let mut taken = BTreeMap::<String, String>::new();
    for (id, node) in members.all() {
        let Some((provider, sound)) = provider(id, &node, env) else {
            continue;
        };
        for Upstream { cluster, name, .. } in provider.upstreams() {
            match taken.get(cluster) {
                Some(other) => node.problem(format!(
                    "its cluster {} is also that of provider {}; a provider needs a cluster of its own, so that its key goes nowhere else",
                    quoted(cluster),
                    quoted(other)
                )),
                None => {
                    taken.insert(cluster.to_owned(), name);
                }
            }
        }
        providers.push((provider, sound));
    }
    if providers.is_empty() {
        node.problem("name at least one provider");
    }
    providers
}

fn provider(id: &str, node: &Node<'_>, env: Env<'_>) -> Option<(Provider, bool)> {
    let row = provider::find(id);
    let mut members = node.members()?;
    let dialect_node = members.optional("dialect");
    let dialect_name = dialect_node
        .as_ref()
        .and_then(Node::string)
        .or(row.map(|row| row.dialect));
    let found = dialect_name.and_then(dialect::find);
    match (&dialect_node, dialect_name) {
        (None, None) => node.problem(format!(
            "is no provider known by name, so it needs a dialect ({}) and a base_url",
            known_dialects()
        )),
        (Some(node), Some(name)) if found.is_none() => unknown_dialect(node, name),
        _ => {}
    }
    let base_node = members.optional("base_url");
    let base = match &base_node {
        Some(node) => base_url(node),
        None => row.and_then(Row::base_url).and_then(BaseUrl::parse),
    };
    if base_node.is_none() && base.is_none() && found.is_some() {
        match row.map(|row| row.address) {
            Some(Address::Like(url)) => node.problem(format!(
                "needs a base_url of the form {url}: its address is not the same for everybody"
            )),
            _ => node.problem("needs a base_url: this provider has no address of its own"),
        }
    }
    // A provider known only by its dialect takes its key as that dialect's own provider does.
    let auth = row.or_else(|| {
        provider::ROWS
            .iter()
            .find(|row| Some(row.dialect) == dialect_name)
    });
    let mut auth_header = auth.map_or("authorization", |row| row.auth_header).to_owned();
    let mut auth_prefix = auth.map_or("Bearer ", |row| row.auth_prefix).to_owned();
    let auth_node = members.optional("auth");
    let has_auth = auth_node.is_some();
    if let Some(mut auth) = auth_node.and_then(|node| node.members()) {
        if let Some(node) = auth.required("header") {
            auth_header = header_name(&node).unwrap_or(auth_header);
            auth_prefix.clear();
        }
        if let Some(prefix) = auth.optional("prefix").and_then(|node| node.string()) {
            prefix.clone_into(&mut auth_prefix);
        }
        auth.done();
    }
    let cluster = members
        .optional("cluster")
        .and_then(|node| node.string())
        .unwrap_or(id)
        .to_owned();
    let key_node = members.optional("key");
    let key = key_node
        .as_ref()
        .and_then(|node| super::credential::credential(node, base.as_ref(), &cluster, env));
    if let (Some(Credential::Aws(_)), Some(node)) = (&key, &key_node) {
        if found.is_some_and(|dialect| !SIGNED_DIALECTS.contains(&dialect.name())) {
            node.problem(format!(
                "aws is for providers that speak {}",
                SIGNED_DIALECTS.join(" or ")
            ));
        }
        if has_auth {
            node.problem("aws signs in headers of its own; leave auth out");
        }
    }
    if let (Some(Credential::Google(_)), Some(node)) = (&key, &key_node)
        && (auth_header.as_str(), auth_prefix.as_str()) != ("authorization", "Bearer ")
    {
        node.problem(
            "google's tokens need auth: { header: authorization, prefix: \"Bearer \" }, not the header of an API key",
        );
    }
    let byok = members
        .optional("byok")
        .and_then(|node| byok(&node, key.as_ref()));
    let default_max_tokens = members
        .optional("default_max_tokens")
        .and_then(|node| at_least_one(&node))
        .unwrap_or(DEFAULT_MAX_TOKENS);
    let on_cancel = match members.optional("on_cancel") {
        None => row.map_or(OnCancel::Unknown, |row| row.on_cancel),
        Some(node) => match node.string() {
            Some("stops") => OnCancel::Stops,
            Some("bills_all") => OnCancel::BillsAll,
            Some("unknown") | None => OnCancel::Unknown,
            Some(other) => {
                node.problem(format!("{} is none of stops, bills_all, unknown", quoted(other)));
                OnCancel::Unknown
            }
        },
    };
    let path = members.optional("path").and_then(|node| {
        if found.is_some_and(|dialect| dialect.name() != PATH_DIALECT) {
            node.problem(format!("is for providers that speak {PATH_DIALECT}"));
        }
        path(&node)
    });
    let policy = policy(&mut members);
    let first_token_ms = first_token(&mut members);
    let stream_upstream = stream_upstream(&mut members).unwrap_or_default();
    members.done();
    // The row tells how the provider deviates from the dialect in the row, and from no other.
    let (quirks, model_dialects) = match row {
        Some(row) if Some(row.dialect) == dialect_name => (row.quirks, row.model_dialects),
        _ => (&Quirks::NONE, [].as_slice()),
    };
    let sound = found.is_some() && base.is_some();
    let provider = Provider {
        id: id.to_owned(),
        dialect: found.or_else(|| dialect::DIALECTS.first().copied())?,
        model_dialects,
        cluster,
        base: base.unwrap_or(BaseUrl {
            tls: true,
            host: String::new(),
            port: 443,
            path: String::new(),
        }),
        auth_header,
        auth_prefix,
        key,
        byok,
        default_max_tokens,
        on_cancel,
        quirks,
        path,
        policy,
        first_token_ms,
        stream_upstream,
    };
    Some((provider, sound))
}

/// Charge for callers that bring a key of their own: nothing, or a part of what the provider charges.
fn byok(node: &Node<'_>, key: Option<&Credential>) -> Option<Fee> {
    if matches!(key, Some(Credential::Aws(_) | Credential::Google(_))) {
        node.problem("is for providers whose key is a plain one");
    }
    if node.value.is_boolean() {
        return node.boolean()?.then(Fee::default);
    }
    let mut members = node.members()?;
    let fee = members.required("fee");
    members.done();
    let fee = fee?;
    let hundredths = |text: &str| {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        (decimals.len() <= 2 && digits(whole) && digits(decimals))
            .then(|| format!("{whole}{decimals:0<2}").parse::<u32>().ok())
            .flatten()
    };
    let basis_points = fee.string()?.strip_suffix('%').and_then(hundredths);
    let fair = basis_points.filter(|points| *points <= 10_000);
    if fair.is_none() {
        fee.problem(
            "expected a part of what the provider charges, from \"0%\" to \"100%\", such as \"2.5%\"",
        );
    }
    fair.map(|basis_points| Fee { basis_points })
}

/// Treatment of data by a provider or one endpoint.
pub(super) fn policy(members: &mut Members<'_>) -> DataPolicy {
    let data_collection = members.optional("data_collection");
    let collects_data = data_collection.and_then(|node| match node.string()? {
        "allow" => Some(true),
        "deny" => Some(false),
        other => {
            node.problem(format!("{} is neither allow nor deny", quoted(other)));
            None
        }
    });
    DataPolicy {
        collects_data,
        zdr: members.optional("zdr").and_then(|node| node.boolean()),
        region: members
            .optional("region")
            .and_then(|node| node.string())
            .map(ToOwned::to_owned),
    }
}

/// The dialect of `provider` for the model that it calls `model`, and its deviations. `None` after a problem.
pub(super) fn endpoint_dialect(
    provider: &Provider,
    model: &str,
    node: Option<&Node<'_>>,
) -> Option<(&'static Dialect, &'static Quirks)> {
    let by_model = provider
        .model_dialects
        .iter()
        .find(|(prefix, _)| model.starts_with(prefix))
        .map(|(_, name)| *name);
    let name = match node {
        Some(node) => node.string()?,
        None => by_model.unwrap_or(provider.dialect.name()),
    };
    let found = dialect::find(name);
    if let (None, Some(node)) = (found, node) {
        unknown_dialect(node, name);
    }
    let dialect = found?;
    let own = dialect.name() == provider.dialect.name();
    Some((dialect, if own { provider.quirks } else { &Quirks::NONE }))
}

fn unknown_dialect(node: &Node<'_>, name: &str) {
    let known = known_dialects();
    node.problem(format!("{} is no dialect; known: {known}", quoted(name)));
}

fn known_dialects() -> String {
    let known: Vec<_> = dialect::DIALECTS.iter().map(|dialect| dialect.name()).collect();
    known.join(", ")
}

fn path(node: &Node<'_>) -> Option<String> {
    let text = node.string()?;
    let rest = text.replace("{model}", "");
    let sound = |byte: u8| byte.is_ascii_graphic() && !b"#\"\\{}".contains(&byte);
    if !text.starts_with('/') || !rest.bytes().all(sound) {
        node.problem(format!(
            "{} is no path of the form /chat/completions, with {{model}} where the model's id stands",
            quoted(text)
        ));
        return None;
    }
    Some(text.to_owned())
}

fn header_name(node: &Node<'_>) -> Option<String> {
    let text = node.string()?;
    let sound = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let reserved = [
        "host",
        "content-length",
        "content-type",
        "connection",
        "transfer-encoding",
    ];
    if !sound || reserved.contains(&text.to_ascii_lowercase().as_str()) {
        node.problem(format!("{} cannot be the header of a key", quoted(text)));
        return None;
    }
    Some(text.to_ascii_lowercase())
}

pub(super) fn at_least_one(node: &Node<'_>) -> Option<u64> {
    let value = node.whole()?;
    if value == 0 {
        node.problem("must be at least 1");
        return None;
    }
    Some(value)
}
