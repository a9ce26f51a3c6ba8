//! How much a request asks for: the limit on a completion, and how many completions of how many prompts.
//!
//! A budget holds what these come to, and the providers get the same: so there is one limit, whatever a caller calls it,
//! and each of these numbers is a whole one or an error.
//!
//! ```text
//! {"max_tokens":30000,"max_completion_tokens":1}   ->  {"max_completion_tokens":1}
//! ```

use super::operation::Operation;
use super::request::Request;
use crate::error::{Error, cut};
use crate::json::{self, Shape};
use serde_json::value::RawValue;

/// OpenAI's name of the limit.
const LIMIT: &str = "max_completion_tokens";
/// Its older name, and the only one of completions.
const OLDER_LIMIT: &str = "max_tokens";
/// What other APIs call it.
const OTHER_LIMITS: [&str; 5] = [
    "max_output_tokens",
    "maxOutputTokens",
    "max_new_tokens",
    "max_tokens_to_sample",
    "max_gen_len",
];

/// Every name of the limit.
fn names() -> impl Iterator<Item = &'static str> {
    [LIMIT, OLDER_LIMIT].into_iter().chain(OTHER_LIMITS)
}

impl Request {
    /// The limit on the tokens of one completion, the smallest where there are several; `None`: the caller sets none.
    ///
    /// # Errors
    /// When one is no whole number.
    pub fn max_tokens(&self) -> Result<Option<u64>, Error> {
        // A completion of no tokens tells the probabilities of the prompt's.
        let least = match self.operation() {
            Operation::Chat => 1,
            Operation::Completions => 0,
            Operation::Embeddings => return Ok(None),
        };
        let mut limit = None;
        for (name, text) in self.members() {
            if name.starts_with("max")
                && names().any(|limit| limit == name)
                && let Some(own) = whole(name, text, least)?
            {
                limit = Some(limit.map_or(own, |other: u64| other.min(own)));
            }
        }
        Ok(limit)
    }

    /// Leaves one name of the limit: the one that is there, or of several OpenAI's.
    ///
    /// # Errors
    /// When one is no whole number.
    pub fn unify_limit(&mut self) -> Result<(), Error> {
        let Some(limit) = self.max_tokens()? else {
            return Ok(());
        };
        let mut there = names().filter(|name| self.raw(name).is_some());
        let ours = self.limit_name();
        let is_known = |name| name == ours || (name == OLDER_LIMIT && self.operation() == Operation::Chat);
        match (there.next(), there.next()) {
            (Some(only), None) if is_known(only) => return Ok(()),
            _ => {}
        }
        for name in names().filter(|name| *name != ours) {
            self.remove(name);
        }
        self.set(ours, json::to_raw(&limit));
        Ok(())
    }

    /// The name under which a limit of ours is written.
    const fn limit_name(&self) -> &'static str {
        match self.operation() {
            Operation::Chat => LIMIT,
            Operation::Completions | Operation::Embeddings => OLDER_LIMIT,
        }
    }

    /// Gives the request with a limit of ours to `then`; `None` leaves the caller's.
    pub fn limited<T>(&mut self, limit: Option<u64>, then: impl FnOnce(&mut Self) -> T) -> T {
        let Some(limit) = limit else { return then(self) };
        let name = self.limit_name();
        self.set(name, json::to_raw(&limit));
        let out = then(self);
        self.remove(name);
        out
    }

    /// The completions that are written of one prompt: `n`, or `best_of` where the best of more are kept.
    ///
    /// # Errors
    /// When one is no whole number.
    pub fn choices(&self) -> Result<u64, Error> {
        if self.operation() == Operation::Embeddings {
            return Ok(1);
        }
        let [n, best_of] =
            ["n", "best_of"].map(|name| self.raw(name).map_or(Ok(None), |text| whole(name, text, 1)));
        Ok(n?.unwrap_or(1).max(best_of?.unwrap_or(1)))
    }

    /// How many prompts there are; `None` where that cannot be read.
    pub fn prompts(&self) -> Option<u64> {
        match self.operation() {
            Operation::Chat => Some(1),
            Operation::Completions | Operation::Embeddings => {
                let raw: &RawValue = self.get(self.operation().prompt()).ok()??;
                match json::shape(raw) {
                    Shape::Array => Some(self.inputs().ok()?.len() as u64),
                    _ => Some(1),
                }
            }
        }
    }
}

