//! Images, documents, film and sound as Bedrock takes them: whole in base64, or in S3, with a format instead of a media
//! type, and documents under names of a small alphabet.

use crate::chat::DataUrl;
use crate::error::quoted;
use crate::json::{self, Members};
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
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

/// The formats of film: <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_VideoBlock.html>.
static VIDEOS: &[(&str, &str)] = &[
    ("video/3gpp", "three_gp"),
    ("video/mp4", "mp4"),
    ("video/mpeg", "mpeg"),
    ("video/quicktime", "mov"),
    ("video/webm", "webm"),
    ("video/x-flv", "flv"),
    ("video/x-matroska", "mkv"),
    ("video/x-ms-wmv", "wmv"),
];

/// The formats of sound that callers name too:
/// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_AudioBlock.html>.
static SOUNDS: &[&str] = &["aac", "flac", "m4a", "mp3", "ogg", "opus", "wav"];

/// An image, a film or a sound.
#[derive(Debug, Serialize)]
pub(super) struct Medium<'a> {
    format: &'static str,
    source: Source<'a>,
}

/// A film or a sound.
#[derive(Debug)]
pub(super) enum Moving<'a> {
    Video(Medium<'a>),
    Audio(Medium<'a>),
}

/// A document.
#[derive(Debug, Serialize)]
pub(super) struct Document<'a> {
    format: &'static str,
    name: String,
    source: Source<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Source<'a> {
    Bytes(#[serde(serialize_with = "json::long")] Cow<'a, str>),
    S3Location(S3<'a>),
}

#[derive(Debug, Serialize)]
struct S3<'a> {
    uri: Cow<'a, str>,
}

/// The names that documents of a request have: Bedrock refuses two alike.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeSet<String>);

/// The image at `url`. An error names what cannot be carried.
pub(super) fn image(url: &str) -> Result<Medium<'_>, String> {
    let (format, source) = source(url.into(), IMAGES, "image")?;
    Ok(Medium { format, source })
}

/// What a part of a kind of its own holds: sound (`input_audio`) or film (`video_url`). `None`: neither of them.
pub(super) fn other<'a>(kind: &str, raw: &'a RawValue) -> Option<Result<Moving<'a>, String>> {
    let inside = Members::of(raw).get(kind).map(Members::of).unwrap_or_default();
    match kind {
        "input_audio" => Some(sound(&inside).map(Moving::Audio)),
        "video_url" => {
            let url = inside.text("url").unwrap_or_default();
            let video = source(url.0, VIDEOS, "video").map(|(format, source)| Medium { format, source });
            Some(video.map(Moving::Video))
        }
        _ => None,
    }
}

fn sound<'a>(inside: &Members<'a>) -> Result<Medium<'a>, String> {
    let format = inside.text("format").unwrap_or_default();
    let known = SOUNDS.iter().copied().find(|known| *known == &*format);
    match (known, inside.text("data")) {
        (Some(format), Some(data)) => Ok(Medium {
            format,
            source: Source::Bytes(data.0),
        }),
        (Some(_), None) => Err("input_audio without data".to_owned()),
        (None, _) => Err(format!("input_audio of format {}", quoted(&format))),
    }
}

/// The image that was sent as a file; `None` when the file is none.
pub(super) fn image_in_file(data: &str) -> Option<Result<Medium<'_>, String>> {
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
    let (format, source) = source(url.into(), DOCUMENTS, "file")?;
    Ok(Document {
        format,
        name: names.give(name.unwrap_or("")),
        source,
    })
}

/// Where the data is: in the URL, or in S3, which is the only place that Bedrock loads from.
fn source<'a>(
    url: Cow<'a, str>,
    formats: &[(&str, &'static str)],
    what: &str,
) -> Result<(&'static str, Source<'a>), String> {
    if url.starts_with("s3://") {
        let ending = url.rsplit_once('.').map_or("", |(_, ending)| ending);
        let known = formats.iter().find(|(_, format)| *format == ending);
        let (_, format) =
            known.ok_or_else(|| format!("the {what} at {}, whose format is not known", quoted(&url)))?;
        return Ok((format, Source::S3Location(S3 { uri: url })));
    }
    let Some(DataUrl { media_type, .. }) = DataUrl::parse(&url) else {
        return Err(format!(
            "the {what} at {}, because Bedrock loads nothing but from S3; send it as a base64 data: URL",
            quoted(&url)
        ));
    };
    let Some((_, format)) = formats.iter().find(|(known, _)| *known == media_type) else {
        return Err(format!(
            "{} {what} of type {}",
            if what == "image" { "an" } else { "a" },
            quoted(media_type)
        ));
    };
    // A part of a borrowed URL is borrowed too: it is long.
    let bytes = match url {
        Cow::Borrowed(url) => DataUrl::parse(url).map(|url| Cow::Borrowed(url.base64)),
        Cow::Owned(url) => DataUrl::parse(&url).map(|url| Cow::Owned(url.base64.to_owned())),
    };
    Ok((format, Source::Bytes(bytes.unwrap_or_default())))
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
        assert!(
            image("s3://bucket/a")
                .unwrap_err()
                .contains("whose format is not known")
        );
        assert_eq!(
            image("data:image/tiff;base64,QQ==").unwrap_err(),
            "an image of type \"image/tiff\""
        );
        assert_eq!(image("data:image/jpg;base64,QQ==").unwrap().format, "jpeg");
        assert!(image_in_file("data:application/pdf;base64,QQ==").is_none());
    }
}
