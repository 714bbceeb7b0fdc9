//! Which packet of one speaker came out of a call when. Samples do not say whose they are, but the
//! call's counters say how many of the packets that wait have come out by now, and they come out in
//! order.

use std::collections::BTreeSet;

use clawvoice_session::SessionTime;
use clawvoice_voice::call::Call;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    /// Number and arrival of the packets that came and did not come out yet.
    waiting: BTreeSet<(u64, SessionTime)>,
    delivered: u64,
    /// From datagram to samples, of each packet that came out, ms.
    pub(crate) ms: Vec<f64>,
}

impl Waits {
    /// After every input of the call, which ended at `now`: a datagram with its number and arrival,
    /// or a timeout.
    pub(crate) fn update(
        &mut self,
        call: &Call,
        now: SessionTime,
        datagram: Option<(u64, SessionTime)>,
    ) {
        self.waiting.extend(datagram);
        let delivered = call.stats().total.delivered;
        for _ in self.delivered..delivered {
            if let Some((_, arrived)) = self.waiting.pop_first() {
                self.ms.push(now.since(arrived).as_secs_f64() * 1e3);
            }
        }
        self.delivered = delivered;
        // One that neither came out nor waits met another fate: late, or no speech.
        if let Some(datagram) = datagram
            && self.waiting.len() > call.packets_in_flight()
        {
            self.waiting.remove(&datagram);
        }
    }
}
