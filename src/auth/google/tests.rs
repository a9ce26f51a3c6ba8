use super::*;
use crate::test;

const ACCOUNT: &str = include_str!("../../../tests/support/service_account.json");
const NOW_MS: u64 = 1_790_000_000_999;

/// What `openssl dgst -sha256 -sign` makes of the same words with the same key.
const SIGNED: &str = "\
eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIiwidHlwIjoiSldUIn0.eyJhdWQiOiJodHRwczovL29hdXRoMi5nb29nbG\
VhcGlzLmNvbS90b2tlbiIsImV4cCI6MTc5MDAwMzYwMCwiaWF0IjoxNzkwMDAwMDAwLCJpc3MiOiJnYXRld2F5QHAu\
aWFtLmdzZXJ2aWNlYWNjb3VudC5jb20iLCJzY29wZSI6Imh0dHBzOi8vd3d3Lmdvb2dsZWFwaXMuY29tL2F1dGgvY2\
xvdWQtcGxhdGZvcm0ifQ.X5Qurm0HVea4mEuwifVfhyljexcItffNVwGOWzNRv8hCiMEJ543PK5-sZYk2a7imiEhoE\
0NN0adGPB-uB8uyCkEuQzIxtCQwIKtQ6jWRL4TsG0Na8oTA_H4LIBHSrJe92qFKPkp4hLSzDJmwnvgNaTZWTc17AXH\
fcWrEQRxyqzFwqzHXko69lI44TnOC88LhA2B5i-ysiydrCZMTNo1iE2kkvxe2zNFaBrc8dT2Oo46n9R9TX74HWDskw\
zKxJE8vPRjZMIuVApncTFV55RCVV1gXGH_rEjWNxHYSJIxDIxFYDXBs2Hm4B68skry2lXxxQ4yIl5DYmM6S2QMm_pL\
feg";

fn url(text: &str) -> BaseUrl {
    let (scheme, rest) = text.split_once("://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    BaseUrl {
        tls: scheme == "https",
        host: host.to_owned(),
        port: if scheme == "https" { 443 } else { 80 },
        path: format!("/{path}"),
    }
}

fn header<'c>(callout: &'c Callout, name: &str) -> &'c str {
    let found = callout.headers.iter().find(|(known, _)| known == name);
    found.map_or("", |(_, value)| value)
}

#[test]
fn a_service_account_signs_as_openssl_does() {
    let account = ServiceAccount::parse(ACCOUNT).unwrap();
    let source = TokenSource::ServiceAccount(&account);
    let callout = request(&source, &url(TOKEN_URL), "vertex-token", NOW_MS).unwrap();
    assert_eq!(
        String::from_utf8(callout.body.clone()).unwrap(),
        format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={SIGNED}")
    );
    assert_eq!(callout.cluster, "vertex-token");
    for (name, value) in [
        (":method", "POST"),
        (":path", "/token"),
        (":authority", "oauth2.googleapis.com"),
        ("content-type", "application/x-www-form-urlencoded"),
    ] {
        assert_eq!(header(&callout, name), value);
    }
}

#[test]
fn the_metadata_server_is_asked_with_its_header() {
    let callout = request(&TokenSource::Metadata, &url(METADATA_URL), "c", NOW_MS).unwrap();
    assert!(callout.body.is_empty());
    for (name, value) in [
        (":method", "GET"),
        (":authority", "metadata.google.internal"),
        (
            ":path",
            "/computeMetadata/v1/instance/service-accounts/default/token",
        ),
        ("metadata-flavor", "Google"),
    ] {
        assert_eq!(header(&callout, name), value);
    }
}

#[test]
fn what_is_no_service_account_is_told_without_its_words() {
    let document: serde_json::Value = serde_json::from_str(ACCOUNT).unwrap();
    let wrong = |name: &str, value: serde_json::Value| {
        let mut document = document.clone();
        document[name] = value;
        ServiceAccount::parse(&document.to_string()).unwrap_err()
    };
    assert_eq!(
        wrong("type", "authorized_user".into()),
        "holds no key of a service account: its type is another"
    );
    assert_eq!(wrong("client_email", 7.into()), "holds no client_email");
    assert_eq!(
        wrong("private_key", serde_json::Value::Null),
        "holds no private_key"
    );
    for key in [
        "",
        "-----BEGIN PRIVATE KEY-----\nQUJD\n-----END PRIVATE KEY-----",
        "é",
    ] {
        assert_eq!(
            wrong("private_key", key.into()),
            "holds a private_key that is no RSA key in PKCS #8"
        );
    }
    assert_eq!(
        ServiceAccount::parse("/etc/key.json").unwrap_err(),
        "holds no JSON"
    );
    let shown = format!("{:?}", ServiceAccount::parse(ACCOUNT).unwrap());
    assert_eq!(shown, "ServiceAccount(\"gateway@p.iam.gserviceaccount.com\", …)");
}

fn answered(status: u16, body: &str) -> Result<AccessToken, String> {
    let body = body.as_bytes().to_vec();
    answer(&Reply::Response { status, body }, NOW_MS)
}

#[test]
fn an_answer_is_a_token_or_says_why_not() {
    let token = answered(
        200,
        r#"{"access_token":"ya29.c","expires_in":3599,"token_type":"Bearer"}"#,
    )
    .unwrap();
    assert_eq!(token.secret.expose(), "ya29.c");
    assert_eq!(token.expires_ms, NOW_MS + 3_599_000);
    let without = "the token endpoint answered without a token, or without saying how long it holds";
    for body in [
        "",
        "<html>",
        "[]",
        r#"{"access_token":"ya29.c"}"#,
        r#"{"access_token":"","expires_in":1}"#,
        r#"{"access_token":"a\r\nb: c","expires_in":1}"#,
        r#"{"access_token":7,"expires_in":1}"#,
        r#"{"access_token":"ya29.c","expires_in":"soon"}"#,
    ] {
        assert_eq!(answered(200, body).unwrap_err(), without, "{body}");
    }
    assert_eq!(
        answered(
            400,
            r#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#
        )
        .unwrap_err(),
        "the token endpoint answered with status 400 \"invalid_grant\""
    );
    assert_eq!(
        answer(&Reply::Failed, NOW_MS).unwrap_err(),
        "the token endpoint could not be reached in time"
    );
}

#[test]
fn a_token_that_holds_too_shortly_is_none_and_no_token_holds_for_ever() {
    let holding = |seconds: &str| {
        answered(
            200,
            &format!(r#"{{"access_token":"ya29.c","expires_in":{seconds}}}"#),
        )
    };
    for (seconds, read) in [("0", 0), ("59", 59), ("-3600", 0)] {
        assert_eq!(
            holding(seconds).unwrap_err(),
            format!("the token endpoint answered with a token that holds for {read} s only")
        );
    }
    assert_eq!(holding("60").unwrap().expires_ms, NOW_MS + 60_000);
    for seconds in ["43201", "18446744073709551615"] {
        assert_eq!(
            holding(seconds).unwrap().expires_ms,
            NOW_MS + 12 * 3_600_000,
            "{seconds}"
        );
    }
}
