//! Shows what stands in a folder while a file and a model's folder are written, given up, and replaced.

use std::{fs, io, io::Write, path::Path};

use gptune_files::{NewFile, NewFolder};

fn show(what: &str, folder: &Path) -> io::Result<()> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        names.push(format!("{}{}", entry.file_name().display(), if entry.path().is_dir() { "/" } else { "" }));
    }
    names.sort();
    println!("{what:<38} {}", names.join("  "));
    Ok(())
}

fn main() -> io::Result<()> {
    let outer = tempfile::tempdir()?;
    let folder = outer.path();
    gptune_files::write(&folder.join("scores.json"), b"{\"exact\": 0.70}")?;

    let mut file = NewFile::create(&folder.join("scores.json"))?;
    file.write_all(b"{\"exact\": 0.7")?;
    show("in the middle of new scores", folder)?;
    drop(file);
    show("they were given up", folder)?;
    println!("{:<38} {}\n", "scores.json", fs::read_to_string(folder.join("scores.json"))?);

    for weights in ["first", "second"] {
        let model = NewFolder::create_beside(&folder.join("model"))?;
        gptune_files::write(&model.path().join("config.json"), b"{}")?;
        gptune_files::write(&model.path().join("weights"), weights.as_bytes())?;
        show(&format!("before the {weights} model is committed"), folder)?;
        model.replace()?;
        show("after it", folder)?;
    }
    println!("{:<38} {}", "model/weights", fs::read_to_string(folder.join("model/weights"))?);
    Ok(())
}
