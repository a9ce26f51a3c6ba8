//! What a caller says about routing: the `provider` object of a request.

use crate::chat::Request;
use crate::error::{Error, quoted};
use crate::json::Members;
use serde::Deserialize;

/// The `provider` object: <https://openrouter.ai/docs/features/provider-routing>.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preferences {
    /// Providers to try first, in this order.
    pub order: Vec<String>,
    /// Providers that may serve; empty: all.
    pub only: Vec<String>,
    /// Providers that may not.
    pub ignore: Vec<String>,
    /// Whether anything may be tried after the first choice, and after `order`.
    pub allow_fallbacks: bool,
    /// Whether price alone decides (`sort: "price"`), without drawing.
    pub cheapest_first: bool,
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            order: Vec::new(),
            only: Vec::new(),
            ignore: Vec::new(),
            allow_fallbacks: true,
            cheapest_first: false,
        }
    }
}

impl Preferences {
    /// The preferences of a request.
    ///
    /// # Errors
    /// Names the member that is wrong, or that this gateway does not honour: ignoring a constraint such as `zdr` would
    /// send a prompt where its owner forbade it.
    pub fn of(request: &Request) -> Result<Self, Error> {
        match request.raw("provider") {
            None | Some("null") => Ok(Self::default()),
            Some(text) => Self::parse(text),
        }
    }

    /// Reads the object from its JSON text.
    ///
    /// # Errors
    /// As [`Preferences::of`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let Members(members) =
            serde_json::from_str(text).map_err(|_| Error::invalid("provider: expected an object"))?;
        let mut preferences = Self::default();
        for (name, raw) in members {
            if raw.get() == "null" {
                continue;
            }
            match name.as_str() {
                "order" => preferences.order = read(&name, raw.get(), "a list of provider names")?,
                "only" => preferences.only = read(&name, raw.get(), "a list of provider names")?,
                "ignore" => preferences.ignore = read(&name, raw.get(), "a list of provider names")?,
                "allow_fallbacks" => preferences.allow_fallbacks = read(&name, raw.get(), "true or false")?,
                "sort" => match read::<String>(&name, raw.get(), "\"price\"")?.as_str() {
                    "price" => preferences.cheapest_first = true,
                    other => {
                        return Err(Error::invalid(format!(
                            "provider.sort: {} is not supported; use \"price\"",
                            quoted(other)
                        )));
                    }
                },
                other => {
                    return Err(Error::invalid(format!(
                        "provider.{}: not supported; known: order, only, ignore, allow_fallbacks, sort",
                        quoted(other).trim_matches('"')
                    )));
                }
            }
        }
        Ok(preferences)
    }
}

fn read<'a, T: Deserialize<'a>>(name: &str, text: &'a str, expected: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|_| Error::invalid(format!("provider.{name}: expected {expected}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn a_constraint_that_is_not_honoured_is_refused() {
        let error = Preferences::parse(r#"{"zdr":true}"#).unwrap_err();
        assert_eq!(
            error.message,
            "provider.zdr: not supported; known: order, only, ignore, allow_fallbacks, sort"
        );
        assert!(
            Preferences::parse(r#"{"order":"openai"}"#)
                .unwrap_err()
                .message
                .starts_with("provider.order: expected")
        );
        assert!(
            Preferences::parse(r#"{"sort":"throughput"}"#)
                .unwrap_err()
                .message
                .contains("provider.sort")
        );
        assert!(Preferences::parse("7").is_err());
    }

    #[test]
    fn null_means_nothing_was_said() {
        assert_eq!(
            Preferences::parse(r#"{"order":null,"zdr":null}"#).unwrap(),
            Preferences::default()
        );
    }
}
