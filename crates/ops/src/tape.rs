//! The reverse pass of training: operations are recorded while they run, and walked back in reverse.
//!
//! candle's own `backward` fills a tensor with zeros and adds to it for every edge of its graph, and keeps all saved
//! tensors until it ends. Here the first gradient of a tensor is moved, further ones are added to it in place, and an
//! operation's saved tensors are dropped as soon as it has been walked over. Nothing here is recursive, so a graph may
//! be as deep as memory allows.
//!
//! Without an open recording, the operations of this crate are part of candle's graph as usual: that is the reference
//! in the tests, and the path of other devices.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use candle_core::shape::ShapeWithOneHole;
use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, Device, Error, Layout, Result, Shape, Storage, Tensor, TensorId, Var,
};

use crate::arithmetic::{add, add_in_place};
use crate::gradients::{Gradient, Gradients, RowGradient};
use crate::storage::shares_storage;

thread_local! {
    static OPEN: RefCell<Option<Tape>> = const { RefCell::new(None) };
}

/// What was recorded, in the order in which it ran.
#[derive(Default)]
pub struct Tape {
    nodes: Vec<Node>,
    /// Tensors that are views of another one's memory. candle tracks them; here they are kept by their ids.
    views: HashSet<TensorId>,
    /// What was read of tables on other devices.
    rows_read: Vec<RowsRead>,
}

/// Rows of a table, as a variable of their own in candle's graph.
struct RowsRead {
    table: Tensor,
    rows: Vec<u32>,
    values: Tensor,
}

/// Gradients of the inputs, from the inputs, the output and the gradient of the output; none for untracked inputs.
type Backward = Box<dyn Fn(&[Tensor], &Tensor, &Tensor) -> Result<Vec<Option<Tensor>>>>;

/// The gradient of the rows that an operation read of its input, a table.
type TableBackward = Box<dyn Fn(&Tensor, &Tensor) -> Result<RowGradient>>;

enum Walk {
    Inputs(Backward),
    Table(TableBackward),
}

struct Node {
    inputs: Vec<Tensor>,
    output: Tensor,
    walk: Walk,
}

/// Runs `work` and records the operations of this crate that this thread calls in it, as far as they depend on a
/// variable.
///
/// candle's own operations are not recorded. One that reads a recorded tensor is noticed by the next operation of this
/// crate, or by [`Tape::backward`], and is an error, so that no gradient is lost silently; [`scale`](crate::scale),
/// [`add`](crate::add) and [`reshape`](crate::reshape) stand in for the usual ones. Tensors that `work` returns look
/// like variables to candle; [`Tensor::detach`] ends that.
///
/// ```
/// use candle_core::{Device, Error, Tensor, Var};
/// use stillhouse_ops::{linear, loss::cross_entropy, record};
///
/// let weight = Var::new(&[[1.0_f32, -1.0], [0.5, 2.0]], &Device::Cpu)?;
/// let bias = Var::new(&[0.0_f32, 0.0], &Device::Cpu)?;
/// let input = Tensor::new(&[[1.0_f32, 2.0]], &Device::Cpu)?;
/// let (loss, tape) = record(|| cross_entropy(&linear(&input, &weight, &bias)?, &[1]))?;
/// let gradients = tape.backward(&loss)?;
/// assert_eq!(gradients.get(&weight).map(|gradient| gradient.values().dims()), Some([2, 2].as_slice()));
/// assert!(gradients.get(&input).is_none());
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// Those of `work`, and a recording inside of another one.
pub fn record<T, E: From<Error>>(
    work: impl FnOnce() -> std::result::Result<T, E>,
) -> std::result::Result<(T, Tape), E> {
    let recording = Recording::open()?;
    let value = work()?;
    Ok((value, recording.close()))
}

/// An open recording of this thread; it ends with this value, also where the work fails or panics.
struct Recording;

impl Recording {
    fn open() -> Result<Self> {
        OPEN.with_borrow_mut(|open| {
            if open.is_some() {
                return Err(Error::msg("record: expected no open recording on this thread, got one inside of another"));
            }
            *open = Some(Tape::default());
            Ok(Self)
        })
    }

    fn close(self) -> Tape {
        OPEN.take().expect("the guard that opened the recording is still there")
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        OPEN.take();
    }
}

