//! Reads preferences: the `provider` object of a request, and the `preferences` of a configuration, a route or a key, one
//! member at a time.

use super::auto::AutoPreferences;
use super::field::PreferenceField;
use super::invalid::{InvalidPreference, expected};
use super::preferences::{Cutoffs, Preferences};
use super::region::Regions;
use super::sort::Sort;
use crate::chat::Request;
use crate::error::{Error, quoted};
use crate::json::{self, Shape, shape};
use crate::meter::PicoUsd;
use crate::provider::QUANTIZATIONS;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Members that are honoured.
pub const MEMBERS: &[&str] = &[
    "order",
    "only",
    "ignore",
    "allow_fallbacks",
    "require_parameters",
    "data_collection",
    "zdr",
    "quantizations",
    "sort",
    "max_price",
    "preferred_min_throughput",
    "preferred_max_latency",
    "region",
];

impl Preferences {
    /// The preferences of a request.
    ///
    /// # Errors
    /// Names the member that is wrong, or that this gateway does not honour: ignoring a constraint would send a prompt
    /// where its owner forbade it.
    pub fn of(request: &Request) -> Result<Self, Error> {
        let mut preferences = match request.raw("provider") {
            None | Some("null") => Self::default(),
            Some(text) => Self::parse(text)?,
        };
        preferences.operation = request.operation();
        preferences.auto = AutoPreferences::of(request)?;
        // The older word for it.
        if request.raw("route") == Some("\"sort\"") {
            preferences.mix_models = true;
            preferences.say(PreferenceField::Partition);
        }
        preferences.require(request);
        Ok(preferences)
    }

    fn parse(text: &str) -> Result<Self, Error> {
        if !text.starts_with('{') {
            return Err(Error::invalid("provider: expected an object"));
        }
        let mut preferences = Self::default();
        for (name, raw) in json::members(text) {
            preferences.set(&name, raw)?;
        }
        Ok(preferences)
    }

    /// Takes one member; `null` says nothing.
    ///
    /// # Errors
    /// The member is not understood, or not honoured.
    pub fn set(&mut self, name: &str, raw: &RawValue) -> Result<(), InvalidPreference> {
        if raw.get() == "null" {
            return Ok(());
        }
        match name {
            "order" => {
                self.order = read(name, raw, "a list of provider names")?;
                self.say(PreferenceField::Order);
            }
            "only" => self.only = read(name, raw, "a list of provider names")?,
            "ignore" => self.ignore = read(name, raw, "a list of provider names")?,
            "allow_fallbacks" => {
                self.allow_fallbacks = read(name, raw, "true or false")?;
                self.say(PreferenceField::AllowFallbacks);
            }
            "zdr" => self.zdr = read(name, raw, "true or false")?,
            "require_parameters" => {
                self.require_parameters = read(name, raw, "true or false")?;
                self.say(PreferenceField::RequireParameters);
            }
            "data_collection" => {
                self.allow_data_collection = match raw.get() {
                    "\"allow\"" => true,
                    "\"deny\"" => false,
                    _ => return Err(expected(name, "\"allow\" or \"deny\"")),
                }
            }
            "quantizations" => {
                self.quantizations = quantizations(name, raw)?;
                self.say(PreferenceField::Quantizations);
            }
            "sort" => self.read_sort(raw)?,
            "max_price" => self.max_price = max_price(raw)?,
            "preferred_min_throughput" => {
                self.min_throughput = cutoffs(name, raw, 10.0)?;
                self.say(PreferenceField::MinThroughput);
            }
            "preferred_max_latency" => {
                self.max_latency = cutoffs(name, raw, 1_000.0)?;
                self.say(PreferenceField::MaxLatency);
            }
            "region" => {
                self.region = Regions::read(raw)?;
                if self.region.order.is_some() {
                    self.say(PreferenceField::Region);
                }
            }
            other => {
                return Err(InvalidPreference::new(
                    quoted(other).trim_matches('"'),
                    format!("not supported; known: {}", MEMBERS.join(", ")),
                ));
            }
        }
        Ok(())
    }

    /// `sort`: a word, or `{ by, partition }`.
    fn read_sort(&mut self, raw: &RawValue) -> Result<(), InvalidPreference> {
        if shape(raw) != Shape::Object {
            self.sort = Some(sort("sort", raw)?);
            self.say(PreferenceField::Sort);
            return Ok(());
        }
        for (name, raw) in json::members(raw.get()) {
            match (&*name, raw.get()) {
                (_, "null") => {}
                ("by", _) => {
                    self.sort = Some(sort("sort.by", raw)?);
                    self.say(PreferenceField::Sort);
                }
                ("partition", word @ ("\"model\"" | "\"none\"")) => {
                    self.mix_models = word == "\"none\"";
                    self.say(PreferenceField::Partition);
                }
                ("partition", _) => return Err(expected("sort.partition", "\"model\" or \"none\"")),
                (other, _) => {
                    return Err(InvalidPreference::new(
                        format!("sort.{}", quoted(other).trim_matches('"')),
                        "not supported; known: by, partition",
                    ));
                }
            }
        }
        Ok(())
    }
}

