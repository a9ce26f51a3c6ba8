//! A set of headers in the form of the proxy-wasm ABI: count, then the sizes of every name and value, then these, each ended
//! by a zero byte.

use crate::error::Error;

/// Headers as the host gives them. Values are bytes: a client may send any.
#[derive(Debug)]
pub(super) struct Headers(pub(super) Vec<u8>);

impl Headers {
    /// Every name and value, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let count = self.number(0).unwrap_or(0);
        let mut at = count.saturating_mul(8).saturating_add(4);
        (0..count).map_while(move |index| {
            let mut piece = |size: usize| {
                let piece = self.0.get(at..at.checked_add(size)?)?;
                at += size + 1;
                Some(piece)
            };
            let name = piece(self.number(index.checked_mul(8)?.checked_add(4)?)?)?;
            let value = piece(self.number(index.checked_mul(8)?.checked_add(8)?)?)?;
            Some((name, value))
        })
    }

    /// The first value of a header, if it is UTF-8. For what Envoy keeps to one value itself, and for answers of
    /// providers; of what else a caller sends, [`Self::only`].
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let (_, value) = self.iter().find(|(known, _)| *known == name.as_bytes())?;
        std::str::from_utf8(value).ok()
    }

    /// The one value of a caller's header. Of two values none is taken: another filter may have read the other one.
    ///
    /// # Errors
    /// If there is more than one value.
    pub(super) fn only(&self, name: &str) -> Result<Option<&[u8]>, Error> {
        let mut values = self.iter().filter(|(known, _)| *known == name.as_bytes());
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Error::invalid(format!(
                "the header {name} stands there more than once; send it once"
            ))),
            (value, None) => Ok(value.map(|(_, value)| value)),
        }
    }

    /// The one value of a caller's header, as text.
    ///
    /// # Errors
    /// If there is more than one value, or the value is not UTF-8.
    pub(super) fn only_text(&self, name: &str) -> Result<Option<&str>, Error> {
        let value = self.only(name)?.map(std::str::from_utf8).transpose();
        value.map_err(|_| Error::invalid(format!("the header {name} is no UTF-8; send it as text")))
    }

    fn number(&self, at: usize) -> Option<usize> {
        let digits = self.0.get(at..at.checked_add(4)?)?;
        u32::from_le_bytes(digits.try_into().ok()?).try_into().ok()
    }
}

/// Headers as the host takes them.
pub(super) fn to_bytes(headers: &[(String, String)]) -> Vec<u8> {
    let length = |text: &str| u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = Vec::with_capacity(512);
    bytes.extend_from_slice(&u32::try_from(headers.len()).unwrap_or(0).to_le_bytes());
    for (name, value) in headers {
        bytes.extend_from_slice(&length(name));
        bytes.extend_from_slice(&length(value));
    }
    for text in headers.iter().flat_map(|(name, value)| [name, value]) {
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(0);
    }
    bytes
}
