//! Requests as providers get them, and errors as they answer.

use crate::json::any_json;
use crate::support::fixtures::{self, ErrorCase, RequestCase};
use crate::support::{Spoken, spoken, spoken_as};
use crosspoint::chat::Request;
use crosspoint::dialect::{Quirks, Target};
use proptest::prelude::*;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// A JSON value whose objects have no order and whose numbers are as they are spelled.
#[derive(Debug, PartialEq)]
enum Json {
    Word(String),
    Text(String),
    List(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

impl Json {
    fn of(raw: &RawValue) -> Self {
        let text = raw.get();
        match text.as_bytes()[0] {
            b'{' => {
                let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text).unwrap();
                Self::Object(
                    members
                        .into_iter()
                        .map(|(name, raw)| (name, Self::of(&raw)))
                        .collect(),
                )
            }
            b'[' => {
                let items: Vec<Box<RawValue>> = serde_json::from_str(text).unwrap();
                Self::List(items.iter().map(|raw| Self::of(raw)).collect())
            }
            b'"' => Self::Text(serde_json::from_str(text).unwrap()),
            _ => Self::Word(text.to_owned()),
        }
    }
}

fn json(bytes: &[u8]) -> Json {
    Json::of(&serde_json::from_slice::<Box<RawValue>>(bytes).unwrap())
}

fn check_request(spoken: Spoken, fixture: &fixtures::Fixture) -> Result<(), String> {
    let case: RequestCase = fixture.case();
    assert!(!case.source.is_empty(), "{} says no source", fixture.name);
    let request = Request::parse(case.request.get().as_bytes().to_vec())
        .unwrap()
        .of(spoken.operation);
    let target = Target {
        model: &case.target.model,
        stream: case.target.stream,
        default_max_tokens: case.target.default_max_tokens,
        quirks: case.target.quirks(),
    };
    let encoded = spoken
        .dialect
        .encode(&request, &target)
        .map_err(|error| format!("refused: {error:?}"))?;
    let headers: BTreeMap<String, String> = encoded
        .headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    let body = String::from_utf8(encoded.body).unwrap();
    let same_body = if case.exact {
        body == case.body.get()
    } else {
        json(body.as_bytes()) == Json::of(&case.body)
    };
    if encoded.path == case.path && headers == case.headers && same_body {
        return Ok(());
    }
    Err(format!("{} {headers:?}\n{body}", encoded.path))
}

#[test]
fn requests_are_written_as_their_fixtures_say() {
    let mut wrong = Vec::new();
    for spoken in spoken() {
        for fixture in fixtures::all(spoken.dialect.name(), "request") {
            if let Err(found) = check_request(spoken, &fixture) {
                wrong.push(format!("{}: {found}", fixture.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn errors_mean_what_their_fixtures_say() {
    let mut wrong = Vec::new();
    for Spoken { dialect, .. } in spoken() {
        for fixture in fixtures::all(dialect.name(), "error") {
            let case: ErrorCase = fixture.case();
            assert!(!case.source.is_empty(), "{} says no source", fixture.name);
            let error = dialect.error(case.status, case.body.as_bytes());
            let kind = format!("{:?}", error.kind);
            if (&kind, &error.message) != (&case.kind, &case.message) {
                wrong.push(format!("{}: {kind} {:?}", fixture.name, error.message));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_path_of_a_provider_goes_before_that_of_its_quirks() {
    use crosspoint::dialect::client;
    use crosspoint::exchange::Exchange;
    use crosspoint::health::View;
    use crosspoint::load;
    use crosspoint::route::RouteContext;

    let config = serde_json::json!({
        "providers": {"azure-openai": {
            "base_url": "https://a.openai.azure.com/x", "key": {"env": "KEY"},
            "auth": {"header": "authorization", "prefix": "Bearer "},
            "path": "/openai/deployments/{model}/chat/completions?api-version=2025-04-01-preview",
        }},
        "models": {"m": {"endpoints": [{"provider": "azure-openai", "model": "gpt/4 o"}]}},
    });
    let config = std::rc::Rc::new(load::config(&config, Some(&|_| Some("k".to_owned()))).unwrap());
    let mut exchange = Exchange::open(config, client::OPENAI_CHAT, "gen-1".to_owned(), None, 0);
    let body = br#"{"model":"m","messages":[{"role":"user","content":"Hi."}],"top_k":1}"#;
    exchange.read(body.to_vec()).unwrap();
    exchange
        .plan(&mut |_| View::default(), RouteContext::default())
        .unwrap();
    let (_, outgoing) = exchange.begin("azure-openai", 1).unwrap();
    let has = |name: &str, value: &str| outgoing.headers.contains(&(name.to_owned(), value.to_owned()));
    assert!(has(
        ":path",
        "/x/openai/deployments/gpt%2F4%20o/chat/completions?api-version=2025-04-01-preview"
    ));
    assert!(has("authorization", "Bearer k"), "{:?}", outgoing.headers);
    assert_eq!(
        String::from_utf8(outgoing.body).unwrap(),
        r#"{"model":"gpt/4 o","messages":[{"role":"user","content":"Hi."}]}"#
    );
}

#[test]
fn every_attempt_is_signed_at_its_own_time() {
    use crosspoint::auth::sigv4::{self, Credentials, Scope};
    use crosspoint::dialect::client;
    use crosspoint::exchange::Exchange;
    use crosspoint::health::View;
    use crosspoint::load;
    use crosspoint::route::RouteContext;

    let endpoint = |model: &str| serde_json::json!({"provider": "amazon-bedrock", "model": model});
    let config = serde_json::json!({
        "providers": {"amazon-bedrock": {
            "base_url": "https://bedrock-runtime.eu-west-1.amazonaws.com", "key": {"aws": {}},
            "stream_upstream": "never",
        }},
        "models": {"m": {"endpoints": [endpoint("a.b-v2:0"), endpoint("a.b-v2:0")]}},
    });
    let env = |name: &str| name.starts_with("AWS_").then(|| name.to_lowercase());
    let config = std::rc::Rc::new(load::config(&config, Some(&env)).unwrap());
    let mut exchange = Exchange::open(config, client::OPENAI_CHAT, "gen-1".to_owned(), None, 0);
    let body = br#"{"model":"m","messages":[{"role":"user","content":"Hi."}]}"#;
    exchange.read(body.to_vec()).unwrap();
    exchange
        .plan(&mut |_| View::default(), RouteContext::default())
        .unwrap();
    for now_ms in [1_440_938_160_000, 1_440_938_161_999] {
        let (_, outgoing) = exchange.begin("amazon-bedrock", now_ms).unwrap();
        let header = |name: &str| {
            let found: Vec<_> = outgoing
                .headers
                .iter()
                .filter(|(known, _)| known == name)
                .collect();
            assert_eq!(found.len(), 1, "{name} in {:?}", outgoing.headers);
            found[0].1.as_str()
        };
        assert_eq!(header(":path"), "/model/a.b-v2%3A0/converse");
        let signed = sigv4::sign(
            &sigv4::Request {
                method: header(":method"),
                path: header(":path"),
                headers: &[
                    ("content-type", header("content-type")),
                    ("host", header(":authority")),
                ],
                body: &outgoing.body,
            },
            &Credentials {
                access_key_id: "aws_access_key_id",
                secret_access_key: "aws_secret_access_key",
                session_token: Some("aws_session_token"),
            },
            Scope {
                region: "eu-west-1",
                service: "bedrock",
            },
            now_ms,
        );
        for (name, value) in &signed {
            assert_eq!(header(name), value);
        }
        assert_eq!(
            header("x-amz-date"),
            if now_ms % 1_000 == 0 {
                "20150830T123600Z"
            } else {
                "20150830T123601Z"
            }
        );
        assert!(
            !outgoing
                .headers
                .iter()
                .any(|(_, value)| value.contains("aws_secret"))
        );
    }
}

proptest! {
    #[test]
    fn unknown_members_reach_a_provider_of_the_same_dialect_byte_for_byte(
        members in prop::collection::vec(("[a-z_]{1,10}|é日\\p{L}{0,4}", any_json()), 0..8),
        name in prop::sample::select(vec!["openai-chat", "openai-completions", "openai-embeddings"]),
        stream: bool,
    ) {
        let spoken = spoken_as(name);
        let prompt = spoken.operation.prompt();
        let stream = stream && spoken.operation.streams();
        let mut body = r#"{"model":"m","stream":true"#.to_owned();
        let mut expected: Vec<(String, String)> = Vec::new();
        let messages = r#"[{"role":"user","content":"\u0041 1.0"}]"#;
        for (at, (name, value)) in members.into_iter().enumerate() {
            if at == 2 {
                body.push_str(&format!(r#", "{prompt}" : {messages}"#));
                expected.push((prompt.to_owned(), messages.to_owned()));
            }
            // No name of ours begins so.
            let name = format!("x_{name}");
            body.push_str(&format!(",\n \"{name}\":  {value} "));
            // Of members of one name the last goes out.
            expected.retain(|(known, _)| *known != name);
            expected.push((name, value));
        }
        if !expected.iter().any(|(name, _)| name == prompt) {
            body.push_str(&format!(r#","{prompt}":{messages}"#));
            expected.push((prompt.to_owned(), messages.to_owned()));
        }
        body.push('}');
        let request = Request::parse(body.into_bytes()).unwrap();
        let target = Target { model: "upstream", stream, default_max_tokens: 1, quirks: &Quirks::NONE };
        let encoded = spoken.dialect.encode(&request.of(spoken.operation), &target).unwrap();
        let sent = Request::parse(encoded.body).unwrap();
        let sent: Vec<(String, String)> = sent
            .members()
            .filter(|(name, _)| !["model", "stream", "stream_options"].contains(name))
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .collect();
        prop_assert_eq!(sent, expected);
    }
}
