//! The newest model of a family: `~anthropic/claude-sonnet-latest`.
//! <https://openrouter.ai/docs/guides/routing/model-variants>
//!
//! No public package that the catalogue is made from tells when a model was released, so the versions in the names
//! decide. A name is read word by word:
//!
//! ```text
//! claude-sonnet-4.5            claude-sonnet             4.5
//! claude-3.7-sonnet            claude-sonnet             3.7
//! gemini-3.1-pro-preview       gemini-pro                3.1, not final
//! gpt-4o-mini-2024-07-18       gpt-o-mini                4, of 20240718
//! kimi-k2.5                    kimi                      2.5
//! qwen3-235b-a22b-2507         qwen-235b-a22b            3, of 2507
//! ```
//!
//! The higher version is the newer one; of one version the final one, then the later snapshot, then the shorter name.

use crate::config::Model;
use std::cmp::Reverse;

/// Words that say that a model is not final.
const NOT_FINAL: &[&str] = &["alpha", "beta", "exp", "experimental", "preview"];

/// What a name says about the age of a model, the newer the greater.
type Age<'n> = (Vec<u32>, bool, u64, Reverse<usize>, Reverse<&'n str>);

/// The author and the family that a name asks for, if it has the form `~author/family-latest`.
fn asked(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix('~')?.strip_suffix("-latest")?.split_once('/')
}

/// The newest of the models, which are sorted by name, that a name of the form `~author/family-latest` means.
pub fn newest(models: &[Model], name: &str) -> Option<usize> {
    let (author, wanted) = asked(name)?;
    let ages = models.iter().enumerate().filter_map(|(at, model)| {
        let (own, slug) = model.name.split_once('/')?;
        if own != author || model.endpoints.is_empty() || slug.contains(':') {
            return None;
        }
        let (family, age) = read(slug);
        (family == wanted).then_some((age, at))
    });
    ages.max().map(|(_, at)| at)
}

/// The family of a model, and its age.
fn read(slug: &str) -> (String, Age<'_>) {
    let mut words: Vec<&str> = Vec::new();
    let (mut version, mut is_final, mut snapshot) = (Vec::new(), true, String::new());
    for (at, word) in slug.split('-').enumerate() {
        let digits = word.bytes().all(|byte| byte.is_ascii_digit());
        if NOT_FINAL.contains(&word) {
            is_final = false;
        } else if digits && (word.len() >= 4 || (word.len() == 2 && (!is_final || !snapshot.is_empty()))) {
            // `20250929`, `2507`, `0324`, and the month and day of `2024-07-18` and `preview-05-06`.
            snapshot.push_str(word);
        } else if is_size(word) {
            words.push(word);
        } else if let Some(begin) = word.find(|c: char| c.is_ascii_digit()) {
            let (before, number) = word.split_at_checked(begin).unwrap_or((word, ""));
            let end = number.find(|c: char| !(c.is_ascii_digit() || c == '.'));
            let (number, after) = number
                .split_at_checked(end.unwrap_or(number.len()))
                .unwrap_or_default();
            version.extend(number.split('.').filter_map(|part| part.parse::<u32>().ok()));
            // `v3`, `k2`: the letter belongs to the version. `qwen3`, `o3`: it is the name.
            if at == 0 || before.len() > 1 {
                words.push(before);
            }
            // `4o`, `4.5v`: others than `4` and `4.5`.
            if !after.is_empty() {
                words.push(after);
            }
        } else if word != "latest" {
            words.push(word);
        }
    }
    // What is no number has too many digits to be a day.
    let snapshot = snapshot.parse().unwrap_or(0);
    let age = (version, is_final, snapshot, Reverse(slug.len()), Reverse(slug));
    (words.join("-"), age)
}

