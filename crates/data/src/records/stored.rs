//! Where the bytes of a stream are kept.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use sha2::{Digest, Sha256};

use crate::DataError;

/// Bytes of the standard input that are kept in memory.
const IN_MEMORY: u64 = 64 << 20;

/// A file that can be read from its start as often as wanted.
pub(super) enum Stored {
    File { path: PathBuf, bytes: u64 },
    Open(Contents),
}

/// Bytes that can be read from any place, by several readers at once.
#[derive(Clone)]
pub(super) struct Contents {
    bytes: Bytes,
    pub len: u64,
}

#[derive(Clone)]
enum Bytes {
    // Readers share its position, so each moves it before it reads.
    File(Arc<Mutex<File>>),
    Memory(Arc<Cow<'static, [u8]>>),
}

impl Stored {
    /// A file. What is none, such as a pipe, is read to its end and kept.
    pub fn of_file(path: PathBuf) -> Result<Self, DataError> {
        let stored = || {
            let mut file = File::open(&path)?;
            let metadata = file.metadata()?;
            if metadata.is_dir() {
                return Err(io::Error::from(io::ErrorKind::IsADirectory));
            }
            if !metadata.is_file() {
                return Self::keep(&mut file);
            }
            Ok(Self::File { path: path.clone(), bytes: metadata.len() })
        };
        stored().map_err(|source| DataError::Read { path, source })
    }

    pub fn of_bytes(bytes: Cow<'static, [u8]>) -> Self {
        Self::Open(Contents { len: bytes.len() as u64, bytes: Bytes::Memory(Arc::new(bytes)) })
    }

    /// Reads a stream to its end, to memory or to a temporary file.
    pub fn keep(stream: &mut dyn Read) -> io::Result<Self> {
        let mut bytes = Vec::new();
        if stream.take(IN_MEMORY).read_to_end(&mut bytes)? < usize::try_from(IN_MEMORY).unwrap_or(usize::MAX) {
            return Ok(Self::of_bytes(bytes.into()));
        }
        let mut file = tempfile::tempfile()?;
        file.write_all(&bytes)?;
        let len = bytes.len() as u64 + io::copy(stream, &mut file)?;
        Ok(Self::Open(Contents { bytes: Bytes::File(Arc::new(Mutex::new(file))), len }))
    }

    pub fn len(&self) -> u64 {
        match self {
            Self::File { bytes, .. } => *bytes,
            Self::Open(contents) => contents.len,
        }
    }

    pub fn open(&self) -> Result<Contents, DataError> {
        match self {
            Self::Open(contents) => Ok(contents.clone()),
            Self::File { path, .. } => {
                let open = || {
                    let file = File::open(path)?;
                    let len = file.metadata()?.len();
                    Ok(Contents { bytes: Bytes::File(Arc::new(Mutex::new(file))), len })
                };
                open().map_err(|source| DataError::Read { path: path.clone(), source })
            }
        }
    }

    pub fn digest(&self) -> Result<[u8; 32], DataError> {
        let mut hash = Sha256::new();
        io::copy(&mut self.open()?.reader(0), &mut hash)
            .map_err(|source| DataError::Read { path: self.path(), source })?;
        Ok(hash.finalize().into())
    }

    /// The path of a file, for errors.
    fn path(&self) -> PathBuf {
        match self {
            Self::File { path, .. } => path.clone(),
            Self::Open(_) => "the standard input".into(),
        }
    }
}

impl Contents {
    /// A reader from a place on.
    pub fn reader(&self, at: u64) -> At {
        At { bytes: self.bytes.clone(), at }
    }
}

/// A reader with a position of its own.
pub(super) struct At {
    bytes: Bytes,
    at: u64,
}

impl Read for At {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &self.bytes {
            Bytes::Memory(bytes) => {
                let at = usize::try_from(self.at).unwrap_or(usize::MAX).min(bytes.len());
                (&bytes[at..]).read(buffer)?
            }
            Bytes::File(file) => {
                // Nothing is half done in a poisoned file: each reader moves to its own place.
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(self.at))?;
                file.read(buffer)?
            }
        };
        self.at += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_stream_is_kept_in_a_file_and_read_twice() {
        let len = IN_MEMORY + 5;
        let stored = Stored::keep(&mut io::repeat(b'x').take(len)).unwrap();
        assert_eq!(stored.len(), len);
        let contents = stored.open().unwrap();
        assert!(matches!(contents.bytes, Bytes::File(_)));
        for _ in 0..2 {
            let mut end = Vec::new();
            contents.reader(len - 7).read_to_end(&mut end).unwrap();
            assert_eq!(end, b"xxxxxxx");
        }
        assert_eq!(stored.digest().unwrap(), stored.digest().unwrap());
        assert!(matches!(Stored::keep(&mut &b"x"[..]).unwrap().open().unwrap().bytes, Bytes::Memory(_)));
    }
}
