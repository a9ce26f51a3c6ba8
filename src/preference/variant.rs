//! The variants of a model: what stands behind a colon in its name.
//! <https://openrouter.ai/docs/faq#what-are-model-variants>

use super::Sort;
use crate::chat::Request;
use crate::json::{self, Members};
use serde_json::value::RawValue;

/// The variants of a name, together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Variant {
    /// `:nitro`, `:floor`, `:exacto`: what decides instead of balancing by price.
    pub sort: Option<Sort>,
    /// `:free`: only what costs nothing.
    pub free: bool,
    /// `:online`: the provider is to search the web.
    pub online: bool,
    /// `:thinking`: the model is to think.
    pub thinking: bool,
}

const NONE: Variant = Variant {
    sort: None,
    free: false,
    online: false,
    thinking: false,
};

const fn sorted(sort: Sort) -> Variant {
    Variant {
        sort: Some(sort),
        ..NONE
    }
}

/// Those that every model has. Any other is a model of its own, with a colon in its name: `:extended` is always one.
const VARIANTS: &[(&str, Variant)] = &[
    ("nitro", sorted(Sort::Throughput)),
    ("floor", sorted(Sort::Price)),
    ("exacto", sorted(Sort::Exacto)),
    ("free", Variant { free: true, ..NONE }),
    ("online", Variant { online: true, ..NONE }),
    (
        "thinking",
        Variant {
            thinking: true,
            ..NONE
        },
    ),
];

/// The most variants that a name may have.
const MOST: usize = 8;

impl Variant {
    /// Both: `outer` stands further behind in the name, and wins where only one can.
    #[must_use]
    pub const fn with(self, outer: Self) -> Self {
        Self {
            sort: match outer.sort {
                None => self.sort,
                sort => sort,
            },
            free: self.free || outer.free,
            online: self.online || outer.online,
            thinking: self.thinking || outer.thinking,
        }
    }

    /// True where the name has no variant.
    pub fn is_none(self) -> bool {
        self == NONE
    }

    /// Members that make a provider give what the variant promises. Members of the caller stand.
    fn members(self, request: &Request) -> Vec<(&'static str, Box<RawValue>)> {
        // It is made of JSON, so it is some.
        let raw = |text: Vec<u8>| RawValue::from_string(String::from_utf8(text).ok()?).ok();
        let mut out = Vec::new();
        if self.online && !request.has("web_search_options") {
            out.extend(raw(b"{}".to_vec()).map(|raw| ("web_search_options", raw)));
        }
        if self.thinking {
            let given = request.get::<Members<'_>>("reasoning").ok().flatten();
            let given = given.unwrap_or_default();
            let says_how = |name: &&str| given.get(name).is_some_and(|raw| raw.get() != "null");
            let said = ["enabled", "effort", "max_tokens"].iter().any(says_how);
            if !said && !request.has("reasoning_effort") {
                let others = given.iter().filter(|(name, _)| &**name != "enabled");
                let mut text = b"{".to_vec();
                json::member(&mut text, "enabled", |text| text.extend_from_slice(b"true"));
                for (name, raw) in others {
                    json::member(&mut text, &name, |text| {
                        text.extend_from_slice(raw.get().as_bytes())
                    });
                }
                text.push(b'}');
                out.extend(raw(text).map(|raw| ("reasoning", raw)));
            }
        }
        out
    }

    /// Gives `request` to `then` as the variant has it, and takes back what was added: the next candidate may be another
    /// variant. Nothing is copied, as a request may be tens of megabytes.
    pub fn of<T>(self, request: &mut Request, then: impl FnOnce(&Request) -> T) -> T {
        let added: Vec<_> = self
            .members(request)
            .into_iter()
            .map(|(name, raw)| {
                let before = request.get::<Box<RawValue>>(name).ok().flatten();
                request.set(name, raw);
                (name, before)
            })
            .collect();
        let out = then(request);
        for (name, before) in added {
            match before {
                Some(raw) => request.set(name, raw),
                None => request.remove(name),
            }
        }
        out
    }
}

/// Why a name means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown<'n> {
    /// Nothing of this name is there.
    Name,
    /// The name is known, but not this variant of it.
    Variant(&'n str),
}