impl Tape {
    /// The gradients of all variables that `loss` depends on.
    ///
    /// A loss that candle tracks, of tensors that are not on the CPU, is walked back by candle. An untracked loss
    /// depends on no variable, and there are no gradients.
    ///
    /// # Errors
    /// A loss that was computed from recorded tensors by an operation of candle, or a failing operation.
    pub fn backward(mut self, loss: &Tensor) -> Result<Gradients> {
        if self.nodes.is_empty() && loss.track_op() {
            return self.backward_of_candle(loss);
        }
        if !self.is_known(loss) {
            return Err(unknown_tensor("backward"));
        }
        let mut pending = Pending::default();
        if loss.track_op() {
            pending.add(loss.id(), Sum { value: loss.ones_like()?, is_exclusive: true })?;
        }
        while let Some(node) = self.nodes.pop() {
            if let Some(gradient) = pending.take(node.output.id())? {
                node.walk_back(&gradient, &mut pending)?;
            }
        }
        pending.finish()
    }

    fn backward_of_candle(self, loss: &Tensor) -> Result<Gradients> {
        let mut gradients = Gradients::of_candle(loss)?;
        for RowsRead { table, rows, values } in self.rows_read {
            if let Some(gradient) = gradients.remove(&values) {
                let n_rows = table.dim(0)?;
                gradients.add_rows(&table, RowGradient { rows, values: gradient.to_dense()?, n_rows })?;
            }
        }
        Ok(gradients)
    }

    /// False for a tensor that candle tracks and this tape does not know.
    fn is_known(&self, tensor: &Tensor) -> bool {
        !tensor.track_op() || tensor.is_variable() || self.views.contains(&tensor.id())
    }
}

impl Node {
    fn walk_back(&self, gradient: &Sum, pending: &mut Pending) -> Result<()> {
        let backward = match &self.walk {
            Walk::Inputs(backward) => backward,
            Walk::Table(backward) => {
                let table = &self.inputs[0];
                return pending.add_rows(table.id(), backward(table, &gradient.value)?);
            }
        };
        let gradients = backward(&self.inputs, &self.output, &gradient.value)?;
        let gradients: Vec<(&Tensor, Tensor)> = self
            .inputs
            .iter()
            .zip(gradients)
            .filter_map(|(input, gradient)| Some((input, gradient?.detach())))
            .filter(|(input, _)| input.track_op())
            .collect();
        for (nth, (input, value)) in gradients.iter().enumerate() {
            let mut others = gradients.iter().enumerate().filter(|(other, _)| *other != nth);
            let is_shared = others.any(|(_, (_, other))| shares_storage(value, other))
                || !gradient.is_exclusive && shares_storage(value, &gradient.value);
            pending.add(input.id(), Sum { value: value.clone(), is_exclusive: !is_shared })?;
        }
        Ok(())
    }
}

/// What has been found of a gradient so far.
struct Sum {
    value: Tensor,
    /// No other gradient lies in the same memory, so that it may be changed in place.
    is_exclusive: bool,
}

/// Gradients whose operation has not been walked over yet, and those of variables.
#[derive(Default)]
struct Pending {
    sums: HashMap<TensorId, Sum>,
    rows: HashMap<TensorId, RowGradient>,
}

impl Pending {
    fn add(&mut self, id: TensorId, gradient: Sum) -> Result<()> {
        let sum = match self.sums.remove(&id) {
            None => gradient,
            Some(sum) if sum.is_exclusive && sum.value.is_contiguous() => {
                add_in_place(&sum.value, &gradient.value)?;
                sum
            }
            Some(sum) => Sum { value: add(&sum.value, &gradient.value)?, is_exclusive: true },
        };
        self.sums.insert(id, sum);
        Ok(())
    }

    fn add_rows(&mut self, id: TensorId, rows: RowGradient) -> Result<()> {
        let sum = match self.rows.remove(&id) {
            None => rows,
            Some(sum) => sum.plus(&rows)?,
        };
        self.rows.insert(id, sum);
        Ok(())
    }

    /// The whole gradient of a tensor.
    fn take(&mut self, id: TensorId) -> Result<Option<Sum>> {
        if let Some(rows) = self.rows.remove(&id) {
            self.add(id, Sum { value: rows.to_dense()?, is_exclusive: true })?;
        }
        Ok(self.sums.remove(&id))
    }

