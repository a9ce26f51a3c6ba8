//! AWS's published vectors, and what `botocore` signs.

use super::*;
use crate::test;

const CREDENTIALS: Credentials<'_> = Credentials {
    access_key_id: "AKIDEXAMPLE",
    secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    session_token: None,
};
/// 2015-08-30T12:36:00Z
const SUITE_MS: u64 = 1_440_938_160_000;

type Vector<'a> = (&'a str, &'a str, &'a str, Headers<'a>, &'a str, &'a str);
type Headers<'a> = &'a [(&'a str, &'a str)];

/// aws-sig-v4-test-suite (<https://docs.aws.amazon.com/general/latest/gr/signature-v4-test-suite.html>): name, method,
/// path as it is on the wire, headers beside `host` and the date, body, signature.
#[rustfmt::skip] // One vector, one line.
const SUITE: &[Vector<'_>] = &[
    ("get-header-key-duplicate", "GET", "/", &[("my-header1", "value2,value2,value1")], "", "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"),
    ("get-header-value-order", "GET", "/", &[("my-header1", "value4,value1,value3,value2")], "", "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"),
    ("get-header-value-trim", "GET", "/", &[("my-header1", " value1"), ("my-header2", " \"a   b   c\" ")], "", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"),
    ("get-unreserved", "GET", "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", &[], "", "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
    ("get-utf8", "GET", "/ሴ", &[], "", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
    ("get-vanilla", "GET", "/", &[], "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    ("get-vanilla-empty-query-key", "GET", "/?Param1=value1", &[], "", "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"),
    ("get-vanilla-query-order-key-case", "GET", "/?Param1=value1&Param2=value2", &[], "", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
    ("get-vanilla-query-unreserved", "GET", "/?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", &[], "", "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"),
    ("get-vanilla-utf8-query", "GET", "/?%E1%88%B4=bar", &[], "", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"),
    ("post-vanilla", "POST", "/", &[], "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    ("post-header-key-sort", "POST", "/", &[("my-header1", "value1")], "", "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"),
    ("post-header-value-case", "POST", "/", &[("my-header1", "VALUE1")], "", "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"),
    ("post-vanilla-query", "POST", "/?Param1=value1", &[], "", "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"),
    ("post-vanilla-query-nonunreserved", "POST", "/?%2B=%2F%2C%3F%3E%3C%60%22%3B%3A%5C%7C%5D%5B%7B%7D&%40%23%24%25%5E=", &[], "", "66c82657c86e26fb25238d0e69f011edc4c6df5ae71119d7cb98ed9b87393c1e"),
    ("post-vanilla-query-space", "POST", "/?p=", &[], "", "e71688addb58a26418614085fb730ba3faa623b461c17f48f2fbdb9361b94a9b"),
    ("post-x-www-form-urlencoded", "POST", "/", &[("content-type", "application/x-www-form-urlencoded")], "Param1=value1", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
    ("post-x-www-form-urlencoded-parameters", "POST", "/", &[("content-type", "application/x-www-form-urlencoded; charset=utf8")], "Param1=value1", "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe"),
];

#[test]
fn the_vectors_of_the_suite_get_their_signatures() {
    for (name, method, path, headers, body, signature) in SUITE {
        let mut headers = [*headers, &[("host", "example.amazonaws.com")]].concat();
        headers.sort_unstable();
        let request = Request {
            method,
            path,
            headers: &headers,
            body: body.as_bytes(),
        };
        let scope = Scope {
            region: "us-east-1",
            service: "service",
        };
        let signed = sign(&request, &CREDENTIALS, scope, SUITE_MS);
        let mut names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
        names.push("x-amz-date");
        names.sort_unstable();
        let expected = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders={}, Signature={signature}",
            names.join(";")
        );
        assert_eq!(signed[0], ("x-amz-date", "20150830T123600Z".to_owned()), "{name}");
        assert_eq!(signed[1], ("authorization", expected), "{name}");
        assert_eq!(signed.len(), 2, "{name}");
    }
}

/// `SigV4Auth` of botocore 1.44, run on 2026-11-21: session token, path, signature.
const BOTOCORE: &[(Option<&str>, &str, &str)] = &[
    (
        None,
        "/model/anthropic.claude-sonnet-4-5-v1%3A0/converse",
        "fdace06f2a7043f4736514a2953646c1cdd642d7558128162d00a3ff1e606603",
    ),
    (
        None,
        "/model/a%2Fb%3Ac%20d/converse-stream",
        "30632874f02faa1a97149ba0c7a9b4632bd76ec0995395eb161858259861c413",
    ),
    (
        Some("SESSION/TOKEN+=="),
        "/model/anthropic.claude-sonnet-4-5-v1%3A0/converse",
        "7d1b4d7b23e3435a95cb18c9539d467242c37bfb05b9c8a32a53fae56e03c3e4",
    ),
    (
        Some("SESSION/TOKEN+=="),
        "/model/a%2Fb%3Ac%20d/converse-stream",
        "7949e460c5d6e8e731d5eee58299d4abbc57042a58d6a571a1848075334826f3",
    ),
];

#[test]
fn bedrock_requests_are_signed_as_botocore_signs_them() {
    for (session_token, path, signature) in BOTOCORE {
        let request = Request {
            method: "POST",
            path,
            headers: &[
                ("content-type", "application/json"),
                ("host", "bedrock-runtime.eu-west-1.amazonaws.com"),
            ],
            body: br#"{"messages":[]}"#,
        };
        let credentials = Credentials {
            session_token: *session_token,
            ..CREDENTIALS
        };
        let scope = Scope {
            region: "eu-west-1",
            service: "bedrock",
        };
        let signed = sign(&request, &credentials, scope, 1_795_301_407_000);
        assert!(
            signed[1].1.ends_with(&format!("Signature={signature}")),
            "{path} {}",
            signed[1].1
        );
        assert_eq!(signed[0].1, "20261121T225007Z");
        assert_eq!(signed.get(2).map(|(_, token)| token.as_str()), *session_token);
    }
}

#[test]
fn times_are_read_off_the_calendar() {
    for (ms, expected) in [
        (0, "19700101T000000Z"),
        (951_782_399_999, "20000228T235959Z"),
        (951_782_400_000, "20000229T000000Z"),
        (1_709_164_800_000, "20240229T000000Z"),
        (1_735_689_599_000, "20241231T235959Z"),
        (4_107_542_400_000, "21000301T000000Z"),
    ] {
        assert_eq!(timestamp(ms), expected);
    }
    assert!(timestamp(u64::MAX).ends_with('Z'));
}

#[test]
fn hmac_is_that_of_rfc_4231() {
    let long = [0xaa; 131];
    for (key, message, expected) in [
        (
            b"Jefe".as_slice(),
            "what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            &long,
            "Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
    ] {
        assert_eq!(to_hex(&hmac_sha256(key, message.as_bytes())), expected);
    }
}
