//! Images and documents as Bedrock takes them: whole, in base64, with a format instead of a media type, and documents
//! under names of a small alphabet.

use crate::chat::DataUrl;
use crate::error::quoted;
use crate::json;
use serde::Serialize;
use std::collections::BTreeSet;

/// The longest name that Bedrock takes.
const MAX_NAME: usize = 200;

/// The formats of documents: <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_DocumentBlock.html>.
static DOCUMENTS: &[(&str, &str)] = &[
    ("application/msword", "doc"),
    ("application/pdf", "pdf"),
    ("application/vnd.ms-excel", "xls"),
    (
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "xlsx",
    ),
    (
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "docx",
    ),
    ("text/csv", "csv"),
    ("text/html", "html"),
    ("text/markdown", "md"),
    ("text/plain", "txt"),
];

/// The formats of images.
static IMAGES: &[(&str, &str)] = &[
    ("image/gif", "gif"),
    ("image/jpeg", "jpeg"),
    ("image/jpg", "jpeg"),
    ("image/png", "png"),
    ("image/webp", "webp"),
];

/// An image.
#[derive(Debug, Serialize)]
pub(super) struct Image<'a> {
    format: &'static str,
    source: Source<'a>,
}

/// A document.
#[derive(Debug, Serialize)]
pub(super) struct Document<'a> {
    format: &'static str,
    name: String,
    source: Source<'a>,
}

#[derive(Debug, Serialize)]
struct Source<'a> {
    #[serde(serialize_with = "json::long")]
    bytes: &'a str,
}

/// The names that documents of a request have: Bedrock refuses two alike.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeSet<String>);

/// The image at `url`. An error names what cannot be carried.
pub(super) fn image(url: &str) -> Result<Image<'_>, String> {
    let (format, bytes) = inline(url, IMAGES, "image")?;
    Ok(Image {
        format,
        source: Source { bytes },
    })
}

/// The image that was sent as a file; `None` when the file is none.
pub(super) fn image_in_file(data: &str) -> Option<Result<Image<'_>, String>> {
    DataUrl::parse(data)
        .filter(|data| data.media_type.starts_with("image/"))
        .map(|_| image(data))
}

/// The document at `url`. An error names what cannot be carried.
pub(super) fn document<'a>(
    url: &'a str,
    name: Option<&str>,
    names: &mut Names,
) -> Result<Document<'a>, String> {
    let (format, bytes) = inline(url, DOCUMENTS, "file")?;
    Ok(Document {
        format,
        name: names.give(name.unwrap_or("")),
        source: Source { bytes },
    })
}

fn inline<'a>(
    url: &'a str,
    formats: &[(&str, &'static str)],
    what: &str,
) -> Result<(&'static str, &'a str), String> {
    let Some(DataUrl { media_type, base64 }) = DataUrl::parse(url) else {
        return Err(format!(
            "the {what} at {}, because Bedrock loads nothing; send it as a base64 data: URL",
            quoted(url)
        ));
    };
    match formats.iter().find(|(known, _)| *known == media_type) {
        Some((_, format)) => Ok((format, base64)),
        None => Err(format!(
            "{} of type {}",
            if what == "image" { "an image" } else { "a file" },
            quoted(media_type)
        )),
    }
}

impl Names {
    /// A name that Bedrock takes, made of a file's: letters and digits of ASCII, single spaces, `-`, `(`, `)`, `[`, `]`.
    fn give(&mut self, file: &str) -> String {
        let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
        let mut name = String::with_capacity(stem.len());
        for char in stem.chars() {
            match char {
                _ if name.len() >= MAX_NAME - 10 => break,
                'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '(' | ')' | '[' | ']' => name.push(char),
                _ if char.is_whitespace() && (name.is_empty() || name.ends_with(' ')) => {}
                _ if char.is_whitespace() => name.push(' '),
                _ => name.push('-'),
            }
        }
        let name = name.trim_end();
        let name = if name.is_empty() { "document" } else { name };
        let mut given = name.to_owned();
        let mut copy = 1_u32;
        while !self.0.insert(given.clone()) {
            copy = copy.saturating_add(1);
            given = format!("{name} ({copy})");
        }
        given
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn names_are_made_allowed_and_unique() {
        let mut names = Names::default();
        assert_eq!(names.give("Report -  Final.v2.pdf"), "Report - Final-v2");
        assert_eq!(names.give("résumé\t#1"), "r-sum- -1");
        assert_eq!(names.give(""), "document");
        assert_eq!(names.give("."), "document (2)");
        assert_eq!(names.give("分"), "-");
        assert!(names.give(&"x".repeat(500)).len() <= MAX_NAME);
    }

    #[test]
    fn what_bedrock_cannot_load_is_refused() {
        assert!(
            image("https://example.com/a.png")
                .unwrap_err()
                .contains("send it as a base64 data: URL")
        );
        assert_eq!(
            image("data:image/tiff;base64,QQ==").unwrap_err(),
            "an image of type \"image/tiff\""
        );
        assert_eq!(image("data:image/jpg;base64,QQ==").unwrap().format, "jpeg");
        assert!(image_in_file("data:application/pdf;base64,QQ==").is_none());
    }
}
