//! How the learning rate changes over a run.

use std::{f64::consts::PI, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::TrainError;

/// The shape of the learning rate after its warm-up, as in transformers' `get_scheduler`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// It stays (`constant_with_warmup`).
    #[default]
    Constant,
    /// It falls in a line (`linear`; with a lowest rate, `polynomial` of power 1).
    Linear,
    /// It falls along half a cosine (`cosine_with_min_lr`).
    Cosine,
    /// It stays, and falls along half a cosine over the last fifth (`warmup_stable_decay`).
    Wsd,
}

impl Schedule {
    const ALL: [Self; 4] = [Self::Constant, Self::Linear, Self::Cosine, Self::Wsd];
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Constant => "constant",
            Self::Linear => "linear",
            Self::Cosine => "cosine",
            Self::Wsd => "wsd",
        })
    }
}

impl FromStr for Schedule {
    type Err = TrainError;

    fn from_str(name: &str) -> Result<Self, TrainError> {
        Self::ALL.into_iter().find(|schedule| schedule.to_string() == name).ok_or_else(|| TrainError::Setting {
            key: "schedule",
            problem: format!("'{name}' is unknown; known: constant, linear, cosine, wsd"),
        })
    }
}

/// The learning rate of each step of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LearningRate {
    /// The shape.
    pub schedule: Schedule,
    /// The highest rate.
    pub lr: f64,
    /// The rate that it falls to.
    pub min_lr: f64,
    /// Steps over which it rises from 0, or with [`Schedule::Wsd`] from the lowest rate, as transformers has it.
    pub warmup: usize,
    /// Steps of the run.
    pub steps: usize,
}

impl LearningRate {
    /// The rate of a step, counting from 0.
    #[must_use]
    pub fn at(&self, step: usize) -> f64 {
        let Self { schedule, lr, min_lr, warmup, steps } = *self;
        if step < warmup {
            let lowest = if schedule == Schedule::Wsd { min_lr } else { 0.0 };
            return lowest + (lr - lowest) * step as f64 / warmup as f64;
        }
        // The share of the way down.
        let down = |begin: usize| (step - begin.min(step)) as f64 / steps.saturating_sub(begin).max(1) as f64;
        let half_cosine = |begin| f64::midpoint(1.0, (PI * down(begin)).cos());
        let share = match schedule {
            Schedule::Constant => return lr,
            Schedule::Linear => 1.0 - down(warmup),
            Schedule::Cosine => half_cosine(warmup),
            Schedule::Wsd => half_cosine(steps - (steps / 5).min(steps)),
        };
        min_lr + (lr - min_lr) * share
    }
}
