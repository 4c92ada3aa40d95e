//! Back ends: the one place that knows which are in this build.

use anyhow::{Result, bail};
use burn::tensor::Device;
use serde::Serialize;

/// A back end, in this build or not.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct BackEnd {
    /// The name of its cargo feature and of `--device`.
    pub name: &'static str,
    /// What it computes on.
    pub device: &'static str,
    #[serde(skip)]
    compiled: bool,
    /// Whether `auto` prefers it to a CPU.
    #[serde(skip)]
    gpu: bool,
}

const fn back_end(name: &'static str, device: &'static str, compiled: bool, gpu: bool) -> BackEnd {
    BackEnd { name, device, compiled, gpu }
}

const BACK_ENDS: [BackEnd; 8] = [
    back_end("flex", "CPU, pure Rust with fused operations", cfg!(feature = "flex"), false),
    back_end("tch", "CPU through LibTorch", cfg!(feature = "tch"), false),
    back_end("cuda", "NVIDIA GPU through CUDA", cfg!(feature = "cuda"), true),
    back_end("rocm", "AMD GPU through ROCm", cfg!(feature = "rocm"), true),
    back_end("metal", "Apple GPU through Metal", cfg!(feature = "metal"), true),
    back_end("vulkan", "GPU through Vulkan", cfg!(feature = "vulkan"), true),
    back_end("wgpu", "GPU through wgpu", cfg!(feature = "wgpu"), true),
    back_end("cpu", "CPU through CubeCL", cfg!(feature = "cpu"), false),
];

/// The back ends of this build.
pub(crate) fn compiled() -> impl Iterator<Item = BackEnd> {
    BACK_ENDS.into_iter().filter(|back_end| back_end.compiled)
}

/// The device of a name: `auto` (a GPU if this build has one, else the CPU) or a back end of this
/// build. Returns it with the back end's name.
///
/// # Errors
///
/// For a back end that does not exist, or that is not in this build (naming the feature to build
/// with), or an index that is none.
pub(crate) fn resolve(device: &str) -> Result<(Device, &'static str)> {
    let (name, index) = device.split_once(':').unwrap_or((device, "0"));
    let Ok(index) = index.parse::<usize>() else {
        bail!("the device '{device}' has no number after its colon; write for instance cuda:1");
    };
    let back_end = if name == "auto" {
        compiled().find(|back_end| back_end.gpu).or(compiled().next())
    } else {
        BACK_ENDS.into_iter().find(|back_end| back_end.name == name)
    };
    let names = |back_ends: &mut dyn Iterator<Item = BackEnd>| {
        back_ends.map(|back_end| back_end.name).collect::<Vec<_>>().join(", ")
    };
    let Some(BackEnd { name, .. }) = back_end else {
        bail!("unknown device '{name}'; known: auto, {}", names(&mut BACK_ENDS.into_iter()));
    };
    if index > 0 && ["flex", "tch", "cpu"].contains(&name) {
        bail!("there is one CPU, {name}:0, and '{device}' is none");
    }
    // Index 0 is whatever the driver prefers.
    #[cfg(any(feature = "wgpu", feature = "vulkan", feature = "metal"))]
    let gpu = match index {
        0 => burn::tensor::DeviceKind::DefaultDevice,
        _ => burn::tensor::DeviceKind::DiscreteGpu(index),
    };
    let device = match name {
        #[cfg(feature = "flex")]
        "flex" => Device::flex(),
        #[cfg(feature = "tch")]
        "tch" => Device::libtorch(),
        #[cfg(feature = "wgpu")]
        "wgpu" => Device::wgpu(gpu),
        #[cfg(feature = "vulkan")]
        "vulkan" => Device::vulkan(gpu),
        #[cfg(feature = "metal")]
        "metal" => Device::metal(gpu),
        #[cfg(feature = "cuda")]
        "cuda" => Device::cuda(index),
        #[cfg(feature = "rocm")]
        "rocm" => Device::rocm(index),
        #[cfg(feature = "cpu")]
        "cpu" => Device::cpu(),
        _ => bail!(
            "the device '{name}' is not in this build, which has {}; build with it: cargo xtask train --backend {name}",
            names(&mut compiled())
        ),
    };
    Ok((device, name))
}
