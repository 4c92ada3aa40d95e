//! What stands before the tensors: the header, the metadata and the list of tensors.

use std::{collections::BTreeMap, ops::Range, path::Path};

use super::{ALIGNMENT, GgufError, GgufValue, MAGIC, cursor::Cursor, tensor_type::TensorType};

/// Most dimensions of a tensor in ggml.
const MAX_DIMENSIONS: u32 = 4;

pub(super) struct Index {
    /// Where the value of each key starts. It was read once, so that it can be read again.
    pub(super) metadata: BTreeMap<String, usize>,
    pub(super) tensors: BTreeMap<String, Entry>,
}

pub(super) struct Entry {
    pub(super) dtype: &'static TensorType,
    /// The length of a row comes last here, and first in the file.
    pub(super) shape: Vec<usize>,
    /// Where in the file.
    pub(super) bytes: Range<usize>,
}

impl Index {
    /// Reads the index. Its counts are not trusted: nothing is reserved for them, and every entry
    /// takes some bytes, so that a count that is too large ends with the file.
    pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Self, GgufError> {
        let mut cursor = Cursor::new(path, bytes, 0);
        check_version(path, &mut cursor)?;
        let (tensor_count, key_count) = (cursor.u64()?, cursor.u64()?);
        let metadata = metadata(&mut cursor, key_count)?;
        let alignment = match metadata.get("general.alignment") {
            None => ALIGNMENT as u64,
            Some(&at) => GgufValue::parse(&mut Cursor::new(path, bytes, at))?
                .as_u64()
                .filter(|value| value.is_power_of_two())
                .ok_or_else(|| cursor.damaged(at, "general.alignment is not a power of two"))?,
        };
        let (mut tensors, data_length) = tensors(&mut cursor, tensor_count, alignment)?;
        if tensors.is_empty() {
            return Ok(Self { metadata, tensors });
        }
        let actual = bytes.len() as u64;
        let data_start = (cursor.at() as u64).checked_next_multiple_of(alignment);
        let expected = data_start.and_then(|start| start.checked_add(data_length)).unwrap_or(u64::MAX);
        match data_start.and_then(|start| usize::try_from(start).ok()) {
            Some(start) if expected <= actual => {
                for entry in tensors.values_mut() {
                    entry.bytes = entry.bytes.start + start..entry.bytes.end + start;
                }
                Ok(Self { metadata, tensors })
            }
            _ => Err(GgufError::Truncated { path: path.to_owned(), expected, actual }),
        }
    }
}

fn check_version(path: &Path, cursor: &mut Cursor<'_>) -> Result<(), GgufError> {
    let not = |problem: String| Err(GgufError::NotGguf { path: path.to_owned(), problem });
    match (cursor.array().ok(), cursor.u32().ok()) {
        (Some(magic), _) if magic != *MAGIC => not("it starts otherwise".to_owned()),
        (Some(_), Some(2 | 3)) => Ok(()),
        (Some(_), Some(version)) if matches!(version.swap_bytes(), 1..=3) => {
            not("its numbers are big-endian".to_owned())
        }
        (Some(_), Some(version)) => not(format!("its version is {version}")),
        _ => not("it ends before its header does".to_owned()),
    }
}

fn metadata(cursor: &mut Cursor<'_>, count: u64) -> Result<BTreeMap<String, usize>, GgufError> {
    let mut metadata = BTreeMap::new();
    for _ in 0..count {
        let start = cursor.at();
        let key = cursor.string()?;
        if metadata.insert(key.to_owned(), cursor.at()).is_some() {
            return Err(cursor.damaged(start, format!("the key '{key}' is there twice")));
        }
        GgufValue::parse(cursor)?;
    }
    Ok(metadata)
}

/// The entries, with places that count from the start of the first tensor, and the end of the last.
fn tensors(cursor: &mut Cursor<'_>, count: u64, alignment: u64) -> Result<(BTreeMap<String, Entry>, u64), GgufError> {
    let mut tensors = BTreeMap::new();
    let mut end = 0_u64;
    for _ in 0..count {
        let at = cursor.at();
        let name = cursor.string()?;
        let shape = shape(cursor)?;
        let kind = cursor.u32()?;
        let unknown = || cursor.damaged(at, format!("the tensor '{name}' has the unknown type {kind}"));
        let dtype = TensorType::find(kind).ok_or_else(unknown)?;
        let offset = cursor.u64()?;
        // As in ggml, tensors stand in the order of the index and do not overlap.
        let start = end.checked_next_multiple_of(alignment);
        if start != Some(offset) {
            return Err(cursor.damaged(at, format!("the tensor '{name}' does not follow the one before it")));
        }
        let impossible = || cursor.damaged(at, format!("no {} tensor has the shape {shape:?} of '{name}'", dtype.name));
        let length = dtype.length(&shape).ok_or_else(impossible)?;
        end = offset.checked_add(length as u64).ok_or_else(impossible)?;
        let bytes = usize::try_from(offset).ok().zip(usize::try_from(end).ok());
        let bytes = bytes.map(|(start, end)| start..end).ok_or_else(impossible)?;
        if tensors.insert(name.to_owned(), Entry { dtype, shape, bytes }).is_some() {
            return Err(cursor.damaged(at, format!("the tensor '{name}' is there twice")));
        }
    }
    Ok((tensors, end))
}

fn shape(cursor: &mut Cursor<'_>) -> Result<Vec<usize>, GgufError> {
    let at = cursor.at();
    let dimensions = cursor.u32()?;
    if dimensions > MAX_DIMENSIONS {
        return Err(cursor.damaged(at, format!("a tensor has {dimensions} dimensions")));
    }
    let mut shape = (0..dimensions)
        .map(|_| cursor.u64().map(|size| usize::try_from(size).unwrap_or(usize::MAX)))
        .collect::<Result<Vec<_>, _>>()?;
    shape.reverse();
    Ok(shape)
}
