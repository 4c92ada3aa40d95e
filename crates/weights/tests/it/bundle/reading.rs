//! What TensorFlow wrote is what is read.

use gptune_weights::{BundleFile, Hparams, hugging_face};

use super::{bits, bytes, expected, fixture, open};

fn assert_holds_the_model(file: &BundleFile) {
    let model = expected("model");
    assert!(file.names().eq(model.keys()));
    for (name, tensor) in &model {
        assert_eq!(file.shape(name), Some(tensor.shape.as_slice()), "{name}");
        assert_eq!(bits(&file.read(name).unwrap()), tensor.bits(), "{name}");
    }
}

#[test]
fn one_data_file() {
    let file = BundleFile::open(&fixture("whole.ckpt")).unwrap();
    assert_eq!(file.path(), fixture("whole.ckpt"));
    assert_holds_the_model(&file);
}

#[test]
fn two_data_files() {
    assert_holds_the_model(&BundleFile::open(&fixture("sharded.ckpt")).unwrap());
}

#[test]
fn snappy_blocks() {
    assert_holds_the_model(&open(&bytes("snappy.index"), bytes("whole.ckpt.data-00000-of-00001")).unwrap());
}

#[test]
fn every_type_of_a_weight() {
    let file = BundleFile::open(&fixture("types.ckpt")).unwrap();
    for name in ["float32", "float16", "bfloat16", "float64", "scalar", "empty"] {
        let tensor = &expected("types")[name];
        assert_eq!(file.shape(name), Some(tensor.shape.as_slice()), "{name}");
        assert_eq!(bits(&file.read(name).unwrap()), tensor.bits(), "{name}");
    }
}

#[test]
fn tensors_that_are_no_weights_are_refused_by_name() {
    let file = BundleFile::open(&fixture("types.ckpt")).unwrap();
    let error = |name| file.read(name).unwrap_err().to_string();
    assert!(error("global_step").ends_with(
        "types.ckpt: tensor 'global_step' holds int64; weights have to be float32, float16, bfloat16 or float64"
    ));
    assert!(error("words").contains("tensor 'words' holds string;"));
    assert!(error("in_parts").contains("tensor 'in_parts' is stored in slices;"));
    assert_eq!(file.shape("in_parts"), Some([4, 3].as_slice()));
    assert!(error("absent").contains("types.ckpt has no tensor 'absent';"));
    assert_eq!(file.shape("absent"), None);
}

#[test]
fn parameters_are_those_that_transformers_makes() {
    let file = BundleFile::open(&fixture("whole.ckpt")).unwrap();
    let mut parameters = expected("hugging_face");
    for variable in file.names() {
        let (name, shape) = hugging_face(variable, file.shape(variable).unwrap()).unwrap();
        let parameter = parameters.remove(&name).unwrap();
        assert_eq!(shape, parameter.shape, "{variable}");
        assert_eq!(bits(&file.read(variable).unwrap()), parameter.bits(), "{variable}");
    }
    assert!(parameters.is_empty());
}

#[test]
fn sizes_of_the_model() {
    let sizes = Hparams { n_vocab: 13, n_ctx: 7, n_embd: 6, n_head: 2, n_layer: 2 };
    assert_eq!(Hparams::read(&fixture("hparams.json")).unwrap(), sizes);
}
