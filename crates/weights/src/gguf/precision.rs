//! The types that weights are written in.

use half::f16;

use super::tensor_type::{self, TensorType};

/// The type that a file's matrices are stored in. Vectors and the position embedding stay in 32-bit
/// floats whatever it is, as in llama.cpp's own files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GgufPrecision {
    /// 32-bit floats: exactly what was trained.
    #[default]
    F32,
    /// 16-bit IEEE floats.
    F16,
    /// Blocks of 32 bytes with a common scale: 8.5 bits a number. A matrix with rows that are no
    /// multiple of 32 is stored in 16-bit floats instead.
    Q8_0,
}

impl GgufPrecision {
    pub(super) fn tensor_type(self) -> TensorType {
        match self {
            Self::F32 => tensor_type::F32,
            Self::F16 => tensor_type::F16,
            Self::Q8_0 => tensor_type::Q8_0,
        }
    }

    /// Value of `general.file_type`: the type of most tensors.
    pub(super) fn file_type(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q8_0 => 7,
        }
    }

    /// How a tensor of a shape, rows last, is stored where matrices are to have this type.
    pub(super) fn of_tensor(self, name: &str, shape: &[usize]) -> Self {
        match (self, shape) {
            (_, [_, _]) if name == "position_embd.weight" => Self::F32,
            (Self::Q8_0, [_, row]) if !row.is_multiple_of(BLOCK) => Self::F16,
            (_, [_, _]) => self,
            _ => Self::F32,
        }
    }

    /// Appends the bytes of a row, which for [`GgufPrecision::Q8_0`] is a whole number of blocks. The
    /// error is a number that the type cannot hold.
    pub(super) fn encode(self, row: &[f32], bytes: &mut Vec<u8>) -> Result<(), f32> {
        match self {
            Self::F32 => bytes.extend(row.iter().flat_map(|x| x.to_le_bytes())),
            Self::F16 => {
                for &x in row {
                    bytes.extend(finite(x, x)?.to_le_bytes());
                }
            }
            Self::Q8_0 => {
                for block in row.as_chunks().0 {
                    quantize(block, bytes)?;
                }
            }
        }
        Ok(())
    }
}

const BLOCK: usize = tensor_type::Q8_0.block;

/// A block of `Q8_0`, bit for bit as in ggml: the largest number becomes ±127.
fn quantize(block: &[f32; BLOCK], bytes: &mut Vec<u8>) -> Result<(), f32> {
    let larger = |a: f32, b: f32| if b.abs() > a.abs() || b.is_nan() { b } else { a };
    let largest = block.iter().copied().fold(0.0, larger);
    let scale = largest.abs() / 127.0;
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    bytes.extend(finite(scale, largest)?.to_le_bytes());
    #[expect(clippy::cast_possible_truncation, reason = "the inverse brings all numbers to -127..=127")]
    let levels = block.map(|x| ((x * inverse).round() as i8).cast_unsigned());
    bytes.extend(levels);
    Ok(())
}

/// `x` rounded to `f16` if that is a finite number, or else the number that caused it.
fn finite(x: f32, cause: f32) -> Result<f16, f32> {
    let rounded = f16::from_f32(x);
    if rounded.is_finite() { Ok(rounded) } else { Err(cause) }
}

#[cfg(test)]
mod tests {
    use super::{GgufPrecision::*, *};

    fn encode(precision: GgufPrecision, row: &[f32]) -> Result<Vec<u8>, f32> {
        let mut bytes = Vec::new();
        precision.encode(row, &mut bytes).map(|()| bytes)
    }

    #[test]
    fn a_block_is_its_largest_number_and_steps_of_it() {
        let block: Vec<f32> = (-16_i8..16).map(f32::from).collect();
        let bytes = encode(Q8_0, &block).unwrap();
        let scale = f16::from_f32(16.0 / 127.0);
        assert_eq!(bytes.len(), tensor_type::Q8_0.bytes);
        assert_eq!(bytes[..2], scale.to_le_bytes());
        assert_eq!(bytes[2].cast_signed(), -127);
        assert_eq!(bytes[2 + 16], 0);
        // 15 / (16 / 127) = 119.0625.
        assert_eq!(bytes[2 + 31], 119);
        let read = tensor_type::Q8_0.decode(&bytes).unwrap();
        assert_eq!(read[31].to_bits(), (119.0 * scale.to_f32()).to_bits());
    }

    #[test]
    fn numbers_too_small_for_a_scale_become_zeros() {
        for x in [0.0, -0.0, 1e-12, 1e-40] {
            let bytes = encode(Q8_0, &[x; 32]).unwrap();
            assert!(tensor_type::Q8_0.decode(&bytes).unwrap().iter().all(|&x| x == 0.0), "{x}");
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        let mut row = [1.0; 32];
        for x in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1e7] {
            row[7] = x;
            assert_eq!(encode(Q8_0, &row).unwrap_err().to_bits(), x.to_bits());
            assert_eq!(encode(F16, &row).unwrap_err().to_bits(), x.to_bits());
            let bytes = encode(F32, &row).unwrap();
            assert_eq!(tensor_type::F32.decode(&bytes).unwrap()[7].to_bits(), x.to_bits());
        }
        row[7] = 65504.0;
        assert!(encode(F16, &row).is_ok());
    }

    #[test]
    fn only_matrices_of_whole_blocks_are_quantised() {
        assert_eq!(Q8_0.of_tensor("output.weight", &[7, 64]), Q8_0);
        assert_eq!(Q8_0.of_tensor("output.weight", &[64, 48]), F16);
        assert_eq!(Q8_0.of_tensor("output_norm.weight", &[64]), F32);
        assert_eq!(F16.of_tensor("position_embd.weight", &[7, 64]), F32);
    }
}
