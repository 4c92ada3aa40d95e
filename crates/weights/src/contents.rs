//! The bytes of a checkpoint's file.

use std::{fs::File, io, ops::Range, path::Path};

use memmap2::Mmap;
use rayon::prelude::*;

/// Bytes that a thread reads at a time.
const PIECE: usize = 4 << 20;
/// Bytes that are read from the disk beyond what was asked for.
const AHEAD: usize = 64 << 20;

/// Bytes that are read in pieces: a file mapped into memory, or bytes that somebody holds.
pub(crate) enum Contents {
    Mapped { map: Mmap, file: File },
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
        Ok(Self::Mapped { map, file })
    }

    pub fn held(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self::Held(Box::new(bytes))
    }

    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Mapped { map, .. } => map,
            Self::Held(bytes) => (**bytes).as_ref(),
        }
    }

    /// The little-endian `f32`s in a range of the bytes, which has to be there.
    ///
    /// Those of a file are read into place by several threads and not through the mapping, which costs a page
    /// fault for every few of them.
    pub fn floats(&self, range: Range<usize>) -> io::Result<Vec<f32>> {
        self.read_ahead(&range);
        let mut floats = vec![0.0_f32; range.len() / 4];
        advise_large_pages(&mut floats);
        let pieces = bytemuck::cast_slice_mut::<f32, u8>(&mut floats).par_chunks_mut(PIECE);
        pieces.enumerate().try_for_each(|(index, piece)| self.read_into(piece, range.start + index * PIECE))?;
        if cfg!(target_endian = "big") {
            for float in &mut floats {
                *float = f32::from_bits(float.to_bits().swap_bytes());
            }
        }
        Ok(floats)
    }

    /// Has the system read a range and what follows it, so that the disk is busy while numbers are copied. Threads
    /// that share a file would otherwise keep it from seeing that the file is read in order.
    fn read_ahead(&self, range: &Range<usize>) {
        #[cfg(unix)]
        if let Self::Mapped { map, .. } = self {
            let length = (range.len() + AHEAD).min(map.len().saturating_sub(range.start));
            let _ = map.advise_range(memmap2::Advice::WillNeed, range.start, length);
        }
    }

    fn read_into(&self, piece: &mut [u8], at: usize) -> io::Result<()> {
        #[cfg(unix)]
        if let Self::Mapped { file, .. } = self {
            return std::os::unix::fs::FileExt::read_exact_at(file, piece, at as u64);
        }
        piece.copy_from_slice(&self.bytes()[at..at + piece.len()]);
        Ok(())
    }

    /// Gives back the memory of what was read of a mapped file, so that a model that was loaded is not in
    /// memory twice. What is read again is mapped again.
    pub fn release(&self) {
        #[cfg(unix)]
        if let Self::Mapped { map, .. } = self {
            // SAFETY: the mapping is of a file and read-only, so that pages which are dropped come back from
            // the file as they were.
            #[expect(unsafe_code, reason = "for private writable mappings it would lose what was written")]
            let _ = unsafe { map.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
        }
    }
}

/// Numbers of `N` bytes each.
pub(crate) fn decode<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes.as_chunks::<N>().0.iter().map(|&raw| value(raw)).collect()
}

/// Asks for large pages where Linux gives them: fresh memory costs a fault for each page.
fn advise_large_pages(floats: &mut [f32]) {
    #[cfg(target_os = "linux")]
    {
        const PAGE: usize = 4096;
        let Range { start, end } = floats.as_mut_ptr_range();
        let (start, end) = (start.addr().next_multiple_of(PAGE), end.addr() / PAGE * PAGE);
        if start < end {
            let place = floats.as_mut_ptr().with_addr(start).cast();
            // SAFETY: whole pages within memory that we have alone; the advice changes none of its contents.
            #[expect(unsafe_code, reason = "advice to the system about memory")]
            unsafe {
                libc::madvise(place, end - start, libc::MADV_HUGEPAGE);
            }
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = floats;
}
