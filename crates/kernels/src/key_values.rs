//! Keys and values of what a model has already seen, and attention to them.

use burn::tensor::{Bool, Tensor, TensorData, activation::softmax};

use crate::{embedding::indices, flex, operands::assert_one_kind, precision::product, slices::Layout};

/// Keys and values of one layer, of sequences that grow by one token at a time.
#[derive(Debug, Clone)]
pub struct KeyValues {
    /// Of the positions that all sequences share, `[P, 2C]`: keys and values side by side.
    pub(crate) prefix: Option<Tensor<2>>,
    /// Of each sequence's own positions, `[B, S, 2C]`.
    pub(crate) own: Tensor<3>,
}

/// Which positions of [`KeyValues`] hold something: the same for all layers of a model.
///
/// Column `S` of sequence `b` is used if it is below the sequence's own length at the start, or
/// between the longest of these and the newest column: what is generated stands in the same column
/// for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheLayout {
    /// Positions that all sequences share.
    pub(crate) prefix: usize,
    /// Own length of each sequence at the start.
    pub(crate) own: Vec<usize>,
    /// Where generated columns begin.
    pub(crate) first: usize,
    /// Generated columns.
    pub(crate) generated: usize,
}

impl CacheLayout {
    /// The layout after a first pass over packed sequences.
    #[must_use]
    pub fn new(layout: &Layout) -> Self {
        let own: Vec<usize> = layout.own().map(|own| own.len()).collect();
        let first = own.iter().copied().max().unwrap_or(0);
        Self { prefix: layout.prefix(), own, first, generated: 0 }
    }

    /// Number of sequences.
    #[must_use]
    pub fn sequences(&self) -> usize {
        self.own.len()
    }

    /// Length of each sequence.
    #[must_use]
    pub fn lengths(&self) -> impl ExactSizeIterator<Item = usize> + '_ {
        self.own.iter().map(|own| self.prefix + own + self.generated)
    }

    /// Adds a column, for the token that each sequence is continued with.
    pub fn grow(&mut self) {
        self.generated += 1;
    }

    /// Keeps the sequences with these indices, in this order.
    ///
    /// # Panics
    ///
    /// If there is no such sequence.
    pub fn keep(&mut self, sequences: &[usize]) {
        self.own = sequences.iter().map(|&sequence| self.own[sequence]).collect();
    }

    /// Columns used, the unused ones between them included.
    pub(crate) fn columns(&self) -> usize {
        self.first + self.generated
    }
}

/// Columns that are made at once when the ones at hand are used up.
const GROWTH: usize = 64;

impl KeyValues {
    /// Keys and values of packed sequences.
    ///
    /// # Shapes
    ///
    /// - `qkv`: `[N, 3C]`, the rows of `layout`
    ///
    /// # Panics
    ///
    /// If there is no sequence, or `qkv` has other rows.
    #[must_use]
    pub fn new(qkv: &Tensor<2>, layout: &Layout) -> Self {
        let [n, three_c] = qkv.dims();
        let c = three_c / 3;
        assert!(n == layout.rows() && layout.sequences() > 0, "{n} rows for a layout of {}", layout.rows());
        let keys_values = qkv.clone().narrow(1, c, 2 * c); // [N, 2C]
        let prefix = (layout.prefix() > 0).then(|| keys_values.clone().narrow(0, 0, layout.prefix()));
        let capacity = layout.own().map(|own| own.len()).max().unwrap_or(0) + GROWTH;
        let row = |row: usize| u32::try_from(row).unwrap_or(u32::MAX);
        // Unused columns hold any row.
        let cells: Vec<u32> = layout
            .own()
            .flat_map(|own| {
                (0..capacity).map(move |column| if column < own.len() { row(own.start + column) } else { 0 })
            })
            .collect();
        let own = keys_values.select(0, indices(&cells, &qkv.device()));
        Self { prefix, own: own.reshape([layout.sequences(), capacity, 2 * c]) }
    }

