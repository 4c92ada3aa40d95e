//! Runs every loop of `gptune_kernels::slices` on shapes with ragged edges, for a sanitizer to watch:
//! results are checked by the tests of `gptune-kernels`, accesses to memory here.

#[allow(dead_code, unused_imports)]
#[path = "../../src/slices/mod.rs"]
mod slices;

#[cfg(test)]
mod tests {
    use crate::slices::{
        AdamWStep, CachedRows, FEW, HeadWanted, Layout, Matrix, MatrixMut, Onto, Stored, Target, adamw, attention,
        attention_backward, buffers, cached_attention, column_sums, embedding, embedding_backward, few_rows,
        few_rows_transposed, gelu, gelu_backward, head_cross_entropy, layer_norm, layer_norm_backward,
        layer_norm_parameters_backward, matmul, matmul_serial, squared_norm, streamed, transpose,
    };

    fn numbers(n: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * 7919 % 101) as f32 - 50.0) / 50.0).collect()
    }

    #[test]
    fn attention_over_rows() {
        for (prefix, own) in [(0, vec![1]), (3, vec![2, 0, 5]), (0, vec![4, 1]), (1, vec![100, 3])] {
            let layout = Layout::new(prefix, own);
            let (heads, d) = (2, 5);
            let (n, c) = (layout.rows(), heads * d);
            let (qkv, mut out) = (numbers(n * 3 * c), vec![0.0; n * c]);
            let log_sums = attention(&qkv, &layout, heads, &mut out);
            let mut d_qkv = vec![0.0; n * 3 * c];
            attention_backward(&qkv, &layout, heads, &log_sums, &numbers(n * c), &mut d_qkv);
            assert!(out.iter().chain(&d_qkv).all(|x| x.is_finite()));
        }
    }

    #[test]
    fn attention_to_a_cache() {
        let used = [[0..1, 2..3], [0..2, 2..3]];
        let (prefix, own) = (numbers(20), numbers(2 * 4 * 20));
        let mut out = vec![0.0; 20];
        cached_attention(&numbers(2 * 30), CachedRows { prefix: &prefix, own: &own, used: &used }, 2, &mut out);
        assert!(out.iter().all(|x| x.is_finite()));
    }

    #[test]
    fn products() {
        for m in [1, 4, 5, 8, 9, 20, 33] {
            for (k, n) in [(70, 45), (129, 100), (3, 1), (64, 48), (65, 530)] {
                let (x, matrix, mut out) = (numbers(m * k), numbers(k * n), vec![0.0; m * n]);
                if m <= FEW {
                    few_rows(&x, &matrix, k, &mut out);
                    few_rows_transposed(&x, &matrix, k, &mut out);
                }
                streamed(&x, &matrix, Stored::ByRow, k, &mut out);
                streamed(&x, &matrix, Stored::Transposed, k, &mut out);
                matmul(MatrixMut::new(&mut out, m, n), Matrix::new(&x, m, k), Matrix::new(&matrix, k, n), Onto::Zero);
                let right = Matrix::new(&matrix, n, k).transposed();
                matmul_serial(MatrixMut::new(&mut out, m, n), Matrix::new(&x, m, k), right, Onto::Output);
                let mut turned = vec![0.0; m * n];
                transpose(&out, n, &mut turned);
            }
        }
    }

    #[test]
    fn rows() {
        for c in [1, 15, 37, 64, 300] {
            let (x, mut out) = (numbers(3 * c), vec![0.0; 3 * c]);
            let moments = layer_norm(&x, &numbers(c), &numbers(c), 1e-5, &mut out);
            layer_norm_backward(&x, &numbers(c), &moments, &mut out);
            let _ = layer_norm_parameters_backward(&x, &moments, &out);
            let _ = column_sums(&x, c);
            gelu(&x, &mut out);
            gelu_backward(&x, &mut out);
        }
        let mut out = vec![0.0; 20];
        embedding(&numbers(40), &numbers(20), &[1, 3], &[0, 1], &mut out);
        let _ = embedding_backward(&out, &[1, 3], 4);
    }

    #[test]
    fn loss_and_optimizer() {
        let targets = [Target { row: 0, id: 3, weight: 0.5 }, Target { row: 2, id: 1, weight: 0.5 }];
        for [hidden, weight] in [[false, false], [true, false], [false, true], [true, true]] {
            let want = HeadWanted { hidden, weight };
            let _ = head_cross_entropy(&numbers(3 * 8), &numbers(11 * 8), 8, &targets, want);
        }
        let n = (1 << 17) + 7;
        let (mut parameter, mut momentum, mut variance) = (buffers::large_zeros(n), vec![0.0; n], vec![0.1; n]);
        let step =
            AdamWStep { lr: 0.1, betas: [0.9, 0.99], eps: 1e-8, weight_decay: 0.1, step: 1, gradient_scale: 1.0 };
        adamw(&mut parameter, &numbers(n), &mut momentum, &mut variance, step);
        assert!(squared_norm(&parameter) > 0.0);
        let buffer = buffers::take(n);
        buffers::give_back(buffer);
        buffers::release();
    }
}
