//! What a caller says about routing: the `provider` object of a request.

use crate::chat::{Operation, Request};
use crate::dialect::Feature;
use crate::error::{Error, quoted};
use crate::json::Members;
use serde::Deserialize;

/// The members that are honoured.
const KNOWN: &str = "order, only, ignore, allow_fallbacks, require_parameters, sort";

/// The `provider` object: <https://openrouter.ai/docs/features/provider-routing>.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preferences {
    /// What is asked for: who does not serve it is left out.
    pub operation: Operation,
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
    /// What an endpoint must carry to be tried: all parameters of the request with `require_parameters: true`.
    pub required: Vec<&'static Feature>,
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            operation: Operation::Chat,
            order: Vec::new(),
            only: Vec::new(),
            ignore: Vec::new(),
            allow_fallbacks: true,
            cheapest_first: false,
            required: Vec::new(),
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
        let said = match request.raw("provider") {
            None | Some("null") => Self::default(),
            Some(text) => Self::parse(text, request)?,
        };
        Ok(Self {
            operation: request.operation(),
            ..said
        })
    }

    /// Whether a provider may serve at all.
    pub fn admit(&self, provider: &str) -> bool {
        let names = |list: &[String]| list.iter().any(|name| name == provider);
        (self.only.is_empty() || names(&self.only))
            && !names(&self.ignore)
            && (self.order.is_empty() || self.allow_fallbacks || names(&self.order))
    }

    fn parse(text: &str, request: &Request) -> Result<Self, Error> {
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
                "require_parameters" => {
                    if read(&name, raw.get(), "true or false")? {
                        preferences.required = Feature::asked(request).collect();
                    }
                }
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
                        "provider.{}: not supported; known: {KNOWN}",
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

    fn parse(provider: &str) -> Result<Preferences, Error> {
        let text = format!(r#"{{"model":"m","seed":1,"top_p":null,"provider":{provider}}}"#);
        Preferences::of(&Request::parse(text.into_bytes()).unwrap())
    }

    #[test]
    fn all_parameters_of_a_request_may_be_required() {
        let names = |provider: &str| -> Vec<_> {
            let required = parse(provider).unwrap().required;
            required.iter().map(|feature| feature.name).collect()
        };
        assert_eq!(names(r#"{"require_parameters":true}"#), ["seed"]);
        assert!(names(r#"{"require_parameters":false}"#).is_empty());
        assert!(parse(r#"{"require_parameters":"yes"}"#).is_err());
    }

    #[test]
    fn a_constraint_that_is_not_honoured_is_refused() {
        let error = parse(r#"{"zdr":true}"#).unwrap_err();
        assert_eq!(
            error.message,
            format!("provider.zdr: not supported; known: {KNOWN}")
        );
        assert!(
            parse(r#"{"order":"openai"}"#)
                .unwrap_err()
                .message
                .starts_with("provider.order: expected")
        );
        assert!(
            parse(r#"{"sort":"throughput"}"#)
                .unwrap_err()
                .message
                .contains("provider.sort")
        );
        assert!(parse("7").is_err());
    }

    #[test]
    fn null_means_nothing_was_said() {
        assert_eq!(
            parse(r#"{"order":null,"zdr":null}"#).unwrap(),
            Preferences::default()
        );
    }
}
