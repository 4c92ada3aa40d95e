//! Writes what happens in a run into its folder, as JSON Lines, as a table and for TensorBoard, and reads it back.

use std::error::Error;

use gptune_run::{Csv, Event, RunFolder, RunSummary, Sink, TensorBoard};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::temp_dir().join(format!("sinks-{}", std::process::id()));
    let run = RunFolder::create(&path, "model = \"nano\"\nlr = 0.1\n")?;
    let mut table = Csv::create(&run.join("metrics.csv"), &[])?;
    let mut board = TensorBoard::create(&run.join("tensorboard"), &[])?;
    let losses = [3.2, 2.4, 1.9, 2.0];
    let evaluations = losses.iter().enumerate().map(|(index, &val_loss)| Event::Eval {
        epoch: 1,
        step: 10 * index,
        tokens_seen: 640 * index,
        train_loss: val_loss - 0.2,
        val_loss,
    });
    for event in std::iter::once(Event::Initial { train_loss: 4.0, val_loss: 4.1 }).chain(evaluations) {
        run.append(&event)?;
        table.event(&event)?;
        board.event(&event)?;
    }
    drop(run);

    println!("{}", std::fs::read_to_string(path.join("metrics.csv"))?);
    let summary = RunSummary::read(&path)?;
    println!("{}: {:?}, {} events", summary.name, summary.state, summary.events.len());
    if let Some(best) = summary.best_loss() {
        println!("lowest validation loss {} after {} steps", best.loss, best.steps);
    }
    std::fs::remove_dir_all(&path)?;
    Ok(())
}
