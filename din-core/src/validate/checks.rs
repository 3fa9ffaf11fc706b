//! What every check is made of: the first that fails is kept.

use crate::bytes::range;
use crate::error::LoadError;
use crate::manifest::NONE;
use crate::model::Model;
use crate::subject::Subject;

/// A check failed; [`Checks::error`] says which.
pub(crate) struct Failed;

/// What a check gives.
pub(crate) type Checked = Result<(), Failed>;

/// A blob that is being checked. Checks are calls of few arguments and a branch each, because there are many of them; the
/// error is put together in one place.
pub(crate) struct Checks<'c, 'a> {
    pub model: &'c Model<'a>,
    /// Index of the record that is looked at.
    pub index: usize,
    /// The next section that is referred to.
    pub section: u16,
    /// Of the check that failed.
    pub error: LoadError,
}

impl<'c, 'a> Checks<'c, 'a> {
    pub const fn new(model: &'c Model<'a>) -> Self {
        Self { model, index: 0, section: 0, error: LoadError::BadMagic }
    }

    #[inline(never)]
    pub fn fail(&mut self, error: LoadError) -> Checked {
        self.error = error;
        Err(Failed)
    }

    pub fn malformed(&mut self, part: Subject) -> Checked {
        self.fail(LoadError::Malformed { part })
    }

    pub fn bad_number(&mut self, what: Subject, index: usize) -> Checked {
        self.fail(LoadError::BadNumber { what, index: index as u64 })
    }

    /// `1..=limit`
    #[inline(never)]
    pub fn in_range(&mut self, what: Subject, found: usize, limit: usize) -> Checked {
        // Of 0 the check fails, as the largest number.
        if found.wrapping_sub(1) < limit { Ok(()) } else { self.out_of_range(what, found, limit) }
    }

    /// `0..=limit`
    #[inline(never)]
    pub fn at_most(&mut self, what: Subject, found: usize, limit: usize) -> Checked {
        if found <= limit { Ok(()) } else { self.out_of_range(what, found, limit) }
    }

    #[inline(never)]
    fn out_of_range(&mut self, what: Subject, found: usize, limit: usize) -> Checked {
        self.fail(LoadError::OutOfRange { what, found: found as u64, limit: limit as u64 })
    }

    /// That two numbers agree.
    #[inline(never)]
    pub fn equal(&mut self, what: Subject, expected: usize, found: usize) -> Checked {
        if expected == found {
            return Ok(());
        }
        let index = u32::try_from(self.index).unwrap_or(u32::MAX);
        self.fail(LoadError::Mismatch { what, index, expected: expected as u64, found: found as u64 })
    }

    /// That a reference is to nothing.
    pub fn none(&mut self, what: Subject, reference: u16) -> Checked {
        self.equal(what, NONE.into(), reference.into())
    }

    /// That a reference is to the next section, and that it has `len` bytes.
    #[inline(never)]
    pub fn section(&mut self, what: Subject, reference: u16, len: usize) -> Checked {
        self.equal(what, self.section.into(), reference.into())?;
        let count = self.model.manifest().sections.len();
        if usize::from(reference) >= count {
            return self.out_of_range(what, reference.into(), count);
        }
        self.section = self.section.saturating_add(1);
        self.equal(what, len, self.model.section(reference).len())
    }

    /// That there is nothing but zeros between two places of the blob.
    pub fn zeros(&mut self, from: usize, to: usize) -> Checked {
        let padding = range(self.model.bytes(), from, to.saturating_sub(from));
        match padding.iter().find(|byte| **byte != 0) {
            Some(byte) => self.equal(Subject::Padding, 0, (*byte).into()),
            None => Ok(()),
        }
    }

    /// That all f32 numbers of some bytes are usable.
    #[inline(never)]
    pub fn numbers(&mut self, what: Subject, bytes: &[u8], usable: Usable) -> Checked {
        let holds = |bits: &[u8; 4]| usable.holds(u32::from_le_bytes(*bits));
        let numbers = bytes.as_chunks::<4>().0;
        // A loop without a way out becomes vectors.
        let (blocks, rest) = numbers.as_chunks::<BLOCK>();
        let bad = blocks.iter().position(|block| !block.iter().fold(true, |good, bits| good & holds(bits)));
        let start = bad.unwrap_or(blocks.len()).wrapping_mul(BLOCK);
        let after = if bad.is_some() { numbers.get(start..).unwrap_or_default() } else { rest };
        match after.iter().position(|bits| !holds(bits)) {
            Some(at) => self.bad_number(what, start.wrapping_add(at)),
            None => Ok(()),
        }
    }
}

/// Numbers that are looked at together.
const BLOCK: usize = 64;

/// Which f32 numbers are, by their bits and without an instruction of floating point.
#[derive(Clone, Copy)]
pub(crate) struct Usable {
    mask: u32,
    first: u32,
    count: u32,
}

impl Usable {
    /// Neither infinite nor not-a-number.
    pub const FINITE: Self = Self { mask: 0x7fff_ffff, first: 0, count: 0x7f80_0000 };
    /// Finite and above zero.
    pub const POSITIVE: Self = Self { mask: u32::MAX, first: 1, count: 0x7f7f_ffff };

    pub const fn holds(self, bits: u32) -> bool {
        (bits & self.mask).wrapping_sub(self.first) < self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usable_numbers_are_what_the_standard_library_says() {
        let exponents =
            (0..=0xff_u32).flat_map(|exponent| [0, 1, 0x7f_ffff].map(|rest| exponent << 23 | rest));
        for bits in exponents.flat_map(|bits| [bits, bits | 1 << 31]) {
            let number = f32::from_bits(bits);
            assert_eq!(Usable::FINITE.holds(bits), number.is_finite(), "{bits:#x}");
            assert_eq!(Usable::POSITIVE.holds(bits), number.is_finite() && number > 0.0, "{bits:#x}");
        }
    }
}
