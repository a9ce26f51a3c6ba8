//! Patterns of names, in which `*` stands for any text.

/// True where a text fits a pattern. The time that it takes does not grow with the number of stars: callers may send
/// patterns, too.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
    let between = text.strip_prefix(head).and_then(|text| text.strip_suffix(tail));
    let Some(mut text) = between else { return false };
    middle.split('*').all(|part| match text.split_once(part) {
        Some((_, after)) => {
            text = after;
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text) in [
            ("*", ""),
            ("*", "a/b"),
            ("a/*", "a/b"),
            ("*/b", "a/b"),
            ("a/*-*b", "a/x-y-zb"),
            ("a/b", "a/b"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("a/*", "b/a/c"), ("*c", "abcd"), ("a*b*c", "acb")] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }
}