/// Whether a word is a size (`70b`, `a22b`, `8x7b`, `270m`, `32k`): models of other sizes are other families.
fn is_size(word: &str) -> bool {
    let number = word.strip_suffix(['b', 'm', 'k']).unwrap_or_default();
    let number = number.strip_prefix('a').unwrap_or(number);
    let part =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    number.split('x').all(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::load;
    use crate::test;

    #[test]
    fn a_name_is_a_family_and_a_version() {
        for (slug, family, version) in [
            ("claude-sonnet-4.5", "claude-sonnet", &[4, 5][..]),
            ("claude-3.7-sonnet", "claude-sonnet", &[3, 7]),
            ("claude-3-5-haiku", "claude-haiku", &[3, 5]),
            ("gemini-2.5-pro-preview-05-06", "gemini-pro", &[2, 5]),
            (
                "gemini-2.5-flash-lite-preview-09-2025",
                "gemini-flash-lite",
                &[2, 5],
            ),
            ("gpt-4o-mini-2024-07-18", "gpt-o-mini", &[4]),
            ("gpt-oss-120b", "gpt-oss-120b", &[]),
            ("o3-mini", "o-mini", &[3]),
            ("kimi-k2.5", "kimi", &[2, 5]),
            ("deepseek-v3.2-exp", "deepseek", &[3, 2]),
            ("qwen3-235b-a22b-2507", "qwen-235b-a22b", &[3]),
            ("mixtral-8x7b-instruct", "mixtral-8x7b-instruct", &[]),
            ("glm-4.5v", "glm-v", &[4, 5]),
        ] {
            let (read, (read_version, ..)) = read(slug);
            assert_eq!((read.as_str(), &*read_version), (family, version), "{slug}");
        }
    }

    #[test]
    fn what_is_newer_is_greater() {
        for (older, newer) in [
            ("claude-3.7-sonnet", "claude-sonnet-4"),
            ("claude-opus-4.9", "claude-opus-4.10"),
            ("gpt-5", "gpt-5.1"),
            ("gemini-2.5-pro", "gemini-3-pro-preview"),
            ("gemini-3-pro-preview", "gemini-3-pro"),
            ("deepseek-v3", "deepseek-v3-0324"),
            ("mistral-large-2411", "mistral-large-2512"),
            ("kimi-k2-0905", "kimi-k2.5"),
        ] {
            let ((one, old), (other, new)) = (read(older), read(newer));
            assert_eq!(one, other);
            assert!(old < new, "{older} {newer}");
        }
    }

    /// Providers that serve what they make.
    const MAKERS: [&str; 7] = [
        "anthropic",
        "deepseek",
        "google-ai-studio",
        "mistral",
        "moonshotai",
        "openai",
        "z-ai",
    ];

    /// What the catalogue says that makers serve of their own.
    fn catalogue() -> Config {
        let providers: serde_json::Map<_, _> = MAKERS
            .into_iter()
            .map(|id| (id.to_owned(), serde_json::json!({})))
            .collect();
        load::config(&serde_json::json!({"providers": providers}), None).unwrap()
    }

    #[test]
    fn families_of_the_catalogue_have_a_newest_model() {
        let config = catalogue();
        for (name, expected) in [
            ("~anthropic/claude-sonnet-latest", "anthropic/claude-sonnet-5.5"),
            ("~anthropic/claude-opus-latest", "anthropic/claude-opus-5.5"),
            ("~anthropic/claude-haiku-latest", "anthropic/claude-haiku-5.5"),
            ("~openai/gpt-latest", "openai/gpt-5.6"),
            ("~openai/gpt-mini-latest", "openai/gpt-5.4-mini"),
            ("~google/gemini-flash-latest", "google/gemini-3.8-flash"),
            ("~google/gemini-flash-lite-latest", "google/gemini-3.5-flash-lite"),
            ("~google/gemini-pro-latest", "google/gemini-3.1-pro-preview"),
            ("~moonshotai/kimi-latest", "moonshotai/kimi-k3"),
            ("~mistralai/mistral-large-latest", "mistralai/mistral-large-4.0"),
            ("~deepseek/deepseek-pro-latest", "deepseek/deepseek-v4-pro"),
            ("~z-ai/glm-latest", "z-ai/glm-5.2"),
        ] {
            let found = newest(&config.models, name).map(|at| config.models[at].name.as_str());
            assert_eq!(found, Some(expected), "{name}");
        }
        for name in [
            "~openai/claude-sonnet-latest",
            "~anthropic/claude-latest",
            "openai/gpt-latest",
            "~",
            "~/-latest",
            "~openai/-latest",
        ] {
            assert_eq!(newest(&config.models, name), None, "{name}");
        }
    }
}
