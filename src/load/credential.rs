//! `key`: how requests to a provider are authorised.

use super::Env;
use super::base_url::base_url;
use super::reader::Node;
use crate::auth::google::{METADATA_URL, ServiceAccount, TOKEN_URL};
use crate::auth::{AccountKey, BaseUrl, Credential, Secret, SigningKey, TokenKey, Variable};
use crate::error::quoted;
use crate::hash;

/// Reads `key`. The base URL may name the region.
pub(super) fn credential(
    node: &Node<'_>,
    base: Option<&BaseUrl>,
    cluster: &str,
    env: Env<'_>,
) -> Option<Credential> {
    let mut members = node.members()?;
    let plain = members.optional("env");
    let aws = members.optional("aws");
    let google = members.optional("google");
    members.done();
    match (plain, aws, google) {
        (Some(variable), None, None) => Some(Credential::Plain(read_variable(
            node,
            variable.string()?,
            env,
            false,
        ))),
        (None, Some(aws), None) => signing_key(&aws, base, env).map(Credential::Aws),
        (None, None, Some(google)) => {
            token_key(&google, cluster, env).map(|key| Credential::Google(Box::new(key)))
        }
        (None, None, None) => {
            node.problem("needs env, aws for signed requests, or google for tokens");
            None
        }
        _ => {
            node.problem("has more than one of env, aws and google; leave the others out");
            None
        }
    }
}

fn token_key(node: &Node<'_>, cluster: &str, env: Env<'_>) -> Option<TokenKey> {
    let mut members = node.members()?;
    let account_node = members.optional("service_account");
    let metadata = members.optional("metadata").and_then(|node| node.boolean());
    let url_node = members.optional("token_url");
    let cluster = members
        .optional("token_cluster")
        .map_or(Some(format!("{cluster}-token")), |node| {
            node.string().map(ToOwned::to_owned)
        });
    members.done();
    if account_node.is_some() == (metadata == Some(true)) {
        node.problem("needs either a service_account, or metadata: true on a machine of Google's");
        return None;
    }
    let usual = if account_node.is_some() {
        TOKEN_URL
    } else {
        METADATA_URL
    };
    let url = match url_node {
        Some(node) => base_url(&node),
        None => BaseUrl::parse(usual),
    };
    let account = match account_node {
        Some(node) => Some(account_key(&node, env)?),
        None => None,
    };
    let url = url?;
    let secret = account.as_ref().and_then(|key| key.variable.value.as_ref());
    let secret = secret.map_or("", |secret| secret.expose());
    let id = hash::to_hex(&hash::sha256(format!("{url}\n{secret}").as_bytes()));
    Some(TokenKey {
        account,
        url,
        cluster: cluster?,
        id,
    })
}

/// `{ env: NAME }`: the variable holds the JSON document that Google gives out.
fn account_key(node: &Node<'_>, env: Env<'_>) -> Option<AccountKey> {
    let mut members = node.members()?;
    let name = members.required("env");
    members.done();
    let name = name?.string()?;
    let value = look_up(name, env);
    let account = match &value {
        None => {
            if env.is_some() {
                node.problem(missing(name));
            }
            None
        }
        Some(text) => match ServiceAccount::parse(text) {
            Ok(account) => Some(account),
            Err(what) => {
                node.problem(format!("env {name} {what}"));
                None
            }
        },
    };
    Some(AccountKey {
        variable: Variable {
            env: name.to_owned(),
            optional: false,
            value: value.map(Secret),
        },
        account,
    })
}

/// A variable that is set to something.
fn look_up(name: &str, env: Env<'_>) -> Option<String> {
    env.and_then(|env| env(name))
        .map(|value| value.trim().to_owned())
        .filter(|value| !value.is_empty())
}

fn missing(name: &str) -> String {
    format!("env {name} is not set; add it to vm_config.environment_variables")
}

fn signing_key(node: &Node<'_>, base: Option<&BaseUrl>, env: Env<'_>) -> Option<SigningKey> {
    let mut members = node.members()?;
    let mut read = |name: &'static str, usual: &str, optional: bool| match members.optional(name) {
        Some(node) => variable(&node, env),
        // The names that AWS's own tools look for.
        None => Some(read_variable(node, usual, env, optional)),
    };
    let access_key_id = read("access_key_id", "AWS_ACCESS_KEY_ID", false);
    let secret_access_key = read("secret_access_key", "AWS_SECRET_ACCESS_KEY", false);
    let session_token = read("session_token", "AWS_SESSION_TOKEN", true);
    let region = match members.optional("region") {
        Some(node) => region(&node),
        None => {
            let of_host = base.and_then(|base| region_of_host(&base.host));
            // A provider without a sound address has a problem already.
            if of_host.is_none() && base.is_some() {
                node.problem("needs a region: the host of base_url does not name one");
            }
            of_host.map(str::to_owned)
        }
    };
    members.done();
    Some(SigningKey {
        access_key_id: access_key_id?,
        secret_access_key: secret_access_key?,
        session_token: session_token?,
        region: region?,
    })
}

fn region(node: &Node<'_>) -> Option<String> {
    let text = node.string()?;
    if !is_region(text) {
        node.problem(format!("{} is no region, such as us-east-1", quoted(text)));
        return None;
    }
    Some(text.to_owned())
}

fn is_region(text: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.contains('-') && text.bytes().all(sound)
}

/// The region in `bedrock-runtime.{region}.amazonaws.com`, and in the names of FIPS and VPC endpoints.
fn region_of_host(host: &str) -> Option<&str> {
    let mut labels = host.split('.');
    labels.find(|label| label.starts_with("bedrock-runtime"))?;
    labels.next().filter(|label| is_region(label))
}

/// `{ env: NAME, optional: true }`
fn variable(node: &Node<'_>, env: Env<'_>) -> Option<Variable> {
    let mut members = node.members()?;
    let name = members.required("env");
    // Who names a variable wants it, unless he says otherwise.
    let optional = members
        .optional("optional")
        .and_then(|node| node.boolean())
        .unwrap_or(false);
    members.done();
    let name = name?;
    Some(read_variable(node, name.string()?, env, optional))
}

fn read_variable(node: &Node<'_>, name: &str, env: Env<'_>, optional: bool) -> Variable {
    let value = look_up(name, env);
    match &value {
        None if env.is_none() || optional => {}
        None => node.problem(missing(name)),
        Some(value) if !value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) => {
            node.problem(format!("env {name} holds characters that no header may carry"));
        }
        Some(_) => {}
    }
    Variable {
        env: name.to_owned(),
        optional,
        value: value.map(Secret),
    }
}
