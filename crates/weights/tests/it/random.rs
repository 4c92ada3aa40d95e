//! Random damage to files.

/// Marsaglia's xorshift with 64 bits.
pub struct XorShift(u64);

impl XorShift {
    pub fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`, or 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap()
    }
}

/// How many damaged files a test reads: `GPTUNE_FUZZ`, or enough for every run of the tests.
pub fn runs() -> usize {
    std::env::var("GPTUNE_FUZZ").map_or(20_000, |runs| runs.parse().expect("GPTUNE_FUZZ is a number of files"))
}
