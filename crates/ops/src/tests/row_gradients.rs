//! Gradients of the rows of a table that a batch reads, and the steps that touch these rows alone.

use candle_core::{DType, Device, Error, Result, Tensor, Var};

use super::{bits, distance, random};
use crate::loss::cross_entropy;
use crate::optimizer::{AdamWHyper, SgdHyper, adamw_step, adamw_step_rows, sgd_step, sgd_step_rows};
use crate::{Gradient, Gradients, RowGradient, TokenRows, add, embedding, embedding_bag, linear, record};

const N_ROWS: usize = 3000;
const WIDTH: usize = 12;

fn table() -> Var {
    Var::from_tensor(&random("table", &[N_ROWS, WIDTH], DType::F32)).unwrap()
}

/// Bags of ids, every second row of the table at most.
fn bags(step: usize) -> TokenRows {
    let bag = |bag: usize| (0..40).map(|nth| (((bag + step) * 37 + nth * nth * 6) % (N_ROWS / 2) * 2) as u32).collect();
    TokenRows::of((0..50).map(bag).collect::<Vec<Vec<u32>>>()).unwrap()
}

fn gradients(loss: impl FnOnce() -> Result<Tensor>) -> Gradients {
    let (loss, tape) = record::<_, Error>(loss).unwrap();
    tape.backward(&loss).unwrap()
}

fn loss(table: &Tensor, bags: &TokenRows) -> Result<Tensor> {
    cross_entropy(&embedding_bag(table, bags)?, &vec![3; bags.n_rows()])
}

fn rows_of(gradients: &Gradients, table: &Tensor) -> RowGradient {
    match gradients.get(table) {
        Some(Gradient::Rows(rows)) => rows.clone(),
        other => panic!("expected rows, got {other:?}"),
    }
}

#[test]
fn only_rows_that_were_read_have_a_gradient() {
    let (table, bags) = (table(), bags(0));
    let rows = rows_of(&gradients(|| loss(&table, &bags)), &table);
    let mut expected = bags.ids().to_vec();
    expected.sort_unstable();
    expected.dedup();
    assert_eq!(rows.rows(), expected);
    assert_eq!(rows.values().dims(), [expected.len(), WIDTH]);
    let dense = Gradients::of_candle(&loss(&table, &bags).unwrap()).unwrap();
    assert_eq!(distance(&rows.to_dense().unwrap(), dense.get(&table).unwrap().values()), 0.0);
}

#[test]
fn a_table_that_is_read_twice_gets_the_sum() {
    let (table, ids) = (table(), [5, 0, 7, 5]);
    let twice = || {
        let sum = add(&embedding(&table, &ids)?, &embedding(&table, &[1, 5, 2, 0])?)?;
        cross_entropy(&sum, &[0, 1, 2, 3])
    };
    let rows = rows_of(&gradients(twice), &table);
    assert_eq!(rows.rows(), [0, 1, 2, 5, 7]);
    let expected = Gradients::of_candle(&twice().unwrap()).unwrap();
    assert!(distance(&rows.to_dense().unwrap(), expected.get(&table).unwrap().values()) < 1e-7);
}

#[test]
fn a_table_that_is_also_used_whole_has_a_gradient_in_full() {
    let table = Var::from_tensor(&random("table", &[5, 5], DType::F32)).unwrap();
    let bias = Tensor::zeros(5, DType::F32, &Device::Cpu).unwrap();
    let tied = || cross_entropy(&linear(&embedding(&table, &[1, 3, 1])?, &table, &bias)?, &[0, 1, 2]);
    let found = gradients(tied);
    let expected = Gradients::of_candle(&tied().unwrap()).unwrap();
    assert!(matches!(found.get(&table), Some(Gradient::Dense(_))));
    assert!(distance(found.get(&table).unwrap().values(), expected.get(&table).unwrap().values()) < 1e-7);
}

#[test]
fn a_table_that_was_computed_passes_its_gradient_on() {
    let table = table();
    let doubled = || loss(&add(&table, &table)?, &bags(0));
    let expected = Gradients::of_candle(&doubled().unwrap()).unwrap();
    let found = gradients(doubled);
    assert!(distance(found.get(&table).unwrap().values(), expected.get(&table).unwrap().values()) < 1e-7);
}

