use anyhow::{Context, Result, bail};
use serde_json::json;

use super::print_json;
use crate::{
    args::{FetchArgs, Origin},
    console::print_line,
    download::Remote,
};

pub(crate) fn run(args: &FetchArgs) -> Result<()> {
    let remote = remote(args)?;
    let here = remote.on_this_machine()?;
    if args.dry_run {
        let requests = if here.is_some() { Vec::new() } else { remote.requests()? };
        if args.json {
            return print_json(
                &json!({ "name": args.name, "path": here.map(|path| path.display().to_string()), "requests": requests }),
            );
        }
        return match here {
            Some(path) => print_line(format_args!("nothing to fetch: {} is in {}", args.name, path.display())),
            None => print_line(requests.join("\n")),
        };
    }
    let path = remote.fetch()?;
    if args.json {
        return print_json(
            &json!({ "name": args.name, "path": path.display().to_string(), "downloaded": here.is_none() }),
        );
    }
    print_line(format_args!("{} is in {}", args.name, path.display()))
}

fn remote(args: &FetchArgs) -> Result<Remote> {
    let (name, mirror) = (&args.name, args.mirror.as_deref());
    if args.source == Origin::Openai {
        return Remote::openai(name, mirror).with_context(|| {
            format!("OpenAI has released no '{name}'; its models are 124M, 355M, 774M and 1558M, or gpt2 to gpt2-xl")
        });
    }
    if let Some(data) = Remote::data(name, mirror) {
        return Ok(data);
    }
    if mirror.is_some() {
        bail!("--mirror is for --source openai and for data; set HF_ENDPOINT to another Hub's address");
    }
    Remote::model(name).with_context(|| {
        format!("unknown name '{name}'; known are gpt2, gpt2-medium, gpt2-large, gpt2-xl, OWNER/NAME of the Hub, book and alpaca")
    })
}
