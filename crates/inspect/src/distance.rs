//! Two runs of bytes as numbers of one type: which differ, and by how much.
//!
//! Reads no file: who compares brings the bytes. Invariant: numbers are equal where their bits are; two different NaNs differ, and 0.0 and -0.0 do too.

use half::{bf16, f16};
use spec::criteria::STRETCHES;
use spec::tensor::Datatype;

use crate::tensors::Tensor;

/// How many bytes of a tensor are compared at a time; a multiple of every element's width.
pub const PIECE_BYTES: usize = 1024 * 1024;

/// Which of two tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    A,
    B,
}

/// How far two tensors of one form are apart: of one type, shape and length. `fill` reads bytes of one of them, from a
/// place on.
pub fn between<E>(
    form: &Tensor,
    mut fill: impl FnMut(Side, u64, &mut [u8]) -> Result<(), E>,
) -> Result<Distance, E> {
    let n_bytes = form.bytes.n_bytes();
    let width = form.datatype.and_then(Datatype::n_bytes).unwrap_or(1).max(1);
    let mut distance = Distance::of(n_bytes / width as u64);
    let (mut space_a, mut space_b) = (vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]);
    let mut done = 0;
    while done < n_bytes {
        let n = usize::try_from(n_bytes - done).unwrap_or(usize::MAX).min(PIECE_BYTES);
        let (piece_a, piece_b) = (&mut space_a[..n], &mut space_b[..n]);
        fill(Side::A, done, piece_a)?;
        fill(Side::B, done, piece_b)?;
        distance.add(form.datatype, piece_a, piece_b);
        done += n as u64;
    }
    Ok(distance)
}

/// How far two tensors are from each other, filled piece by piece.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Distance {
    pub n_compared: u64,
    /// Elements whose bits are not the same.
    pub n_different: u64,
    pub first_different: Option<u64>,
    pub max_absolute: f64,
    /// Of the larger of both numbers.
    pub max_relative: f64,
    /// Numbers of the type that lie between, and one.
    pub max_ulp: u64,
    /// The largest finite number of both tensors, without its sign.
    pub largest: f64,
    /// How many elements there are in all.
    n_elements: u64,
    /// The largest difference in each stretch.
    stretches: [f64; STRETCHES],
}

impl Distance {
    /// Nothing so far, of so many elements.
    pub fn of(n_elements: u64) -> Self {
        Self { n_elements, ..Self::default() }
    }

    /// The largest difference in each stretch as a share of the largest number; of what has no type, 1 where it differs.
    pub fn heat(&self) -> Vec<f64> {
        let n = usize::try_from(self.n_elements).unwrap_or(STRETCHES).min(STRETCHES);
        let share = |absolute: &f64| match (*absolute, self.largest) {
            (0.0, _) => 0.0,
            (_, 0.0) => 1.0,
            (absolute, largest) => (absolute / largest).min(1.0),
        };
        self.stretches.iter().take(n).map(share).collect()
    }

    /// Adds two pieces of the same length, whole elements each. Without a type each byte is an element.
    pub fn add(&mut self, datatype: Option<Datatype>, a: &[u8], b: &[u8]) {
        let width = datatype.and_then(Datatype::n_bytes).unwrap_or(1);
        for (a, b) in a.chunks_exact(width).zip(b.chunks_exact(width)) {
            let values = datatype.and_then(|datatype| Some((number(datatype, a)?, number(datatype, b)?)));
            if let Some((a, b)) = values {
                for value in [a.value, b.value].into_iter().filter(|value| value.is_finite()) {
                    self.largest = self.largest.max(value.abs());
                }
            }
            if a != b {
                self.first_different.get_or_insert(self.n_compared);
                self.n_different += 1;
                let apart = values.map_or(1.0, |(a, b)| self.add_pair(a, b));
                let n = self.n_elements.clamp(1, STRETCHES as u64);
                let at = u128::from(self.n_compared) * u128::from(n) / u128::from(self.n_elements.max(1));
                if let Some(stretch) = usize::try_from(at).ok().and_then(|at| self.stretches.get_mut(at)) {
                    *stretch = stretch.max(apart);
                }
            }
            self.n_compared += 1;
        }
    }

    /// Adds two numbers; how far they are apart.
    fn add_pair(&mut self, a: Number, b: Number) -> f64 {
        let absolute = (a.value - b.value).abs();
        // A difference that is no number is as large as can be.
        let absolute = if absolute.is_nan() { f64::INFINITY } else { absolute };
        let larger = a.value.abs().max(b.value.abs());
        let relative = if absolute == 0.0 { 0.0 } else { absolute / larger };
        self.max_absolute = self.max_absolute.max(absolute);
        self.max_relative = self.max_relative.max(if relative.is_nan() { f64::INFINITY } else { relative });
        let apart = u64::try_from(a.place.abs_diff(b.place)).unwrap_or(u64::MAX);
        self.max_ulp = self.max_ulp.max(apart);
        // Two zeros differ by their signs.
        if absolute == 0.0 { f64::MIN_POSITIVE } else { absolute }
    }