    /// Keeps the sequences with these indices, in this order.
    ///
    /// # Panics
    ///
    /// If there is no such sequence.
    pub fn keep(&mut self, sequences: &[usize]) {
        let rows: Vec<u32> = sequences.iter().map(|&row| u32::try_from(row).unwrap_or(u32::MAX)).collect();
        let device = self.own.device();
        self.own = self.own.clone().select(0, indices(&rows, &device));
    }

    /// Adds the newest position of each sequence and attends from it to all of its positions.
    /// `layout` has grown by its column.
    ///
    /// # Shapes
    ///
    /// - `qkv`: `[B, 3C]`, one row a sequence
    /// - output: `[B, C]`
    ///
    /// # Panics
    ///
    /// If `qkv` has not one row for each sequence of `layout`, that has not grown, or `qkv` is under autodiff and
    /// what is cached is not, or the other way round.
    #[must_use]
    pub fn attend(&mut self, qkv: Tensor<2>, layout: &CacheLayout, heads: usize) -> Tensor<2> {
        assert_one_kind("attend", &[("qkv", qkv.device()), ("keys and values", self.own.device())]);
        self.make_room(&qkv, layout);
        match flex::attend(self, &qkv, layout, heads) {
            Some(mixed) => mixed,
            None => self.portable_attend(qkv, layout, heads),
        }
    }

    fn make_room(&mut self, qkv: &Tensor<2>, layout: &CacheLayout) {
        let [b, capacity, two_c] = self.own.dims();
        assert!(qkv.dims() == [b, two_c / 2 * 3] && layout.sequences() == b, "one row for each sequence");
        assert!(layout.generated > 0, "a layout that has grown by the new column");
        if layout.columns() > capacity {
            let more = Tensor::zeros([b, GROWTH, two_c], &self.own.device());
            self.own = Tensor::cat(vec![self.own.clone(), more], 1);
        }
    }

    /// [`KeyValues::attend`] in ordinary Burn operations.
    ///
    /// # Shapes
    ///
    /// As [`KeyValues::attend`].
    ///
    /// # Panics
    ///
    /// As [`KeyValues::attend`].
    #[must_use]
    pub fn portable_attend(&mut self, qkv: Tensor<2>, layout: &CacheLayout, heads: usize) -> Tensor<2> {
        self.make_room(&qkv, layout);
        let [b, three_c] = qkv.dims();
        let c = three_c / 3;
        let (h, d) = (heads, c / heads);
        let columns = layout.columns();
        let newest = qkv.clone().narrow(1, c, 2 * c).reshape([b, 1, 2 * c]);
        self.own = self.own.clone().slice_assign([0..b, columns - 1..columns, 0..2 * c], newest);

        let scale = 1.0 / (d as f64).sqrt();
        let queries = qkv.narrow(1, 0, c).reshape([b, h, 1, d]) * scale;
        let own = self.own.clone().narrow(1, 0, columns).reshape([b, columns, 2 * h, d]).swap_dims(1, 2); // [B, 2H, S, D]
        let (keys, values) = (own.clone().narrow(1, 0, h), own.narrow(1, h, h));
        let unused: Vec<bool> =
            layout.own.iter().flat_map(|&own| (0..columns).map(move |s| own <= s && s < layout.first)).collect();
        let unused = Tensor::<4, Bool>::from_data(TensorData::new(unused, [b, 1, 1, columns]), &keys.device());
        let scores = product(queries.clone(), keys.transpose()); // [B, H, 1, S]
        let scores = scores.mask_fill(unused.expand([b, h, 1, columns]), f32::NEG_INFINITY);
        let Some(prefix) = &self.prefix else {
            return product(softmax(scores, 3), values).reshape([b, c]);
        };
        let p = prefix.dims()[0];
        let prefix = prefix.clone().reshape([1, p, 2 * h, d]).swap_dims(1, 2); // [1, 2H, P, D]
        let shared = |first| prefix.clone().narrow(1, first, h).expand([b, h, p, d]);
        let scores = Tensor::cat(vec![product(queries, shared(0).transpose()), scores], 3); // [B, H, 1, P + S]
        let weights = softmax(scores, 3);
        let mixed =
            product(weights.clone().narrow(3, 0, p), shared(h)) + product(weights.narrow(3, p, columns), values);
        mixed.reshape([b, c])
    }
}
