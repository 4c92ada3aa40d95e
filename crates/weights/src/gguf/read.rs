//! Reading GGUF, one tensor at a time.

use std::path::{Path, PathBuf};

use super::{
    GgufError, GgufValue,
    cursor::Cursor,
    index::{Entry, Index},
    tensor_type,
};
use crate::contents::Contents;

/// An open GGUF file whose metadata and index of tensors were checked against its length.
pub struct GgufFile {
    path: PathBuf,
    contents: Contents,
    index: Index,
}

impl std::fmt::Debug for GgufFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GgufFile")
            .field("path", &self.path)
            .field("tensors", &self.index.tensors.len())
            .finish_non_exhaustive()
    }
}

impl GgufFile {
    /// Maps a file and reads its metadata and index. The file must not change while it is open.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is not GGUF, contradicts itself, or is shorter than its index says.
    pub fn open(path: &Path) -> Result<Self, GgufError> {
        let read = |source| GgufError::Read { path: path.to_owned(), source };
        Self::new(path, Contents::map(path).map_err(read)?)
    }

    /// The same from memory; `name` stands for the path in messages.
    ///
    /// # Errors
    ///
    /// As [`GgufFile::open`].
    pub fn from_bytes(name: &Path, bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Result<Self, GgufError> {
        Self::new(name, Contents::held(bytes))
    }

    fn new(path: &Path, contents: Contents) -> Result<Self, GgufError> {
        let index = Index::read(path, contents.bytes())?;
        Ok(Self { path: path.to_owned(), contents, index })
    }

    /// Where the file is, for messages.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keys of the metadata, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.index.metadata.keys().map(String::as_str)
    }

    /// The value of a key.
    #[must_use]
    pub fn metadata(&self, key: &str) -> Option<GgufValue<'_>> {
        let &at = self.index.metadata.get(key)?;
        GgufValue::parse(&mut Cursor::new(&self.path, self.bytes(), at)).ok()
    }

    /// Names of the tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.index.tensors.keys().map(String::as_str)
    }

    /// Shape of a tensor in the order of PyTorch, which is the reverse of the file's.
    #[must_use]
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.index.tensors.get(name).map(|entry| entry.shape.as_slice())
    }

    /// ggml's name for the type of a tensor, such as `F16` or `Q8_0`.
    #[must_use]
    pub fn dtype(&self, name: &str) -> Option<&'static str> {
        self.index.tensors.get(name).map(|entry| entry.dtype.name)
    }

    /// Reads a tensor as `f32`, row by row.
    ///
    /// # Errors
    ///
    /// If there is none of that name, or it holds neither floats nor `Q8_0`.
    pub fn read(&self, name: &str) -> Result<Vec<f32>, GgufError> {
        let missing = || GgufError::Missing { path: self.path.clone(), name: name.to_owned() };
        let Entry { dtype, bytes, .. } = self.index.tensors.get(name).ok_or_else(missing)?;
        if dtype.id == tensor_type::F32.id {
            let read = |source| GgufError::Read { path: self.path.clone(), source };
            return self.contents.floats(bytes.clone()).map_err(read);
        }
        let bytes = self.bytes().get(bytes.clone()).ok_or_else(missing)?;
        let numbers = dtype.decode(bytes);
        self.contents.release();
        numbers.ok_or_else(|| GgufError::DType { path: self.path.clone(), name: name.to_owned(), dtype: dtype.name })
    }

    fn bytes(&self) -> &[u8] {
        self.contents.bytes()
    }
}
