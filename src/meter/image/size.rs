//! How large an image in a `data:` URL is, by the few bytes of its header: PNG, JPEG, GIF and WebP.
//!
//! An image may be tens of megabytes of base64. Only the groups that hold what is looked for are decoded, wherever they
//! stand: what a JPEG has before its size (thumbnails, colour profiles) is stepped over.

use crate::base64;
use crate::chat::DataUrl;
use std::borrow::Cow;

/// The segments of a JPEG that are stepped over before its size is given up. Cameras write some ten.
const SEGMENTS: usize = 64;
/// So much of a URL shows whether its slashes are escaped: its media type has one.
const HEAD: usize = 64;
/// So much of a URL whose slashes are escaped is copied without the escapes: a size beyond it is not found.
const COPIED: usize = 64 << 10;

/// Pixels; neither is ever 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) width: u64,
    pub(super) height: u64,
}

impl Size {
    fn new(width: impl Into<u64>, height: impl Into<u64>) -> Option<Self> {
        let (width, height) = (width.into(), height.into());
        (width > 0 && height > 0).then_some(Self { width, height })
    }

    /// The size of the image in a URL, which may stand as JSON has it, with `\/` for a slash. `None` for the URL of
    /// somewhere else, and for what is none of the four formats.
    pub(super) fn of_url(url: &str) -> Option<Self> {
        let is_escaped = url.bytes().take(HEAD).any(|byte| byte == b'\\');
        let url = if is_escaped {
            let copied = url.chars().take(COPIED).filter(|char| *char != '\\');
            Cow::Owned(copied.collect())
        } else {
            Cow::Borrowed(url)
        };
        Data(DataUrl::parse(&url)?.base64).size()
    }
}

/// The bytes of a file that is written in base64.
struct Data<'a>(&'a str);