impl Unknown<'_> {
    /// The problem of an unknown variant; `None` where the whole name is unknown.
    pub fn problem(self) -> Option<String> {
        let Self::Variant(variant) = self else { return None };
        let variant = crate::error::cut(variant, 80);
        let known: Vec<_> = VARIANTS.iter().map(|(name, _)| format!(":{name}")).collect();
        Some(format!(
            "it has no variant :{variant} here; known: {}",
            known.join(", ")
        ))
    }
}

/// Looks a name up in `known`, and reads the variants behind it. The longest name that is known counts, so a
/// model may have a colon in its name.
///
/// # Errors
/// Nothing of the name is known, or not a variant of it.
pub fn split<'n, B>(name: &'n str, known: impl Fn(&str) -> Option<B>) -> Result<(B, Variant), Unknown<'n>> {
    let (mut base, mut variant, mut unknown) = (name, Variant::default(), None);
    for _ in 0..=MOST {
        if let Some(found) = known(base) {
            return unknown.map_or(Ok((found, variant)), |name| Err(Unknown::Variant(name)));
        }
        let Some((rest, word)) = base.rsplit_once(':') else {
            break;
        };
        match VARIANTS.iter().find(|(name, _)| *name == word) {
            Some((_, inner)) => variant = inner.with(variant),
            None => unknown = Some(word),
        }
        base = rest;
    }
    Err(Unknown::Name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    fn of(name: &str) -> Result<(&str, Variant), Unknown<'_>> {
        split(name, |base| {
            ["a/b", "a/b:thinking", "q:8b"]
                .into_iter()
                .find(|known| *known == base)
        })
    }

    #[test]
    fn variants_stand_behind_the_longest_known_name() {
        assert_eq!(of("a/b").unwrap(), ("a/b", NONE));
        assert_eq!(of("q:8b:floor").unwrap(), ("q:8b", sorted(Sort::Price)));
        assert_eq!(of("a/b:thinking").unwrap(), ("a/b:thinking", NONE));
        let (_, both) = of("a/b:free:online").unwrap();
        assert!(both.free && both.online && both.sort.is_none());
        // Of two that contradict each other the last one counts.
        assert_eq!(of("a/b:floor:nitro").unwrap().1, sorted(Sort::Throughput));
    }

    #[test]
    fn an_unknown_variant_is_named_and_the_known_ones_too() {
        let problem = |name| of(name).unwrap_err().problem();
        assert_eq!(problem("x/y:nitro"), None);
        assert_eq!(problem("q:70b"), None);
        assert_eq!(
            problem("a/b:extended:free").unwrap(),
            "it has no variant :extended here; known: :nitro, :floor, :exacto, :free, :online, :thinking"
        );
        let long = format!("a/b{}", ":nitro".repeat(100_000));
        assert_eq!(of(&long), Err(Unknown::Name));
    }

    #[test]
    fn a_request_says_what_its_variant_promises_for_as_long_as_it_is_that() {
        let thinking = Variant {
            thinking: true,
            online: true,
            ..NONE
        };
        for (before, expected) in [
            (
                r#"{"model":"m"}"#,
                r#"web_search_options {} reasoning {"enabled":true}"#,
            ),
            (
                r#"{"web_search_options":{"search_context_size":"low"},"reasoning":{"enabled":null,"exclude":true}}"#,
                r#"web_search_options {"search_context_size":"low"} reasoning {"enabled":true,"exclude":true}"#,
            ),
            (
                r#"{"reasoning":{"effort":"low"}}"#,
                r#"web_search_options {} reasoning {"effort":"low"}"#,
            ),
            (
                r#"{"reasoning_effort":"low"}"#,
                "web_search_options {} reasoning ",
            ),
        ] {
            let mut request = Request::parse(before.as_bytes().to_vec()).unwrap();
            let shown = thinking.of(&mut request, |request| {
                let text = |name| request.raw(name).unwrap_or_default().to_owned();
                format!(
                    "web_search_options {} reasoning {}",
                    text("web_search_options"),
                    text("reasoning")
                )
            });
            assert_eq!(shown, expected);
            let after: Vec<_> = request.members().map(|(_, text)| text.to_owned()).collect();
            let was = Request::parse(before.as_bytes().to_vec()).unwrap();
            let was: Vec<_> = was.members().map(|(_, text)| text.to_owned()).collect();
            assert_eq!(after, was);
        }
    }
}
