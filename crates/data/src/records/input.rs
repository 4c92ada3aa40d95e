//! The bytes of a file as they were before it was compressed.

use std::{
    fmt,
    io::{self, BufReader, Read},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use flate2::read::MultiGzDecoder;

use super::stored::At;
use crate::DataError;

/// Output from which on the ratio is looked at, and the ratio that no data have.
const LOOKED_AT: u64 = 64 << 20;
const RATIO: u64 = 500;

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

impl Packing {
    /// By the first bytes.
    pub fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            // A frame of data, or one to skip, as parallel writers begin with.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }

    /// The command that unpacks it.
    pub fn command(self) -> &'static str {
        if self == Self::Zstd { "unzstd" } else { "gunzip" }
    }
}

impl fmt::Display for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Zstd { "zstd" } else { "gzip" })
    }
}

/// A stream of unpacked bytes.
pub(super) struct Input {
    pub packing: Packing,
    pub origin: String,
    decoder: Box<dyn Read + Send>,
    stored: Counted,
    unpacked: u64,
}

/// Bytes that were read of a file, and of all files of the stream.
#[derive(Clone)]
struct Counted {
    file: Arc<AtomicU64>,
    all: Arc<AtomicU64>,
}

struct Counting {
    inner: At,
    counted: Counted,
}

impl Read for Counting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.counted.file.fetch_add(count as u64, Ordering::Relaxed);
        self.counted.all.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl Input {
    pub fn new(inner: At, packing: Packing, origin: &str, all: &Arc<AtomicU64>) -> Result<Self, DataError> {
        let stored = Counted { file: Arc::default(), all: Arc::clone(all) };
        let inner = BufReader::with_capacity(256 << 10, Counting { inner, counted: stored.clone() });
        let decoder: Box<dyn Read + Send> = match packing {
            Packing::Plain => Box::new(inner),
            Packing::Gzip => Box::new(MultiGzDecoder::new(inner)),
            Packing::Zstd => Box::new(
                zstd::Decoder::with_buffer(inner).map_err(|source| DataError::Read { path: origin.into(), source })?,
            ),
        };
        Ok(Self { packing, origin: origin.to_owned(), decoder, stored, unpacked: 0 })
    }

    /// Appends up to `count` bytes; fewer at the end only.
    pub fn read(&mut self, count: usize, to: &mut Vec<u8>) -> Result<usize, DataError> {
        // Piece by piece, so that little is unpacked of what unpacks to too much.
        const PIECE: u64 = 256 << 10;
        let before = to.len();
        while to.len() - before < count {
            let piece = PIECE.min((count - (to.len() - before)) as u64);
            let result = self.decoder.by_ref().take(piece).read_to_end(to);
            let got = result.map_err(|error| self.fault(error))?;
            self.unpacked += got as u64;
            if got == 0 {
                break;
            }
            let stored = self.stored.file.load(Ordering::Relaxed);
            if self.packing != Packing::Plain && self.unpacked > LOOKED_AT && self.unpacked / RATIO > stored {
                return Err(self.damaged(format!(
                    "its {stored} bytes unpack to more than {RATIO} times as much, which no data do; if they are meant, \
                     unpack it with `{}`",
                    self.packing.command()
                )));
            }
        }
        Ok(to.len() - before)
    }

    fn fault(&self, error: io::Error) -> DataError {
        use io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof};
        let packing = self.packing;
        match error.kind() {
            UnexpectedEof if packing != Packing::Plain => self.damaged(format!(
                "it ends within its {packing} stream, after {} bytes of the unpacked data; fetch or write it again",
                self.unpacked
            )),
            InvalidData | InvalidInput | Other if packing != Packing::Plain => self.damaged(format!(
                "its {packing} stream cannot be unpacked beyond {} bytes ({error}); fetch or write it again",
                self.unpacked
            )),
            _ => DataError::Read { path: self.origin.clone().into(), source: error },
        }
    }

    fn damaged(&self, problem: String) -> DataError {
        DataError::Damaged { origin: self.origin.clone(), problem }
    }
}
