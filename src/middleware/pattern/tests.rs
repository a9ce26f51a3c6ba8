use super::error::PatternError;
use super::*;
use crate::test;
use std::rc::Rc;

fn compile(patterns: &[&str]) -> Result<Patterns, Vec<(usize, PatternError)>> {
    let masks: Vec<_> = (0..patterns.len()).map(|index| format!("<{index}>")).collect();
    let wanted = patterns.iter().zip(&masks).map(|(pattern, mask)| Wanted {
        pattern,
        literal: false,
        mask,
    });
    Patterns::new(&wanted.collect::<Vec<_>>())
}

/// What comes out of `pieces`; the mask of pattern `n` is `<n>`.
fn masked(patterns: &Rc<Patterns>, reading: Reading, pieces: &[&str]) -> String {
    let mut scanner = Scanner::new(Rc::clone(patterns), reading);
    let mut out = String::new();
    for piece in pieces {
        if scanner.passes(piece) {
            out.push_str(piece);
        } else {
            scanner.feed(piece, &mut out);
        }
    }
    scanner.finish(&mut out);
    assert!(scanner.is_idle());
    out
}

/// The same for the whole text, for every cut in two, and character by character.
fn masked_every_way(patterns: &Rc<Patterns>, reading: Reading, text: &str) -> String {
    let whole = masked(patterns, reading, &[text]);
    for (at, _) in text.char_indices() {
        let (head, tail) = text.split_at(at);
        assert_eq!(
            masked(patterns, reading, &[head, tail]),
            whole,
            "{text:?} cut at {at}"
        );
    }
    let single: Vec<_> = text.split_inclusive(|_| true).collect();
    assert_eq!(
        masked(patterns, reading, &single),
        whole,
        "{text:?} by characters"
    );
    whole
}

fn check(pattern: &str, text: &str, expected: &str) {
    check_all(&[pattern], text, expected);
}

fn check_all(patterns: &[&str], text: &str, expected: &str) {
    let compiled = Rc::new(compile(patterns).unwrap());
    assert_eq!(
        masked_every_way(&compiled, Reading::Plain, text),
        expected,
        "{patterns:?}"
    );
}

fn refusal(pattern: &str) -> String {
    compile(&[pattern]).unwrap_err()[0].1.to_string()
}

