//! Where a tensor's numbers are, and how they are gathered.

use std::ops::Range;

use half::{bf16, f16};

use super::{
    Checkpoint,
    class::DType,
    object::{Object, Value},
};

/// Most axes of a tensor. One long shape may be shared by many tensors, so that without a limit a small
/// file could ask for much memory.
const MAX_AXES: usize = 16;

/// A tensor whose numbers all lie in the file.
pub(super) struct Tensor {
    dtype: DType,
    shape: Vec<usize>,
    /// Product of the shape.
    len: usize,
    /// Length and stride, in numbers, of the axes that are not of length one.
    axes: Vec<(usize, usize)>,
    /// The file's bytes from the tensor's first number to the end of its storage.
    bytes: Range<usize>,
}

/// Why a tensor cannot be read.
pub(super) enum Unreadable {
    /// It holds numbers of this type, which are no weights.
    DType(&'static str),
    /// It has more numbers than its storage.
    Repeats,
}

impl Tensor {
    /// Checks tensor `id` of a checkpoint against its storage. The error says what is wrong with it.
    pub(super) fn locate(checkpoint: &Checkpoint, id: usize) -> Result<Self, String> {
        let object = &checkpoint.object;
        let view = &object.tensors[id];
        let storage = &object.storages[view.storage];
        let damaged = |problem: &str| format!("{problem}: the file is damaged; fetch or save it again");

        let shape = sizes(object, view.shape).ok_or_else(|| damaged("has a shape that is none"))?;
        let strides = sizes(object, view.strides).ok_or_else(|| damaged("has strides that are none"))?;
        if shape.len() > MAX_AXES {
            return Err(format!("has {} axes, and {MAX_AXES} are the most; reshape it", shape.len()));
        }
        if shape.len() != strides.len() {
            return Err(damaged("has a shape and strides of different lengths"));
        }
        let axes: Vec<_> = shape.iter().copied().zip(strides).filter(|&(length, _)| length != 1).collect();
        let product = |len: usize, &length: &usize| len.checked_mul(length);
        let len = if shape.contains(&0) { Some(0) } else { shape.iter().try_fold(1, product) };
        let len = len.ok_or_else(|| damaged(&format!("has the impossible shape {shape:?}")))?;

        let range = checkpoint.storages.get(storage.key).ok_or_else(|| damaged("has no storage in the file"))?;
        let size = storage.len.checked_mul(storage.dtype.size()).filter(|&size| size <= range.len());
        let size = size.ok_or_else(|| damaged("has a storage that was cut"))?;
        let numbers = size / view.dtype.size();
        let step =
            |last: usize, &(length, stride): &(usize, usize)| (length - 1).checked_mul(stride)?.checked_add(last);
        let last = if len == 0 { Some(0) } else { axes.iter().try_fold(view.offset, step) };
        if len > 0 && last.is_none_or(|last| last >= numbers) {
            return Err(damaged(&format!("reaches beyond the {numbers} numbers of its storage")));
        }
        let skipped = if len == 0 { 0 } else { view.offset * view.dtype.size() };
        let bytes = range.start + skipped..range.start + size;
        Ok(Self { dtype: view.dtype, shape, len, axes, bytes })
    }

    pub(super) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The numbers in row-major order, from the bytes of the whole file.
    pub(super) fn read(&self, file: &[u8]) -> Result<Vec<f32>, Unreadable> {
        let bytes = &file[self.bytes.clone()];
        // What bounds the memory that a small file can ask for.
        if self.len > bytes.len() / self.dtype.size() {
            return Err(Unreadable::Repeats);
        }
        Ok(match self.dtype {
            DType::F32 => self.gather(bytes, f32::from_le_bytes),
            DType::F16 => self.gather(bytes, |raw| f16::from_le_bytes(raw).to_f32()),
            DType::BF16 => self.gather(bytes, |raw| bf16::from_le_bytes(raw).to_f32()),
            #[allow(clippy::cast_possible_truncation)]
            DType::F64 => self.gather(bytes, |raw| f64::from_le_bytes(raw) as f32),
            DType::Other(name, _) => return Err(Unreadable::DType(name)),
        })
    }

    /// Where the numbers are in the file, if they are `f32` and one after the other.
    pub(super) fn contiguous_f32(&self) -> Option<Range<usize>> {
        let fits = matches!(self.dtype, DType::F32) && self.len <= self.bytes.len() / 4 && self.is_contiguous();
        fits.then(|| self.bytes.start..self.bytes.start + self.len * 4)
    }

    fn gather<const N: usize>(&self, bytes: &[u8], value: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        let numbers = bytes.as_chunks::<N>().0;
        if self.is_contiguous() {
            return numbers[..self.len].iter().map(|&raw| value(raw)).collect();
        }
        let mut index = vec![0; self.axes.len()];
        let mut at = 0;
        let mut next = || {
            let number = value(numbers[at]);
            for (i, &(length, stride)) in index.iter_mut().zip(&self.axes).rev() {
                *i += 1;
                at += stride;
                if *i < length {
                    break;
                }
                at -= *i * stride;
                *i = 0;
            }
            number
        };
        (0..self.len).map(|_| next()).collect()
    }

    fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        let mut follows = |&(length, stride): &(usize, usize)| {
            let follows = stride == expected;
            expected *= length;
            follows
        };
        self.len == 0 || self.axes.iter().rev().all(&mut follows)
    }
}

/// A tuple of numbers that are not negative.
fn sizes(object: &Object, tuple: (usize, usize)) -> Option<Vec<usize>> {
    let size = |&value: &Value| if let Value::Int(size) = value { usize::try_from(size).ok() } else { None };
    object.tuple(tuple).iter().map(size).collect()
}
