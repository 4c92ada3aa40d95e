//! The bytes of a checkpoint's file.

use std::{fs::File, io, path::Path};

use memmap2::Mmap;

/// Bytes that are read in pieces: a file mapped into memory, or bytes that somebody holds.
pub(crate) enum Contents {
    Mapped(Mmap),
    Held(Box<dyn AsRef<[u8]> + Send + Sync>),
}

impl Contents {
    /// Maps a file, which must not be changed or cut as long as it is open.
    pub fn map(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        // SAFETY: the mapping is read-only and private to this value, and no reference into it outlives a
        // method of the type that holds it. Who changes or cuts the file meanwhile breaks the promise that
        // every public `open` asks for: numbers are then wrong, or the process ends with SIGBUS. Every other
        // reader of models that maps them asks for the same.
        #[expect(unsafe_code, reason = "there is no safe way to map a file")]
        let map = unsafe { Mmap::map(&file) }?;
        // Tensors are read whole, and mostly in the order of the file. Advice that is not taken costs nothing.
        #[cfg(unix)]
        let _ = map.advise(memmap2::Advice::Sequential);
        Ok(Self::Mapped(map))
    }

    pub fn held(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self::Held(Box::new(bytes))
    }

    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Held(bytes) => (**bytes).as_ref(),
        }
    }

    /// Gives back the memory of what was read of a mapped file, so that a model that was loaded is not in
    /// memory twice. What is read again is mapped again.
    pub fn release(&self) {
        #[cfg(unix)]
        if let Self::Mapped(map) = self {
            // SAFETY: the mapping is of a file and read-only, so that pages which are dropped come back from
            // the file as they were.
            #[expect(unsafe_code, reason = "for private writable mappings it would lose what was written")]
            let _ = unsafe { map.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
        }
    }
}
