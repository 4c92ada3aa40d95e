use gptune_data::{Collator, EncodedExample, Loader, Order, OrderStream, Part};
use serde::Deserialize;

/// One entry of `fixtures/orders.json`, from `fixtures/make.py`.
#[derive(Deserialize)]
struct Fixture {
    n: usize,
    seed: u32,
    batch_size: usize,
    epochs: Vec<Vec<u32>>,
}

/// Examples whose single token is their index, so that a batch tells its order.
fn examples(n: usize) -> Vec<EncodedExample> {
    (0..n).map(|index| EncodedExample { ids: vec![u32::try_from(index).unwrap()], prompt_len: 1 }).collect()
}

#[test]
fn three_epochs_with_evaluations_between_are_pytorchs() {
    let fixtures: Vec<Fixture> = serde_json::from_str(include_str!("../fixtures/orders.json")).unwrap();
    assert_eq!(fixtures.len(), 3);
    let collator = Collator { end_of_text: 50_256, padding: 50_256, max_length: 1024, mask_instructions: false };
    for Fixture { n, seed, batch_size, epochs } in fixtures {
        let all = examples(n);
        let train = Loader::new(Part::Train, &all, batch_size, collator, n).unwrap();
        let val = Loader::new(Part::Val, &all[..n / 10], batch_size, collator, n).unwrap();
        let mut stream = OrderStream::new(Order::Torch, seed);
        for (epoch, want) in epochs.iter().enumerate() {
            let mut got = Vec::new();
            for (step, batch) in train.iter(&mut stream).enumerate() {
                got.extend(batch.inputs);
                if step % 5 == 0 {
                    assert_eq!(train.iter(&mut stream).take(5).count(), 5.min(train.len()));
                    assert!(val.iter(&mut stream).take(5).count() > 0);
                }
            }
            assert_eq!(&got, want, "n {n}, seed {seed}, epoch {epoch}");
        }
    }
}