fn read<'a, T: Deserialize<'a>>(name: &str, raw: &'a RawValue, what: &str) -> Result<T, InvalidPreference> {
    serde_json::from_str(raw.get()).map_err(|_| expected(name, what))
}

fn sort(name: &str, raw: &RawValue) -> Result<Sort, InvalidPreference> {
    let word: String = read(name, raw, "a word")?;
    Sort::of(&word).ok_or_else(|| {
        InvalidPreference::new(
            name,
            format!(
                "{} is not supported; use \"price\", \"throughput\", \"latency\" or \"exacto\"",
                quoted(&word)
            ),
        )
    })
}

fn quantizations(name: &str, raw: &RawValue) -> Result<Vec<&'static str>, InvalidPreference> {
    let names: Vec<String> = read(name, raw, "a list of quantizations")?;
    let known = |name: &String| QUANTIZATIONS.iter().find(|known| *known == name).copied();
    names
        .iter()
        .map(|asked| {
            known(asked).ok_or_else(|| {
                InvalidPreference::new(
                    name,
                    format!(
                        "{} is unknown; known: {}",
                        quoted(asked),
                        QUANTIZATIONS.join(", ")
                    ),
                )
            })
        })
        .collect()
}

/// A number of at least 0, written as one or as a string.
fn number(name: &str, raw: &RawValue) -> Result<f64, InvalidPreference> {
    let text = raw.get().trim_matches('"');
    let number = text.parse::<f64>().ok();
    number
        .filter(|number| number.is_finite() && *number >= 0.0)
        .ok_or_else(|| expected(name, "a number of at least 0"))
}

/// `max_price`, in USD per million tokens, for a request and for an image.
fn max_price(raw: &RawValue) -> Result<[Option<PicoUsd>; 3], InvalidPreference> {
    const WHAT: &str = "an object with prompt, completion, request or image";
    if shape(raw) != Shape::Object {
        return Err(expected("max_price", WHAT));
    }
    let mut prices = [None; 3];
    let [prompt, completion, request] = &mut prices;
    for (name, raw) in json::members(raw.get()) {
        if raw.get() == "null" {
            continue;
        }
        let usd = number(&format!("max_price.{}", &*name), raw)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`as` saturates, as wanted"
        )]
        let pico = |scale: f64| Some(PicoUsd((usd * scale).round() as u64));
        match &*name {
            // A dollar per million tokens is a million pico-dollars per token.
            "prompt" => *prompt = pico(1e6),
            "completion" => *completion = pico(1e6),
            "request" => *request = pico(1e12),
            // No endpoint here charges for an image by itself: all of them keep to it.
            "image" => {}
            _ => return Err(expected("max_price", WHAT)),
        }
    }
    Ok(prices)
}

