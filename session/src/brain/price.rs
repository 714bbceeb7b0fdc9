//! What tokens cost.

use crate::agent::Usage;

/// The price of a model, in US dollars for a million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Price {
    /// Tokens read.
    pub input: f64,
    /// Tokens read from the endpoint's cache.
    pub cached: f64,
    /// Tokens written.
    pub output: f64,
}

impl Price {
    /// What `usage` costs, in billionths of a US dollar.
    #[must_use]
    pub fn nano_dollars(&self, usage: Usage) -> i64 {
        let cached = usage.cached.min(usage.input);
        let fresh = usage.input - cached;
        // Dollars a million tokens are thousands of nano-dollars a token.
        let cost = 1_000.0
            * (fresh as f64 * self.input
                + cached as f64 * self.cached
                + usage.output as f64 * self.output);
        cost.round() as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_tokens_cost_their_own_price() {
        let price = Price { input: 2.0, cached: 0.5, output: 8.0 };
        for (input, cached, output, nano) in [
            (0, 0, 0, 0),
            (1_000_000, 0, 0, 2_000_000_000),
            (1_000_000, 1_000_000, 0, 500_000_000),
            (10, 4, 1, 22_000),
            // More cached than read: an endpoint that counts them apart.
            (1, 5, 0, 500),
        ] {
            assert_eq!(price.nano_dollars(Usage { input, cached, output }), nano);
        }
    }
}
