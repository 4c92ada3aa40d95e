//! Back ends: the one place that knows which are in this build.

use std::panic;

use anyhow::{Result, bail};
#[cfg(any(
    feature = "wgpu",
    feature = "vulkan",
    feature = "metal",
    feature = "cuda",
    feature = "rocm",
    feature = "cpu"
))]
use burn::tensor::DeviceType;
use burn::tensor::{Device, Tensor};
use gptune_model::Gpt2Config;
use gptune_train::Precision;
use serde::Serialize;

/// A back end, in this build or not.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct BackEnd {
    /// The name of its cargo feature and of `--device`.
    pub name: &'static str,
    /// What it computes on.
    #[serde(rename = "device")]
    pub computes_on: &'static str,
    #[serde(skip)]
    compiled: bool,
}

const fn back_end(name: &'static str, computes_on: &'static str, compiled: bool) -> BackEnd {
    BackEnd { name, computes_on, compiled }
}

/// In the order in which `auto` asks them for a GPU.
const BACK_ENDS: [BackEnd; 8] = [
    back_end("flex", "CPU, pure Rust with fused operations", cfg!(feature = "flex")),
    back_end("tch", "NVIDIA GPU, Apple GPU or CPU through LibTorch", cfg!(feature = "tch")),
    back_end("cuda", "NVIDIA GPU through CUDA", cfg!(feature = "cuda")),
    back_end("rocm", "AMD GPU through ROCm", cfg!(feature = "rocm")),
    back_end("metal", "Apple GPU through Metal", cfg!(feature = "metal")),
    back_end("vulkan", "GPU through Vulkan", cfg!(feature = "vulkan")),
    back_end("wgpu", "GPU through wgpu", cfg!(feature = "wgpu")),
    back_end("cpu", "CPU through CubeCL", cfg!(feature = "cpu")),
];

/// Keeps libraries of graphics drivers from writing to standard error that a server has no desktop. To be
/// called before there are threads.
pub fn silence_drivers() {
    #[cfg(all(target_os = "linux", any(feature = "wgpu", feature = "vulkan")))]
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: no other thread exists that could read the environment at the same time.
        #[allow(unsafe_code)]
        unsafe {
            std::env::set_var("XDG_RUNTIME_DIR", std::env::temp_dir());
        }
    }
}

/// The back ends of this build.
pub fn compiled() -> impl Iterator<Item = BackEnd> {
    BACK_ENDS.into_iter().filter(|back_end| back_end.compiled)
}

/// A device that a back end sees.
#[derive(Debug)]
pub struct Seen {
    /// The device.
    pub device: Device,
    /// As it calls itself.
    pub description: String,
    /// Whether it is one.
    pub is_gpu: bool,
}

/// A device to work on.
#[derive(Debug)]
pub struct Chosen {
    /// The device.
    pub device: Device,
    /// `BACK_END` or `BACK_END:INDEX`, as `--device` takes it.
    pub name: String,
    /// As it calls itself.
    pub description: String,
}

impl Chosen {
    /// Whether this is the back end whose results others are compared with.
    #[must_use]
    pub fn is_reference(&self) -> bool {
        self.name == "flex"
    }
}

/// The device of a name: a back end of this build, with an index among the devices that it sees
/// (`cuda:1`), or `auto`. That is what the variable `BURN_DEVICE` says, else the first GPU of this build,
/// else flex.
///
/// # Errors
///
/// For a back end that does not exist, or is not in this build (naming the feature to build with), or
/// sees no device, or an index that is none.
pub fn resolve(device: &str) -> Result<Chosen> {
    match std::env::var("BURN_DEVICE") {
        Ok(wanted) if device == "auto" && !wanted.is_empty() && wanted != "auto" => {
            by_name(&wanted).map_err(|error| error.context("BURN_DEVICE"))
        }
        _ if device == "auto" => automatic(),
        _ => by_name(device),
    }
}

/// A device of this machine's processor, for what is not worth a GPU.
///
/// # Errors
///
/// If the build has no device at all.
pub fn host() -> Result<Chosen> {
    by_name("flex").or_else(|_| automatic())
}

