//! Vectors: what every simulated model makes of a text, whatever the provider.

use crate::seed::fnv;

/// How long a vector is when nobody says.
pub(crate) const DIMENSIONS: usize = 8;

/// What is to be embedded, and how.
#[derive(Debug, Clone, Default)]
pub(crate) struct Embed {
    /// The texts, or what stands for something else.
    pub(crate) inputs: Vec<String>,
    pub(crate) dimensions: usize,
    /// Gemini: the answer is a list, also of one.
    pub(crate) batch: bool,
    /// OpenAI: the vectors are wanted in base64.
    pub(crate) base64: bool,
}

impl Embed {
    /// The vectors; none where the model is to say nothing.
    pub(crate) fn vectors(&self, empty: bool) -> Vec<Vec<f32>> {
        let inputs = self.inputs.iter().filter(|_| !empty);
        inputs.map(|input| vector(input, self.dimensions)).collect()
    }
}

/// The vector of a text: numbers that every way of writing them keeps exactly.
fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    (0..dimensions)
        .map(|at| {
            let seed = fnv(format!("{at}/{text}").as_bytes());
            let step = i16::try_from((seed >> 20) % 2_049).unwrap_or_default() - 1_024;
            f32::from(step) / 1_024.0
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_depends_on_its_text_alone() {
        let embed = Embed {
            inputs: vec!["a".to_owned(), "b".to_owned(), "a".to_owned()],
            dimensions: 3,
            ..Embed::default()
        };
        let vectors = embed.vectors(false);
        assert_eq!(vectors[0], vectors[2]);
        assert_ne!(vectors[0], vectors[1]);
        assert!(vectors[0].len() == 3 && vectors.iter().flatten().all(|number| number.abs() <= 1.0));
        assert!(embed.vectors(true).is_empty());
    }
}