/// A number, which is the median, or an object of quantiles. `scale` makes the whole number that health knows.
fn cutoffs(name: &str, raw: &RawValue, scale: f64) -> Result<Cutoffs, InvalidPreference> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates, as wanted"
    )]
    let whole = |raw| Ok(Some((number(name, raw)? * scale).round() as u32));
    let mut cutoffs = Cutoffs::default();
    let [p50, p75, p90, p99] = &mut cutoffs;
    if shape(raw) != Shape::Object {
        *p50 = whole(raw)?;
        return Ok(cutoffs);
    }
    for (quantile, raw) in json::members(raw.get()) {
        let cutoff = match &*quantile {
            _ if raw.get() == "null" => continue,
            "p50" => &mut *p50,
            "p75" => &mut *p75,
            "p90" => &mut *p90,
            "p99" => &mut *p99,
            _ => return Err(expected(name, "a number, or an object with p50, p75, p90 or p99")),
        };
        *cutoff = whole(raw)?;
    }
    Ok(cutoffs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Operation;
    use crate::health::Quantiles;
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
    }

    #[test]
    fn every_member_is_read() {
        let mut read = parse(
            r#"{"order":["a"],"only":["b"],"ignore":["c"],"allow_fallbacks":false,"data_collection":"deny","zdr":true,
                "quantizations":["fp8","unknown"],"sort":{"by":"latency","partition":"none"},
                "max_price":{"prompt":0.1,"completion":"2","request":0.01,"image":null},
                "preferred_min_throughput":50,"preferred_max_latency":{"p50":0.5,"p99":3},
                "region":{"order":["eu","us"],"only":"eu"}}"#,
        );
        let expected = Preferences {
            operation: Operation::Chat,
            order: vec!["a".to_owned()],
            only: vec!["b".to_owned()],
            ignore: vec!["c".to_owned()],
            own_keys: Vec::new(),
            allow_fallbacks: false,
            require_parameters: false,
            required: Vec::new(),
            allow_data_collection: false,
            zdr: true,
            quantizations: vec!["fp8", "unknown"],
            sort: Some(Sort::Latency),
            mix_models: true,
            max_price: [100_000, 2_000_000, 10_000_000_000].map(|price| Some(PicoUsd(price))),
            min_throughput: [Some(500), None, None, None],
            max_latency: [Some(500), None, None, Some(3_000)],
            auto: AutoPreferences::default(),
            region: Regions {
                order: Some(vec!["eu".to_owned(), "us".to_owned()]),
                only: vec!["eu".to_owned()],
            },
            said: Vec::new(),
        };
        if let Ok(read) = &mut read {
            // All of the fields but `require_parameters`.
            assert_eq!(std::mem::take(&mut read.said).len(), 8);
        }
        assert_eq!(read.unwrap(), expected);
        assert_eq!(
            parse(r#"{"sort":"throughput"}"#).unwrap().sort,
            Some(Sort::Throughput)
        );
        let route = Request::parse(br#"{"model":"m","route":"sort"}"#.to_vec()).unwrap();
        assert!(Preferences::of(&route).unwrap().mix_models);
    }

    #[test]
    fn what_is_wrong_or_not_honoured_is_refused() {
        for (provider, expected) in [
            ("7", "provider: expected an object"),
            (
                r#"{"order":"openai"}"#,
                "provider.order: expected a list of provider names",
            ),
            (
                r#"{"require_parameters":"yes"}"#,
                "provider.require_parameters: expected true or false",
            ),
            (r#"{"zdr":1}"#, "provider.zdr: expected true or false"),
            (
                r#"{"data_collection":"no"}"#,
                r#"provider.data_collection: expected "allow" or "deny""#,
            ),
            (
                r#"{"quantizations":["fp7"]}"#,
                r#"provider.quantizations: "fp7" is unknown; known: int4, "#,
            ),
            (
                r#"{"sort":"uptime"}"#,
                r#"provider.sort: "uptime" is not supported; use "price", "throughput", "latency" or "exacto""#,
            ),
            (r#"{"sort":{"by":7}}"#, "provider.sort.by: expected a word"),
            (
                r#"{"sort":{"partition":"all"}}"#,
                r#"provider.sort.partition: expected "model" or "none""#,
            ),
            (
                r#"{"sort":{"x":1}}"#,
                "provider.sort.x: not supported; known: by, partition",
            ),
            (
                r#"{"max_price":3}"#,
                "provider.max_price: expected an object with prompt",
            ),
            (
                r#"{"max_price":{"audio":3}}"#,
                "provider.max_price: expected an object with prompt",
            ),
            (
                r#"{"max_price":{"prompt":-1}}"#,
                "provider.max_price.prompt: expected a number of at least 0",
            ),
            (
                r#"{"preferred_max_latency":"fast"}"#,
                "provider.preferred_max_latency: expected a number of at least 0",
            ),
            (
                r#"{"preferred_min_throughput":{"p95":1}}"#,
                "provider.preferred_min_throughput: expected a number, or an object with p50",
            ),
            (
                r#"{"region":7}"#,
                "provider.region: expected a region, a list of regions, or an object with order and only",
            ),
            (r#"{"region":[""]}"#, "provider.region: expected a region"),
            (
                r#"{"region":{"only":{}}}"#,
                "provider.region.only: expected a region",
            ),
            (
                r#"{"region":{"ignore":"us"}}"#,
                "provider.region: expected a region",
            ),
            (
                r#"{"enforce_distillable_text":true}"#,
                "provider.enforce_distillable_text: not supported; known: order, only",
            ),
        ] {
            let message = parse(provider).unwrap_err().message;
            assert!(message.starts_with(expected), "{provider}: {message}");
        }
    }

    #[test]
    fn null_means_nothing_was_said() {
        assert_eq!(
            parse(r#"{"order":null,"zdr":null,"nonsense":null}"#).unwrap(),
            Preferences::default()
        );
    }

    #[test]
    fn all_cutoffs_must_hold_where_something_is_known() {
        let preferences =
            parse(r#"{"preferred_min_throughput":50,"preferred_max_latency":{"p50":1,"p99":3}}"#).unwrap();
        let fast = Some(Quantiles([500, 600, 700, 800]));
        let quick = Some(Quantiles([900, 1_000, 2_000, 3_000]));
        let slow = Some(Quantiles([900, 1_000, 2_000, 3_001]));
        assert!(preferences.is_met(fast, quick) && preferences.is_met(None, None));
        assert!(!preferences.is_met(fast, slow));
        assert!(!preferences.is_met(Some(Quantiles([499, 600, 700, 800])), quick));
    }
}
