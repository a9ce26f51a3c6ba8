//! Requests as providers get them, and errors as they answer.

use crate::support::fixtures::{self, ErrorCase, RequestCase};
use crosspoint::chat::Request;
use crosspoint::dialect::{self, DIALECTS, Dialect, Quirks, Target};
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

fn check_request(dialect: &dyn Dialect, fixture: &fixtures::Fixture) -> Result<(), String> {
    let case: RequestCase = fixture.case();
    assert!(!case.source.is_empty(), "{} says no source", fixture.name);
    let request = Request::parse(case.request.get().as_bytes().to_vec()).unwrap();
    let target = Target {
        model: &case.target.model,
        stream: case.target.stream,
        default_max_tokens: case.target.default_max_tokens,
        quirks: case.target.quirks(),
    };
    let encoded = dialect
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
    for dialect in DIALECTS {
        for fixture in fixtures::all(dialect.name(), "request") {
            if let Err(found) = check_request(*dialect, &fixture) {
                wrong.push(format!("{}: {found}", fixture.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn errors_mean_what_their_fixtures_say() {
    let mut wrong = Vec::new();
    for dialect in DIALECTS {
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

/// JSON text as a caller may write it: any spelling of numbers, any escapes, white space, big integers, nesting.
fn any_json() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        Just("9007199254740993"),
        Just("123456789012345678901234567890"),
        Just("-0"),
        Just("-0.0"),
        Just("1.0"),
        Just("1.50"),
        Just("1e3"),
        Just("1E+2"),
        Just("0.1e-7"),
        Just("18446744073709551616"),
    ]
    .prop_map(str::to_owned);
    let text = prop_oneof![
        "[ -!#-\\[\\]-~é日👋]{0,8}".prop_map(|text| format!("\"{text}\"")),
        Just(r#""\u00e9\/\ud83d\udc4b\n\u0000""#.to_owned()),
        Just(r#""a\"b\\""#.to_owned()),
    ];
    let leaf = prop_oneof![
        number,
        "-?[1-9][0-9]{0,30}",
        text,
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned())
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(" ,"))),
            prop::collection::vec(("[a-z$]{0,6}", inner), 0..4).prop_map(|members| {
                let members: Vec<_> = members
                    .into_iter()
                    .map(|(name, value)| format!("\"{name}\" :\t{value}"))
                    .collect();
                format!("{{ {} }}", members.join(",\n"))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn unknown_members_reach_a_provider_of_the_same_dialect_byte_for_byte(
        members in prop::collection::vec(("[a-z_]{1,10}|é日\\p{L}{0,4}", any_json()), 0..8),
        stream: bool,
    ) {
        let mut body = r#"{"model":"m","stream":true"#.to_owned();
        let mut expected: Vec<(String, String)> = Vec::new();
        let messages = r#"[{"role":"user","content":"\u0041 1.0"}]"#;
        for (at, (name, value)) in members.into_iter().enumerate() {
            if at == 2 {
                body.push_str(&format!(r#", "messages" : {messages}"#));
                expected.push(("messages".to_owned(), messages.to_owned()));
            }
            // No name of ours begins so.
            let name = format!("x_{name}");
            body.push_str(&format!(",\n {name:?}:  {value} "));
            expected.push((name, value));
        }
        if expected.len() < 3 {
            body.push_str(&format!(r#","messages":{messages}"#));
            expected.push(("messages".to_owned(), messages.to_owned()));
        }
        body.push('}');
        let request = Request::parse(body.into_bytes()).unwrap();
        let target = Target { model: "upstream", stream, default_max_tokens: 1, quirks: &Quirks::NONE };
        let encoded = dialect::find("openai-chat").unwrap().encode(&request, &target).unwrap();
        let sent = Request::parse(encoded.body).unwrap();
        let sent: Vec<(String, String)> = sent
            .members()
            .filter(|(name, _)| !["model", "stream", "stream_options"].contains(name))
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .collect();
        prop_assert_eq!(sent, expected);
    }
}
