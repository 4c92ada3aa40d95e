//! Draws the loss plot of a run: of the `metrics.jsonl` that is named, or of a run that is made up here.
//!
//! Usage: `loss_plot [METRICS.jsonl]`

use std::{error::Error, path::Path};

use gptune_report::{LossPlot, svg_to_png};
use gptune_run::{Event, read_events};
use serde_json::{Value, from_value, json};

/// Two epochs of 60 steps, with an evaluation every five.
fn made_up() -> Vec<Value> {
    let mut events = vec![json!({"event": "start", "epochs": 2, "steps_per_epoch": 60, "steps": 120,
        "parameters": 163_037_184, "train_examples": 480, "val_examples": 55})];
    for step in 0..120 {
        let (epoch, at) = (1 + step / 60, f64::from(step));
        let (loss, val_loss) = (0.3 + 2.9 * (-at / 25.0).exp(), 0.6 + 2.6 * (-at / 22.0).exp() + at / 700.0);
        events.push(json!({"event": "step", "epoch": epoch, "step": step, "loss": loss, "lr": 5e-5,
            "tokens": 440, "padded_tokens": 560, "seconds": 1.0}));
        if step % 5 == 0 {
            events.push(json!({"event": "eval", "epoch": epoch, "step": step, "tokens_seen": 560 * (step + 1),
                "train_loss": loss, "val_loss": val_loss}));
        }
    }
    events
}

fn main() -> Result<(), Box<dyn Error>> {
    let events: Vec<Event> = match std::env::args().nth(1) {
        Some(path) => read_events(Path::new(&path))?,
        None => made_up().into_iter().map(from_value).collect::<Result<_, _>>()?,
    };
    let svg = LossPlot::from_events(&events).ok_or("the run has made no step")?.to_svg();
    for (name, contents) in [("loss-plot.svg", svg.clone().into_bytes()), ("loss-plot.png", svg_to_png(&svg, 2.0)?)] {
        let path = std::env::temp_dir().join(name);
        gptune_files::write(&path, &contents)?;
        println!("{}: {} bytes", path.display(), contents.len());
    }
    Ok(())
}
