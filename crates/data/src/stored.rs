//! Arrays of numbers in memory, or mapped from a file.

use std::{fmt, ops::Deref};

/// Numbers that are all of one kind, and have no padding.
pub(crate) trait Number: bytemuck::Pod + fmt::Debug {}

impl<T: bytemuck::Pod + fmt::Debug> Number for T {}

/// An array that grows in memory, or lies in a file.
pub(crate) enum Array<T> {
    Vec(Vec<T>),
}

impl<T: Number> Array<T> {
    /// The numbers in memory.
    ///
    /// # Panics
    ///
    /// If they lie in a file.
    pub fn vec(&mut self) -> &mut Vec<T> {
        match self {
            Self::Vec(numbers) => numbers,
        }
    }
}

impl<T> Default for Array<T> {
    fn default() -> Self {
        Self::Vec(Vec::new())
    }
}

impl<T: Number> Deref for Array<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::Vec(numbers) => numbers,
        }
    }
}

impl<T: Number> fmt::Debug for Array<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} numbers", self.len())
    }
}
