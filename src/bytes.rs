//! Numbers of fixed length, one after the other: how a record stands in shared data.

/// Writes numbers, little-endian.
#[derive(Debug, Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    /// The lowest `length` bytes of a number.
    pub(crate) fn number(&mut self, number: u64, length: usize) {
        self.0.extend(number.to_le_bytes().into_iter().take(length));
    }
}

/// Reads what [`Writer`] wrote. What is missing counts as zero.
#[derive(Debug)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl Reader<'_> {
    /// The next number of this many bytes.
    pub(crate) fn number(&mut self, length: usize) -> u64 {
        let (head, rest) = self.0.split_at_checked(length).unwrap_or((self.0, &[]));
        self.0 = rest;
        head.iter()
            .rev()
            .fold(0, |number, &byte| (number << 8) | u64::from(byte))
    }

    pub(crate) fn u8(&mut self) -> u8 {
        u8::try_from(self.number(1)).unwrap_or(u8::MAX)
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::try_from(self.number(2)).unwrap_or(u16::MAX)
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::try_from(self.number(4)).unwrap_or(u32::MAX)
    }

    /// A time; six bytes hold milliseconds until the year 10889.
    pub(crate) fn time(&mut self) -> u64 {
        self.number(TIME)
    }
}

/// The length of a time, in bytes.
pub(crate) const TIME: usize = 6;
