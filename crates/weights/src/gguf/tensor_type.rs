//! ggml's types of tensors, and the numbers in those that are read or written.

use half::{bf16, f16};

use crate::contents::decode;

/// A type of tensor: `block` numbers are stored in `bytes` bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TensorType {
    pub(super) id: u32,
    pub(super) name: &'static str,
    pub(super) block: usize,
    pub(super) bytes: usize,
}

pub(super) const F32: TensorType = of(0, "F32", 1, 4);
pub(super) const F16: TensorType = of(1, "F16", 1, 2);
pub(super) const BF16: TensorType = of(30, "BF16", 1, 2);
pub(super) const F64: TensorType = of(28, "F64", 1, 8);
/// Blocks of a scale in `f16` and 32 signed bytes.
pub(super) const Q8_0: TensorType = of(8, "Q8_0", 32, 34);

/// Those that are not read are listed because the places of tensors follow from all sizes before.
const ALL: [TensorType; 34] = [
    F32,
    F16,
    BF16,
    F64,
    Q8_0,
    of(2, "Q4_0", 32, 18),
    of(3, "Q4_1", 32, 20),
    of(6, "Q5_0", 32, 22),
    of(7, "Q5_1", 32, 24),
    of(9, "Q8_1", 32, 36),
    of(10, "Q2_K", 256, 84),
    of(11, "Q3_K", 256, 110),
    of(12, "Q4_K", 256, 144),
    of(13, "Q5_K", 256, 176),
    of(14, "Q6_K", 256, 210),
    of(15, "Q8_K", 256, 292),
    of(16, "IQ2_XXS", 256, 66),
    of(17, "IQ2_XS", 256, 74),
    of(18, "IQ3_XXS", 256, 98),
    of(19, "IQ1_S", 256, 50),
    of(20, "IQ4_NL", 32, 18),
    of(21, "IQ3_S", 256, 110),
    of(22, "IQ2_S", 256, 82),
    of(23, "IQ4_XS", 256, 136),
    of(24, "I8", 1, 1),
    of(25, "I16", 1, 2),
    of(26, "I32", 1, 4),
    of(27, "I64", 1, 8),
    of(29, "IQ1_M", 256, 56),
    of(34, "TQ1_0", 256, 54),
    of(35, "TQ2_0", 256, 66),
    of(39, "MXFP4", 32, 17),
    of(40, "NVFP4", 64, 36),
    of(41, "Q1_0", 128, 18),
];

const fn of(id: u32, name: &'static str, block: usize, bytes: usize) -> TensorType {
    TensorType { id, name, block, bytes }
}

impl TensorType {
    pub(super) fn find(id: u32) -> Option<&'static Self> {
        ALL.iter().find(|known| known.id == id)
    }

    /// Bytes of a tensor of a shape, rows last, or none if rows are not of whole blocks or the number
    /// is too large.
    pub(super) fn length(self, shape: &[usize]) -> Option<usize> {
        let row = shape.last().copied().unwrap_or(1);
        let numbers = shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size))?;
        row.is_multiple_of(self.block).then(|| (numbers / self.block).checked_mul(self.bytes))?
    }

    /// The numbers in `bytes`, or none if the type is not one of weights.
    pub(super) fn decode(self, bytes: &[u8]) -> Option<Vec<f32>> {
        Some(match self {
            F32 => decode(bytes, f32::from_le_bytes),
            F16 => decode(bytes, |raw| f16::from_le_bytes(raw).to_f32()),
            BF16 => decode(bytes, |raw| bf16::from_le_bytes(raw).to_f32()),
            #[expect(clippy::cast_possible_truncation, reason = "weights are rounded to f32")]
            F64 => decode(bytes, |raw| f64::from_le_bytes(raw) as f32),
            Q8_0 => bytes
                .as_chunks::<{ Q8_0.bytes }>()
                .0
                .iter()
                .flat_map(|&[low, high, ref levels @ ..]| {
                    let scale = f16::from_le_bytes([low, high]).to_f32();
                    levels.map(|level| f32::from(level.cast_signed()) * scale)
                })
                .collect(),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_listed_once() {
        for (i, one) in ALL.iter().enumerate() {
            assert!(ALL[..i].iter().all(|other| other.id != one.id && other.name != one.name), "{}", one.name);
        }
        assert_eq!(TensorType::find(8), Some(&Q8_0));
        assert_eq!(TensorType::find(4), None);
    }

    #[test]
    fn every_float_is_read() {
        let x = 0.156_25_f32;
        assert_eq!(BF16.decode(&bf16::from_f32(x).to_le_bytes()), Some(vec![x]));
        assert_eq!(F64.decode(&f64::from(x).to_le_bytes()), Some(vec![x]));
        assert_eq!(F16.decode(&f16::from_f32(x).to_le_bytes()), Some(vec![x]));
        assert_eq!(TensorType::find(12).unwrap().decode(&[0; 144]), None);
    }
}
