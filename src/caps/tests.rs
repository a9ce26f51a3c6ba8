//! The caps, each at its edge.

use super::*;
use crate::chat::Request;
use crate::test;

fn check(request: &Request) -> Result<(), Error> {
    super::check(request.members())
}

fn request(name: &str, value: &str) -> Request {
    Request::parse(format!("{{\"{name}\":{value}}}").into_bytes()).unwrap()
}

/// The text of a member in which only the list at `path` has `count` items, each `item`.
fn with_items(path: &[&str], item: &str, count: usize) -> String {
    match path {
        [] => format!("[{}]", vec![item; count].join(",")),
        [name, rest @ ..] => format!("{{\"{name}\":{}}}", with_items(rest, item, count)),
    }
}

/// Every list, by the names on the way to it.
fn lists() -> Vec<(Vec<&'static str>, &'static List)> {
    fn walk(way: &[&'static str], lists: &'static [List], out: &mut Vec<(Vec<&'static str>, &'static List)>) {
        for list in lists {
            let way = [way, &[list.name]].concat();
            walk(&way, list.inside, out);
            out.push((way, list));
        }
    }
    let mut out = Vec::new();
    walk(&[], LISTS, &mut out);
    out
}

#[test]
fn each_list_may_have_as_many_items_as_its_cap_and_no_more() {
    for (way, list) in lists().into_iter().filter(|(_, list)| list.most != NO_LIST) {
        let (first, rest) = way.split_first().unwrap();
        for item in ["{}", "\"\"", "[]", "null"] {
            let of = |count| check(&request(first, &with_items(rest, item, count)));
            let place = way.join(".");
            assert_eq!(of(list.most), Ok(()), "{place}");
            assert_eq!(
                of(list.most + 1).unwrap_err().message,
                format!(
                    "{place}: {} items; at most {} are allowed in one request",
                    list.most + 1,
                    list.most
                )
            );
        }
    }
}

#[test]
fn lists_inside_of_items_count_together() {
    let message = r#"{"content":[{},{},{},{}]}"#;
    let of = |count: usize| check(&request("messages", &with_items(&[], message, count)));
    assert_eq!(of(MAX_PARTS / 4), Ok(()));
    assert_eq!(
        of(MAX_PARTS / 4 + 1).unwrap_err().message,
        "messages.content: 131076 items; at most 131072 are allowed in one request"
    );
}

#[test]
fn a_list_that_stands_twice_counts_twice() {
    let half = with_items(&[], "\"a\"", MAX_NAMES / 2 + 1);
    let provider = format!(r#"{{"only":{half},"only":{half}}}"#);
    let error = check(&request("provider", &provider)).unwrap_err();
    assert!(
        error.message.starts_with("provider.only: 258 items"),
        "{}",
        error.message
    );
}

#[test]
fn tokens_in_place_of_a_text_are_as_many_as_wanted() {
    let tokens = with_items(&[], "1", 4 * MAX_VALUES);
    for name in ["input", "prompt"] {
        assert_eq!(check(&request(name, &tokens)), Ok(()));
        assert_eq!(check(&request(name, &format!("[{tokens},{tokens}]"))), Ok(()));
    }
}

#[test]
fn values_at_any_depth_have_a_cap() {
    for (name, most) in [
        ("messages", MAX_MESSAGE_VALUES),
        ("tools", MAX_VALUES),
        ("response_format", MAX_VALUES),
        ("x", MAX_VALUES),
    ] {
        let of = |count| check(&request(name, &with_items(&["a"], "1", count)));
        assert_eq!(of(most), Ok(()), "{name}");
        assert_eq!(
            of(most + 1).unwrap_err().message,
            format!(
                "{name}: {} values; at most {most} are allowed in one request",
                most + 1
            )
        );
    }
}

#[test]
fn commas_in_texts_are_no_items() {
    let text = format!("[{{\"content\":\"{}\"}}]", ",".repeat(2 * MAX_MESSAGE_VALUES));
    for name in ["messages", "tools", "models", "x"] {
        assert_eq!(check(&request(name, &text)), Ok(()), "{name}");
    }
}

#[test]
fn a_request_may_have_as_many_members_as_the_cap_and_no_more() {
    let of = |count: usize| {
        let members: Vec<_> = (0..count).map(|at| format!("\"{at}\":0")).collect();
        Request::parse(format!("{{{}}}", members.join(",")).into_bytes())
    };
    assert_eq!(of(MAX_MEMBERS).unwrap().names().count(), MAX_MEMBERS);
    assert_eq!(
        of(2 * MAX_MEMBERS).unwrap_err().message,
        "the request has 2048 members; at most 1024 are allowed"
    );
}

#[test]
fn an_answer_may_have_as_many_objects_as_the_cap_and_no_more() {
    for (way, most) in [
        (&["a"][..], MAX_ANSWER_PIECES),
        (&["logprobs"], MAX_ANSWER_OBJECTS),
    ] {
        let of = |count| check_answer(&with_items(way, "{}", count));
        assert_eq!(of(most - 1), Ok(()));
        assert_eq!(of(most).unwrap_err().kind, Kind::ProviderUnavailable);
        let text = format!("{{\"a\":\"{}\"}}", "{},".repeat(most + 1));
        assert_eq!(check_answer(&text), Ok(()));
    }
}
