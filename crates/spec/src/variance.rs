//! How much runs that nobody seeded differ: the spread of a number, how two groups of numbers compare, and what
//! is said of one training command as a whole.
//!
//! Pure: it knows numbers and neither files nor runs. Invariant: a number that cannot be said from so few runs is
//! absent, and never made up.

use serde::{Deserialize, Serialize};

/// What came out of n runs of one command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Variance {
    /// The version of this report's form.
    pub format: u32,
    pub command: Vec<String>,
    /// The capsules, in the order of the runs.
    pub runs: Vec<String>,
    /// How many runs ended otherwise than with exit code 0; they count for nothing below.
    pub n_failed: usize,
    /// How many different results there were, bit by bit.
    pub n_results: usize,
    /// Metrics by name: of each the last value in each run.
    pub metrics: Vec<Metric>,
    /// Predictions, where the runs wrote any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub churn: Option<Churn>,
    /// The other group, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<String>,
}

/// One metric over all runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    pub name: String,
    pub values: Vec<f64>,
    pub spread: Spread,
    /// How it compares with the same metric of the other group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
}

/// Where numbers lie and how far apart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    pub mean: f64,
    /// Of the sample, with n - 1 below; absent for one number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviation: Option<f64>,
    pub min: f64,
    pub max: f64,
}

/// The share of predictions that differ between two runs, over all pairs of runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Churn {
    pub n_predictions: usize,
    pub n_pairs: usize,
    pub mean: f64,
    pub max: f64,
    /// The share of predictions that are the same in all runs.
    pub stable: f64,
}

/// How numbers of one group compare with those of another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The other group's mean.
    pub mean: f64,
    /// Cliff's delta: how much oftener a number of this group is larger than one of the other, from -1 to 1.
    pub delta: f64,
    pub size: Size,
    /// Wilcoxon's rank-sum test, two-sided: how likely ranks this far apart are if the groups are alike.
    pub p: f64,
}

/// Cliff's delta in a word, by the thresholds of Romano and others (2006).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Size {
    Negligible,
    Small,
    Medium,
    Large,
}

impl Size {
    pub fn as_str(self) -> &'static str {
        ["negligible", "small", "medium", "large"][self as usize]
    }
}

/// The spread of numbers; none where there are none.
pub fn spread(values: &[f64]) -> Option<Spread> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (!values.is_empty()).then(|| Spread {
        mean,
        deviation: (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt()),
        min: values.iter().copied().fold(f64::INFINITY, f64::min),
        max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    })
}

/// How `ours` compares with `theirs`; none where either has no numbers, or one that is none.
pub fn effect(ours: &[f64], theirs: &[f64]) -> Option<Effect> {
    if ours.iter().chain(theirs).any(|value| value.is_nan()) {
        return None;
    }
    let mean = spread(theirs)?.mean;
    spread(ours)?;
    let pairs = || ours.iter().flat_map(|a| theirs.iter().map(move |b| (a, b)));
    let (n_larger, n_smaller) =
        (pairs().filter(|(a, b)| a > b).count(), pairs().filter(|(a, b)| a < b).count());
    let delta = (n_larger as f64 - n_smaller as f64) / (ours.len() * theirs.len()) as f64;
    let size = match delta.abs() {
        delta if delta < 0.147 => Size::Negligible,
        delta if delta < 0.33 => Size::Small,
        delta if delta < 0.474 => Size::Medium,
        _ => Size::Large,
    };
    Some(Effect { mean, delta, size, p: rank_sum(ours, theirs) })
}

/// Above so many numbers, or where some are equal, the distribution of ranks is taken for a normal one.
const EXACT: usize = 40;

/// Wilcoxon's rank-sum test (Mann and Whitney's U), two-sided, as SciPy's `mannwhitneyu` has it.
fn rank_sum(a: &[f64], b: &[f64]) -> f64 {
    let mut all: Vec<f64> = a.iter().chain(b).copied().collect();
    all.sort_by(f64::total_cmp);
    let n_ties =
        all.chunk_by(|a, b| a == b).map(|run| (run.len() as f64).powi(3) - run.len() as f64).sum::<f64>();
    let count = |a: f64| {
        b.iter()
            .map(|b| {
                if a > *b {
                    1.0
                } else if a < *b {
                    0.0
                } else {
                    0.5
                }
            })
            .sum::<f64>()
    };
    let u: f64 = a.iter().map(|a| count(*a)).sum();
    let larger = u.max((a.len() * b.len()) as f64 - u);
    let p = match n_ties == 0.0 && all.len() <= EXACT {
        true => 2.0 * exact_tail(a.len(), b.len(), larger),
        false => normal_tail(a.len(), b.len(), larger, n_ties),
    };
    p.min(1.0)
}

