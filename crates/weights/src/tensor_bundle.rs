//! Reading TensorFlow's checkpoints, one tensor at a time.
//!
//! A checkpoint (a "tensor bundle", the format of TensorFlow's `Saver` since version 1) is an index,
//! `model.ckpt.index`, and the bytes of the tensors in `model.ckpt.data-00000-of-00001` and so on.

use std::{
    collections::BTreeMap,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use half::{bf16, f16};

use crate::contents::{Contents, decode};

mod error;
mod index;
mod proto;
mod table;

pub use error::BundleError;
use index::{DType, Entry, Index, type_name};

/// An open checkpoint whose index was checked against the length of its data files.
pub struct BundleFile {
    prefix: PathBuf,
    shards: Vec<Contents>,
    tensors: BTreeMap<String, Entry>,
}

impl std::fmt::Debug for BundleFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BundleFile")
            .field("prefix", &self.prefix)
            .field("shards", &self.shards.len())
            .field("tensors", &self.tensors.len())
            .finish_non_exhaustive()
    }
}

impl BundleFile {
    /// Opens the checkpoint at `prefix`, such as `folder/model.ckpt`: reads and checks the index and
    /// maps the data files, which must not be changed as long as the checkpoint is open.
    ///
    /// # Errors
    ///
    /// If a file is missing or cannot be read, the index is damaged, or a data file is too short.
    pub fn open(prefix: &Path) -> Result<Self, BundleError> {
        let path = index_path(prefix);
        let bytes = std::fs::read(&path).map_err(|source| BundleError::Read { path: path.clone(), source })?;
        let index = Index::parse(&path, &bytes)?;
        let shards = (0..index.shards).map(|shard| map(prefix, shard, index.shards)).collect::<Result<_, _>>()?;
        Self::new(prefix, index, shards)
    }

    /// The same from memory, with a data file in each of `shards`; `prefix` stands for the path in
    /// messages.
    ///
    /// # Errors
    ///
    /// As [`BundleFile::open`].
    pub fn from_bytes(
        prefix: &Path,
        index: &[u8],
        shards: Vec<impl AsRef<[u8]> + Send + Sync + 'static>,
    ) -> Result<Self, BundleError> {
        let index = Index::parse(&index_path(prefix), index)?;
        if shards.len() < index.shards {
            let path = shard_path(prefix, shards.len(), index.shards);
            return Err(BundleError::MissingShard { path, shards: index.shards });
        }
        let shards = shards.into_iter().take(index.shards).map(Contents::held).collect();
        Self::new(prefix, index, shards)
    }

    fn new(prefix: &Path, index: Index, shards: Vec<Contents>) -> Result<Self, BundleError> {
        for (name, entry) in &index.tensors {
            let (expected, actual) = (entry.bytes.end, shards[entry.shard].bytes().len());
            if expected > actual {
                let path = shard_path(prefix, entry.shard, index.shards);
                return Err(BundleError::Truncated { path, name: name.clone(), expected, actual });
            }
        }
        Ok(Self { prefix: prefix.to_owned(), shards, tensors: index.tensors })
    }

    /// Where the checkpoint is, without the endings of its files.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.prefix
    }

    /// Names of the tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Shape of a tensor.
    #[must_use]
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|entry| entry.shape.as_slice())
    }

    /// Reads a tensor as `f32`, row by row, and checks its bytes against their checksum.
    ///
    /// # Errors
    ///
    /// If there is none of that name, it holds no floating-point numbers, is stored in slices, or is
    /// damaged.
    pub fn read(&self, name: &str) -> Result<Vec<f32>, BundleError> {
        let (path, name) = (|| self.prefix.clone(), name.to_owned());
        let Some(entry) = self.tensors.get(&name) else {
            return Err(BundleError::Missing { path: path(), name });
        };
        let shard = &self.shards[entry.shard];
        let file = || shard_path(&self.prefix, entry.shard, self.shards.len());
        let checked = |actual: u32| match table::unmask(entry.crc) {
            expected if expected == actual => Ok(()),
            expected => {
                let (path, name, offset) = (file(), name.clone(), entry.bytes.start);
                Err(BundleError::Checksum { path, name, offset, expected, actual })
            }
        };
        let numbers: fn(&[u8]) -> Vec<f32> = match entry.dtype {
            DType::F32 if cfg!(target_endian = "little") => {
                let read = |source| BundleError::Read { path: file(), source };
                let numbers = shard.floats(entry.bytes.clone()).map_err(read)?;
                checked(crc32c::crc32c(bytemuck::cast_slice(&numbers)))?;
                return Ok(numbers);
            }
            DType::F32 => |bytes| decode(bytes, f32::from_le_bytes),
            DType::F16 => |bytes| decode(bytes, |raw| f16::from_le_bytes(raw).to_f32()),
            DType::BF16 => |bytes| decode(bytes, |raw| bf16::from_le_bytes(raw).to_f32()),
            #[allow(clippy::cast_possible_truncation)]
            DType::F64 => |bytes| decode(bytes, |raw| f64::from_le_bytes(raw) as f32),
            DType::Other(dtype) => {
                return Err(BundleError::DType { path: path(), name, dtype: type_name(dtype).into_owned() });
            }
            DType::Sliced => return Err(BundleError::Sliced { path: path(), name }),
        };
        let bytes = &shard.bytes()[entry.bytes.clone()];
        checked(crc32c::crc32c(bytes))?;
        let numbers = numbers(bytes);
        shard.release();
        Ok(numbers)
    }
}

fn index_path(prefix: &Path) -> PathBuf {
    with_ending(prefix, ".index")
}

fn shard_path(prefix: &Path, shard: usize, shards: usize) -> PathBuf {
    with_ending(prefix, &format!(".data-{shard:05}-of-{shards:05}"))
}

fn with_ending(prefix: &Path, ending: &str) -> PathBuf {
    let mut path = prefix.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

fn map(prefix: &Path, shard: usize, shards: usize) -> Result<Contents, BundleError> {
    let path = shard_path(prefix, shard, shards);
    Contents::map(&path).map_err(|source| match source.kind() {
        ErrorKind::NotFound => BundleError::MissingShard { path: path.clone(), shards },
        _ => BundleError::Read { path: path.clone(), source },
    })
}