/// Lets products on a device take a type of number.
///
/// # Errors
///
/// If the device does not compute in it.
pub fn set_precision(chosen: &Chosen, precision: Precision) -> Result<()> {
    let product_type = precision.product_type();
    let supported = match product_type {
        None => true,
        // It holds 16-bit numbers, but multiplies them as 32-bit ones.
        Some(_) if chosen.is_reference() => false,
        Some(dtype) => chosen.device.supports_dtype(dtype),
    };
    if !supported {
        bail!("{} ({}) does not compute in {precision}; use --precision f32", chosen.name, chosen.description);
    }
    gptune_kernels::set_product_type(product_type);
    Ok(())
}

/// Refuses a device that cannot hold a model's largest tensor, which graphics APIs limit.
///
/// # Errors
///
/// If the device cannot hold it; says how large it is and how large it may be.
pub fn check_size(chosen: &Chosen, config: &Gpt2Config) -> Result<()> {
    if chosen.is_reference() || chosen.name.starts_with("tch") {
        return Ok(());
    }
    let largest = config.vocab_size * config.n_embd;
    // Asked by trying and reading back an element, because back ends raise the limits that an adapter states
    // where they can.
    let held = quietly(|| {
        let table = Tensor::<2>::ones([config.vocab_size, config.n_embd], &chosen.device);
        let corner = table.clone().narrow(0, config.vocab_size - 1, 1).narrow(1, config.n_embd - 1, 1);
        (corner + 1.0).reshape([1]).try_into_scalar::<f32>()
    });
    if matches!(held, Ok(Ok(2.0))) {
        return Ok(());
    }
    let limit = largest_buffer(&chosen.description)
        .map_or_else(String::new, |bytes| format!(", and its largest buffer has {:.0} MB", bytes as f64 / 1e6));
    bail!(
        "{} ({}) cannot hold the token embedding of this model, which has {:.0} MB{limit}; use a smaller model or another \
         --device",
        chosen.name,
        chosen.description,
        4.0 * largest as f64 / 1e6,
    )
}

/// The largest buffer in bytes that the adapter of this name gives to a kernel, if it states one.
fn largest_buffer(adapter: &str) -> Option<u64> {
    #[cfg(any(feature = "wgpu", feature = "vulkan", feature = "metal"))]
    {
        use std::{
            pin::pin,
            task::{Context, Poll, Waker},
        };

        use burn::tensor::wgpu::wgpu::{Backends, Instance, InstanceDescriptor};

        let instance = Instance::new(InstanceDescriptor::new_without_display_handle());
        // Outside browsers the list is there at once.
        let adapters = pin!(instance.enumerate_adapters(Backends::all()));
        let Poll::Ready(adapters) = adapters.poll(&mut Context::from_waker(Waker::noop())) else { return None };
        let limits = adapters.iter().find(|seen| seen.get_info().name == adapter)?.limits();
        Some(limits.max_storage_buffer_binding_size.min(limits.max_buffer_size))
    }
    #[cfg(not(any(feature = "wgpu", feature = "vulkan", feature = "metal")))]
    {
        let _ = adapter;
        None
    }
}

fn automatic() -> Result<Chosen> {
    let mut others = Vec::new();
    for BackEnd { name, .. } in compiled() {
        for (index, seen) in devices(name).into_iter().enumerate() {
            let chosen = chosen(name, index, seen.device, seen.description);
            if seen.is_gpu {
                return Ok(chosen);
            }
            others.push(chosen);
        }
    }
    let flex = others.iter().position(Chosen::is_reference).unwrap_or(0);
    if others.is_empty() {
        bail!(
            "no back end of this build ({}) sees a device; build with the feature flex, which needs none",
            names(compiled())
        );
    }
    Ok(others.swap_remove(flex))
}

