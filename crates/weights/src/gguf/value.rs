//! Values of metadata.

use super::{GgufError, TYPE_ARRAY, TYPE_BOOL, TYPE_F32, TYPE_I32, TYPE_STRING, TYPE_U32, cursor::Cursor};

/// A value of a file's metadata. Numbers of any width are given in the widest of their kind.
#[derive(Debug, Clone, PartialEq)]
pub enum GgufValue<'a> {
    /// `u8`, `u16`, `u32` or `u64`.
    Unsigned(u64),
    /// `i8`, `i16`, `i32` or `i64`.
    Signed(i64),
    /// `f32` or `f64`.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A text.
    String(&'a str),
    /// Values of one type.
    Array(GgufArray<'a>),
}

/// An array in a file's metadata, decoded as it is walked through.
#[derive(Clone)]
pub struct GgufArray<'a> {
    kind: u32,
    count: usize,
    start: Cursor<'a>,
}

impl<'a> GgufValue<'a> {
    /// The number, if it is whole and not negative.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match *self {
            Self::Unsigned(number) => Some(number),
            Self::Signed(number) => number.try_into().ok(),
            _ => None,
        }
    }

    /// The number, if it is a float.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        if let Self::Float(number) = *self { Some(number) } else { None }
    }

    /// The truth value, if it is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(truth) = *self { Some(truth) } else { None }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&'a str> {
        if let Self::String(text) = *self { Some(text) } else { None }
    }

    /// The array, if it is one.
    #[must_use]
    pub fn as_array(&self) -> Option<&GgufArray<'a>> {
        if let Self::Array(array) = self { Some(array) } else { None }
    }

    /// Reads a value with the number of its type in front, an array to its last element.
    pub(super) fn parse(cursor: &mut Cursor<'a>) -> Result<Self, GgufError> {
        let kind = cursor.u32()?;
        if kind != TYPE_ARRAY {
            return Self::scalar(kind, cursor);
        }
        let (kind, count, start) = (cursor.u32()?, cursor.u64()?, *cursor);
        // Each element takes a byte at least, so a count that is too large ends with the file.
        for _ in 0..count {
            Self::scalar(kind, cursor)?;
        }
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        Ok(Self::Array(GgufArray { kind, count, start }))
    }

    fn scalar(kind: u32, cursor: &mut Cursor<'a>) -> Result<Self, GgufError> {
        Ok(match kind {
            0 => Self::Unsigned(u8::from_le_bytes(cursor.array()?).into()),
            1 => Self::Signed(i8::from_le_bytes(cursor.array()?).into()),
            2 => Self::Unsigned(u16::from_le_bytes(cursor.array()?).into()),
            3 => Self::Signed(i16::from_le_bytes(cursor.array()?).into()),
            TYPE_U32 => Self::Unsigned(cursor.u32()?.into()),
            TYPE_I32 => Self::Signed(i32::from_le_bytes(cursor.array()?).into()),
            TYPE_F32 => Self::Float(f32::from_le_bytes(cursor.array()?).into()),
            TYPE_BOOL => Self::Bool(cursor.array()? != [0]),
            TYPE_STRING => Self::String(cursor.string()?),
            10 => Self::Unsigned(cursor.u64()?),
            11 => Self::Signed(i64::from_le_bytes(cursor.array()?)),
            12 => Self::Float(f64::from_le_bytes(cursor.array()?)),
            other => return Err(cursor.damaged(cursor.at(), format!("a value has the unknown type {other}"))),
        })
    }
}

impl<'a> GgufArray<'a> {
    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The values, none of which is an array.
    pub fn values(&self) -> impl Iterator<Item = GgufValue<'a>> + use<'a> {
        let (kind, mut cursor) = (self.kind, self.start);
        (0..self.count).map_while(move |_| GgufValue::scalar(kind, &mut cursor).ok())
    }
}

impl std::fmt::Debug for GgufArray<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GgufArray").field("len", &self.count).finish_non_exhaustive()
    }
}

impl PartialEq for GgufArray<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.count == other.count && self.values().eq(other.values())
    }
}