/// A member as a whole number that a provider's counters hold; `None` for `null`.
fn whole(name: &str, text: &str, least: u64) -> Result<Option<u64>, Error> {
    if text == "null" {
        return Ok(None);
    }
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse::<u32>().ok().filter(|_| is_digits).map(u64::from);
    match number.filter(|number| *number >= least) {
        Some(number) => Ok(Some(number)),
        None => Err(Error::invalid(format!(
            "{name}: expected a whole number from {least} to {}, found {}",
            u32::MAX,
            cut(text, 80)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    fn request(text: &str) -> Request {
        Request::parse(text.as_bytes().to_vec()).unwrap()
    }

    fn written(request: &Request) -> String {
        let members = request.members().map(|(name, text)| format!("{name}:{text}"));
        members.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn of_several_limits_the_smallest_is_written_once() {
        for (text, expected) in [
            (
                r#"{"max_tokens":30000,"max_completion_tokens":1}"#,
                "max_completion_tokens:1",
            ),
            (
                r#"{"max_completion_tokens":5,"a":1,"max_tokens":3}"#,
                "max_completion_tokens:3 a:1",
            ),
            (r#"{"max_tokens":7}"#, "max_tokens:7"),
            (r#"{"max_completion_tokens":7}"#, "max_completion_tokens:7"),
            (
                r#"{"max_tokens":7,"max_completion_tokens":null}"#,
                "max_completion_tokens:7",
            ),
            (r#"{"max_output_tokens":9}"#, "max_completion_tokens:9"),
            (
                r#"{"max_new_tokens":9,"max_tokens":8}"#,
                "max_completion_tokens:8",
            ),
            (r#"{"max_tokens":null}"#, "max_tokens:null"),
            (r#"{"a":1}"#, "a:1"),
        ] {
            let mut request = request(text);
            request.unify_limit().unwrap();
            assert_eq!(written(&request), expected, "{text}");
        }
        let mut older = request(r#"{"max_completion_tokens":5,"max_tokens":6}"#).of(Operation::Completions);
        older.unify_limit().unwrap();
        assert_eq!(written(&older), "max_tokens:5");
        // The older API knows no other name.
        let mut newer = request(r#"{"max_completion_tokens":5}"#).of(Operation::Completions);
        newer.unify_limit().unwrap();
        assert_eq!(written(&newer), "max_tokens:5");
    }

    #[test]
    fn what_is_no_whole_number_is_refused() {
        for wrong in [
            "\"30000\"",
            "1.0",
            "1e10",
            "-1",
            "4294967296",
            "99999999999999999999",
            "true",
            "[1]",
            "{}",
            "0",
        ] {
            for name in names().chain(["n", "best_of"]) {
                let request = request(&format!(r#"{{"{name}":{wrong}}}"#));
                let error = match name {
                    "n" | "best_of" => request.choices().map(drop),
                    _ => request.max_tokens().map(drop),
                };
                let expected = format!("{name}: expected a whole number from 1 to 4294967295, found {wrong}");
                assert_eq!(error.unwrap_err().message, expected);
            }
        }
        let none = request(r#"{"max_tokens":0}"#).of(Operation::Completions);
        assert_eq!(none.max_tokens().unwrap(), Some(0));
    }

    #[test]
    fn every_completion_that_is_written_counts() {
        let choices = |text: &str| request(text).choices().unwrap();
        assert_eq!(choices("{}"), 1);
        assert_eq!(choices(r#"{"n":3}"#), 3);
        assert_eq!(choices(r#"{"n":3,"best_of":8}"#), 8);
        assert_eq!(choices(r#"{"n":null,"best_of":1}"#), 1);
    }

    #[test]
    fn every_text_to_continue_is_a_prompt() {
        let prompts = |prompt: &str| {
            let request = request(&format!(r#"{{"prompt":{prompt}}}"#));
            request.of(Operation::Completions).prompts()
        };
        assert_eq!(prompts(r#""a""#), Some(1));
        assert_eq!(prompts(r#"["a","b"]"#), Some(2));
        assert_eq!(prompts("[1,2,3]"), Some(1));
        assert_eq!(prompts("[[1],[2],[3]]"), Some(3));
        assert_eq!(prompts("[{}]"), None);
        assert_eq!(request("{}").prompts(), Some(1));
    }

    #[test]
    fn a_limit_of_ours_is_taken_back() {
        let mut request = request(r#"{"a":1}"#);
        let inside = request.limited(Some(5), |request| written(request));
        assert_eq!(
            (inside.as_str(), written(&request).as_str()),
            ("a:1 max_completion_tokens:5", "a:1")
        );
        assert_eq!(request.limited(None, |request| written(request)), "a:1");
    }
}
