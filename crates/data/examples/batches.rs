//! From a file of instructions to padded batches with targets, in PyTorch's order; `·` is a position without one.

use std::{error::Error, fmt::Write};

use gptune_data::{Collator, Dataset, Encoder, Loader, Order, OrderStream, Part, Sequences, Template, Tokenizer};

const DATA: &str = r#"[
    {"instruction": "What is the opposite of hot?", "output": "Cold."},
    {"instruction": "Make it a question.", "input": "It rains.", "output": "Does it rain?"},
    {"instruction": "Name two colours.", "output": "Red and blue."},
    {"instruction": "What is the plural of mouse?", "output": "Mice."}
]"#;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::temp_dir().join("instructions.json");
    gptune_files::write(&path, DATA.as_bytes())?;

    let data = Dataset::read(&path)?;
    let tokenizer = Tokenizer::gpt2()?;
    let template: Template = "phi3".parse()?;
    let encoder = Encoder { tokenizer: &tokenizer, template: &template, special_tokens: false };
    let sequences: Sequences = encoder.encode_all(&data.examples, |_| {})?.iter().collect();
    let places = sequences.places();
    let collator = Collator::new(&encoder, None, 1024, true);
    let loader = Loader::new(Part::Train, &sequences, &places, 2, collator, places.len())?;

    let text = |id: u32| tokenizer.decode(&[id]).map(|text| text.replace('\n', "⏎").replace(' ', "␣"));
    let mut stream = OrderStream::new(Order::Torch, 123);
    for (number, batch) in loader.iter(&mut stream).enumerate() {
        println!(
            "Batch {number}: {} rows, {} wide, {} targets",
            batch.sequences.len(),
            batch.width(),
            batch.target_tokens()
        );
        for (inputs, targets) in batch.rows(false) {
            let [mut above, mut below] = ["  inputs ", "  targets"].map(str::to_owned);
            for (&input, &target) in inputs.iter().zip(&targets) {
                let input = text(input)?;
                let target = u32::try_from(target).map_or(Ok("·".to_owned()), text)?;
                let width = input.chars().count().max(target.chars().count());
                write!(above, " {input:width$}")?;
                write!(below, " {target:width$}")?;
            }
            println!("{}\n{}", above.trim_end(), below.trim_end());
        }
    }
    Ok(())
}
