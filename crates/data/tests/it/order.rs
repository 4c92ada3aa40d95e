use gptune_data::{Collator, Loader, Order, OrderStream, Part, Sequence, Sequences};
use serde::Deserialize;

/// One entry of `fixtures/orders.json`, from `fixtures/make.py`.
#[derive(Deserialize)]
struct Fixture {
    n: usize,
    seed: u32,
    batch_size: usize,
    epochs: Vec<Vec<u32>>,
}

/// Texts whose single token is their index, so that a batch tells its order.
fn texts(n: usize) -> Sequences {
    let one = |index| Sequence { ids: vec![u32::try_from(index).unwrap(), 50_256], trained: vec![1..2] };
    (0..n).map(one).collect::<Vec<_>>().iter().collect()
}

#[test]
fn three_epochs_with_evaluations_between_are_pytorchs() {
    let fixtures: Vec<Fixture> = serde_json::from_str(include_str!("../fixtures/orders.json")).unwrap();
    assert_eq!(fixtures.len(), 3);
    let collator = Collator {
        end_of_text: 50_256,
        padding: 50_256,
        max_length: 1024,
        mask_instructions: false,
        first_end_only: true,
    };
    for Fixture { n, seed, batch_size, epochs } in fixtures {
        let (all, places) = (texts(n), texts(n).places());
        let train = Loader::new(Part::Train, &all, &places, batch_size, collator, n).unwrap();
        let val = Loader::new(Part::Val, &all, &places[..n / 10], batch_size, collator, n).unwrap();
        let mut stream = OrderStream::new(Order::Torch, seed);
        for (epoch, want) in epochs.iter().enumerate() {
            let mut got = Vec::new();
            for (step, batch) in train.iter(&mut stream).enumerate() {
                got.extend(batch.rectangle().inputs);
                if step % 5 == 0 {
                    assert_eq!(train.iter(&mut stream).take(5).count(), 5.min(train.len()));
                    assert!(val.iter(&mut stream).take(5).count() > 0);
                }
            }
            assert_eq!(&got, want, "n {n}, seed {seed}, epoch {epoch}");
        }
    }
}