    /// The largest difference as a share of the largest number.
    pub fn max_of_largest(&self) -> f64 {
        match () {
            () if self.n_different == 0 || self.max_absolute == 0.0 => 0.0,
            () if self.largest == 0.0 => f64::INFINITY,
            () => self.max_absolute / self.largest,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Number {
    value: f64,
    /// Its place among all numbers of its type, smaller ones first.
    place: i128,
}

fn number(datatype: Datatype, bytes: &[u8]) -> Option<Number> {
    let integer = |value: i128| Number { value: value as f64, place: value };
    Some(match datatype {
        Datatype::Bool | Datatype::Uint8 => integer(u8::from_le_bytes(bytes.try_into().ok()?).into()),
        Datatype::Uint16 => integer(u16::from_le_bytes(bytes.try_into().ok()?).into()),
        Datatype::Uint32 => integer(u32::from_le_bytes(bytes.try_into().ok()?).into()),
        Datatype::Uint64 => integer(u64::from_le_bytes(bytes.try_into().ok()?).into()),
        Datatype::Int8 => integer(i8::from_le_bytes(bytes.try_into().ok()?).into()),
        Datatype::Int16 => integer(i16::from_le_bytes(bytes.try_into().ok()?).into()),
        Datatype::Int32 => integer(i32::from_le_bytes(bytes.try_into().ok()?).into()),
        Datatype::Int64 => integer(i64::from_le_bytes(bytes.try_into().ok()?).into()),
        Datatype::Fp16 => {
            let value = f16::from_le_bytes(bytes.try_into().ok()?);
            Number { value: value.to_f64(), place: place(value.to_bits().into(), 15) }
        }
        Datatype::Bf16 => {
            let value = bf16::from_le_bytes(bytes.try_into().ok()?);
            Number { value: value.to_f64(), place: place(value.to_bits().into(), 15) }
        }
        Datatype::Fp32 => {
            let value = f32::from_le_bytes(bytes.try_into().ok()?);
            Number { value: value.into(), place: place(value.to_bits().into(), 31) }
        }
        Datatype::Fp64 => {
            let value = f64::from_le_bytes(bytes.try_into().ok()?);
            Number { value, place: place(value.to_bits(), 63) }
        }
        Datatype::Bytes => return None,
    })
}

/// Floats in their order: the bits without the sign, negative where the sign is set.
fn place(bits: u64, sign: u32) -> i128 {
    let size = i128::from(bits & !(1 << sign));
    if bits >> sign == 1 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(a: &[f64], b: &[f64]) -> Distance {
        let bytes = |values: &[f64]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>();
        let mut distance = Distance::of(a.len() as u64);
        distance.add(Some(Datatype::Fp64), &bytes(a), &bytes(b));
        distance
    }

    #[test]
    fn numbers_beside_each_other_are_one_apart() {
        let distance = of(&[1.0, 2.0, -4.0], &[1.0, 2.0_f64.next_up(), -4.0]);
        assert_eq!((distance.n_different, distance.first_different, distance.max_ulp), (1, Some(1), 1));
        assert_eq!(distance.max_of_largest(), f64::EPSILON * 2.0 / 4.0);
        assert_eq!(of(&[f64::MIN_POSITIVE], &[-f64::MIN_POSITIVE]).max_ulp, 2 * f64::MIN_POSITIVE.to_bits());
    }

    #[test]
    fn where_two_tensors_differ_is_told_by_stretches() {
        assert_eq!(of(&[1.0, 2.0, 4.0], &[1.0, 3.0, 4.0]).heat(), [0.0, 0.25, 0.0]);
        let (a, mut b) = (vec![1.0; 6400], vec![1.0; 6400]);
        (b[0], b[6399]) = (2.0, f64::NAN);
        let heat = of(&a, &b).heat();
        assert!(heat.len() == 32 && heat[0] == 0.5 && heat[31] == 1.0 && heat[1..31] == [0.0; 30]);
        assert_eq!(Distance::of(0).heat(), [0.0; 0]);
    }

    #[test]
    fn what_is_no_number_is_far_from_every_number_and_equal_to_itself() {
        assert_eq!(of(&[f64::NAN], &[f64::NAN]).n_different, 0);
        assert_eq!(of(&[f64::NAN], &[1.0]).max_absolute, f64::INFINITY);
        assert_eq!(of(&[0.0], &[-0.0]).n_different, 1);
    }
}
