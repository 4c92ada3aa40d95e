use anyhow::{Result, bail};
use gptune::{
    about::About,
    device,
    folder::{Belongings, write_new_folder},
};
use gptune_data::{END_OF_TEXT_ID, Tokenizer, VOCAB_SIZE};
use gptune_model::{Gpt2, Gpt2Config};
use gptune_run::RunFolder;

use gptune_weights::SpecialTokens;

use crate::{
    args::{InitArgs, SizeArgs},
    console::{self, print_line},
    interrupt,
};

pub(crate) fn run(args: &InitArgs) -> Result<()> {
    RunFolder::check(&args.folder)?;
    let config = model_config(&args.sizes)?;
    let device = device::host()?.device;
    device.seed(u64::from(args.sizes.seed));
    interrupt::end_cleanly();
    let model = Gpt2::init(&config, &device);
    let spinner = console::spinner("drawing random parameters");
    let kept = Belongings {
        tokenizer: &Tokenizer::gpt2()?,
        special: SpecialTokens::all(END_OF_TEXT_ID),
        about: &About::default(),
    };
    write_new_folder(&model, &config, kept, &args.folder, args.sizes.dtype.into())?;
    spinner.finish_and_clear();
    print_line(format_args!("{} random parameters in {}", config.parameters(), args.folder.display()))
}

/// The configuration of a new model: GPT-2's vocabulary, and a tied head as in the original.
///
/// # Errors
///
/// For an unknown size, or sizes that contradict each other.
pub(super) fn model_config(sizes: &SizeArgs) -> Result<Gpt2Config> {
    let numbers = Gpt2Config {
        n_layer: sizes.n_layer,
        n_head: sizes.n_head,
        n_embd: sizes.n_embd,
        n_positions: sizes.n_positions,
        vocab_size: VOCAB_SIZE,
        tie_word_embeddings: true,
        layer_norm_epsilon: 1e-5,
        dropout: 0.0,
    };
    let config = match &sizes.size {
        None => numbers,
        Some(size) => match Gpt2Config::named(size) {
            Some(named) => Gpt2Config { tie_word_embeddings: true, ..named },
            None => bail!("unknown size '{size}'; known: 124M, 355M, 774M, 1558M"),
        },
    };
    config.validate()?;
    Ok(config)
}
