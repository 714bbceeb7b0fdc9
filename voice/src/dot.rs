//! The inner loop of everything that listens.

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
