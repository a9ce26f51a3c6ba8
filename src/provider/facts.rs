//! What is known of an endpoint beside its price: how much it takes, of what kinds, and which parameters it honours.

/// What is known of an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// How many tokens prompt and completion may have together.
    pub context_length: Option<u64>,
    /// How many tokens the completion may have.
    pub max_completion_tokens: Option<u64>,
    /// What it takes; empty: not known.
    pub input_modalities: Modalities,
    /// What it gives; empty: not known.
    pub output_modalities: Modalities,
    /// Which parameters it honours.
    pub parameters: Parameters,
    /// How its weights are rounded: one of [`QUANTIZATIONS`].
    pub quantization: Option<&'static str>,
}

/// The quantizations, in OpenRouter's words.
pub const QUANTIZATIONS: &[&str] = &[
    "int4", "int8", "fp4", "mxfp4", "nvfp4", "fp6", "fp8", "mxfp8", "fp16", "bf16", "fp32", "unknown",
];

/// What somebody does with what he is sent, and where; all of it unknown until an operator says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataPolicy {
    /// Whether he stores it or trains with it.
    pub collects_data: Option<bool>,
    /// Whether he keeps nothing at all.
    pub zdr: Option<bool>,
    /// Where he does his work, in his own words.
    pub region: Option<String>,
}

impl DataPolicy {
    /// This, and where it says nothing the other.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        Self {
            collects_data: self.collects_data.or(other.collects_data),
            zdr: self.zdr.or(other.zdr),
            region: self.region.or_else(|| other.region.clone()),
        }
    }

    /// Whether it is certain that nothing is stored or trained with.
    pub fn is_private(&self) -> bool {
        // Who keeps nothing collects nothing.
        match self.collects_data {
            Some(collects) => !collects,
            None => self.zdr == Some(true),
        }
    }
}

/// The modalities, in OpenRouter's words, and their letters in the catalogue.
pub const MODALITIES: &[(&str, char)] = &[
    ("text", 't'),
    ("image", 'i'),
    ("file", 'f'),
    ("audio", 'a'),
    ("video", 'v'),
    ("embeddings", 'e'),
];

/// The parameters that an endpoint may or may not honour, as OpenRouter lists them, and their letters in the catalogue,
/// which knows of some only.
pub const PARAMETERS: &[(&str, char)] = &[
    ("tools", 't'),
    ("tool_choice", 't'),
    ("parallel_tool_calls", 'p'),
    ("reasoning", 'r'),
    ("include_reasoning", 'r'),
    ("reasoning_effort", 'r'),
    ("response_format", 'j'),
    ("structured_outputs", 'j'),
    ("temperature", 's'),
    ("max_tokens", ' '),
    ("max_completion_tokens", ' '),
    ("top_p", ' '),
    ("top_k", ' '),
    ("min_p", ' '),
    ("top_a", ' '),
    ("frequency_penalty", ' '),
    ("presence_penalty", ' '),
    ("repetition_penalty", ' '),
    ("seed", ' '),
    ("stop", ' '),
    ("logit_bias", ' '),
    ("logprobs", ' '),
    ("top_logprobs", ' '),
    ("verbosity", ' '),
    ("prediction", ' '),
    ("web_search_options", ' '),
];

/// The letters of what the catalogue's sources say of every model; of the others they say only where there is one.
const ALWAYS_TOLD: &str = "tr";

/// A set of modalities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modalities(u32);

impl Modalities {
    /// The set of these letters.
    pub(super) fn of_letters(letters: &str) -> Self {
        Self(bits(MODALITIES, |(_, letter)| letters.contains(*letter)))
    }

    /// Adds a modality; `false` where there is none of this name.
    #[must_use]
    pub fn add(&mut self, name: &str) -> bool {
        let bit = bits(MODALITIES, |(known, _)| *known == name);
        self.0 |= bit;
        bit != 0
    }

    /// Whether nothing is known.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this one is in it.
    pub fn contains(self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    /// Those of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Their names.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        names(MODALITIES, self.0)
    }
}

/// Which parameters are honoured, which are not, and of which that is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    supported: u32,
    told: u32,
}

impl Parameters {
    /// What the catalogue's letters say.
    pub(super) fn of_letters(letters: &str) -> Self {
        let supported = bits(PARAMETERS, |(_, letter)| letters.contains(*letter));
        Self {
            supported,
            told: supported | bits(PARAMETERS, |(_, letter)| ALWAYS_TOLD.contains(*letter)),
        }
    }

    /// None at all: what an operator's list begins with.
    pub(crate) const fn none() -> Self {
        Self {
            supported: 0,
            told: u32::MAX,
        }
    }

    /// Adds a parameter; `false` where there is none of this name.
    #[must_use]
    pub fn add(&mut self, name: &str) -> bool {
        let bit = bits(PARAMETERS, |(known, _)| *known == name);
        self.supported |= bit;
        self.told |= bit;
        bit != 0
    }

    /// Whether this parameter is honoured; `None`: not known.
    pub fn supports(self, name: &str) -> Option<bool> {
        let bit = bits(PARAMETERS, |(known, _)| *known == name);
        (self.told & bit != 0).then_some(self.supported & bit != 0)
    }

    /// What either of two honours.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self {
            supported: self.supported | other.supported,
            told: self.told | other.told,
        }
    }

    /// The names of what is honoured for certain.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        names(PARAMETERS, self.supported)
    }
}

/// One bit for each row of a table that fits.
fn bits(table: &[(&str, char)], fits: impl Fn(&(&str, char)) -> bool) -> u32 {
    table
        .iter()
        .rev()
        .fold(0, |bits, row| bits << 1 | u32::from(fits(row)))
}

fn names(table: &'static [(&'static str, char)], bits: u32) -> impl Iterator<Item = &'static str> {
    let rows = table.iter().enumerate();
    rows.filter_map(move |(index, (name, _))| (bits >> index & 1 == 1).then_some(*name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn tables_fit_into_their_sets() {
        assert!(MODALITIES.len() <= 32 && PARAMETERS.len() <= 32);
    }

    #[test]
    fn a_parameter_is_honoured_or_not_or_nobody_knows() {
        let parameters = Parameters::of_letters("tj");
        assert_eq!(parameters.supports("tool_choice"), Some(true));
        assert_eq!(parameters.supports("reasoning"), Some(false));
        assert_eq!(parameters.supports("seed"), None);
        let names: Vec<_> = parameters.names().collect();
        assert_eq!(
            names,
            ["tools", "tool_choice", "response_format", "structured_outputs"]
        );
        let mut own = Parameters::none();
        assert!(own.add("seed") && !own.add("speed"));
        assert_eq!(
            (own.supports("seed"), own.supports("tools")),
            (Some(true), Some(false))
        );
    }

    #[test]
    fn modalities_have_names_and_letters() {
        let mut modalities = Modalities::of_letters("tv");
        assert!(modalities.add("image") && !modalities.add("pdf"));
        let names: Vec<_> = modalities.names().collect();
        assert_eq!(names, ["text", "image", "video"]);
        assert!(modalities.contains("video") && !modalities.contains("audio"));
    }
}
