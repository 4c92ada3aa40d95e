use gptune_data::Order;

use crate::world;

#[test]
fn a_run_in_pieces_is_the_run_in_one() {
    let plain = world::config().with(|s| {
        s.run.max_steps = 40;
        s.run.eval_every = 3;
    });
    let configs = [
        plain.clone(),
        plain.clone().with(|s| {
            s.run.order = Order::Length;
            s.optim.max_grad_norm = 0.5;
        }),
        plain.with(|s| {
            s.run.order = Order::Shuffle;
            s.run.dropout = 0.1;
            s.data.batch_size = 4;
            s.optim.grad_accum = 2;
        }),
    ];
    for config in configs {
        let (events, weights) = world::run_in_pieces(&config, &[]);
        // After the first step; after one whose evaluation is due and not made; in the second epoch.
        let (pieces, same) = world::run_in_pieces(&config, &[0, 3, 7, 29]);
        assert_eq!(pieces.len(), events.len(), "{config:?}");
        for (piece, event) in pieces.iter().zip(&events) {
            assert_eq!(piece, event, "{config:?}");
        }
        let bits = |weights: Vec<f32>| weights.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        assert!(bits(weights) == bits(same), "{config:?}");
    }
}
