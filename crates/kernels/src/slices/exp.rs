/// `e^x` in a form that compilers turn into vector instructions, for `x ≤ 88`.
///
/// Range reduction to `|r| ≤ ln(2)/2` and the degree-5 polynomial of Cephes' `expf` (S. Moshier,
/// 1989); the relative error is below 2e-7. Inputs below −87 count as −87 (1.6e-38).
#[inline(always)]
#[must_use]
pub fn exp(x: f32) -> f32 {
    // Adding and subtracting 1.5 · 2^23 rounds to the nearest integer, which the sum's low bits hold.
    const ROUND: f32 = 12_582_912.0;
    // ln(2) in two parts, the first one exact in a product with a small integer.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    const P: [f32; 6] = [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];

    let x = x.clamp(-87.0, 88.0);
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-LN_2_HIGH, x);
    let r = n.mul_add(-LN_2_LOW, r);
    let p = P[1..].iter().fold(P[0], |p, &coefficient| p.mul_add(r, coefficient));
    let e = (p * r).mul_add(r, r) + 1.0;
    // 2^n goes into the exponent's bits.
    e * f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_to_the_exact_value() {
        let worst = (-86_000..88_000)
            .map(|i| {
                let x = i as f32 * 1e-3;
                let exact = f64::from(x).exp();
                (f64::from(exp(x)) - exact).abs() / exact
            })
            .fold(0.0, f64::max);
        assert!(worst < 2e-7, "{worst}");
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NEG_INFINITY) < 2e-38);
    }
}
