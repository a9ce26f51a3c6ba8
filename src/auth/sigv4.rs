//! AWS Signature Version 4: what a request's headers must say so that AWS takes it.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>. The clock, the
//! credentials and the region are arguments. Not here: S3's own rules, signed queries, chunked bodies, and SigV4a.
//!
//! ```
//! use crosspoint::auth::sigv4::{Credentials, Request, Scope, sign};
//! let request = Request { method: "POST", path: "/model/m/converse", headers: &[("host", "h")], body: b"{}" };
//! let credentials = Credentials { access_key_id: "AKID", secret_access_key: "secret", session_token: None };
//! let signed = sign(&request, &credentials, Scope { region: "eu-west-1", service: "bedrock" }, 1_440_938_160_000);
//! assert_eq!(signed[0], ("x-amz-date", "20150830T123600Z".to_owned()));
//! assert!(signed[1].1.starts_with("AWS4-HMAC-SHA256 Credential=AKID/20150830/eu-west-1/bedrock/aws4_request"));
//! ```

use crate::hash::{sha256, to_hex};
use crate::time::{DAY_MS, Date};
use std::fmt::Write as _;

/// The header of temporary credentials.
const TOKEN: &str = "x-amz-security-token";

/// Who signs.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The id of the access key, which is no secret.
    pub access_key_id: &'a str,
    /// The secret.
    pub secret_access_key: &'a str,
    /// What goes with temporary credentials.
    pub session_token: Option<&'a str>,
}

/// Where a signature holds.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// For instance `us-east-1`.
    pub region: &'a str,
    /// For instance `bedrock`.
    pub service: &'a str,
}

/// What is signed.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// In capitals.
    pub method: &'a str,
    /// As it is on the wire, percent-encoded, without `.` and `..`. The parameters of a query must be in order.
    pub path: &'a str,
    /// The headers to sign: `host` and others, in lower case, in order, all of them before `x-amz-date`.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub body: &'a [u8],
}

/// The headers that have to be added to the request.
pub fn sign(
    request: &Request<'_>,
    credentials: &Credentials<'_>,
    scope: Scope<'_>,
    now_ms: u64,
) -> Vec<(&'static str, String)> {
    let time = timestamp(now_ms);
    let date = time.split('T').next().unwrap_or_default();
    let mut headers = request.headers.to_vec();
    headers.push(("x-amz-date", &time));
    let token = credentials.session_token;
    headers.extend(token.map(|token| (TOKEN, token)));
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");

    let canonical = canonical_request(request, &headers, &names);
    let (region, service) = (scope.region, scope.service);
    let scope = format!("{date}/{region}/{service}/aws4_request");
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{time}\n{scope}\n{}",
        to_hex(&sha256(canonical.as_bytes()))
    );
    let mut key = format!("AWS4{}", credentials.secret_access_key).into_bytes();
    for part in [date, region, service, "aws4_request"] {
        key = hmac_sha256(&key, part.as_bytes()).to_vec();
    }
    let signature = to_hex(&hmac_sha256(&key, to_sign.as_bytes()));
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
        credentials.access_key_id
    );
    let mut added = vec![("x-amz-date", time), ("authorization", authorization)];
    added.extend(token.map(|token| (TOKEN, token.to_owned())));
    added
}

fn canonical_request(request: &Request<'_>, headers: &[(&str, &str)], names: &str) -> String {
    let (path, query) = request.path.split_once('?').unwrap_or((request.path, ""));
    let mut out = format!("{}\n", request.method);
    // Encoded a second time: AWS signs `%3A` as `%253A`, for every service but S3.
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                out.push(byte.into())
            }
            // Writing to a String cannot fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out.push_str(&format!("\n{query}\n"));
    for (name, value) in headers {
        let words: Vec<&str> = value.split_ascii_whitespace().collect();
        out.push_str(&format!("{name}:{}\n", words.join(" ")));
    }
    out.push_str(&format!("\n{names}\n{}", to_hex(&sha256(request.body))));
    out
}

/// <https://www.rfc-editor.org/rfc/rfc2104>. Not for long messages, which are copied.
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    const BLOCK: usize = 64;
    let mut block = if key.len() > BLOCK {
        sha256(key).to_vec()
    } else {
        key.to_vec()
    };
    block.resize(BLOCK, 0);
    let keyed = |pad: u8, message: &[u8]| {
        let mut bytes: Vec<u8> = block.iter().map(|byte| byte ^ pad).collect();
        bytes.extend_from_slice(message);
        sha256(&bytes)
    };
    keyed(0x5c, &keyed(0x36, message))
}

/// The time as AWS wants it: `20150830T123600Z`.
fn timestamp(now_ms: u64) -> String {
    let Date { year, month, day } = Date::of(now_ms / DAY_MS);
    let second = now_ms / 1_000 % 86_400;
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    format!(
        "{year:04}{month:02}{day:02}T{hour:02}{minute:02}{:02}Z",
        second % 60
    )
}

#[cfg(test)]
mod tests;
