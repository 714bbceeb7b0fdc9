//! Arithmetic of everything that listens: products and levels.

/// What digital silence is said to be, in dBFS.
pub(crate) const SILENCE_DBFS: f32 = -100.0;

/// The sum of products, in eight sums side by side so that it can be computed by vectors.
#[inline]
pub(crate) fn dot(one: &[f32], two: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (ones, one_rest) = one.as_chunks::<8>();
    let (twos, two_rest) = two.as_chunks::<8>();
    for (a, b) in ones.iter().zip(twos) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest: f32 = one_rest.iter().zip(two_rest).map(|(a, b)| a * b).sum();
    rest + ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]))
}

/// The level of `pcm`, dB below a square wave at full scale; [`SILENCE_DBFS`] at least.
pub(crate) fn level_dbfs(pcm: &[i16]) -> f32 {
    let squares: i64 = pcm.iter().map(|sample| i64::from(*sample).pow(2)).sum();
    let mean = squares as f32 / pcm.len().max(1) as f32 / 32_768.0_f32.powi(2);
    (10.0 * mean.max(1e-10).log10()).max(SILENCE_DBFS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_is_in_dbfs() {
        assert_eq!(level_dbfs(&[32_767; 480]).round(), 0.0);
        assert_eq!(level_dbfs(&[3_277; 480]).round(), -20.0);
        assert_eq!(level_dbfs(&[0; 480]), SILENCE_DBFS);
        assert_eq!(level_dbfs(&[]), SILENCE_DBFS);
    }

    #[test]
    fn a_product_has_a_part_for_every_sample() {
        for length in [0, 1, 7, 8, 9, 31] {
            let ones = vec![1.0; length];
            let counted: Vec<f32> = (0..length).map(|n| n as f32).collect();
            let expected: f32 = counted.iter().sum();
            assert_eq!(dot(&ones, &counted), expected);
        }
    }
}