fn sgd(momentum: f64, weight_decay: f64) -> SgdHyper {
    SgdHyper { learning_rate: 0.5, momentum, nesterov: momentum > 0.0, weight_decay, gradient_scale: 0.5 }
}

fn adamw(step: u64) -> AdamWHyper {
    AdamWHyper { learning_rate: 0.1, beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay: 0.01, gradient_scale: 0.5, step }
}

fn zeros(shape: &[usize]) -> Tensor {
    Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap()
}

#[test]
fn plain_sgd_is_the_step_in_full() {
    let (sparse, dense) = (table(), table());
    for step in 0..3 {
        let rows = rows_of(&gradients(|| loss(&sparse, &bags(step))), &sparse);
        sgd_step(&dense, &rows.to_dense().unwrap(), None, sgd(0.0, 0.0)).unwrap();
        sgd_step_rows(&sparse, &rows, None, sgd(0.0, 0.0)).unwrap();
    }
    assert_eq!(bits(&sparse), bits(&dense));
}

/// Steps with a gradient for every row.
#[test]
fn steps_of_all_rows_are_the_steps_in_full() {
    let all: Vec<u32> = (0..N_ROWS as u32).collect();
    let targets: Vec<u32> = (0..N_ROWS as u32).map(|row| row % WIDTH as u32).collect();
    let gradient = |table: &Var| rows_of(&gradients(|| cross_entropy(&embedding(table, &all)?, &targets)), table);
    let (sparse, dense) = (table(), table());
    let [velocity, dense_velocity] = [0; 2].map(|_| zeros(&[N_ROWS, WIDTH]));
    let [moments, dense_moments] = [0; 2].map(|_| zeros(&[2, N_ROWS, WIDTH]));
    for step in 1..4 {
        let rows = gradient(&sparse);
        sgd_step(&dense, &rows.to_dense().unwrap(), Some(&dense_velocity), sgd(0.9, 0.01)).unwrap();
        sgd_step_rows(&sparse, &rows, Some(&velocity), sgd(0.9, 0.01)).unwrap();
        let rows = gradient(&sparse);
        adamw_step(&dense, &rows.to_dense().unwrap(), &dense_moments, adamw(step)).unwrap();
        adamw_step_rows(&sparse, &rows, &moments, adamw(step)).unwrap();
    }
    assert_eq!(bits(&sparse), bits(&dense));
    assert_eq!((bits(&velocity), bits(&moments)), (bits(&dense_velocity), bits(&dense_moments)));
}

#[test]
fn rows_without_a_gradient_rest() {
    let table = table();
    let (before, moments) = (table.copy().unwrap(), zeros(&[2, N_ROWS, WIDTH]));
    for step in 1..4 {
        let rows = rows_of(&gradients(|| loss(&table, &bags(step as usize))), &table);
        adamw_step_rows(&table, &rows, &moments, adamw(step)).unwrap();
    }
    let row = |tensor: &Tensor, row: usize| bits(&tensor.get(row).unwrap());
    // odd rows are never read, row 12 is
    assert_eq!(row(&table, 1), row(&before, 1));
    assert_ne!(row(&table, 12), row(&before, 12));
}

#[test]
fn one_thread_and_many_give_the_same_bits() {
    let trained = |n_threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| {
            let (table, moments) = (table(), zeros(&[2, N_ROWS, WIDTH]));
            for step in 1..4 {
                let rows = rows_of(&gradients(|| loss(&table, &bags(step as usize))), &table);
                adamw_step_rows(&table, &rows, &moments, adamw(step)).unwrap();
            }
            bits(&table)
        })
    };
    assert_eq!(trained(1), trained(2));
    assert_eq!(trained(1), trained(3));
}

#[test]
fn a_gradient_of_another_table_is_refused() {
    let (table, other) = (table(), Var::from_tensor(&random("other", &[7, WIDTH], DType::F32)).unwrap());
    let rows = rows_of(&gradients(|| loss(&table, &bags(0))), &table);
    let message = sgd_step_rows(&other, &rows, None, sgd(0.0, 0.0)).unwrap_err().to_string();
    assert!(message.contains("table of gradient") && message.contains("[3000, 12]"), "{message}");
    assert!(sgd_step_rows(&table, &rows, None, sgd(0.9, 0.0)).unwrap_err().to_string().contains("needs a velocity"));
}
