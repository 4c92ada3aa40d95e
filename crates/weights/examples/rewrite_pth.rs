//! Reads a checkpoint of torch and writes its state dict again, for comparing the two in torch.
//!
//! Usage: `rewrite_pth FROM TO.pth`. `tests/fixtures/pickle/compare.py` does the comparison.

use std::{error::Error, fs::File, io::BufWriter, path::Path};

use gptune_weights::{PickleFile, PthWriter};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = &arguments[..] else {
        return Err("usage: rewrite_pth FROM TO.pth".into());
    };
    let checkpoint = PickleFile::open(Path::new(from))?;
    let mut writer = PthWriter::new(BufWriter::new(File::create(to)?))?;
    for name in checkpoint.names() {
        writer.tensor(name, checkpoint.shape(name).unwrap_or_default(), &checkpoint.read(name)?)?;
    }
    writer.finish()?;
    Ok(())
}
