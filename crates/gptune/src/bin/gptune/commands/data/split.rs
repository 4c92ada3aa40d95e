use anyhow::{Result, bail};
use gptune::data::records;
use gptune_data::{Part, write_parts};
use serde_json::{Map, Value};

use super::super::print_json;
use crate::{
    args::SplitArgs,
    console::{Plain, print_line},
};

pub(super) fn run(args: &SplitArgs) -> Result<()> {
    let records = records(&args.data, &Plain)?;
    let out = &args.out;
    if out.exists() && !out.is_dir() {
        bail!("cannot write the parts to {}: it is a file; give the name of a folder", out.display());
    }
    if out.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("{} is not empty; give a folder that is, or a new one", out.display());
    }
    let parts = write_parts(&records, out, args.split, args.split_seed, args.skip_bad)?;
    let file = |part: Part| out.join(format!("{part}.jsonl"));
    if args.json {
        let count = |(part, count): (Part, usize)| (part.to_string(), Value::from(count));
        return print_json(&parts.map(count).into_iter().collect::<Map<String, Value>>());
    }
    for (part, count) in parts {
        if count > 0 {
            print_line(format_args!("{part:5}  {count} records written to {}", file(part).display()))?;
        } else {
            print_line(format_args!("{part:5}  no records, and no file"))?;
        }
    }
    let flags = parts.iter().filter(|(_, count)| *count > 0);
    let flags: Vec<String> = flags.map(|(part, _)| format!("--{part}-data {}", file(*part).display())).collect();
    print_line(format_args!("Train on them with {}", flags.join(" ")))
}
