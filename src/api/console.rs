//! The page that shows models, endpoints and rankings to people: `GET /crosspoint`, one file that loads nothing from elsewhere.
//!
//! It holds no data. Its script asks for what it shows as any client does, with the key that its reader enters.

use crate::{base64, hash};

/// Where it is.
pub const PATH: &str = "/crosspoint";

/// The page.
pub static PAGE: &str = include_str!("console.html");

/// Its headers. Its own style and script may work, by their hashes, and they may ask this gateway only.
pub fn headers() -> Vec<(String, String)> {
    let policy = format!(
        "default-src 'none'; style-src {}; script-src {}; connect-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
        source("<style>", "</style>"),
        source("<script>", "</script>"),
    );
    [
        ("content-type", "text/html; charset=utf-8"),
        ("content-security-policy", &policy),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-cache"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// What stands between two tags of the page, by its hash: <https://www.w3.org/TR/CSP3/#grammardef-hash-source>.
fn source(begin: &str, end: &str) -> String {
    let inside = PAGE.split_once(begin).and_then(|(_, rest)| rest.split_once(end));
    let (inside, _) = inside.unwrap_or_default();
    format!("'sha256-{}'", base64::encode(&hash::sha256(inside.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn the_page_is_small_and_loads_nothing() {
        assert!(PAGE.len() < 20_000, "{}", PAGE.len());
        for part in [
            "http:",
            "https:",
            "src=",
            "href=",
            "@import",
            "url(",
            " style=",
            "innerHTML",
            "onclick=\"",
        ] {
            assert!(!PAGE.contains(part), "{part}");
        }
        for tag in ["<style", "<script", "</style>", "</script>"] {
            assert_eq!(PAGE.matches(tag).count(), 1, "{tag}");
        }
    }

    #[test]
    fn the_policy_lets_its_own_style_and_script_work() {
        let headers = headers();
        let (_, policy) = &headers[1];
        // The hash of nothing would stand there where a tag is not found.
        let nothing = base64::encode(&hash::sha256(b""));
        assert_eq!(policy.matches("'sha256-").count(), 2);
        assert!(!policy.contains(&nothing) && !policy.contains("unsafe"));
    }
}
