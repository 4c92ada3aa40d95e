use std::time::Instant;

use anyhow::{Context, Result, bail};
use burn::tensor::{Device, Distribution, Tensor};
use gptune::{
    device::{self, Chosen},
    self_check::{check, reference, verdict},
};
use gptune_run::peak_memory_bytes;
use gptune_train::Finding;
use serde_json::json;

use super::{check_writable, print_json};
use crate::{args::DoctorArgs, console::print_line};

pub(crate) fn run(args: &DoctorArgs) -> Result<()> {
    args.record.as_deref().map_or(Ok(()), check_writable)?;
    let chosen = device::resolve(&args.device)?;
    let (result, seconds) = check(&chosen)?;
    if let Some(path) = &args.record {
        let text = serde_json::to_string_pretty(&result)? + "\n";
        gptune_files::write(path, text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let findings = result.compare(&reference()?);
    let passed = findings.iter().all(Finding::passed);
    let speeds = Speeds::measure(&chosen)?;
    if args.json {
        print_json(&json!({
            "device": chosen.name,
            "description": chosen.description,
            "passed": passed,
            "findings": findings.iter().map(|finding| json!({
                "quantity": finding.quantity, "error": finding.error, "tolerance": finding.tolerance,
                "passed": finding.passed(), "place": finding.place,
            })).collect::<Vec<_>>(),
            "seconds": seconds,
            "product_gflops": speeds.gflops,
            "memory_gb_per_second": speeds.gigabytes,
            "peak_memory_bytes": peak_memory_bytes(),
        }))?;
    } else {
        print_line(format_args!("Device {}: {}\n", chosen.name, chosen.description))?;
        print_line(format_args!("{:24} {:>9} {:>9}", "quantity", "error", "allowed"))?;
        for finding in &findings {
            print_line(format_args!("{}", row(finding)))?;
        }
        print_line(format_args!("\nself-check             {seconds:9.2} s"))?;
        print_line(format_args!("matrix products        {:9.1} GFLOP/s", speeds.gflops))?;
        print_line(format_args!("memory                 {:9.1} GB/s", speeds.gigabytes))?;
        if let Some(bytes) = peak_memory_bytes() {
            print_line(format_args!("peak memory of the host{:9.2} GB", bytes as f64 / 1e9))?;
        }
    }
    if !passed {
        bail!("{}", verdict(&chosen, &findings));
    }
    Ok(())
}

fn row(finding: &Finding) -> String {
    let verdict = if finding.passed() { "ok" } else { "WRONG" };
    format!("{:24} {:9.1e} {:9.0e}  {verdict:5}  {}", finding.quantity, finding.error, finding.tolerance, finding.place)
}

/// How fast a device is at what training needs most.
struct Speeds {
    gflops: f64,
    gigabytes: f64,
}

impl Speeds {
    fn measure(chosen: &Chosen) -> Result<Self> {
        device::quietly(|| {
            const SIDE: usize = 1024;
            const LONG: usize = 1 << 24;
            let device = &chosen.device;
            let a = Tensor::<2>::random([SIDE, SIDE], Distribution::Default, device);
            let product = best(device, || a.clone().matmul(a.clone()));
            let long = Tensor::<1>::ones([LONG], device);
            let pass = best(device, || long.clone() + 1.0);
            Self {
                gflops: 2.0 * (SIDE * SIDE * SIDE) as f64 / product / 1e9,
                gigabytes: 8.0 * LONG as f64 / pass / 1e9,
            }
        })
        .map_err(|message| {
            anyhow::anyhow!("{} broke off while its speed was measured: {}", chosen.name, message.trim())
        })
    }
}

/// Seconds of the fastest of three runs, after one to warm up.
fn best<const D: usize>(device: &Device, work: impl Fn() -> Tensor<D>) -> f64 {
    let run = || {
        let started = Instant::now();
        let result = work();
        // An error shows in the value that is read.
        let _ = device.sync();
        drop(result);
        started.elapsed().as_secs_f64()
    };
    run();
    (0..3).map(|_| run()).fold(f64::INFINITY, f64::min)
}
