//! Whether a request is signed as AWS wants it (Signature Version 4). The signature is computed anew by AWS's own Rust
//! library, which shares no code with the filter's.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_types::date_time::{DateTime, Format};

use crate::provider::{Call, Refusal};

/// How far a request's clock may be off.
const MAX_SKEW: Duration = Duration::from_secs(300);
/// What has to be signed for a signature to protect anything.
const MUST_BE_SIGNED: [&str; 2] = ["host", "x-amz-date"];

/// What an `authorization` of this kind says.
struct Claim<'a> {
    access_key_id: &'a str,
    date: &'a str,
    region: &'a str,
    signed: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Claim<'a> {
    fn parse(authorization: &'a str) -> Option<Self> {
        let rest = authorization.strip_prefix("AWS4-HMAC-SHA256 ")?;
        let mut parts = rest.split(',').map(str::trim);
        let credential = parts.next()?.strip_prefix("Credential=")?;
        let signed = parts.next()?.strip_prefix("SignedHeaders=")?;
        let signature = parts.next()?.strip_prefix("Signature=")?;
        let mut scope = credential.split('/');
        let claim = Self {
            access_key_id: scope.next()?,
            date: scope.next()?,
            region: scope.next()?,
            signed: signed.split(';').collect(),
            signature,
        };
        let ends = scope.next() == Some("bedrock") && scope.next() == Some("aws4_request");
        (ends && scope.next().is_none() && parts.next().is_none()).then_some(claim)
    }
}

/// Checks the signature of a request that carries one.
pub(super) fn verify(
    call: &Call<'_>,
    authorization: &str,
    secret: &str,
    now: SystemTime,
) -> Result<(), Refusal> {
    let refused = |kind: &str, message: &str| Refusal::new(403, kind, message);
    let Some(claim) = Claim::parse(authorization) else {
        return Err(refused(
            "IncompleteSignatureException",
            "Authorization header requires 'Credential', 'Signature' and 'SignedHeaders' parameters, and a scope of the service 'bedrock'.",
        ));
    };
    let time = call.header("x-amz-date").and_then(time);
    let (Some(time), true) = (
        time,
        MUST_BE_SIGNED.iter().all(|name| claim.signed.contains(name)),
    ) else {
        return Err(refused(
            "IncompleteSignatureException",
            "'host' and a valid 'x-amz-date' must be among the 'SignedHeaders'.",
        ));
    };
    let skew = now.duration_since(time).unwrap_or_else(|early| early.duration());
    if skew > MAX_SKEW
        || !call
            .header("x-amz-date")
            .is_some_and(|date| date.starts_with(claim.date))
    {
        return Err(refused(
            "InvalidSignatureException",
            "Signature not yet current, or expired.",
        ));
    }
    if signature(call, &claim, secret, time).as_deref() != Some(claim.signature) {
        return Err(refused(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
        ));
    }
    Ok(())
}

/// `20150830T123600Z`
fn time(text: &str) -> Option<SystemTime> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (year, month, day) = (date.get(..4)?, date.get(4..6)?, date.get(6..)?);
    let (hour, minute, second) = (time.get(..2)?, time.get(2..4)?, time.get(4..)?);
    let text = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    let time = DateTime::from_str(&text, Format::DateTime).ok()?;
    SystemTime::try_from(time).ok()
}

