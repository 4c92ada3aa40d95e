//! Every fused operation against the portable one: outputs and all gradients, on shapes that are a
//! multiple of nothing.

use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use gptune_kernels::{
    CacheLayout, KeyValues, Layout, attention, embedding, gelu, head_logits, layer_norm, linear, portable_attention,
    portable_embedding, portable_gelu, portable_head_logits, portable_layer_norm, portable_linear,
};

use crate::{Inputs, assert_equal, random};

#[test]
fn linear_layers() {
    // Few rows, some rows and many take different loops.
    for [n, d_in, d_out] in [
        [1, 1, 1],
        [1, 16, 48],
        [4, 37, 1100],
        [5, 70, 500],
        [7, 33, 65],
        [16, 64, 32],
        [33, 130, 481],
        [64, 129, 100],
        [131, 48, 17],
        [300, 96, 130],
    ] {
        assert_equal(
            &format!("linear {n} x {d_in} x {d_out}"),
            |device| Inputs {
                matrices: vec![random([n, d_in], device), random([d_in, d_out], device)],
                vectors: vec![random([d_out], device)],
            },
            |inputs| linear(inputs.matrix(0), inputs.matrix(1), inputs.vector(0)),
            |inputs| portable_linear(inputs.matrix(0), inputs.matrix(1), inputs.vector(0)),
        );
    }
}

#[test]
fn head_logits_of_few_some_and_many_rows() {
    let device = Device::flex();
    device.seed(4);
    for [n, c, v] in [[1, 16, 7], [3, 100, 130], [4, 33, 65], [5, 96, 1000], [17, 70, 481], [64, 48, 100], [90, 33, 70]]
    {
        let (hidden, weight) = (random([n, c], &device), random([v, c], &device));
        let want = portable_head_logits(hidden.clone(), weight.clone());
        let difference = crate::relative_difference(head_logits(hidden, weight), want);
        assert!(difference < 1e-5, "{n} x {c} x {v}: {difference}");
    }
}

#[test]
fn cached_attention_of_growing_sequences() {
    let device = Device::flex();
    device.seed(6);
    for (prefix, own) in LAYOUTS {
        for [heads, head_width] in [[3, 33], [2, 64]] {
            let layout = Layout::new(prefix, own.iter().copied());
            let c = heads * head_width;
            let start = random([layout.rows(), 3 * c], &device);
            let (mut fused, mut portable) = (KeyValues::new(&start, &layout), KeyValues::new(&start, &layout));
            let mut columns = CacheLayout::new(&layout);
            // More steps than columns are made at once; in the middle, sequences leave.
            for step in 0..70 {
                if step == 40 {
                    let staying: Vec<usize> = (0..own.len()).rev().step_by(2).collect();
                    columns.keep(&staying);
                    fused.keep(&staying);
                    portable.keep(&staying);
                }
                columns.grow();
                let qkv = random([columns.sequences(), 3 * c], &device);
                let got = fused.attend(qkv.clone(), &columns, heads);
                let want = portable.portable_attend(qkv, &columns, heads);
                let difference = crate::relative_difference(got, want);
                assert!(difference < 1e-5, "prefix {prefix}, own {own:?}, step {step}: {difference}");
            }
        }
    }
}

#[test]
fn layer_normalisation() {
    for [n, c] in [[1, 5], [1, 16], [9, 33], [17, 100], [130, 768]] {
        assert_equal(
            &format!("layer_norm {n} x {c}"),
            |device| Inputs {
                matrices: vec![random([n, c], device) * 3.0 + 2.0],
                vectors: vec![random([c], device), random([c], device)],
            },
            |inputs| layer_norm(inputs.matrix(0), inputs.vector(0), inputs.vector(1), 1e-5),
            |inputs| portable_layer_norm(inputs.matrix(0), inputs.vector(0), inputs.vector(1), 1e-5),
        );
    }
}

#[test]
fn gelus() {
    // Not a single number: where GELU comes close to 0 it does so by cancellation, on either path.
    for [n, c] in [[1, 29], [3, 33], [70, 400]] {
        assert_equal(
            &format!("gelu {n} x {c}"),
            // Up to ±30, where one side is 0 and the other the identity.
            |device| Inputs { matrices: vec![random([n, c], device).powi_scalar(3) * 10.0], vectors: vec![] },
            |inputs| gelu(inputs.matrix(0)),
            |inputs| portable_gelu(inputs.matrix(0)),
        );
    }
}

