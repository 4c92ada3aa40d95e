//! Reading safetensors, one tensor at a time.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Cursor, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use half::{bf16, f16};
use safetensors::{Dtype, tensor::Metadata};

use crate::WeightsError;

/// Longest header accepted, as in the format's reference implementation.
const MAX_HEADER: u64 = 100_000_000;

trait ReadSeek: Read + Seek {}
impl<T: Read + Seek> ReadSeek for T {}

/// An open safetensors file whose header was checked against its length.
pub struct SafetensorsFile {
    path: PathBuf,
    reader: Box<dyn ReadSeek>,
    data_start: u64,
    tensors: BTreeMap<String, Entry>,
}

struct Entry {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: (u64, u64),
}

impl std::fmt::Debug for SafetensorsFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SafetensorsFile")
            .field("path", &self.path)
            .field("tensors", &self.tensors.len())
            .finish_non_exhaustive()
    }
}

impl SafetensorsFile {
    /// Opens a file and checks its header.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is not safetensors, or is not as long as its header says.
    pub fn open(path: &Path) -> Result<Self, WeightsError> {
        let read = |source| WeightsError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(read)?;
        let length = file.metadata().map_err(read)?.len();
        Self::new(path, Box::new(file), length)
    }

    /// The same from memory; `name` stands for the path in messages.
    ///
    /// # Errors
    ///
    /// As [`SafetensorsFile::open`].
    pub fn from_bytes(name: &str, bytes: &'static [u8]) -> Result<Self, WeightsError> {
        Self::new(Path::new(name), Box::new(Cursor::new(bytes)), bytes.len() as u64)
    }

    fn new(path: &Path, mut reader: Box<dyn ReadSeek>, length: u64) -> Result<Self, WeightsError> {
        let read = |source| WeightsError::Read { path: path.to_owned(), source };
        let not = |problem: String| WeightsError::NotSafetensors { path: path.to_owned(), problem };
        if length < 8 {
            return Err(not(format!("it is only {length} bytes long")));
        }
        let mut size = [0; 8];
        reader.read_exact(&mut size).map_err(read)?;
        let header_length = u64::from_le_bytes(size);
        if header_length > MAX_HEADER {
            return Err(not("it does not start with the length of a header".to_owned()));
        }
        if 8 + header_length > length {
            return Err(WeightsError::Truncated { path: path.to_owned(), expected: 8 + header_length, actual: length });
        }
        let mut header = Vec::new();
        reader.by_ref().take(header_length).read_to_end(&mut header).map_err(read)?;
        let metadata: Metadata =
            serde_json::from_slice(&header).map_err(|error| not(format!("its header is damaged ({error})")))?;
        let data_start = 8 + header_length;
        let expected = data_start + metadata.data_len() as u64;
        if expected != length {
            return Err(WeightsError::Truncated { path: path.to_owned(), expected, actual: length });
        }
        let tensors = metadata
            .tensors()
            .into_iter()
            .map(|(name, info)| {
                let bytes = (info.data_offsets.0 as u64, info.data_offsets.1 as u64);
                (name, Entry { dtype: info.dtype, shape: info.shape.clone(), bytes })
            })
            .collect();
        Ok(Self { path: path.to_owned(), reader, data_start, tensors })
    }

    /// Where the file is, for messages.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
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

    /// Reads a tensor as `f32`, row by row.
    ///
    /// # Errors
    ///
    /// If there is none of that name, it holds no floating-point numbers, or reading fails.
    pub fn read(&mut self, name: &str) -> Result<Vec<f32>, WeightsError> {
        let Some(Entry { dtype, bytes: (start, end), .. }) = self.tensors.get(name) else {
            return Err(WeightsError::Missing { path: self.path.clone(), name: name.to_owned(), layers: 0 });
        };
        let (dtype, start, length) = (*dtype, *start, end - start);
        let read = |source| WeightsError::Read { path: self.path.clone(), source };
        self.reader.seek(SeekFrom::Start(self.data_start + start)).map_err(read)?;
        let mut bytes = Vec::new();
        self.reader.by_ref().take(length).read_to_end(&mut bytes).map_err(read)?;
        Ok(match dtype {
            Dtype::F32 => decode(&bytes, f32::from_le_bytes),
            Dtype::F16 => decode(&bytes, |raw| f16::from_le_bytes(raw).to_f32()),
            Dtype::BF16 => decode(&bytes, |raw| bf16::from_le_bytes(raw).to_f32()),
            #[allow(clippy::cast_possible_truncation)]
            Dtype::F64 => decode(&bytes, |raw| f64::from_le_bytes(raw) as f32),
            other => {
                return Err(WeightsError::DType {
                    path: self.path.clone(),
                    name: name.to_owned(),
                    dtype: format!("{other:?}"),
                });
            }
        })
    }
}

fn decode<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes.as_chunks::<N>().0.iter().map(|&raw| value(raw)).collect()
}
