use anyhow::Result;
use serde_json::json;

use super::print_json;
use crate::{args::JsonArg, console::print_line, device};

pub(crate) fn run(args: &JsonArg) -> Result<()> {
    let back_ends: Vec<_> = device::compiled().collect();
    if args.json {
        return print_json(&json!({ "back_ends": back_ends, "default": device::resolve("auto")?.1 }));
    }
    for back_end in back_ends {
        print_line(format_args!("{:8} {}", back_end.name, back_end.device))?;
    }
    Ok(())
}
