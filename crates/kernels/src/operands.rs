//! What the operands of an operation have in common.

use burn::tensor::Device;

/// Holds the operands of an operation to one kind: all of them under autodiff, tracked or frozen, or none.
///
/// Burn takes a plain tensor beside others for a constant. Where a parameter was meant, its gradient is lost, and
/// fused operations would lose the gradients of the others too.
///
/// # Panics
///
/// If some are under autodiff and others are not, with the name of the operation and of each.
pub(crate) fn assert_one_kind<const N: usize>(operation: &str, operands: &[(&str, Device); N]) {
    let names = |autodiff: bool| {
        let names = operands.iter().filter(|(_, device)| device.is_autodiff() == autodiff).map(|(name, _)| *name);
        names.collect::<Vec<_>>().join(", ")
    };
    let autodiff = operands.iter().filter(|(_, device)| device.is_autodiff()).count();
    assert!(
        autodiff == 0 || autodiff == N,
        "{operation}: under autodiff: {}; plain: {}: gradients would be lost, so that all have to be of one kind \
         (a frozen tensor is under autodiff and not tracked)",
        names(true),
        names(false)
    );
}
