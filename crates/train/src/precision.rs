use std::{
    fmt::{Display, Formatter},
    str::FromStr,
};

use burn::tensor::FloatDType;
use serde::{Deserialize, Serialize};

use crate::TrainError;

/// The type of number that matrix products take. Parameters, moments and the loss are `f32` in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// 16 bits with the range of 32: nothing overflows, and 3 digits are left.
    Bf16,
    /// 16 bits with 4 digits and a small range: the loss is scaled up while gradients are computed.
    F16,
}

impl Precision {
    /// Burn's name of the type, or none for `f32`.
    #[must_use]
    pub fn product_type(self) -> Option<FloatDType> {
        match self {
            Self::F32 => None,
            Self::Bf16 => Some(FloatDType::BF16),
            Self::F16 => Some(FloatDType::F16),
        }
    }
}

impl Display for Precision {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
        })
    }
}

impl FromStr for Precision {
    type Err = TrainError;

    fn from_str(name: &str) -> Result<Self, TrainError> {
        [Self::F32, Self::Bf16, Self::F16].into_iter().find(|precision| precision.to_string() == name).ok_or_else(
            || TrainError::Setting { key: "precision", problem: format!("'{name}' is unknown; known: f32, bf16, f16") },
        )
    }
}

/// What the loss is multiplied by before its gradients are computed in `f16`, so that small ones do not
/// become 0: PyTorch's `GradScaler` with its defaults.
#[derive(Debug, Clone)]
pub(crate) struct LossScale {
    pub factor: f64,
    pub(crate) finite_steps: u32,
}

impl Default for LossScale {
    fn default() -> Self {
        Self { factor: 65536.0, finite_steps: 0 }
    }
}

impl LossScale {
    /// Whether gradients were not finite even though the loss was hardly scaled up, so that the next ones will not be
    /// either.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.factor < 1.0
    }

    /// Takes note of whether the gradients of a step were finite.
    pub(crate) fn update(&mut self, finite: bool) {
        const GROWTH_INTERVAL: u32 = 2000;
        if !finite {
            *self = Self { factor: self.factor / 2.0, finite_steps: 0 };
            return;
        }
        self.finite_steps += 1;
        if self.finite_steps == GROWTH_INTERVAL {
            *self = Self { factor: self.factor * 2.0, finite_steps: 0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_scale_backs_off_and_grows() {
        let mut scale = LossScale::default();
        scale.update(false);
        assert_eq!(scale.factor, 32768.0);
        (0..1999).for_each(|_| scale.update(true));
        assert_eq!(scale.factor, 32768.0);
        scale.update(true);
        assert_eq!(scale.factor, 65536.0);
    }

    #[test]
    fn names_are_known_or_refused() {
        assert_eq!("bf16".parse::<Precision>().unwrap(), Precision::Bf16);
        assert!("f8".parse::<Precision>().unwrap_err().to_string().contains("f32, bf16, f16"));
    }
}