/// How likely U is at least so large, counting all orders of the two groups.
fn exact_tail(n_a: usize, n_b: usize, u: f64) -> f64 {
    let n_values = n_a * n_b + 1;
    // counts[i][j][u]: orders of i and j numbers with that U, by which group has the largest.
    let mut counts = vec![vec![Vec::new(); n_b + 1]; n_a + 1];
    for i in 0..=n_a {
        for j in 0..=n_b {
            let mut here = vec![0.0; n_values];
            if i == 0 || j == 0 {
                here[0] = 1.0;
            } else {
                for (u, count) in here.iter_mut().enumerate() {
                    let with_a = if u >= j { counts[i - 1][j][u - j] } else { 0.0 };
                    let with_b: f64 = counts[i][j - 1][u];
                    *count = with_a + with_b;
                }
            }
            counts[i][j] = here;
        }
    }
    let all: f64 = counts[n_a][n_b].iter().sum();
    let tail: f64 =
        counts[n_a][n_b].iter().enumerate().filter(|(value, _)| *value as f64 >= u).map(|(_, n)| n).sum();
    tail / all
}

/// The same for many numbers, or equal ones, with the correction for continuity; two-sided.
fn normal_tail(n_a: usize, n_b: usize, u: f64, n_ties: f64) -> f64 {
    let (a, b) = (n_a as f64, n_b as f64);
    let n = a + b;
    let deviation = (a * b / 12.0 * ((n + 1.0) - n_ties / (n * (n - 1.0)))).sqrt();
    if deviation == 0.0 || deviation.is_nan() {
        return 1.0;
    }
    complementary_error((u - a * b / 2.0 - 0.5) / deviation / std::f64::consts::SQRT_2)
}

/// The complementary error function; Abramowitz and Stegun 7.1.26, off by at most 1.5e-7.
fn complementary_error(x: f64) -> f64 {
    const TERMS: [f64; 5] = [0.254_829_592, -0.284_496_736, 1.421_413_741, -1.453_152_027, 1.061_405_429];
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
    let sum = TERMS.iter().rev().fold(0.0, |sum, term| (sum + term) * t);
    let tail = sum * (-x * x).exp();
    if x < 0.0 { 2.0 - tail } else { tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-6
    }

    #[test]
    fn a_spread_is_that_of_a_sample() {
        let found = spread(&[1.0, 2.0, 4.0]).unwrap();
        assert!(is_near(found.mean, 7.0 / 3.0) && is_near(found.deviation.unwrap(), 1.527_525_2));
        assert_eq!((found.min, found.max), (1.0, 4.0));
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[1.0]).unwrap().deviation, None);
    }

    /// The values of p are those of `scipy.stats.mannwhitneyu`, exact and asymptotic.
    #[test]
    fn groups_are_compared_as_scipy_does() {
        let apart = effect(&[5.0, 6.0, 7.0, 8.0], &[1.0, 2.0, 3.0, 4.0]).unwrap();
        assert!(apart.delta == 1.0 && apart.size == Size::Large && is_near(apart.p, 2.0 / 70.0), "{apart:?}");
        let mixed = effect(&[0.91, 0.93, 0.95, 0.9, 0.97], &[0.92, 0.94, 0.89, 0.96, 0.98, 0.88]).unwrap();
        assert!(is_near(mixed.p, 0.930_735_930_7), "{mixed:?}");
        let tied = effect(&[1.0, 2.0, 2.0, 3.0, 5.0], &[2.0, 4.0, 4.0, 5.0, 6.0]).unwrap();
        assert!(is_near(tied.p, 0.166_607_394_0), "{tied:?}");
        let same = effect(&[1.0, 1.0], &[1.0, 1.0]).unwrap();
        assert_eq!((same.delta, same.p, same.size), (0.0, 1.0, Size::Negligible));
    }

    #[test]
    fn nothing_is_said_of_no_numbers() {
        assert_eq!(effect(&[], &[1.0]), None);
        assert_eq!(effect(&[1.0], &[f64::NAN]), None);
    }
}
