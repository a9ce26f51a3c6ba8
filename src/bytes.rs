//! Numbers of fixed length, one after the other: how a record stands in shared data.

/// Writes numbers, little-endian.
#[derive(Debug, Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    /// The lowest `length` bytes of a number.
    pub(crate) fn number(&mut self, number: u64, length: usize) {
        let bytes = number.to_le_bytes();
        self.0.extend_from_slice(bytes.get(..length).unwrap_or(&bytes));
    }

    pub(crate) fn u16(&mut self, number: u16) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }
}

/// Reads what [`Writer`] wrote. What is missing counts as zero.
#[derive(Debug)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl Reader<'_> {
    /// The next bytes. Of a known number of them a number is made in a few instructions, and a record has hundreds.
    fn take<const N: usize>(&mut self) -> [u8; N] {
        if let Some((head, rest)) = self.0.split_first_chunk() {
            self.0 = rest;
            return *head;
        }
        let mut padded = [0; N];
        for (to, from) in padded.iter_mut().zip(std::mem::take(&mut self.0)) {
            *to = *from;
        }
        padded
    }

    /// The next number of this many bytes.
    pub(crate) fn number(&mut self, length: usize) -> u64 {
        let (head, rest) = self.0.split_at_checked(length).unwrap_or((self.0, &[]));
        self.0 = rest;
        head.iter()
            .rev()
            .fold(0, |number, &byte| (number << 8) | u64::from(byte))
    }

    pub(crate) fn u8(&mut self) -> u8 {
        let [byte] = self.take();
        byte
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.take())
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    /// A time; six bytes hold milliseconds until the year 10889.
    pub(crate) fn time(&mut self) -> u64 {
        let [a, b, c, d, e, f] = self.take();
        u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
    }
}

/// The length of a time, in bytes.
pub(crate) const TIME: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn numbers_are_read_as_they_were_written_and_what_is_missing_is_zero() {
        let mut writer = Writer::default();
        writer.number(7, 1);
        writer.u16(0x1234);
        writer.number(0x89ab_cdef, 4);
        writer.number(0x1234_5678_9abc, TIME);
        writer.number(u64::MAX, 9);
        assert_eq!(writer.0.len(), 1 + 2 + 4 + TIME + 8);
        let mut reader = Reader(&writer.0);
        assert_eq!(
            (reader.u8(), reader.u16(), reader.u32()),
            (7, 0x1234, 0x89ab_cdef)
        );
        assert_eq!((reader.time(), reader.number(8)), (0x1234_5678_9abc, u64::MAX));
        let mut short = Reader(&[1, 2, 3]);
        assert_eq!((short.u32(), short.u16(), short.time()), (0x0003_0201, 0, 0));
    }
}
