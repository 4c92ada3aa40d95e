//! Fine-tunes the built-in model on three examples, and asks it.

use std::sync::atomic::AtomicBool;

use gptune::{Run, RunConfig, Silent};

fn main() -> gptune::Result<()> {
    let folder = std::env::temp_dir().join(format!("fine_tune-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let data = folder.join("opposites.json");
    let examples = r#"[{"instruction": "What is the opposite of hot?", "output": "The opposite of hot is cold."},
        {"instruction": "What is the opposite of old?", "output": "The opposite of old is young."},
        {"instruction": "What is the opposite of long?", "output": "The opposite of long is short."}]"#;
    std::fs::write(&data, examples)?;

    let mut config = RunConfig::from_toml("the settings", "split = \"100/0/0\"\neval = false\nlr = 1e-3\nepochs = 40")?;
    config.source.data = data.display().to_string();
    config.data.batch_size = 3;
    let trained = Run::new(config).out(folder.join("run")).start(&Silent, &AtomicBool::new(false))?;
    println!("{}", trained.ask("What is the opposite of hot?")?);
    println!("The model is in {}", trained.folder.join("model").display());
    Ok(())
}