#[test]
fn every_form_of_the_syntax_matches_what_the_table_says() {
    check("a.c", "abc a\nc aéc", "<0> a\nc <0>");
    check(r"\d+", "a12b٣", "a<0>b٣");
    check(r"\w+", "é_1 -\u{4e2d}", "<0> -<0>");
    check(r"\s", "a b\u{a0}c\t", "a<0>b<0>c<0>");
    check(r"\D", "1é2a", "1<0>2<0>");
    check(r"\W+", "a-é.\u{2014}b", "a<0>é<0>b");
    check(r"\S+", " aé\u{a0}b", " <0>\u{a0}<0>");
    check(r"\n|\r|\t|\.|\\|\[", "\n\r\t.\\[x", "<0><0><0><0><0><0>x");
    check("[a-cx]+", "abcdx-", "<0>d<0>-");
    check(r#"[^"\s]+"#, "a\"é b", "<0>\"<0> <0>");
    check("[a-]+[-b]+", "a-b", "<0>");
    check(r"[\w.+-]+[\]^]", "a+b-]c^", "<0><0>");
    check("[à-ü]", "aéz", "a<0>z");
    check("[^à-ü]", "éaé\u{4e2d}", "é<0>é<0>");
    check("a(b|(?:cd)|)e", "abe acde ae ace", "<0> <0> <0> ace");
    check("ab?c*d+e{2}", "adee abccddee aee", "<0> <0> aee");
    check("a{2,3}", "a aa aaa aaaa aaaaa", "a <0> <0> <0>a <0><0>");
    check("a{2,}b", "ab aab aaaaab", "ab <0> <0>");
    check("x{0}a|b{0,1}c", "xa bc c", "x<0> <0> <0>");
    check("(?i)sk-[a-f]É", "SK-BÉ sk-bé Sk-aÉ", "<0> sk-bé <0>");
    check("]}-", "a]}-b", "a<0>b");
    check("((a?)*b)+", "aab bab c", "<0> <0> c");
}

#[test]
fn word_boundaries_hold_across_cuts_and_at_both_ends() {
    check(r"\bcat\b", "cat concat cats cat", "<0> concat cats <0>");
    check(r"\Bcat", "cat concat", "cat con<0>");
    check(
        r"\b\d{4}\b",
        "1234 12345 é1234 1234é 1234",
        "<0> 12345 é1234 1234é <0>",
    );
    check(r"cat\b.", "cat cats cat", "<0>cats cat");
    check(r"(a|\b)+b", "b ab bb", "<0> <0> <0>b");
    check(r"\w+\b-\b\w+", "ab-cd- -ab", "<0>- -ab");
    check(r"a\Ba\b|a", "aa a aaa", "<0> <0> <0><0>");
}

#[test]
fn the_leftmost_match_wins_then_the_longest_then_the_first_pattern() {
    check_all(&["b+", "abc", "ab"], "abc abb bbb", "<1> <2><0> <0>");
    check_all(&["a", "a"], "a", "<0>");
    check_all(&["a", "ab*c"], "abb abbc", "<0>bb <1>");
    check_all(&["<[^>]*>", r"\d+"], "<1> <2 3", "<0> <<1> <1>");
}

#[test]
fn what_people_hide_is_hidden_wherever_it_is_cut() {
    let rules = [
        r"[\w.+-]+@[\w-]+\.[\w.]+",
        r"\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}",
        "sk-[A-Za-z0-9]{20,}",
        r"-----BEGIN [A-Z ]+KEY-----[\w+/=\s-]*",
    ];
    check_all(
        &rules,
        "Write to jörg.o+x@mail.example.org, please.",
        "Write to <0>, please.",
    );
    check_all(&rules, "a@b, a@b.c@d", "a@b, <0>@d");
    check_all(
        &rules,
        "4111 1111 1111 1111, 4111-1111-1111-111",
        "<1>, 4111-1111-1111-111",
    );
    check_all(&rules, "key sk-abcdefghij0123456789XYZ.", "key <2>.");
    check_all(
        &rules,
        "sk-abcdefghij012345678 is short",
        "sk-abcdefghij012345678 is short",
    );
    check_all(
        &rules,
        "-----BEGIN RSA PRIVATE KEY-----\nMII\nQ==\n-----END RSA PRIVATE KEY-----\n.",
        "<3>.",
    );
}

#[test]
fn a_refused_pattern_says_what_is_wrong_and_where() {
    let cases = [
        ("abc(d", "unclosed group at 3"),
        ("é(a))", "unopened group at 4"),
        ("*a", "repetition of nothing at 0"),
        ("a|+", "repetition of nothing at 2"),
        (r"\b+a", "repetition of nothing at 2"),
        ("a*", "the pattern can match the empty text"),
        ("", "the pattern can match the empty text"),
        (r"\b", "the pattern can match the empty text"),
        ("a{1001}b{1001}", "the pattern expands to more than 2000 states"),
        (
            "((a{99}){99}){99}",
            "the pattern expands to more than 2000 states",
        ),
        (
            "a{99999999999999999999}",
            "the pattern expands to more than 2000 states",
        ),
        ("a{3,2}", "a repetition that ends before it begins at 1"),
        (
            "a{x}",
            "malformed repetition (it is {n}, {n,} or {n,m}; write \\{ for the character) at 1",
        ),
        (
            "a{1",
            "malformed repetition (it is {n}, {n,} or {n,m}; write \\{ for the character) at 1",
        ),
        (
            "a.*?",
            "repetition of a repetition (there are no lazy ones; else put it in a group) at 3",
        ),
        ("[a", "unclosed class at 0"),
        (r"[a\", "unclosed class at 0"),
        ("a[]", "empty class (write \\] for the character) at 1"),
        ("[z-a]", "a range that ends before it begins at 1"),
        (r"[a-\d]", "a range that ends with a class at 3"),
        ("[[:alpha:]]", "[:…:] is not supported at 1"),
        (r"a\q", "unknown escape \\q at 1"),
        (r"a\", "escape of nothing at 1"),
        (
            "^a",
            "unsupported anchor (write \\^ or \\$ for the character) at 0",
        ),
        (
            "a(?=b)",
            "unknown kind of group (there are (?:…), and (?i) at the start of the pattern) at 1",
        ),
    ];
    for (pattern, expected) in cases {
        assert_eq!(refusal(pattern), expected, "{pattern:?}");
    }
    assert_eq!(refusal(&"(".repeat(100_000)), "groups nest too deep at 40");
}

#[test]
fn all_patterns_together_have_a_cap_too() {
    let many = ["a{1900}"; 8];
    let errors = compile(&many).unwrap_err();
    assert_eq!(
        errors.iter().map(|(index, _)| *index).collect::<Vec<_>>(),
        [5, 6, 7]
    );
    assert_eq!(errors[0].1, PatternError::TooMany);
}

#[test]
fn repetitions_of_nothing_cost_nothing() {
    check("((){2000}){2000}a", "ba", "b<0>");
}

#[test]
fn an_incomplete_candidate_over_the_limit_loses_its_oldest_text() {
    let patterns = Rc::new(compile(&["<[^>]*>"]).unwrap().with_hold(4));
    assert_eq!(masked_every_way(&patterns, Reading::Plain, "<abc>"), "<0>");
    assert_eq!(
        masked_every_way(&patterns, Reading::Plain, "<abcdefg"),
        "<abcdefg"
    );
    assert_eq!(
        masked_every_way(&patterns, Reading::Plain, "<abcdefg>h"),
        "<abc<0>h"
    );
}

#[test]
fn a_match_over_the_limit_is_masked_to_its_end() {
    let patterns = Rc::new(compile(&["ab+", "ab*-"]).unwrap().with_hold(4));
    assert_eq!(
        masked_every_way(&patterns, Reading::Plain, "abbbbbbbbbbbbc"),
        "<0>c"
    );
    assert_eq!(
        masked_every_way(&patterns, Reading::Plain, "abbbbbbbbbbbb-c"),
        "<1>c"
    );
}

#[test]
fn text_behind_a_match_that_does_not_lengthen_it_is_read_afresh() {
    let patterns = Rc::new(compile(&["ab|ab.*z", "c"]).unwrap().with_hold(4));
    assert_eq!(masked_every_way(&patterns, Reading::Plain, "abxczyy"), "<0>yy");
    assert_eq!(
        masked_every_way(&patterns, Reading::Plain, "abxcyyyyyz"),
        "<0>x<1>yyyyyz"
    );
}

#[test]
fn a_match_behind_an_older_candidate_never_gets_out() {
    let patterns = Rc::new(compile(&["<[^>]*>", r"\d+"]).unwrap().with_hold(4));
    assert_eq!(
        masked_every_way(&patterns, Reading::Plain, "<ab12cdefgh34"),
        "<ab<1>cdefgh<1>"
    );
    assert_eq!(
        masked_every_way(&patterns, Reading::Plain, "<ab12cde>fgh"),
        "<ab<0>fgh"
    );
}

#[test]
fn what_is_held_is_bounded() {
    let patterns = Rc::new(compile(&[r"\w+@\w+", "x.*y"]).unwrap());
    let mut scanner = Scanner::new(Rc::clone(&patterns), Reading::Plain);
    let mut out = String::new();
    for _ in 0..3_000 {
        scanner.feed("aéx", &mut out);
        assert!(out.len() + MAX_HOLD >= 3 && scanner.held_len() <= MAX_HOLD);
    }
    assert!(out.len() >= 12_000 - MAX_HOLD);
}

#[test]
fn an_escape_of_json_is_one_character_and_is_never_torn() {
    let patterns = Rc::new(compile(&[r"\w+@\w+", "\n", "\u{1f600}!?", r"\\x"]).unwrap());
    for (text, expected) in [
        (r"a\nb@c", r"a<1><0>"),
        (r"\u00e9@\u0063\u2014", r"<0>\u2014"),
        (r"\ud83d\ude00!\ud83d\ude01", r"<2>\ud83d\ude01"),
        (r"\ud83da@b\ude00", r"\ud83d<0>\ude00"),
        (r"\\x \\\\ \/ \t", r"<3> \\\\ \/ \t"),
        (r"\q \u12 \u12g4 \ud83d\u", r"\q \u12 \u12g4 \ud83d\u"),
        (r"a@b\", r"<0>\"),
    ] {
        assert_eq!(
            masked_every_way(&patterns, Reading::JsonString, text),
            expected,
            "{text:?}"
        );
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod against_a_reference {
    use super::super::parse::{self, Node};
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// A matcher that tries everything: all places where `node` may end when it begins at `at`.
    /// `is_cut` becomes true if it would have liked more text.
    fn ends(node: &Node, text: &[char], at: usize, is_cut: &mut bool) -> BTreeSet<usize> {
        let is_word = |at: Option<usize>| {
            at.and_then(|at| text.get(at))
                .is_some_and(|ch| parse::is_word(*ch))
        };
        match node {
            Node::One(class) => {
                *is_cut |= at == text.len();
                text.get(at)
                    .filter(|ch| class.has(**ch))
                    .map(|_| at + 1)
                    .into_iter()
                    .collect()
            }
            Node::Boundary(wanted) => {
                let boundary = is_word(at.checked_sub(1)) != is_word(Some(at));
                (boundary == *wanted).then_some(at).into_iter().collect()
            }
            Node::All(nodes) => nodes.iter().fold(BTreeSet::from([at]), |from, node| {
                from.into_iter()
                    .flat_map(|at| ends(node, text, at, is_cut))
                    .collect()
            }),
            Node::Any(nodes) => nodes
                .iter()
                .flat_map(|node| ends(node, text, at, is_cut))
                .collect(),
            Node::Repeat { node, min, max } => {
                let mut current = BTreeSet::from([at]);
                let mut all = BTreeSet::new();
                for round in 0..=max.unwrap_or(min + text.len() + 1) {
                    if round >= *min {
                        all.extend(&current);
                    }
                    if Some(round) != *max {
                        current = current
                            .into_iter()
                            .flat_map(|at| ends(node, text, at, is_cut))
                            .collect();
                    }
                }
                all
            }
        }
    }

    fn reference(nodes: &[Node], text: &str) -> String {
        let chars: Vec<_> = text.chars().collect();
        let mut out = String::new();
        let mut at = 0;
        while at < chars.len() {
            let longest = nodes
                .iter()
                .enumerate()
                .filter_map(|(index, node)| {
                    Some((*ends(node, &chars, at, &mut false).last()?, usize::MAX - index))
                })
                .max();
            match longest {
                Some((end, index)) => {
                    out.push_str(&format!("<{}>", usize::MAX - index));
                    at = end;
                }
                None => {
                    out.push(chars[at]);
                    at += 1;
                }
            }
        }
        out
    }

    /// What is out, and up to where.
    struct Output {
        chars: Vec<char>,
        out: String,
        mark: usize,
        hold: usize,
    }

    impl Output {
        fn release(&mut self, to: usize) {
            while self.mark < to {
                self.out.push(self.chars[self.mark]);
                self.mark += 1;
            }
        }

        fn holds_too_much(&self, pos: usize) -> bool {
            self.chars[self.mark..pos]
                .iter()
                .map(|ch| ch.len_utf8())
                .sum::<usize>()
                > self.hold
        }

        fn relieve(&mut self, pos: usize, limit: usize) {
            while self.holds_too_much(pos) && self.mark < limit {
                self.release(self.mark + 1);
            }
        }
    }

    /// The rules of the limit as the module docs of `scan` tell them, tried on all starts separately.
    fn reference_with_hold(nodes: &[Node], text: &str, hold: usize) -> String {
        let chars: Vec<_> = text.chars().collect();
        let mut output = Output {
            chars: chars.clone(),
            out: String::new(),
            mark: 0,
            hold,
        };
        let (mut from, mut pos) = (0, 0);
        // Start, end, pattern.
        let mut found: Option<(usize, usize, usize)> = None;
        loop {
            let is_end = pos == chars.len();
            let mut alive = Vec::new();
            if !is_end {
                pos += 1;
                for start in from..pos {
                    for (index, node) in nodes.iter().enumerate() {
                        let mut is_cut = false;
                        let matches = ends(node, &chars[..pos], start, &mut is_cut).contains(&pos);
                        if is_cut {
                            alive.push(start);
                        }
                        let rank =
                            |(start, end, index): (usize, usize, usize)| (start, usize::MAX - end, index);
                        let new = (start, pos, index);
                        if matches && found.is_none_or(|found| rank(new) < rank(found)) {
                            found = Some(new);
                        }
                    }
                }
            }
            let oldest = alive
                .into_iter()
                .filter(|start| found.is_none_or(|found| *start <= found.0))
                .min();
            let Some((start, end, index)) = found else {
                output.release(oldest.unwrap_or(pos));
                output.relieve(pos, usize::MAX);
                if is_end {
                    return output.out;
                }
                continue;
            };
            if let Some(before) = oldest.filter(|oldest| *oldest < start) {
                output.release(before);
                output.relieve(pos, start);
                if !output.holds_too_much(pos) {
                    continue;
                }
            }
            output.release(start);
            output.mark = output.mark.max(end);
            if oldest.is_none() || output.holds_too_much(pos) {
                output.out.push_str(&format!("<{index}>"));
                (from, output.mark, pos) = (end, end, end);
                found = None;
            }
        }
    }

    fn pattern(leaves: &'static [&'static str]) -> impl Strategy<Value = String> {
        proptest::sample::select(leaves)
            .prop_map(str::to_owned)
            .prop_recursive(4, 12, 3, |inner| {
                let times = proptest::sample::select(&["?", "*", "+", "{2}", "{1,3}", "{0,2}", "{2,}"][..]);
                prop_oneof![
                    (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}{b}")),
                    (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("{a}{b}{c}")),
                    (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}|{b})")),
                    (inner, times).prop_map(|(a, times)| format!("({a}){times}")),
                ]
            })
    }

    /// One to three patterns that do not match the empty text, compiled and as trees.
    fn patterns(leaves: &'static [&'static str]) -> impl Strategy<Value = (Vec<String>, Vec<Node>)> {
        let one = pattern(leaves).prop_filter_map("matches the empty text", |pattern| {
            let node = parse::parse(&pattern).unwrap();
            (!node.is_nullable()).then_some((pattern, node))
        });
        proptest::collection::vec(one, 1..4).prop_map(|all| all.into_iter().unzip())
    }

    fn compiled(patterns: &[String]) -> Patterns {
        compile(&patterns.iter().map(String::as_str).collect::<Vec<_>>()).unwrap()
    }

    const LEAVES: &[&str] = &["a", "b", "-", "é", ".", "[ab]", "[^a]", r"\w", r"\W"];
    const LEAVES_AND_BOUNDARIES: &[&str] = &["a", "b", "-", "é", ".", "[ab]", "[^a]", r"\w", r"\b", r"\B"];

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

        #[test]
        fn the_automaton_finds_what_trying_everything_finds(
            (texts, nodes) in patterns(LEAVES_AND_BOUNDARIES),
            text in "[ab\\-é\n]{0,12}",
        ) {
            let patterns = Rc::new(compiled(&texts));
            prop_assert_eq!(masked_every_way(&patterns, Reading::Plain, &text), reference(&nodes, &text));
        }

        #[test]
        fn the_limit_acts_as_documented_however_the_text_is_cut(
            (texts, nodes) in patterns(LEAVES),
            text in "[ab\\-é\n]{0,14}",
            hold in 0_usize..6,
        ) {
            let patterns = Rc::new(compiled(&texts).with_hold(hold as u64));
            prop_assert_eq!(masked_every_way(&patterns, Reading::Plain, &text), reference_with_hold(&nodes, &text, hold));
        }

        #[test]
        fn no_pattern_panics(pattern in r"[ab0-9(){}\[\],?*+|\\.^$:i\-wdbWu é]{0,12}", text in "[ab\\-é\n\\\\]{0,10}") {
            if let Ok(patterns) = compile(&[&pattern]) {
                let patterns = Rc::new(patterns);
                masked_every_way(&patterns, Reading::Plain, &text);
                masked_every_way(&patterns, Reading::JsonString, &text);
            }
        }
    }
}
