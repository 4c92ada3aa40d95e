//! Reading safetensors, one tensor at a time.

use std::{
    collections::BTreeMap,
    ops::Range,
    path::{Path, PathBuf},
};

use half::{bf16, f16};
use safetensors::{Dtype, tensor::Metadata};

use crate::{
    WeightsError,
    contents::{Contents, decode},
};

/// Longest header accepted, as in the format's reference implementation.
const MAX_HEADER: u64 = 100_000_000;

/// An open safetensors file whose header was checked against its length.
pub struct SafetensorsFile {
    path: PathBuf,
    contents: Contents,
    tensors: BTreeMap<String, Entry>,
}

struct Entry {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Range<usize>,
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
    /// Maps a file and checks its header. It must not be changed while it is open.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is not safetensors, or is not as long as its header says.
    pub fn open(path: &Path) -> Result<Self, WeightsError> {
        let read = |source| WeightsError::Read { path: path.to_owned(), source };
        Self::new(path, Contents::map(path).map_err(read)?)
    }

    /// The same from memory; `name` stands for the path in messages.
    ///
    /// # Errors
    ///
    /// As [`SafetensorsFile::open`].
    pub fn from_bytes(name: &str, bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Result<Self, WeightsError> {
        Self::new(Path::new(name), Contents::held(bytes))
    }

    fn new(path: &Path, contents: Contents) -> Result<Self, WeightsError> {
        let not = |problem: String| WeightsError::NotSafetensors { path: path.to_owned(), problem };
        let bytes = contents.bytes();
        let cut =
            |expected: u64| WeightsError::Truncated { path: path.to_owned(), expected, actual: bytes.len() as u64 };
        let Some((size, rest)) = bytes.split_first_chunk() else {
            return Err(not(format!("it is only {} bytes long", bytes.len())));
        };
        let header_length = u64::from_le_bytes(*size);
        if header_length > MAX_HEADER {
            return Err(not("it does not start with the length of a header".to_owned()));
        }
        let header = usize::try_from(header_length).ok().and_then(|length| rest.get(..length));
        let header = header.ok_or_else(|| cut(8 + header_length))?;
        let metadata: Metadata =
            serde_json::from_slice(header).map_err(|error| not(format!("its header is damaged ({error})")))?;
        let start = 8 + header.len();
        let expected = (start as u64).saturating_add(metadata.data_len() as u64);
        if expected != bytes.len() as u64 {
            return Err(cut(expected));
        }
        let tensors = metadata
            .tensors()
            .into_iter()
            .map(|(name, info)| {
                let bytes = start + info.data_offsets.0..start + info.data_offsets.1;
                (name, Entry { dtype: info.dtype, shape: info.shape.clone(), bytes })
            })
            .collect();
        Ok(Self { path: path.to_owned(), contents, tensors })
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
    pub fn read(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        let Some(Entry { dtype, bytes, .. }) = self.tensors.get(name) else {
            return Err(WeightsError::missing(self, name));
        };
        if *dtype == Dtype::F32 {
            let read = |source| WeightsError::Read { path: self.path.clone(), source };
            return self.contents.floats(bytes.clone()).map_err(read);
        }
        tracing::debug!(tensor = name, from = ?dtype, "converted to f32");
        // The header was checked against the length.
        let bytes = &self.contents.bytes()[bytes.clone()];
        let numbers = match dtype {
            Dtype::F16 => decode(bytes, |raw| f16::from_le_bytes(raw).to_f32()),
            Dtype::BF16 => decode(bytes, |raw| bf16::from_le_bytes(raw).to_f32()),
            Dtype::F8_E4M3 => decode(bytes, |[byte]| f8_e4m3(byte)),
            // The upper half of an f16.
            Dtype::F8_E5M2 => decode(bytes, |[byte]| f16::from_le_bytes([0, byte]).to_f32()),
            #[allow(clippy::cast_possible_truncation)]
            Dtype::F64 => decode(bytes, |raw| f64::from_le_bytes(raw) as f32),
            other => {
                return Err(WeightsError::DType {
                    path: self.path.clone(),
                    name: name.to_owned(),
                    dtype: format!("{other:?}"),
                });
            }
        };
        self.contents.release();
        Ok(numbers)
    }
}

/// A float of 8 bits as torch's `float8_e4m3fn`: a sign, four bits of exponent with a bias of 7, and three of
/// mantissa; no infinity, and NaN where all bits but the sign are set.
fn f8_e4m3(byte: u8) -> f32 {
    let (exponent, mantissa) = (i32::from(byte >> 3 & 15), f32::from(byte & 7));
    let size = match (exponent, byte & 7) {
        (15, 7) => f32::NAN,
        (0, _) => mantissa * 2.0_f32.powi(-9),
        _ => (8.0 + mantissa) * 2.0_f32.powi(exponent - 10),
    };
    if byte < 128 { size } else { -size }
}
