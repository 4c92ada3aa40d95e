use anyhow::Result;
use serde_json::{Value, json};

use super::print_json;
use gptune::device;

use crate::{args::JsonArg, console::print_line};

pub(crate) fn run(args: &JsonArg) -> Result<()> {
    let default = device::resolve("auto")?;
    let mut back_ends = Vec::new();
    for back_end in device::compiled() {
        let devices: Vec<Value> = device::devices(back_end.name)
            .into_iter()
            .enumerate()
            .map(|(index, seen)| json!({ "index": index, "description": seen.description, "gpu": seen.is_gpu }))
            .collect();
        back_ends.push(json!({ "name": back_end.name, "device": back_end.computes_on, "devices": devices }));
    }
    if args.json {
        return print_json(&json!({ "back_ends": back_ends, "default": default.name }));
    }
    for back_end in back_ends {
        let name = back_end["name"].as_str().unwrap_or_default();
        print_line(format_args!("{name:8} {}", back_end["device"].as_str().unwrap_or_default()))?;
        let devices = back_end["devices"].as_array().map(Vec::as_slice).unwrap_or_default();
        for device in devices {
            let description = device["description"].as_str().unwrap_or_default();
            print_line(format_args!("  {:10} {description}", format!("{name}:{}", device["index"])))?;
        }
        if devices.is_empty() {
            print_line(format_args!("  sees no device"))?;
        }
    }
    print_line(format_args!("\nauto is {}", default.name))
}
