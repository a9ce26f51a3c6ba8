use super::*;
use crate::test;

/// Letters of every kind that credentials have.
const KEY: &str = "sk-proj-Ab9/dEf+GhI_jk\"lMn0pQrS=uVwXyZ";

fn sent(secrets: &[&str]) -> Sent {
    let secrets = secrets.iter().map(|secret| Secret::new((*secret).to_owned()));
    Sent::new(secrets.collect())
}

fn cleaned(key: &str, text: &str) -> String {
    let mut text = text.to_owned();
    sent(&[key]).remove_from(&mut text);
    text
}

/// Every way to write some bytes that is looked through, with what may be left of a neighbour.
fn encodings(bytes: &[u8]) -> Vec<(&'static str, String)> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let json = serde_json::to_string(&text).unwrap();
    let json = json.get(1..json.len() - 1).unwrap();
    let hex = |prefix: &str, width: usize| -> String {
        let one = |byte: &u8| format!("{prefix}{byte:0width$x}");
        bytes.iter().map(one).collect()
    };
    let percent = hex("%", 2);
    vec![
        ("plain", text.clone()),
        ("json", json.to_owned()),
        ("json twice", json.replace('\\', r"\\").replace('"', "\\\"")),
        (
            "json with slashes",
            text.replace('"', r#"\""#).replace('/', r"\/"),
        ),
        ("json by number", hex(r"\u", 4)),
        ("json by number twice", hex(r"\\u", 4)),
        ("letters by number", hex(r"\x", 2)),
        ("percent", percent.clone()),
        ("percent twice", percent.replace('%', "%25")),
        (
            "percent, odd letters only",
            text.replace('+', "%2B").replace('/', "%2F").replace('=', "%3d"),
        ),
    ]
}

#[test]
fn every_part_goes_in_every_encoding() {
    let key = KEY.as_bytes();
    for length in [PART, PART + 1, 13, key.len()] {
        for part in key.windows(length) {
            for (name, text) in encodings(part) {
                let found = cleaned(KEY, &format!("no <{text}> here"));
                assert_eq!(found, "no <[credential]> here", "{name}: {text}");
            }
        }
    }
}

#[test]
fn every_part_goes_in_base64_of_any_alignment_and_alphabet() {
    let key = KEY.as_bytes();
    for length in [PART, 11, key.len()] {
        for part in key.windows(length) {
            for before in 0..4 {
                let mut bytes = b"user:"[..before].to_vec();
                bytes.extend_from_slice(part);
                bytes.extend_from_slice(b":x");
                let text = base64::encode(&bytes);
                let url = base64::encode_url(&bytes);
                let percent = text.replace('+', "%2B").replace('/', "%2F");
                for text in [text, url, percent] {
                    let found = cleaned(KEY, &format!("<{text}>"));
                    let rest = found.replace("[credential]", "");
                    assert!(found.contains("[credential]"), "{text}: {found}");
                    // Of six bits at either end a neighbour has some.
                    assert!(rest.len() <= 2 + 8 + 4, "{text}: {found}");
                }
            }
        }
    }
}

#[test]
fn less_than_a_part_stays_and_so_does_the_text_around() {
    for text in [
        "",
        "Incorrect API key provided: sk-proj***",
        "a prompt of 8 words, with % and %zz and \\ and \\u12 and \\q, stays as it is",
        "\u{e9}\\u00e9 100%",
    ] {
        assert_eq!(sent(&[KEY]).removed_from(text.as_bytes()), None, "{text}");
    }
    let (head, tail) = (KEY.get(..10).unwrap(), KEY.get(KEY.len() - 9..).unwrap());
    let masked = format!("key {head}***{tail}.");
    assert_eq!(cleaned(KEY, &masked), "key [credential]***[credential].");
}

#[test]
fn a_json_document_stays_one() {
    for (_, text) in encodings(KEY.as_bytes())
        .into_iter()
        .filter(|(name, _)| name.contains("json"))
    {
        let document = format!(r#"{{"a":"\\{text}\\","b":["{text}"]}}"#);
        if serde_json::from_str::<serde_json::Value>(&document).is_err() {
            continue;
        }
        let found = sent(&[KEY]).removed_from(document.as_bytes()).unwrap();
        let found: serde_json::Value = serde_json::from_slice(&found).unwrap();
        assert_eq!(found["b"][0], "[credential]");
    }
}

#[test]
fn short_credentials_go_whole() {
    assert_eq!(cleaned("k3y", "k3y"), "k3y", "that is no secret");
    assert_eq!(
        cleaned("s3cret", "a s3cret, s3cre and s3cr%65t"),
        "a [credential], s3cre and [credential]"
    );
    assert_eq!(cleaned("", "nothing"), "nothing");
}

#[test]
fn all_of_several_credentials_go() {
    let aws = sent(&[
        "AKIDEXAMPLE012345",
        "wJalrXUtnFEMI/K7MDENG+bPxRfiCY",
        &"token/+".repeat(200),
    ]);
    let text =
        "Credential=AKIDEXAMPLE012345/2026, key wJalrXUtnFEMI/K7, x-amz-security-token:token/+token/+tok";
    let found = aws.removed_from(text.as_bytes()).unwrap();
    assert_eq!(
        String::from_utf8(found).unwrap(),
        "Credential=[credential]/2026, key [credential], x-amz-security-token:[credential]"
    );
}

#[test]
fn a_long_text_costs_what_a_short_one_does_for_each_byte() {
    // Every run of escapes is looked at once.
    for unit in ["\\", "%25", "%", "\\u", "\\\\u0041", "%2525", "a"] {
        let text = unit.repeat(1 << 17);
        assert_eq!(sent(&[KEY]).removed_from(text.as_bytes()), None);
    }
}