#[test]
fn embeddings() {
    for [n, c, entries] in [[1, 1, 1], [5, 33, 7], [200, 48, 11]] {
        let entries_u32 = u32::try_from(entries).unwrap();
        let ids: Vec<u32> = (0..).map(|i| i * 7 % entries_u32).take(n).collect();
        let at: Vec<u32> = (0..).map(|i| i % entries_u32).take(n).collect();
        assert_equal(
            &format!("embedding {n} x {c} of {entries}"),
            |device| Inputs {
                matrices: vec![random([entries, c], device), random([entries, c], device)],
                vectors: vec![],
            },
            |inputs| embedding(inputs.matrix(0), inputs.matrix(1), &ids, &at),
            |inputs| portable_embedding(inputs.matrix(0), inputs.matrix(1), &ids, &at),
        );
    }
}

/// `(prefix, own lengths)`: one position; ragged; sequences of one position; nothing shared;
/// everything shared; more queries than are worked on at once; a prefix longer than that.
const LAYOUTS: [(usize, &[usize]); 9] = [
    (0, &[1]),
    (0, &[5, 3, 9]),
    (0, &[1, 1, 1]),
    (4, &[2, 7, 1, 3]),
    (6, &[0, 0, 0]),
    (3, &[0, 5, 0]),
    (1, &[1]),
    (5, &[201, 97]),
    (130, &[3, 96]),
];

#[test]
fn attention_over_packed_rows() {
    for (prefix, own) in LAYOUTS {
        for [heads, head_width] in [[1, 16], [3, 33], [2, 64], [1, 128]] {
            let layout = Arc::new(Layout::new(prefix, own.iter().copied()));
            let (n, c) = (layout.rows(), heads * head_width);
            assert_equal(
                &format!("attention, prefix {prefix}, own {own:?}, {heads} heads of {head_width}"),
                |device| Inputs { matrices: vec![random([n, 3 * c], device)], vectors: vec![] },
                |inputs| attention(inputs.matrix(0), &layout, heads),
                |inputs| portable_attention(inputs.matrix(0), &layout, heads, |weights| weights),
            );
        }
    }
}

/// A shared prefix is what the same sequences in full give, outputs and summed gradients.
#[test]
fn a_shared_prefix_changes_nothing() {
    let (prefix, own, heads, c) = (5, [3, 1, 4], 2, 32);
    let device = Device::flex().autodiff();
    device.seed(7);
    let shared = Arc::new(Layout::new(prefix, own));
    let full = Arc::new(Layout::new(0, own.map(|own| prefix + own)));
    let qkv = random([shared.rows(), 3 * c], &device).require_grad();
    // Every row of the full layout, from the shared one.
    let rows: Vec<i64> =
        shared.own().flat_map(|own| (0..prefix).chain(own)).map(|row| i64::try_from(row).unwrap()).collect();
    let rows = Tensor::<1, burn::tensor::Int>::from_data(rows.as_slice(), &device);
    let weights = random([full.rows(), c], &device);
    let in_full = attention(qkv.clone().select(0, rows.clone()), &full, heads);
    let in_full_grad = qkv.grad(&(in_full.clone() * weights.clone()).sum().backward()).unwrap();
    let spread = attention(qkv.clone(), &shared, heads).select(0, rows);
    let spread_grad = qkv.grad(&(spread.clone() * weights).sum().backward()).unwrap();
    assert!(crate::relative_difference(spread.inner(), in_full.inner()) < 1e-5);
    assert!(crate::relative_difference(spread_grad, in_full_grad) < 1e-5);
}

#[test]
fn frozen_inputs_get_no_gradient_and_pass_others_on() {
    let device = Device::flex().autodiff();
    let x = random([3, 4], &device).require_grad();
    let (weight, bias) = (random([4, 5], &device), random([5], &device).require_grad());
    let grads = linear(x.clone(), weight.clone(), bias.clone()).sum().backward();
    assert!(x.grad(&grads).is_some() && weight.grad(&grads).is_none() && bias.grad(&grads).is_some());
}