impl Data<'_> {
    /// `N` bytes at a place.
    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        let start = (at / 3).checked_mul(4)?;
        let end = start.checked_add((at % 3 + N).div_ceil(3) * 4)?;
        let groups = base64::decode(self.0.get(start..end.min(self.0.len()))?)?;
        groups.get(at % 3..)?.first_chunk().copied()
    }

    fn size(&self) -> Option<Size> {
        match self.bytes(0)? {
            [0x89, b'P', b'N', b'G'] => self.png(),
            [0xff, 0xd8, 0xff, _] => self.jpeg(),
            [b'G', b'I', b'F', b'8'] => self.gif(),
            [b'R', b'I', b'F', b'F'] => self.webp(),
            _ => None,
        }
    }

    /// <https://www.w3.org/TR/png-3/#11IHDR>: the first chunk.
    fn png(&self) -> Option<Size> {
        if self.bytes(12)? != *b"IHDR" {
            return None;
        }
        Size::new(
            u32::from_be_bytes(self.bytes(16)?),
            u32::from_be_bytes(self.bytes(20)?),
        )
    }

    /// <https://www.w3.org/Graphics/GIF/spec-gif89a.txt>, 18: the logical screen.
    fn gif(&self) -> Option<Size> {
        Size::new(
            u16::from_le_bytes(self.bytes(6)?),
            u16::from_le_bytes(self.bytes(8)?),
        )
    }

    /// <https://www.w3.org/Graphics/JPEG/itu-t81.pdf>, B.2.2: the header of the frame, after any other segments.
    fn jpeg(&self) -> Option<Size> {
        let mut at = 2_usize;
        for _ in 0..SEGMENTS {
            match self.bytes(at)? {
                // Any number of these may stand before a marker.
                [0xff, 0xff] => at = at.checked_add(1)?,
                // Of these one is no frame but the Huffman tables, one reserved, and one the arithmetic conditioning.
                [0xff, marker @ 0xc0..=0xcf] if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                    let height = u16::from_be_bytes(self.bytes(at.checked_add(5)?)?);
                    let width = u16::from_be_bytes(self.bytes(at.checked_add(7)?)?);
                    return Size::new(width, height);
                }
                // The image's data begin, or it ends.
                [0xff, 0xd8..=0xda] => return None,
                [0xff, _] => {
                    let length = u16::from_be_bytes(self.bytes(at.checked_add(2)?)?);
                    at = at.checked_add(2)?.checked_add(usize::from(length))?;
                }
                _ => return None,
            }
        }
        None
    }

    /// <https://www.rfc-editor.org/rfc/rfc9649>, 2.5 to 2.7, <https://www.rfc-editor.org/rfc/rfc6386>, 9.1: the first chunk.
    fn webp(&self) -> Option<Size> {
        if self.bytes(8)? != *b"WEBP" {
            return None;
        }
        match &self.bytes(12)? {
            b"VP8 " => {
                let [0x9d, 0x01, 0x2a] = self.bytes(23)? else {
                    return None;
                };
                let side = |bytes| u16::from_le_bytes(bytes) & 0x3fff;
                Size::new(side(self.bytes(26)?), side(self.bytes(28)?))
            }
            b"VP8L" => {
                let [0x2f] = self.bytes(20)? else {
                    return None;
                };
                let bits = u32::from_le_bytes(self.bytes(21)?);
                Size::new((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1)
            }
            b"VP8X" => {
                let side = |[low, middle, high]: [u8; 3]| u32::from_le_bytes([low, middle, high, 0]) + 1;
                Size::new(side(self.bytes(24)?), side(self.bytes(27)?))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
pub(in crate::meter) mod tests {
    use super::*;
    use crate::test;

    /// A PNG of this size as a URL, as far as its size goes.
    pub(in crate::meter) fn png(width: u32, height: u32) -> String {
        url(&png_bytes(width, height))
    }

    fn png_bytes(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes.extend(b"\x08\x02\0\0\0");
        bytes
    }

    fn url(bytes: &[u8]) -> String {
        format!("data:image/png;base64,{}", base64::encode(bytes))
    }

    /// A JPEG of 640×480 with `segments` of `length` bytes before the header of its frame.
    fn jpeg(segments: usize, length: u16) -> Vec<u8> {
        let mut bytes = b"\xff\xd8".to_vec();
        for _ in 0..segments {
            bytes.extend(b"\xff\xe1");
            bytes.extend((length + 2).to_be_bytes());
            bytes.extend(vec![0xc0; usize::from(length)]);
        }
        bytes.extend(b"\xff\xff\xc4\0\x03\0\xff\xc2\0\x11\x08\x01\xe0\x02\x80\x03\x01\x22\0");
        bytes
    }

    fn headers() -> Vec<(Vec<u8>, (u64, u64))> {
        let webp = |chunk: &[u8]| [b"RIFF\x24\0\0\0WEBP", chunk].concat();
        vec![
            (png_bytes(1_024, 768), (1_024, 768)),
            (png_bytes(u32::MAX, 1), (4_294_967_295, 1)),
            (b"GIF89a\x40\x01\xf0\0\xf7\0\0".to_vec(), (320, 240)),
            (b"GIF87a\x01\0\x02\0\0\0\0".to_vec(), (1, 2)),
            (jpeg(0, 0), (640, 480)),
            (jpeg(3, 65_000), (640, 480)),
            // Scaling bits above the 14 of a side are none of it.
            (
                webp(b"VP8 \x18\0\0\0\x30\x01\0\x9d\x01\x2a\x80\x42\xe0\xc1"),
                (640, 480),
            ),
            // 639 and 479 in 14 bits each.
            (webp(b"VP8L\x18\0\0\0\x2f\x7f\xc2\x77\x10"), (640, 480)),
            (webp(b"VP8X\x0a\0\0\0\x10\0\0\0\x7f\x02\0\xdf\x01\0"), (640, 480)),
        ]
    }

    fn sides(url: &str) -> Option<(u64, u64)> {
        Size::of_url(url).map(|size| (size.width, size.height))
    }

    #[test]
    fn every_format_says_its_size() {
        for (bytes, size) in headers() {
            assert_eq!(sides(&url(&bytes)), Some(size), "{bytes:x?}");
            let escaped = url(&bytes).replace('/', "\\/");
            let is_short = bytes.len() < COPIED / 2;
            assert_eq!(sides(&escaped), is_short.then_some(size), "{escaped:.80}");
            // The media type is the caller's word; the bytes are right.
            let other = url(&bytes).replace("image/png", "image/jpeg;charset=x");
            assert_eq!(sides(&other), Some(size));
        }
    }

    #[test]
    fn a_header_that_is_cut_says_nothing_or_the_size() {
        for (bytes, size) in headers() {
            for length in (0..bytes.len()).rev().take(64) {
                let found = sides(&url(&bytes[..length]));
                assert!(found.is_none_or(|found| found == size), "{length} of {bytes:x?}");
            }
            assert_eq!(sides(&url(&bytes[..9])), None);
        }
    }

    #[test]
    fn what_has_no_size_has_none() {
        for bytes in [
            &b""[..],
            b"%PDF-1.7 is no image at all",
            b"\x89PNG\r\n\x1a\n\0\0\0\x04CgBI\x50\0\x20\x02\0\0\0\0",
            b"\xff\xd8\xff\xda\0\x0c\x03\x01\0\x02\0\x03\0\0\0\0",
            b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\0\0\0\0\0\0\0\0",
            b"GIF89a\0\0\x01\0\0\0\0",
        ] {
            assert_eq!(sides(&url(bytes)), None, "{bytes:x?}");
        }
        assert_eq!(sides(&url(&png_bytes(0, 5))), None);
        assert_eq!(sides(&url(&jpeg(SEGMENTS, 0))), None);
        for url in [
            "https://example.com/a.png",
            "data:",
            "data:image/png,plain",
            "data:image/png;base64,é€",
            "data:image/png;base64,iVBORw0KGgo\n",
        ] {
            assert_eq!(sides(url), None, "{url}");
        }
    }

    #[cfg(not(target_arch = "wasm32"))]
    mod properties {
        use super::*;
        use proptest::prelude::*;

        proptest! {
            #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

            #[test]
            fn no_bytes_are_too_much(
                start in proptest::sample::select(headers()),
                kept in 0_usize..40,
                rest in proptest::collection::vec(any::<u8>(), 0..80),
            ) {
                let kept = start.0.iter().take(kept).copied();
                let bytes: Vec<u8> = kept.chain(rest).collect();
                let found = Size::of_url(&url(&bytes));
                prop_assert!(found.is_none_or(|size| size.width > 0 && size.height > 0));
            }

            #[test]
            fn no_url_is_too_much(head in "(data:)?(image\\\\?/png)?(;base64)?,?", rest in ".{0,60}") {
                let found = Size::of_url(&format!("{head}{rest}"));
                prop_assert!(found.is_none_or(|size| size.width > 0 && size.height > 0));
            }
        }
    }
}
