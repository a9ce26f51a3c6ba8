use super::*;
use crate::chat::Request;
use crate::test;

fn refusal(messages: &str) -> String {
    let request = Request::parse(format!(r#"{{"messages":{messages}}}"#).into_bytes()).unwrap();
    request.messages().unwrap_err().message
}

#[test]
fn a_bad_message_is_named_by_its_path() {
    assert_eq!(
        refusal("[]"),
        "messages: empty; a chat request needs at least one message"
    );
    assert!(
        refusal(r#"[{"role":"user","content":"a"},{"role":"robot"}]"#)
            .starts_with("messages[1].unknown variant `robot`")
    );
    assert_eq!(
        refusal(r#"[{"role":"user","content":7}]"#),
        "messages[0].content: expected a string or an array of parts"
    );
    assert_eq!(
        refusal(r#"[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url"}]}]"#),
        r#"messages[0].content[1].image_url: missing in a part of type "image_url""#
    );
}

#[test]
fn data_urls_are_split() {
    let url = DataUrl::parse("data:image/png;charset=x;base64,QUJD").unwrap();
    assert_eq!((url.media_type, url.base64), ("image/png", "QUJD"));
    assert_eq!(DataUrl::parse("https://example.com/a.png"), None);
    assert_eq!(DataUrl::parse("data:text/plain,hello"), None);
}

#[test]
fn a_call_without_arguments_has_an_empty_object() {
    let call = CallFunction {
        name: Str::from("f"),
        arguments: Str::from("  "),
    };
    assert_eq!(call.arguments_object().unwrap().get(), "{}");
    let call = CallFunction {
        name: Str::from("f"),
        arguments: Str::from("[1]"),
    };
    assert!(call.arguments_object().is_err());
}

#[test]
fn large_base64_is_borrowed_not_copied() {
    let text = r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD"}}]}]}"#;
    let request = Request::parse(text.as_bytes().to_vec()).unwrap();
    let messages = request.messages().unwrap();
    let Content::Parts(parts) = &messages[0].content else {
        panic!("no parts")
    };
    assert!(matches!(
        &parts[0],
        Part::Image {
            url: Str(std::borrow::Cow::Borrowed(_)),
            ..
        }
    ));
}
