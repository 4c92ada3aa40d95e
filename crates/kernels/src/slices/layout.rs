use std::ops::Range;

/// Which rows of a packed matrix `[N, C]` belong to which sequence.
///
/// The first rows are a prefix that all sequences begin with, computed once; the others are the
/// sequences' own parts, one after the other. Position `p` of a sequence is row `p` of the prefix,
/// or row `p − prefix` of its own part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Where the own parts start, and the number of rows.
    bounds: Vec<usize>,
}

impl Layout {
    /// Sequences that share `prefix` positions and have parts of these lengths of their own.
    ///
    /// # Panics
    ///
    /// If their rows are more than can be counted.
    #[must_use]
    pub fn new(prefix: usize, own_lengths: impl IntoIterator<Item = usize>) -> Self {
        let mut end = prefix;
        let ends = own_lengths.into_iter().map(|length| {
            end = usize::checked_add(end, length).unwrap_or_else(|| panic!("{end} rows and {length} more"));
            end
        });
        Self { bounds: std::iter::once(prefix).chain(ends).collect() }
    }

    /// Rows in all, `N`.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.bounds[self.bounds.len() - 1]
    }

    /// Positions that all sequences share.
    #[must_use]
    pub fn prefix(&self) -> usize {
        self.bounds[0]
    }

    /// Number of sequences.
    #[must_use]
    pub fn sequences(&self) -> usize {
        self.bounds.len() - 1
    }

    /// The rows of each sequence's own part.
    #[must_use]
    pub fn own(&self) -> impl ExactSizeIterator<Item = Range<usize>> + '_ {
        self.bounds.windows(2).map(|bounds| bounds[0]..bounds[1])
    }

    /// Length of the longest sequence, prefix included.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.prefix() + self.own().map(|own| own.len()).max().unwrap_or(0)
    }

    /// The position of every row in its sequence.
    #[must_use]
    pub fn positions(&self) -> Vec<u32> {
        let own = self.own().flat_map(|own| self.prefix()..self.prefix() + own.len());
        (0..self.prefix()).chain(own).map(|position| u32::try_from(position).unwrap_or(u32::MAX)).collect()
    }

    /// The rows that see each other, in order: the prefix, which sees itself alone, then the own
    /// parts, which see the prefix too. Empty ones are left out.
    pub(crate) fn spans(&self) -> impl Iterator<Item = Span> + '_ {
        let prefix = Span { rows: 0..self.prefix(), seen: 0 };
        let own = self.own().map(|rows| Span { rows, seen: self.prefix() });
        std::iter::once(prefix).chain(own).filter(|span| !span.rows.is_empty())
    }
}

/// Rows of one sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    /// The rows.
    pub rows: Range<usize>,
    /// How many rows at the start of the matrix they see besides.
    pub seen: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_positions_and_spans() {
        let layout = Layout::new(2, [1, 0, 3]);
        assert_eq!((layout.rows(), layout.prefix(), layout.sequences(), layout.longest()), (6, 2, 3, 5));
        assert_eq!(layout.positions(), [0, 1, 2, 2, 3, 4]);
        assert_eq!(layout.own().collect::<Vec<_>>(), [2..3, 3..3, 3..6]);
        let spans: Vec<_> = layout.spans().map(|span| (span.rows, span.seen)).collect();
        assert_eq!(spans, [(0..2, 0), (2..3, 2), (3..6, 2)]);
        assert_eq!(Layout::new(0, [3]).spans().count(), 1);
    }

    #[test]
    #[should_panic(expected = "5 rows and ")]
    fn rows_that_cannot_be_counted_panic() {
        let _ = Layout::new(5, [usize::MAX - 2]);
    }
}