fn by_name(device: &str) -> Result<Chosen> {
    let (name, index) = device.split_once(':').unwrap_or((device, "0"));
    let Ok(index) = index.parse::<usize>() else {
        bail!("the device '{device}' has no number after its colon; write for instance cuda:1");
    };
    let Some(back_end) = BACK_ENDS.into_iter().find(|back_end| back_end.name == name) else {
        bail!("unknown device '{name}'; known: auto, {}", names(BACK_ENDS.into_iter()));
    };
    if !back_end.compiled {
        bail!(
            "the device '{name}' is not in this build, which has {}; build with it: cargo xtask train --backend {name}",
            names(compiled())
        );
    }
    let mut seen = devices(name);
    match seen.len() {
        0 => bail!(
            "{name} sees no device: there is no {}, or its driver is not installed; `gptune devices` lists what can be \
             used, and --device flex needs no GPU",
            back_end.computes_on
        ),
        count if index >= count => bail!(
            "there is no device '{device}': {name} sees {}",
            if count == 1 { format!("one, {name}") } else { format!("{count}, {name}:0 to {name}:{}", count - 1) }
        ),
        _ => {
            let Seen { device, description, .. } = seen.swap_remove(index);
            Ok(chosen(back_end.name, index, device, description))
        }
    }
}

fn chosen(back_end: &str, index: usize, device: Device, description: String) -> Chosen {
    let name = if index == 0 { back_end.to_owned() } else { format!("{back_end}:{index}") };
    Chosen { device, name, description }
}

fn names(back_ends: impl Iterator<Item = BackEnd>) -> String {
    back_ends.map(|back_end| back_end.name).collect::<Vec<_>>().join(", ")
}

/// The devices that a back end of this build sees, in the order of their indices.
#[must_use]
pub fn devices(back_end: &str) -> Vec<Seen> {
    match back_end {
        #[cfg(feature = "flex")]
        "flex" => vec![Seen { device: Device::flex(), description: "CPU".to_owned(), is_gpu: false }],
        #[cfg(feature = "tch")]
        "tch" => libtorch(),
        #[cfg(feature = "cuda")]
        "cuda" => enumerated(DeviceType::Cuda),
        #[cfg(feature = "rocm")]
        "rocm" => enumerated(DeviceType::Rocm),
        #[cfg(feature = "metal")]
        "metal" => enumerated(DeviceType::Metal),
        #[cfg(feature = "vulkan")]
        "vulkan" => enumerated(DeviceType::Vulkan),
        #[cfg(feature = "wgpu")]
        "wgpu" => enumerated(DeviceType::Wgpu),
        #[cfg(feature = "cpu")]
        "cpu" => enumerated(DeviceType::Cpu),
        _ => Vec::new(),
    }
}

/// What LibTorch sees. The CPU is last, so that index 0 is a GPU where there is one.
#[cfg(feature = "tch")]
#[allow(deprecated)] // the back end is the newest that Burn has for LibTorch
fn libtorch() -> Vec<Seen> {
    let cuda = usize::try_from(tch::Cuda::device_count()).unwrap_or(0);
    let mut seen: Vec<Seen> = (0..cuda)
        .map(|index| Seen {
            device: Device::libtorch_cuda(index),
            description: format!("NVIDIA GPU {index}"),
            is_gpu: true,
        })
        .collect();
    if tch::utils::has_mps() {
        seen.push(Seen { device: Device::libtorch_mps(), description: "Apple GPU".to_owned(), is_gpu: true });
    }
    seen.push(Seen { device: Device::libtorch(), description: "CPU".to_owned(), is_gpu: false });
    seen
}

/// What a CubeCL back end sees: nothing where its driver is missing, which it tells by a panic.
#[cfg(any(
    feature = "wgpu",
    feature = "vulkan",
    feature = "metal",
    feature = "cuda",
    feature = "rocm",
    feature = "cpu"
))]
fn enumerated(kind: DeviceType) -> Vec<Seen> {
    quietly(|| {
        let describe = |device: Device| {
            let identity = device.identity();
            Seen {
                is_gpu: identity.as_ref().is_some_and(|identity| identity.physical.is_some()),
                description: identity.map_or_else(|| "unnamed".to_owned(), |identity| identity.name),
                device,
            }
        };
        Device::enumerate(kind).into_iter().map(describe).collect()
    })
    .unwrap_or_default()
}

/// The value of `work`, or the message of its panic, of which nobody hears.
///
/// # Errors
///
/// The message.
pub fn quietly<R>(work: impl FnOnce() -> R) -> Result<R, String> {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| ()));
    let result = panic::catch_unwind(panic::AssertUnwindSafe(work));
    panic::set_hook(hook);
    result.map_err(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message").to_owned()
    })
}
