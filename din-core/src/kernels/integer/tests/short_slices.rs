//! Slices that are too short are read and written no further than they go, and what comes of them is what comes of them by the
//! portable kernel.

use super::*;

const INPUTS: usize = 12;
const COLUMNS: usize = 10;
const ROWS: usize = 5;

/// What all slices are cut from.
struct Whole {
    weights: Vec<u8>,
    base: Vec<u8>,
    multipliers: Vec<u8>,
    start: Vec<i32>,
    x: Vec<i16>,
    query: Vec<i16>,
}

impl Whole {
    fn new() -> Self {
        Self {
            weights: bytes(INPUTS * COLUMNS, 1),
            base: as_bytes(&numbers(INPUTS * COLUMNS, 2, 900)),
            multipliers: as_bytes(&numbers(COLUMNS, 4, 2000)),
            start: vec![77; COLUMNS],
            x: numbers(ROWS * INPUTS, 3, 4096),
            query: numbers(INPUTS, 6, 4096),
        }
    }

    fn part(&self, cut: Cut) -> Part<'_> {
        Part {
            inputs: INPUTS,
            outputs: COLUMNS,
            weight: &self.weights[..cut.of(self.weights.len(), 0)],
            base: &self.base[..cut.of(self.base.len(), 1)],
            multipliers: &self.multipliers[..cut.of(self.multipliers.len(), 2)],
            shift: 9,
        }
    }

    fn own(&self, cut: Cut) -> Own<'_> {
        let queries = &self.query[..cut.of(INPUTS, 3)];
        Own { part: self.part(cut), queries, starts: &self.start, finish: FINISH }
    }
}

const FINISH: Finish = Finish { shift: 3, sigmoid: true };

/// One of some slices is so much shorter.
#[derive(Clone, Copy, Debug)]
struct Cut {
    which: usize,
    by: usize,
}

impl Cut {
    /// The length that is left of the slice with this index.
    fn of(self, len: usize, index: usize) -> usize {
        if index == self.which { len.saturating_sub(self.by) } else { len }
    }

    /// Of so many slices.
    fn each(slices: usize) -> impl Iterator<Item = Self> {
        let lengths = [0, 1, 3, 8, 9, 22, 112];
        lengths.into_iter().flat_map(move |by| (0..slices).map(move |which| Self { which, by }))
    }
}

#[test]
fn of_products() {
    let whole = Whole::new();
    for (cut, kernel) in Cut::each(6).flat_map(|cut| IntegerKernel::all().map(move |kernel| (cut, kernel))) {
        let x = &whole.x[..cut.of(whole.x.len(), 4)];
        let multiplied = |kernel: IntegerKernel| {
            let part = whole.part(cut);
            let product = Product {
                weights: Weights::Quads(part.weight),
                inputs: INPUTS,
                columns: COLUMNS,
                shift: part.shift,
                multipliers: part.multipliers,
                start: &whole.start[..cut.of(COLUMNS, 3)],
                finish: FINISH,
            };
            let mut out = vec![0; ROWS * COLUMNS];
            let len = cut.of(out.len(), 5);
            kernel.product(&product, &mut x.to_vec(), &mut panel(INPUTS), &mut out[..len], COLUMNS);
            out // and what lies behind it
        };
        assert_eq!(multiplied(kernel), multiplied(IntegerKernel::Portable), "{kernel:?} {cut:?}");
        let added = |kernel: IntegerKernel| {
            let mut t = vec![5; COLUMNS];
            let x = x.get(..INPUTS).unwrap_or(x);
            kernel.add(&whole.part(cut), x, &mut t[..cut.of(COLUMNS, 3)]);
            t
        };
        assert_eq!(added(kernel), added(IntegerKernel::Portable), "{kernel:?} {cut:?}");
    }
}

/// Kernels with panels make of weights that are too short what they like.
#[test]
fn of_querys_own_matrices() {
    let (whole, last) = (Whole::new(), bytes(COLUMNS.next_multiple_of(4), 5));
    let len = INPUTS * COLUMNS;
    for (cut, kernel) in
        Cut::each(9).flat_map(|cut| [IntegerKernel::Dsp, IntegerKernel::Thumb].map(|kernel| (cut, kernel)))
    {
        // Rows as a kernel has them, and a panel.
        let arranged = |kernel: IntegerKernel| {
            let (mut x, mut panel) = (whole.x[..cut.of(whole.x.len(), 4)].to_vec(), vec![0; len]);
            kernel.arrange(&mut x, INPUTS, &mut panel);
            (x, panel)
        };
        let multiplied = |kernel: IntegerKernel| {
            let ((mut x, mut panel), mut out) = (arranged(kernel), vec![0; ROWS * COLUMNS]);
            kernel.own_product(&whole.own(cut), &mut x, &mut panel[..cut.of(len, 5)], &mut out);
            out
        };
        assert_eq!(multiplied(kernel), multiplied(IntegerKernel::Portable), "{kernel:?} {cut:?}");
        let summed = |kernel: IntegerKernel| {
            let ((mut x, mut panel), mut sums) = (arranged(kernel), vec![7; ROWS]);
            let weight = &last[..cut.of(last.len(), 8)];
            let last = Part { inputs: COLUMNS, outputs: 1, weight, ..Part::default() };
            let mut room = [9; 24];
            let (room, beside) = room.split_at_mut(cut.of(24, 6));
            let (panel, sums_cut) = (&mut panel[..cut.of(len, 5)], cut.of(ROWS, 7));
            kernel.own_dots(&whole.own(cut), &last, &mut x, panel, room, &mut sums[..sums_cut]);
            assert!(beside.iter().all(|number| *number == 9), "{kernel:?} {cut:?}");
            sums
        };
        assert_eq!(summed(kernel), summed(IntegerKernel::Portable), "{kernel:?} {cut:?}");
        let totals = |kernel: IntegerKernel| {
            let ((mut x, mut panel), mut totals) = (arranged(kernel), vec![7; ROWS]);
            let own = whole.own(cut);
            let own = Own { part: Part { outputs: 1, ..own.part }, starts: &whole.start[..1], ..own };
            kernel.own_totals(&own, &mut x, &mut panel, &mut totals[..cut.of(ROWS, 7)]);
            totals
        };
        assert_eq!(totals(kernel), totals(IntegerKernel::Portable), "{kernel:?} {cut:?}");
    }
}

#[test]
fn of_weights_and_keys() {
    let whole = Whole::new();
    for (cut, kernel) in Cut::each(2).flat_map(|cut| IntegerKernel::all().map(move |kernel| (cut, kernel))) {
        let weighed = |kernel: IntegerKernel| {
            let (mut x, mut sums) = (whole.x[..cut.of(whole.x.len(), 0)].to_vec(), vec![0; INPUTS]);
            kernel.arrange(&mut x, INPUTS, &mut [0; INPUTS]);
            kernel.weighted_sum(&whole.start[..cut.of(ROWS, 1)], &x, &mut sums);
            sums
        };
        assert_eq!(weighed(kernel), weighed(IntegerKernel::Portable), "{kernel:?} {cut:?}");
    }
}
