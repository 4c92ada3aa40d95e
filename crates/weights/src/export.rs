//! Writing models for other programs than transformers: the book's code, and llama.cpp.

use std::{
    collections::HashMap,
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::Tensor,
};
use gptune_model::Gpt2;

use crate::{
    GgufError, GgufModel, GgufPrecision, PthWriter, WeightsError, book,
    save::{Parameter, atomically, numbers, parameters},
    write_gguf,
};

/// Writes a file that the book's `GPTModel` loads with `model.load_state_dict(torch.load(path))`, strictly:
/// its names, weights of linear layers as `[d_out, d_in]`, queries, keys and values apart, the causal masks
/// that it keeps as buffers, and a head of its own whether the model has one or not. The book's model needs
/// `qkv_bias = True`.
///
/// # Errors
///
/// [`WeightsError::Write`] naming the file.
pub fn save_book(model: &Gpt2, path: &Path) -> Result<(), WeightsError> {
    create_parent(path)?;
    atomically(path, |temporary| {
        let writer = PthWriter::new(BufWriter::new(File::create(temporary)?))?;
        let mut book = BookWriter { writer, path: Vec::new(), result: Ok(()) };
        model.visit(&mut book);
        book.result?;
        if model.lm_head.is_none() {
            let head = model.head_weight();
            let shape = head.dims();
            book.writer.tensor("out_head.weight", &shape, &numbers(head))?;
        }
        let context = model.context_length();
        let later = |row: usize| (0..context).map(move |column| f32::from(u8::from(column > row)));
        let mask: Vec<f32> = (0..context).flat_map(later).collect();
        for block in 0..model.h.len() {
            book.writer.tensor(&format!("trf_blocks.{block}.att.mask"), &[context, context], &mask)?;
        }
        book.writer.finish()?.flush()
    })
}

/// Writes every parameter under the book's names.
struct BookWriter<W: Write> {
    writer: PthWriter<W>,
    path: Vec<String>,
    result: std::io::Result<()>,
}

impl<W: Write> ModuleVisitor for BookWriter<W> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.result.is_err() {
            return;
        }
        let value = param.val();
        let shape = value.dims();
        for (name, shape, values) in book::tensors(&self.path.join("."), &shape, numbers(value)) {
            if self.result.is_ok() {
                self.result = self.writer.tensor(&name, &shape, &values);
            }
        }
    }
}

/// Writes a GGUF file for llama.cpp. `about` tells its sizes, which have to be the model's, and what llama.cpp
/// needs to know beside the weights.
///
/// # Errors
///
/// [`WeightsError::Write`] naming the file, or [`GgufError`] if `about` does not fit the model or
/// `precision` cannot hold one of its numbers.
pub fn save_gguf(
    model: &Gpt2,
    path: &Path,
    about: &GgufModel<'_>,
    precision: GgufPrecision,
) -> Result<(), WeightsError> {
    create_parent(path)?;
    let parameters: HashMap<_, _> = parameters(model).into_iter().collect();
    // What this says, an error of the file system cannot.
    let mut fault = None;
    let written = atomically(path, |temporary| {
        let numbers = |name: &str| {
            let parameter = parameters.get(name).map(Parameter::numbers);
            parameter.ok_or_else(|| GgufError::Missing { path: path.to_owned(), name: name.to_owned() })
        };
        write_gguf(File::create(temporary)?, path, about, precision, numbers).map_err(|error| {
            let problem = std::io::Error::other(error.to_string());
            fault = Some(error);
            problem
        })
    });
    fault.map_or(written, |fault| Err(fault.into()))
}

fn create_parent(path: &Path) -> Result<(), WeightsError> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => {
            std::fs::create_dir_all(folder).map_err(|source| WeightsError::Write { path: folder.to_owned(), source })
        }
        None => Ok(()),
    }
}
