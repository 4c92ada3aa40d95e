//! Which contents a stream has had before.

use sha2::{Digest as _, Sha256};

/// Digests are kept in pieces, so that a longer list is never copied.
const PIECE: usize = 1 << 14;

/// No place in the table.
const FREE: u32 = u32::MAX;

/// What a record contains, in 128 bits: the first half of its SHA-256, so that nobody can make two that agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 16]);

impl Digest {
    /// The digest of a record's parts. How they are divided matters: `["ab", ""]` is not `["a", "b"]`.
    #[must_use]
    pub fn of(parts: &[&str]) -> Self {
        let mut sha = Sha256::new();
        for part in parts {
            sha.update((part.len() as u64).to_le_bytes());
            sha.update(part);
        }
        let all: [u8; 32] = sha.finalize().into();
        let mut half = [0; 16];
        half.copy_from_slice(&all[..16]);
        Self(half)
    }

    /// Bits to look it up by.
    pub(crate) fn bits(self) -> u64 {
        self.0[..8].iter().fold(0, |bits, byte| bits << 8 | u64::from(*byte))
    }
}

/// Finds records that are exactly the same, one after another.
///
/// A record that is new takes 20 bytes, and 5 to 11 in the table that finds it: 270 MB for 10 million, whatever their
/// length. Nothing is held twice when the table grows. One that was there before takes nothing.
#[derive(Debug, Default)]
pub struct Seen {
    /// Digests that differ, each with the number of its first record.
    digests: Vec<Vec<([u8; 16], u32)>>,
    kinds: usize,
    /// Places in `digests`, at the place that a digest's bits say or the next free one. Its length is a power of two.
    table: Vec<u32>,
    records: usize,
}

impl Seen {
    /// Nothing was seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next record, and says which one had the same content first, counting from 0.
    ///
    /// # Panics
    ///
    /// After 4,294,967,294 records.
    pub fn see(&mut self, digest: Digest) -> Option<usize> {
        let record = u32::try_from(self.records).ok().filter(|n| *n != FREE).expect("fewer records than 32 bits count");
        self.records += 1;
        // At most three places of four are taken, so there is a free one to stop at.
        if self.table.len() * 3 <= (self.kinds + 1) * 4 {
            self.grow();
        }
        let place = match self.find(digest) {
            Ok(first) => return Some(first as usize),
            Err(place) => place,
        };
        self.table[place] = u32::try_from(self.kinds).unwrap_or(FREE);
        if self.kinds.is_multiple_of(PIECE) {
            self.digests.push(Vec::with_capacity(PIECE));
        }
        self.digests[self.kinds / PIECE].push((digest.0, record));
        self.kinds += 1;
        None
    }

    /// How many records were seen.
    #[must_use]
    pub fn records(&self) -> usize {
        self.records
    }

    /// How many of them differ.
    #[must_use]
    pub fn distinct(&self) -> usize {
        self.kinds
    }

    /// The first record with a digest, or the free place that is for it.
    fn find(&self, digest: Digest) -> Result<u32, usize> {
        let mut place = self.home(digest);
        while self.table[place] != FREE {
            let at = self.table[place] as usize;
            let (known, first) = self.digests[at / PIECE][at % PIECE];
            if known == digest.0 {
                return Ok(first);
            }
            place = (place + 1) & (self.table.len() - 1);
        }
        Err(place)
    }

    #[expect(clippy::cast_possible_truncation, reason = "only the lowest bits are wanted")]
    fn home(&self, digest: Digest) -> usize {
        digest.bits() as usize & (self.table.len() - 1)
    }

    /// Makes the table twice as long, from the digests.
    fn grow(&mut self) {
        let length = (self.table.len() * 2).max(PIECE);
        // The old one goes first: it says nothing that the digests do not.
        self.table = Vec::new();
        self.table = vec![FREE; length];
        for ((digest, _), at) in self.digests.iter().flatten().zip(0..) {
            let mut place = self.home(Digest(*digest));
            while self.table[place] != FREE {
                place = (place + 1) & (length - 1);
            }
            self.table[place] = at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_found_again_after_the_table_grew() {
        let mut seen = Seen::new();
        let digest = |n: usize| Digest::of(&[&n.to_string(), "content"]);
        for n in 0..100_000 {
            assert_eq!(seen.see(digest(n)), None, "{n}");
        }
        for n in (0..100_000).rev() {
            assert_eq!(seen.see(digest(n)), Some(n));
        }
        assert_eq!((seen.records(), seen.distinct()), (200_000, 100_000));
        assert_eq!(seen.see(digest(100_000)), None);
        assert_eq!(seen.see(digest(100_000)), Some(200_000), "records are counted, not kinds");
    }

    #[test]
    fn how_a_record_is_divided_matters() {
        let all = [&["ab", ""][..], &["a", "b"], &["ab"], &["", "ab"], &[], &[""]].map(Digest::of);
        for (at, digest) in all.iter().enumerate() {
            assert!(!all[..at].contains(digest), "{at}");
        }
        assert_eq!(Digest::of(&["ä", "b"]), Digest::of(&["ä", "b"]));
    }
}
