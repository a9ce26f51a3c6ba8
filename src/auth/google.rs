//! Google's OAuth tokens: what to ask for one with, and what the answer says.
//!
//! With a service account: a JWT that its key signs goes to the token endpoint
//! (<https://developers.google.com/identity/protocols/oauth2/service-account#httprest>). On a machine of Google's: its
//! metadata server hands tokens out (<https://cloud.google.com/compute/docs/access/authenticate-workloads>). Making the
//! call, keeping the token and the clock are others' business.

use super::access_token::{AccessToken, MAX_HOLD_MS};
use super::{BaseUrl, Secret};
use crate::base64;
use crate::error::quoted;
use crate::json::{Members, Str};
use crate::middleware::{Callout, Reply};
use rsa::PrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::signature::{SignatureEncoding as _, Signer as _};
use serde_json::value::RawValue;
use sha2::Sha256;
use std::fmt;

/// Address of Google's tokens for a service account.
pub const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";
/// Address of tokens on a machine of Google's.
pub const METADATA_URL: &str =
    "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token";

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const GRANT: &str = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";
/// Life of a JWT, in seconds: the longest that Google takes.
const ASSERTION_SECONDS: u64 = 3_600;
/// Deadline of the token endpoint, in milliseconds.
pub const TIMEOUT_MS: u64 = 5_000;
/// The longest token that is kept, in bytes. Google's are below 2 KiB.
const MAX_TOKEN: usize = 16 << 10;
/// The longest code of an error that is shown, in bytes.
const MAX_CODE: usize = 40;
/// Shortest life of a token that is of use, in seconds: longer than one must hold for an attempt to be planned
/// with it.
const MIN_SECONDS: u64 = 60;

/// Source of a token.
#[derive(Debug)]
pub enum TokenSource<'a> {
    /// A service account.
    ServiceAccount(&'a ServiceAccount),
    /// The machine that this runs on.
    Metadata,
}

/// A service account, as Google gives its key out: a JSON document.
pub struct ServiceAccount {
    email: String,
    key_id: Option<String>,
    key: SigningKey<Sha256>,
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceAccount({:?}, …)", self.email)
    }
}

impl ServiceAccount {
    /// Reads the document. `Err` says what is wrong with it, and nothing that stands in it.
    ///
    /// # Errors
    /// When it is not a service account's, or its key cannot be read.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let document = serde_json::from_str::<&RawValue>(text).map_err(|_| "holds no JSON")?;
        let members = Members::of(document);
        if members.text("type").as_deref() != Some("service_account") {
            return Err("holds no key of a service account: its type is another");
        }
        let email = members.text("client_email").ok_or("holds no client_email")?;
        let pem = members.text("private_key").ok_or("holds no private_key")?;
        let key = from_pem(&pem).ok_or("holds a private_key that is no RSA key in PKCS #8")?;
        Ok(Self {
            email: email.into_string(),
            key_id: members.text("private_key_id").map(Str::into_string),
            key: SigningKey::new(key),
        })
    }

    /// Signed JWT bearer assertion (RFC 7523).
    ///
    /// The signature is made without blinding, by code whose time does not depend on the key, over what only the clock
    /// chooses; RUSTSEC-2023-0071 is about decrypting what an attacker sends.
    fn assertion(&self, audience: &str, now_ms: u64) -> Option<String> {
        let issued = now_ms / 1_000;
        let expires = issued.saturating_add(ASSERTION_SECONDS);
        let mut header = serde_json::json!({"alg": "RS256", "typ": "JWT"});
        if let (Some(header), Some(id)) = (header.as_object_mut(), &self.key_id) {
            header.insert("kid".to_owned(), id.as_str().into());
        }
        let claims = serde_json::json!({
            "iss": self.email, "scope": SCOPE, "aud": audience, "iat": issued, "exp": expires,
        });
        let part = |value: &serde_json::Value| base64::encode_url(value.to_string().as_bytes());
        let mut jwt = format!("{}.{}", part(&header), part(&claims));
        let signature = self.key.try_sign(jwt.as_bytes()).ok()?;
        jwt.push('.');
        jwt.push_str(&base64::encode_url(&signature.to_vec()));
        Some(jwt)
    }
}

fn from_pem(pem: &str) -> Option<PrivateKey> {
    let lines = pem
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("-----"));
    let der = base64::decode(&lines.collect::<String>())?;
    PrivateKey::from_pkcs8_der(&der).ok()
}

/// The call that asks for a token at `url`; `None` when its key cannot sign.
pub fn request(source: &TokenSource<'_>, url: &BaseUrl, cluster: &str, now_ms: u64) -> Option<Callout> {
    let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut headers = vec![
        own(":path", &url.path),
        own(":scheme", if url.tls { "https" } else { "http" }),
        (":authority".to_owned(), url.authority()),
        own("accept-encoding", "identity"),
    ];
    let mut body = String::new();
    match source {
        TokenSource::ServiceAccount(account) => {
            let audience = url.to_string();
            let assertion = account.assertion(&audience, now_ms)?;
            headers.push(own(":method", "POST"));
            headers.push(own("content-type", "application/x-www-form-urlencoded"));
            body = format!("grant_type={GRANT}&assertion={assertion}");
        }
        TokenSource::Metadata => {
            headers.push(own(":method", "GET"));
            headers.push(own("metadata-flavor", "Google"));
        }
    }
    Some(Callout {
        cluster: cluster.to_owned(),
        headers,
        body: body.into_bytes(),
        timeout_ms: TIMEOUT_MS,
    })
}

/// The token in an answer.
///
/// # Errors
/// Why there is none, without anything secret.
pub fn answer(reply: &Reply, now_ms: u64) -> Result<AccessToken, String> {
    let (status, body) = match reply {
        Reply::Response { status, body } => (*status, body),
        Reply::Failed => return Err("the token endpoint could not be reached in time".to_owned()),
    };
    // What cannot be read says nothing.
    let document = serde_json::from_slice::<&RawValue>(body);
    let members = document.map(Members::of).unwrap_or_default();
    if status != 200 {
        // OAuth's codes are words; whatever else stands there may be what was sent.
        let is_word = |code: &&str| {
            code.len() <= MAX_CODE && code.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_'))
        };
        let code = members.text("error");
        let code = code.as_deref().filter(is_word).map(quoted).unwrap_or_default();
        return Err(format!("the token endpoint answered with status {status} {code}"));
    }
    let token = members.text("access_token");
    let sound = |token: &&Str<'_>| {
        !token.is_empty() && token.len() <= MAX_TOKEN && token.bytes().all(|byte| byte.is_ascii_graphic())
    };
    match (token.as_ref().filter(sound), members.count("expires_in")) {
        (Some(_), Some(seconds)) if seconds < MIN_SECONDS => Err(format!(
            "the token endpoint answered with a token that holds for {seconds} s only"
        )),
        (Some(token), Some(seconds)) => Ok(AccessToken {
            secret: Secret(token.to_string()),
            expires_ms: now_ms.saturating_add(seconds.saturating_mul(1_000).min(MAX_HOLD_MS)),
        }),
        _ => {
            Err("the token endpoint answered without a token, or without saying how long it holds".to_owned())
        }
    }
}

#[cfg(test)]
mod tests;
