//! Who serves Gemini's API, and what each of them does in another way.

/// One who serves the API.
#[derive(Debug)]
pub(super) struct Host {
    /// The dialect's name.
    pub(super) name: &'static str,
    /// What stands before the model in the path, if the model's id does not say it.
    pub(super) models: &'static str,
    /// How ids begin that say it.
    pub(super) paths: &'static [&'static str],
    /// Whether the type of what is somewhere else must be told.
    pub(super) wants_types: bool,
}

/// Google AI Studio.
pub(super) static STUDIO: Host = Host {
    name: super::NAME,
    models: "models/",
    paths: &["models/", "tunedModels/"],
    wants_types: false,
};

/// Vertex: <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference>. A tuned model is an
/// endpoint of the project.
pub(super) static VERTEX: Host = Host {
    name: "gemini-vertex",
    models: "publishers/google/models/",
    paths: &["publishers/google/models/", "endpoints/"],
    wants_types: true,
};