    /// The gradients that are left are those of variables. The caller may change them in place, for example to clip
    /// them.
    fn finish(mut self) -> Result<Gradients> {
        // a table that was also used as a whole has a gradient in full
        let in_full: Vec<TensorId> = self.rows.keys().filter(|id| self.sums.contains_key(id)).copied().collect();
        for id in in_full {
            if let Some(sum) = self.take(id)? {
                self.sums.insert(id, sum);
            }
        }
        let own = |(id, sum): (TensorId, Sum)| {
            let value = if sum.is_exclusive { sum.value } else { sum.value.copy()? };
            Ok((id, Gradient::Dense(value)))
        };
        let rows = self.rows.into_iter().map(|(id, rows)| Ok((id, Gradient::Rows(rows))));
        Ok(Gradients::new(self.sums.into_iter().map(own).chain(rows).collect::<Result<_>>()?))
    }
}

/// Applies an operation of one input: recorded where a recording is open, as a part of candle's graph otherwise.
pub(crate) fn apply1(op: impl CustomOp1 + Send + Sync + 'static, input: &Tensor) -> Result<Tensor> {
    if !is_recorded(op.name(), &[input])? {
        return input.apply_op1(op);
    }
    let (storage, layout) = input.storage_and_layout();
    let output = variable(op.cpu_fwd(on_cpu(&storage)?, layout)?)?;
    let backward = move |inputs: &[Tensor], output: &Tensor, grad: &Tensor| Ok(vec![op.bwd(&inputs[0], output, grad)?]);
    Ok(push(vec![input.clone()], output, Walk::Inputs(Box::new(backward))))
}

/// As [`apply1`], with two inputs.
pub(crate) fn apply2(op: impl CustomOp2 + Send + Sync + 'static, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if !is_recorded(op.name(), &[a, b])? {
        return a.apply_op2(b, op);
    }
    let inputs: [(_, &Layout); 2] = [a.storage_and_layout(), b.storage_and_layout()];
    let [(storage_a, layout_a), (storage_b, layout_b)] = &inputs;
    let output = variable(op.cpu_fwd(on_cpu(storage_a)?, layout_a, on_cpu(storage_b)?, layout_b)?)?;
    let backward = move |inputs: &[Tensor], output: &Tensor, grad: &Tensor| {
        let (a, b) = op.bwd(&inputs[0], &inputs[1], output, grad)?;
        Ok(vec![a, b])
    };
    Ok(push(vec![a.clone(), b.clone()], output, Walk::Inputs(Box::new(backward))))
}

/// As [`apply1`], with three inputs.
pub(crate) fn apply3(op: impl CustomOp3 + Send + Sync + 'static, a: &Tensor, b: &Tensor, c: &Tensor) -> Result<Tensor> {
    if !is_recorded(op.name(), &[a, b, c])? {
        return a.apply_op3(b, c, op);
    }
    let inputs: [(_, &Layout); 3] = [a, b, c].map(Tensor::storage_and_layout);
    let [(storage_a, layout_a), (storage_b, layout_b), (storage_c, layout_c)] = &inputs;
    let [storage_a, storage_b, storage_c] = [on_cpu(storage_a)?, on_cpu(storage_b)?, on_cpu(storage_c)?];
    let output = variable(op.cpu_fwd(storage_a, layout_a, storage_b, layout_b, storage_c, layout_c)?)?;
    let backward = move |inputs: &[Tensor], output: &Tensor, grad: &Tensor| {
        let (a, b, c) = op.bwd(&inputs[0], &inputs[1], &inputs[2], output, grad)?;
        Ok(vec![a, b, c])
    };
    Ok(push(vec![a.clone(), b.clone(), c.clone()], output, Walk::Inputs(Box::new(backward))))
}

/// An operation that reads some rows of a table.
pub(crate) trait TableOp: CustomOp1 {
    /// The gradient of the rows that were read.
    fn row_gradient(&self, table: &Tensor, grad: &Tensor) -> Result<RowGradient>;
}

/// As [`apply1`], for a table of which a few rows are read: a recording keeps the gradient of these alone.
pub(crate) fn apply_to_table(op: impl TableOp + Send + Sync + 'static, table: &Tensor) -> Result<Tensor> {
    if !is_recorded(op.name(), &[table])? {
        return table.apply_op1(op);
    }
    let (storage, layout) = table.storage_and_layout();
    let output = variable(op.cpu_fwd(on_cpu(&storage)?, layout)?)?;
    let backward = move |table: &Tensor, grad: &Tensor| op.row_gradient(table, grad);
    Ok(push(vec![table.clone()], output, Walk::Table(Box::new(backward))))
}

