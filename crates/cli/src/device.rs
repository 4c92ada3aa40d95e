//! Back ends: the one place that knows which are in this build.

use anyhow::{Result, bail};
use burn::tensor::Device;
use serde::Serialize;

/// Back ends by the name of their cargo feature.
const BACK_ENDS: [&str; 8] = ["flex", "tch", "wgpu", "vulkan", "metal", "cuda", "rocm", "cpu"];

/// A back end of this build.
#[derive(Debug, Serialize)]
pub(crate) struct BackEnd {
    /// The name of its cargo feature and of `--device`.
    pub name: &'static str,
    /// What it computes on.
    pub description: &'static str,
    /// How many devices it sees, where it can tell.
    pub devices: usize,
}

/// The back ends of this build.
#[must_use]
pub(crate) fn back_ends() -> Vec<BackEnd> {
    #[allow(unused_mut)]
    let mut found = Vec::new();
    #[cfg(feature = "flex")]
    found.push(BackEnd { name: "flex", description: "CPU, pure Rust, with fused operations", devices: 1 });
    #[cfg(feature = "tch")]
    found.push(BackEnd { name: "tch", description: "LibTorch on the CPU", devices: 1 });
    #[cfg(feature = "wgpu")]
    found.push(BackEnd { name: "wgpu", description: "GPU through wgpu", devices: 1 });
    #[cfg(feature = "vulkan")]
    found.push(BackEnd { name: "vulkan", description: "GPU through Vulkan", devices: 1 });
    #[cfg(feature = "metal")]
    found.push(BackEnd { name: "metal", description: "Apple GPU through Metal", devices: 1 });
    #[cfg(feature = "cuda")]
    found.push(BackEnd { name: "cuda", description: "NVIDIA GPU through CUDA", devices: 1 });
    #[cfg(feature = "rocm")]
    found.push(BackEnd { name: "rocm", description: "AMD GPU through ROCm", devices: 1 });
    #[cfg(feature = "cpu")]
    found.push(BackEnd { name: "cpu", description: "CPU through CubeCL", devices: 1 });
    found
}

/// The device of a name: `auto`, or a back end of this build. Returns it with its full name.
///
/// # Errors
///
/// For a back end that does not exist, or that is not in this build (naming the feature to build
/// with).
pub(crate) fn resolve(name: &str) -> Result<(Device, &'static str)> {
    let compiled = back_ends();
    let name = if name == "auto" {
        // GPUs first; flex is what every build by default has.
        let gpus = compiled.iter().find(|back_end| !["flex", "tch", "cpu"].contains(&back_end.name));
        match gpus.or(compiled.first()) {
            Some(back_end) => back_end.name,
            None => bail!("this build has no back end; build it with --features flex"),
        }
    } else if let Some(known) = BACK_ENDS.into_iter().find(|&known| known == name) {
        known
    } else {
        bail!("unknown device '{name}'; known: auto, {}", BACK_ENDS.join(", "));
    };
    match name {
        #[cfg(feature = "flex")]
        "flex" => Ok((Device::flex(), name)),
        #[cfg(feature = "tch")]
        "tch" => Ok((Device::libtorch(), name)),
        #[cfg(feature = "wgpu")]
        "wgpu" => Ok((Device::wgpu(burn::tensor::DeviceKind::DefaultDevice), name)),
        #[cfg(feature = "vulkan")]
        "vulkan" => Ok((Device::vulkan(burn::tensor::DeviceKind::DefaultDevice), name)),
        #[cfg(feature = "metal")]
        "metal" => Ok((Device::metal(burn::tensor::DeviceKind::DefaultDevice), name)),
        #[cfg(feature = "cuda")]
        "cuda" => Ok((Device::cuda(0), name)),
        #[cfg(feature = "rocm")]
        "rocm" => Ok((Device::rocm(0), name)),
        #[cfg(feature = "cpu")]
        "cpu" => Ok((Device::cpu(), name)),
        _ => {
            let have: Vec<_> = compiled.iter().map(|back_end| back_end.name).collect();
            bail!(
                "the device '{name}' is not in this build, which has {}; build with it: cargo xtask train --backend {name}",
                have.join(", ")
            )
        }
    }
}
