//! Writing a GPT-2 for llama.cpp, one tensor at a time.

use std::{
    borrow::Cow,
    io::{BufWriter, Write},
    path::Path,
};

use super::{
    ALIGNMENT, GgufError, GgufPrecision, GgufSizes, MAGIC, VERSION,
    metadata::{Metadata, push_string},
    names,
};

/// What a file says of its model besides the weights.
#[derive(Debug, Clone)]
pub struct GgufModel<'a> {
    /// The name that programs show.
    pub name: &'a str,
    /// Sizes of the model.
    pub sizes: GgufSizes,
    /// The tokens in the order of their ids, in GPT-2's printable alphabet as in `vocab.json`. Where the
    /// model has more rows than there are tokens, the others are named `[PAD…]`, as llama.cpp does it.
    pub tokens: &'a [String],
    /// The pairs that byte-pair encoding merges, in the order of their ranks.
    pub merges: &'a [(String, String)],
    /// Id of the token that begins and ends a text and stands for an unknown one.
    pub end_of_text: u32,
    /// Ids of tokens that text becomes only where that is asked for, and whether they control the model rather than
    /// stand for text. The end of text need not be among them.
    pub added: &'a [(u32, bool)],
    /// Id of the token that fills up batches, if the model has one of its own.
    pub padding: Option<u32>,
    /// A Jinja template that makes a prompt of messages.
    pub chat_template: Option<&'a str>,
    /// The name of the template by which conversations became texts when the model was trained, for gptune.
    pub prompt_style: Option<&'a str>,
    /// The text of that template, if it is not one that is built in.
    pub template: Option<&'a str>,
    /// Whether text that reads like an added token became that token when the model was trained, for gptune.
    pub special_tokens: bool,
}

/// Writes a model as GGUF version 3, as llama.cpp's `convert_hf_to_gguf.py` does.
///
/// `fetch` gives the numbers of a parameter by Hugging Face's name, such as `h.0.attn.c_attn.weight`
/// or `lm_head.weight` for a head of its own, row by row in Hugging Face's layout. It is called
/// when they are written, once for each parameter, so that one is held at a time. `path` is where
/// `out` leads, for messages.
///
/// # Errors
///
/// [`GgufError`] if the tokenizer does not fit the model, a parameter has the wrong length or a number
/// that `precision` cannot hold, or writing fails; and whatever `fetch` says.
pub fn write_gguf<E: From<GgufError>>(
    out: impl Write,
    path: &Path,
    model: &GgufModel<'_>,
    precision: GgufPrecision,
    mut fetch: impl FnMut(&str) -> Result<Vec<f32>, E>,
) -> Result<(), E> {
    let write = |source| GgufError::Write { path: path.to_owned(), source };
    let impossible = |problem: String| GgufError::Model { path: path.to_owned(), problem };
    let tensors = plan(&model.sizes, precision).map_err(impossible)?;
    let parameters = tensors.iter().map(Tensor::numbers).sum();
    let metadata = Metadata::of(model, precision, parameters).map_err(impossible)?;
    let mut out = BufWriter::new(out);
    let header = header(&metadata, &tensors);
    out.write_all(&header).and_then(|()| pad(&mut out, header.len())).map_err(write)?;
    for tensor in &tensors {
        let values = fetch(&tensor.parameter)?;
        let (expected, actual) = (tensor.numbers(), values.len());
        if actual != expected {
            let (path, name) = (path.to_owned(), tensor.parameter.clone());
            return Err(GgufError::Length { path, name, expected, actual }.into());
        }
        let mut bytes = Vec::new();
        for row in tensor.rows(&values) {
            bytes.clear();
            tensor.stored_as.encode(&row, &mut bytes).map_err(|value| GgufError::Range {
                path: path.to_owned(),
                name: tensor.parameter.clone(),
                value,
                dtype: tensor.stored_as.tensor_type().name,
            })?;
            out.write_all(&bytes).map_err(write)?;
        }
        pad(&mut out, tensor.length).map_err(write)?;
    }
    out.flush().map_err(write)?;
    Ok(())
}

/// A tensor that is to be written.
struct Tensor {
    parameter: String,
    name: String,
    /// Rows last.
    shape: Vec<usize>,
    /// Whether the parameter is the transpose.
    transposed: bool,
    stored_as: GgufPrecision,
    /// In bytes.
    length: usize,
}

impl Tensor {
    fn numbers(&self) -> usize {
        self.shape.iter().product()
    }

    /// The rows of the tensor, each gathered from a column if the parameter is the transpose.
    fn rows<'a>(&self, values: &'a [f32]) -> impl Iterator<Item = Cow<'a, [f32]>> + use<'a> {
        let row = self.shape.last().copied().unwrap_or(1);
        let (rows, transposed) = (values.len().checked_div(row).unwrap_or(0), self.transposed);
        (0..rows).map(move |i| {
            if transposed {
                values.iter().skip(i).step_by(rows).copied().collect()
            } else {
                Cow::Borrowed(&values[i * row..][..row])
            }
        })
    }
}

/// All tensors in the order in which they are written. The error is a problem with the model.
fn plan(sizes: &GgufSizes, precision: GgufPrecision) -> Result<Vec<Tensor>, String> {
    let tensor = |(parameter, mut shape): (String, Vec<usize>)| {
        let (name, transposed) = (names::tensor(&parameter)?, names::is_conv1d(&parameter));
        if transposed {
            shape.reverse();
        }
        let stored_as = precision.of_tensor(&name, &shape);
        let length = stored_as.tensor_type().length(&shape)?;
        Some(Tensor { parameter, name, shape, transposed, stored_as, length })
    };
    let tensors: Option<_> = names::parameters(sizes).into_iter().map(tensor).collect();
    tensors.ok_or_else(|| "it is too large for this machine; correct the model configuration".to_owned())
}

fn header(metadata: &Metadata, tensors: &[Tensor]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend((tensors.len() as u64).to_le_bytes());
    bytes.extend(metadata.count.to_le_bytes());
    bytes.extend(&metadata.bytes);
    let mut offset = 0_u64;
    for tensor in tensors {
        push_string(&mut bytes, &tensor.name);
        #[expect(clippy::cast_possible_truncation, reason = "there are one or two")]
        bytes.extend((tensor.shape.len() as u32).to_le_bytes());
        bytes.extend(tensor.shape.iter().rev().flat_map(|&size| (size as u64).to_le_bytes()));
        bytes.extend(tensor.stored_as.tensor_type().id.to_le_bytes());
        bytes.extend(offset.to_le_bytes());
        offset = (offset + tensor.length as u64).next_multiple_of(ALIGNMENT as u64);
    }
    bytes
}

/// Fills up what follows `length` bytes to the next place where a tensor may start.
fn pad(out: &mut impl Write, length: usize) -> std::io::Result<()> {
    const ZEROS: [u8; ALIGNMENT] = [0; ALIGNMENT];
    out.write_all(&ZEROS[..length.next_multiple_of(ZEROS.len()) - length])
}