fn signature(call: &Call<'_>, claim: &Claim<'_>, secret: &str, time: SystemTime) -> Option<String> {
    let token = call.header("x-amz-security-token").map(str::to_owned);
    let identity = Credentials::new(claim.access_key_id, secret, token, None, "simulator").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(claim.region)
        .name("bedrock")
        .time(time)
        .settings(SigningSettings::default())
        .build()
        .ok()?
        .into();
    // These two it adds on its own.
    let added = ["x-amz-date", "x-amz-security-token"];
    let signed = claim.signed.iter().filter(|name| !added.contains(name));
    let headers: Vec<(&str, &str)> = signed
        .map(|name| Some((*name, call.header(name)?)))
        .collect::<Option<_>>()?;
    let uri = format!("http://{}{}", call.header("host")?, call.path);
    let request = SignableRequest::new(
        call.method,
        uri,
        headers.into_iter(),
        SignableBody::Bytes(call.body),
    )
    .ok()?;
    let (_, signature) = sign(request, &params).ok()?.into_parts();
    Some(signature)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::sample_keys;
    use crosspoint::auth::sigv4;
    use hyper::HeaderMap;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const NOW_MS: u64 = 1_795_301_407_123;

    /// What the simulator says of a request that the filter's code has signed, after `change`.
    fn check(
        token: Option<&str>,
        change: impl FnOnce(&mut HeaderMap, &mut String, &mut Vec<u8>),
    ) -> Option<String> {
        let mut path = "/model/anthropic.claude-v2%3A0%2Fa%20b/converse".to_owned();
        let mut body = br#"{"messages":[]}"#.to_vec();
        let plain = [("content-type", "application/json"), ("host", "10.0.0.1:18003")];
        let request = sigv4::Request {
            method: "POST",
            path: &path,
            headers: &plain,
            body: &body,
        };
        let credentials = sigv4::Credentials {
            access_key_id: "AKIDEXAMPLE",
            secret_access_key: SECRET,
            session_token: token,
        };
        let scope = sigv4::Scope {
            region: "us-east-1",
            service: "bedrock",
        };
        let signed = sigv4::sign(&request, &credentials, scope, NOW_MS);
        let mut headers = HeaderMap::new();
        for (name, value) in plain {
            headers.insert(name, value.parse().unwrap());
        }
        for (name, value) in &signed {
            headers.insert(*name, value.parse().unwrap());
        }
        change(&mut headers, &mut path, &mut body);
        let keys = sample_keys();
        let call = Call {
            method: "POST",
            path: &path,
            query: None,
            headers: &headers,
            body: &body,
            keys: &keys,
        };
        let authorization = call.header("authorization").unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(NOW_MS + 9_000);
        verify(&call, authorization, SECRET, now)
            .err()
            .map(|refusal| refusal.kind)
    }

    #[test]
    fn what_the_filter_signs_is_taken() {
        assert_eq!(check(None, |_, _, _| {}), None);
        assert_eq!(check(Some("SESSION/TOKEN+=="), |_, _, _| {}), None);
    }

    #[test]
    fn anything_else_than_what_was_signed_is_refused() {
        let wrong = Some("InvalidSignatureException".to_owned());
        assert_eq!(check(None, |_, _, body| body.push(b' ')), wrong);
        assert_eq!(check(None, |_, path, _| path.push_str("-stream")), wrong);
        let host = |headers: &mut HeaderMap, _: &mut String, _: &mut Vec<u8>| {
            headers.insert("host", "10.0.0.2".parse().unwrap());
        };
        assert_eq!(check(None, host), wrong);
        let token = |headers: &mut HeaderMap, _: &mut String, _: &mut Vec<u8>| {
            headers.insert("x-amz-security-token", "other".parse().unwrap());
        };
        assert_eq!(check(Some("token"), token), wrong);
        let late = |headers: &mut HeaderMap, _: &mut String, _: &mut Vec<u8>| {
            headers.insert("x-amz-date", "20261121T224407Z".parse().unwrap());
        };
        assert_eq!(check(None, late), wrong);
    }

    #[test]
    fn half_a_signature_is_refused() {
        let incomplete = Some("IncompleteSignatureException".to_owned());
        for authorization in [
            "AWS4-HMAC-SHA256 Credential=A/20261121/us-east-1/bedrock/aws4_request",
            "AWS4-HMAC-SHA256 Credential=A/20261121/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=0",
            "AWS4-HMAC-SHA256 Credential=A/20261121/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=0",
        ] {
            let change = |headers: &mut HeaderMap, _: &mut String, _: &mut Vec<u8>| {
                headers.insert("authorization", authorization.parse().unwrap());
            };
            assert_eq!(check(None, change), incomplete, "{authorization}");
        }
    }
}
