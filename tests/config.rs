//! What is wrong with a configuration: every problem at once, each with its path.

#[cfg(test)]
#[path = "config/callers.rs"]
mod callers;
#[cfg(test)]
#[path = "config/meaning.rs"]
mod meaning;
#[cfg(test)]
#[path = "config/models.rs"]
mod models;
#[cfg(test)]
#[path = "config/providers.rs"]
mod providers;
#[cfg(test)]
#[path = "config/sections.rs"]
mod sections;

#[cfg(test)]
mod table {
    use crate::{callers, models, providers, sections};
    use crosspoint::load;
    use serde_json::Value;

    /// The part of a configuration in which a row is wrong.
    #[derive(Clone)]
    pub(crate) enum Row {
        /// The whole file.
        Whole(&'static str),
        /// Members beside sound `providers` and `models`.
        Beside(&'static str),
        /// The provider `openai`.
        Provider(&'static str),
        /// Further providers beside a sound one.
        Providers(&'static str),
        /// An endpoint of a model.
        Endpoint(&'static str),
    }
    use Row::{Beside, Endpoint, Provider, Providers, Whole};

    impl Row {
        fn text(&self) -> String {
            match self {
                Whole(text) => (*text).to_owned(),
                Beside(text) => format!("{PROVIDERS}\n{MODELS}\n{text}"),
                Provider(text) => format!("providers: {{ openai: {text} }}\n{MODELS}"),
                Providers(text) => format!("{PROVIDERS}\n  {text}\n{MODELS}"),
                Endpoint(text) => format!("{PROVIDERS}\nmodels: {{ a/b: {{ endpoints: [{text}] }} }}"),
            }
        }
    }

    pub(crate) const PROVIDERS: &str = "providers:\n  openai: {}";
    pub(crate) const MODELS: &str = "models: { a/b: { endpoints: [{ provider: openai }] } }";

    /// Every dialect, as messages list them.
    pub(crate) fn dialects() -> String {
        let names: Vec<_> = crosspoint::dialect::DIALECTS
            .iter()
            .map(|dialect| dialect.name())
            .collect();
        names.join(", ")
    }

    pub(crate) fn problems(text: &str) -> Vec<String> {
        let value: Value = serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}:\n{text}"));
        let env = |name: &str| match name {
            "SET" => Some(" sk-1 \n".to_owned()),
            "BLANK" => Some("  ".to_owned()),
            "ODD" => Some("sk-é".to_owned()),
            "USER" => Some("{\"type\": \"authorized_user\"}".to_owned()),
            _ => None,
        };
        match load::config(&value, Some(&env)) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(ToString::to_string).collect(),
        }
    }

    /// A configuration, and the problems that it has.
    pub(crate) fn row(row: Row, expected: &[&str]) -> (Row, Vec<String>) {
        (row, expected.iter().map(|text| (*text).to_owned()).collect())
    }

    fn rows() -> Vec<(Row, Vec<String>)> {
        [
            providers::rows(),
            models::rows(),
            callers::rows(),
            sections::rows(),
        ]
        .concat()
    }

    #[test]
    fn every_problem_is_told_at_once_with_its_path() {
        let rows = rows();
        assert!(rows.len() >= 35);
        let mut wrong = Vec::new();
        for (row, mut expected) in rows {
            let text = row.text();
            let mut found = problems(&text);
            found.sort();
            expected.sort();
            if found != expected {
                wrong.push(format!("{text:.400}\n  {}", found.join("\n  ")));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    }

    /// The messages that the source holds, each by the longest piece between its placeholders.
    fn messages_of(source: &str) -> Vec<String> {
        let calls = source.split("problem(").skip(1);
        calls
            .filter_map(|call| {
                let call = call.trim_start();
                let literal = call.strip_prefix("format!(").unwrap_or(call).trim_start();
                let literal = literal.strip_prefix('"')?.replace("\\\"", "\u{1}");
                let literal = literal.split('"').next()?.replace('\u{1}', "\"");
                literal
                    .split(['{', '}'])
                    .step_by(2)
                    .max_by_key(|piece| piece.len())
                    .map(ToOwned::to_owned)
            })
            .collect()
    }

    #[test]
    fn no_message_is_without_its_row() {
        let expected: Vec<String> = rows().into_iter().flat_map(|(_, expected)| expected).collect();
        let readers = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/load")).unwrap();
        let messages: Vec<String> = readers
            .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
            .flat_map(|source| messages_of(&source))
            .collect();
        assert!(messages.len() >= 25, "{messages:?}");
        for message in messages {
            assert!(
                expected.iter().any(|expected| expected.contains(&message)),
                "no row expects {message:?}"
            );
        }
    }

    #[test]
    fn a_secret_is_never_shown() {
        let text = format!("providers: {{ openai: {{ key: {{ env: ODD }} }} }}\n{MODELS}");
        assert!(!problems(&text).concat().contains("sk-"));
        let text = format!("providers: {{ openai: {{ key: {{ env: SET }} }} }}\n{MODELS}");
        let value: Value = serde_saphyr::from_str(&text).unwrap();
        let config = load::config(&value, Some(&|_| Some("sk-secret".to_owned()))).unwrap();
        assert!(!format!("{config:?}").contains("sk-secret"));
    }
}
