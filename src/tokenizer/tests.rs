use super::*;
use crate::test;

/// What tiktoken 0.14.0 counts, by cl100k and by o200k.
const TEXTS: &[(&str, [u64; 2])] = &[
    ("", [0, 0]),
    ("Hello, world!", [4, 4]),
    ("I'll say it's Bob'S and they'Ve; 'tis x'ſ", [19, 15]),
    ("camelCaseHTTPServer 日本語ABC です", [11, 9]),
    ("1234567890 ٣½Ⅷ", [10, 9]),
    ("  \n\n  x\n ", [5, 5]),
    ("   \t\n", [2, 2]),
    ("a  b\t c\r\n\r\n  d", [8, 8]),
    ("!!!\n/\n//x ?>\n", [5, 4]),
    ("<|endoftext|>", [7, 7]),
    (
        "\u{1f44d}\u{1f3fd}\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467} \u{1f1e9}\u{1f1ea}",
        [25, 15],
    ),
    ("e\u{301}\u{301} \u{301}A !\u{301}b", [9, 9]),
    ("한국어 ภาษาไทย हिन्दी", [20, 5]),
    ("fn main() {\n    println!(\"{}\", 1_000);\n}\n", [13, 13]),
    (
        "supercalifragilisticexpialidocious antidisestablishmentarianism",
        [17, 16],
    ),
    ("\u{fffd}\0\u{85}\u{3000}x", [6, 6]),
];

/// The same for a text, so many times, and its end.
const RUNS: &[(&str, usize, &str, [u64; 2])] = &[
    ("a", 1000, "", [125, 125]),
    ("a", 1000, "'s", [126, 126]),
    ("日", 400, "ABC ", [402, 202]),
    ("A", 600, "b", [77, 77]),
    ("Á日", 300, "ÁÁ'll", [603, 603]),
    (" ", 1000, "x", [10, 10]),
    ("\n ", 500, "  x", [252, 252]),
    ("\n ", 500, "", [251, 251]),
    ("-", 1000, "\n/\n", [17, 17]),
    (" \t", 300, "1", [301, 301]),
    ("xyz", 500, "1", [501, 501]),
    ("0", 999, "", [333, 333]),
];

fn check(text: &str, expected: [u64; 2]) {
    for (vocabulary, expected) in Vocabulary::ALL.into_iter().zip(expected) {
        for size in [1, 7, 1_000, usize::MAX] {
            let mut counter = Counter::new(vocabulary);
            let mut rest = text;
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(rest.ceil_char_boundary(size.min(rest.len())));
                counter.feed(piece);
                rest = after;
            }
            assert_eq!(counter.count(), expected, "{} {size} {text:?}", vocabulary.name());
            assert!(counter.pending.len() <= LONG + CHUNK, "{text:?}");
            counter.end_text();
            assert_eq!(counter.count(), expected, "{} {size} {text:?}", vocabulary.name());
        }
    }
}

#[test]
fn counts_are_tiktokens_however_the_text_is_cut() {
    for (text, expected) in TEXTS {
        check(text, *expected);
    }
}

#[test]
fn counts_of_long_pieces_are_tiktokens_too() {
    for (text, times, end, expected) in RUNS {
        check(&(text.repeat(*times) + end), *expected);
    }
}

#[test]
fn a_long_piece_is_not_kept() {
    let mut counter = Counter::new(Vocabulary::O200k);
    for _ in 0..1_000 {
        counter.feed("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    }
    assert_eq!(counter.count(), 8_000);
    assert!(counter.pending.capacity() <= 2 * (LONG + CHUNK));
}

#[test]
fn texts_that_end_are_counted_each_by_itself() {
    let mut counter = Counter::new(Vocabulary::Cl100k);
    for text in ["inter", "national"] {
        counter.feed(text);
        counter.end_text();
    }
    assert_eq!(counter.count(), 2);
}