/// The given rows of a table `[R, W]`, ascending and each once, by candle's operations. A recording keeps the gradient
/// of these rows alone, as it does on the CPU.
pub(crate) fn select_rows(table: &Tensor, rows: Vec<u32>) -> Result<Tensor> {
    let places = Tensor::new(rows.as_slice(), table.device())?;
    let is_open = OPEN.with_borrow(Option::is_some);
    if !is_open || !table.is_variable() {
        return table.index_select(&places, 0);
    }
    let values = Var::from_tensor(&table.detach().index_select(&places, 0)?)?.into_inner();
    with_open(|tape| tape.rows_read.push(RowsRead { table: table.clone(), rows, values: values.clone() }));
    Ok(values)
}

/// Takes an output that is computed already, of any number of inputs: recorded where a recording is open. Off the
/// record it is no part of any graph, so that none of the inputs may be tracked then.
pub(crate) fn apply_any(
    name: &str,
    inputs: &[&Tensor],
    output: (CpuStorage, Shape),
    backward: impl Fn(&[Tensor], &Tensor, &Tensor) -> Result<Vec<Option<Tensor>>> + 'static,
) -> Result<Tensor> {
    if is_recorded(name, inputs)? {
        let inputs = inputs.iter().map(|input| (*input).clone()).collect();
        return Ok(push(inputs, variable(output)?, Walk::Inputs(Box::new(backward))));
    }
    debug_assert!(!inputs.iter().any(|input| input.track_op()), "{name}: a tracked input outside of a recording");
    Ok(variable(output)?.detach())
}

/// The same elements in another shape. Memory is shared where the input is contiguous.
///
/// # Errors
/// Another number of elements.
pub fn reshape(input: &Tensor, shape: impl ShapeWithOneHole) -> Result<Tensor> {
    let recorded = is_recorded("reshape", &[input])?;
    let output = input.reshape(shape)?;
    if !recorded {
        return Ok(output);
    }
    let backward = |inputs: &[Tensor], _: &Tensor, grad: &Tensor| Ok(vec![Some(grad.reshape(inputs[0].shape())?)]);
    let output = push(vec![input.clone()], output, Walk::Inputs(Box::new(backward)));
    with_open(|tape| tape.views.insert(output.id()));
    Ok(output)
}

/// The same elements as one row for each entry of the first axis: `[N, ..]` to `[N, product of the others]`.
///
/// # Errors
/// No axis.
pub fn flatten(input: &Tensor) -> Result<Tensor> {
    let n_rows = input.dim(0)?;
    reshape(input, (n_rows, input.dims()[1..].iter().product::<usize>()))
}

/// True where a recording is open and one of the inputs is tracked. All must be known to the recording.
pub(crate) fn is_recorded(name: &str, inputs: &[&Tensor]) -> Result<bool> {
    OPEN.with_borrow(|open| match open {
        None => Ok(false),
        Some(_) if !inputs.iter().any(|input| input.track_op()) => Ok(false),
        // another device has candle's graph
        Some(_) if !inputs.iter().all(|input| input.device().is_cpu()) => Ok(false),
        Some(tape) if inputs.iter().all(|input| tape.is_known(input)) => Ok(true),
        Some(_) => Err(unknown_tensor(name)),
    })
}

fn unknown_tensor(name: &str) -> Error {
    Error::msg(format!(
        "{name}: expected variables and outputs of recorded operations, got the output of an operation of candle, \
         through which no gradient would flow; hint: use this crate's `add`, `scale` or `reshape`, or `detach` it"
    ))
}

fn push(inputs: Vec<Tensor>, output: Tensor, walk: Walk) -> Tensor {
    with_open(|tape| tape.nodes.push(Node { inputs, output: output.clone(), walk }));
    output
}

fn with_open<R>(change: impl FnOnce(&mut Tape) -> R) -> Option<R> {
    OPEN.with_borrow_mut(|open| open.as_mut().map(change))
}

/// A tensor that looks like a variable, so that operations compute its gradient and candle's own ones betray
/// themselves.
fn variable((storage, shape): (CpuStorage, Shape)) -> Result<Tensor> {
    let variable = match storage {
        CpuStorage::F32(values) => Var::from_vec(values, shape, &Device::Cpu)?,
        CpuStorage::F64(values) => Var::from_vec(values, shape, &Device::Cpu)?,
        _ => return Err(Error::msg("internal: a recorded operation with an output that is not f32")),
    };
    Ok(variable.into_inner())
}

fn on_cpu(storage: &Storage) -> Result<&CpuStorage> {
    match storage {
        Storage::Cpu(storage) => Ok(storage),
        _ => Err(Error::msg("internal: a tensor on another device where one on the cpu is needed")),
    }
}
