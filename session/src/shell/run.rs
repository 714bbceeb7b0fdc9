//! One run: the model is asked, its tools are called, it is asked again, until it has answered.

use std::time::Duration;

use jiff::Timestamp;
use tokio::{sync::mpsc, task::JoinSet, time::timeout};

use super::{
    agent::RunLimits,
    brain::{Brain, BrainFailure, ModelRef},
    known_answers::KnownAnswers,
    spending::SpendingMonitor,
    store::Store,
};
use crate::{
    Generation,
    agent::{AgentEvent, Ask, RunActivity, RunReport, Usage, queue::AfterAnswer},
    brain::{
        Ending, Message, ModelAnswer, ModelEvent, ModelFailure, ModelRequest, Speaker, ToolCall,
        cache::CacheKey,
        message::{IMAGE_TOKENS, estimated_tokens},
    },
    history::{Outcome, Spent},
    spending::{Charge, OverBudget, Spender},
    tools::{Prepared, ToolContext, ToolError, Tools, error_output},
};

/// The most of a tool's output that the model is told, in characters.
const MAX_OUTPUT: usize = 32_000;

/// Between the texts of two answers of one run.
const SEPARATOR: &str = "\n\n";

/// Why a run ended without an answer, in words for an operator.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunFailure {
    #[error("no model answered: {0}")]
    Brain(#[from] BrainFailure),
    #[error("{0}: {1}")]
    Model(ModelRef, ModelFailure),
    #[error("{0}: the endpoint filtered the answer")]
    Filtered(ModelRef),
    #[error("{0}")]
    OverBudget(#[from] OverBudget),
    #[error("{0}")]
    BadModel(#[from] super::brain::ModelRefError),
}

/// How a run went on.
#[derive(Debug)]
pub(super) enum RunEnd {
    Answered,
    /// It was stopped while its last answer came in.
    Stopped,
}

/// What a run says to the queue it came from.
pub(super) trait RunLine: Send + Sync {
    fn activity(&self, activity: RunActivity);
    fn take_words(&self) -> Vec<String>;
    fn answered(&self) -> AfterAnswer;
}

/// What a run works with.
pub(super) struct RunWith<'r> {
    pub(super) brain: &'r Brain,
    pub(super) known: Option<&'r KnownAnswers>,
    pub(super) spending: &'r SpendingMonitor,
    pub(super) store: &'r Store,
    pub(super) tools: &'r Tools,
    pub(super) limits: RunLimits,
    pub(super) system_prompt: &'r str,
    pub(super) own_models: &'r [ModelRef],
    /// What goes on around the session.
    pub(super) surroundings: Option<String>,
}

/// A run and what has come of it so far; that stays when its work is dropped.
pub(super) struct Run {
    ask: Ask,
    reports: mpsc::Sender<RunReport>,
    /// What was added to the message meanwhile.
    added: Vec<String>,
    text: String,
    model: Option<ModelRef>,
    charges: Vec<Charge>,
    /// The call that is out: who was asked, the tokens it was sent, and where its text begins.
    open_call: Option<(ModelRef, u64, usize)>,
    /// The generation of the session whose history the model was shown.
    generation: Option<Generation>,
    /// The answer was written before, and is only told again.
    is_repeated: bool,
}

impl Run {
    pub(super) fn new(ask: Ask, reports: mpsc::Sender<RunReport>) -> Self {
        Self {
            ask,
            reports,
            added: Vec::new(),
            text: String::new(),
            model: None,
            charges: Vec::new(),
            open_call: None,
            generation: None,
            is_repeated: false,
        }
    }

    pub(super) fn ask(&self) -> &Ask {
        &self.ask
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn model(&self) -> Option<&ModelRef> {
        self.model.as_ref()
    }

    pub(super) fn charges(&self) -> &[Charge] {
        &self.charges
    }

    /// On whose account it is.
    pub(super) fn spender(&self) -> Spender {
        Spender {
            agent: self.ask.session.agent().to_owned(),
            user: Some(self.ask.by.user),
            channel: self.ask.channel,
        }
    }

    pub(super) fn generation(&self) -> Option<Generation> {
        self.generation
    }

    pub(super) fn is_repeated(&self) -> bool {
        self.is_repeated
    }

    /// The message and what was added to it.
    pub(super) fn said(&self) -> String {
        let added = self.added.iter().map(String::as_str);
        let parts: Vec<&str> = std::iter::once(self.ask.message.as_str()).chain(added).collect();
        parts.join("\n")
    }

    /// What it cost, by model. A call that was dropped is guessed: what it wrote was paid for.
    pub(super) fn settle(&mut self, brain: &Brain) -> &[Charge] {
        if let Some((model, input, from)) = self.open_call.take() {
            let written = self.text.get(from..).unwrap_or_default();
            let usage = Usage { input, cached: 0, output: estimated_tokens(written) };
            self.pay(brain, &model, usage, true);
        }
        &self.charges
    }

    /// Tells the asker; a reader that is gone is no reason to stop.
    pub(super) async fn report(&self, event: AgentEvent) {
        let _ = self.reports.send(RunReport { run: self.ask.run, event }).await;
    }

    /// Does the work. May be dropped at any point.
    pub(super) async fn go(
        &mut self,
        with: &RunWith<'_>,
        line: &dyn RunLine,
    ) -> Result<RunEnd, RunFailure> {
        self.report(AgentEvent::Started).await;
        if let Some(end) = self.repeat(with, line).await {
            return Ok(end);
        }
        with.spending.judge(Timestamp::now(), &self.spender())?;
        let chain = self.chain(with.own_models)?;
        let mut request = self.first_request(with).await;
        let key = self.key(with, &chain, &request);
        if let Some(end) = self.recall(with, line, &chain, key.as_ref()).await {
            return Ok(end);
        }
        let mut rounds = 0;
        loop {
            for words in line.take_words() {
                self.added.push(words.clone());
                request.messages.push(Message::User { by: None, text: words });
            }
            if rounds >= with.limits.tool_rounds {
                // It has called tools for long enough: now it has to answer.
                request.tools.clear();
            }
            line.activity(RunActivity::Model);
            let (model, answer) = self.call(with, line, &chain, &request).await?;
            let calls = answer.runnable().to_vec();
            let text = answer.text;
            request.messages.push(Message::Assistant { text, calls: calls.clone() });
            if !calls.is_empty() {
                rounds += 1;
                let results = self.call_tools(with, line, calls).await;
                request.messages.extend(results);
                line.activity(RunActivity::Working);
                continue;
            }
            usable(&model, answer.ending, answer.calls.is_empty())?;
            let is_whole = answer.ending == Ending::Whole && rounds == 0 && self.added.is_empty();
            match line.answered() {
                AfterAnswer::GoOn => {}
                AfterAnswer::Over => {
                    if let Some((known, key)) = with.known.zip(key).filter(|_| is_whole)
                        && chain.first() == Some(&model)
                    {
                        known.keep(key, &self.text);
                    }
                    return Ok(RunEnd::Answered);
                }
                AfterAnswer::Stopped => return Ok(RunEnd::Stopped),
            }
        }
    }

    /// Tells the answer that was written before the process died, if there is one.
    async fn repeat(&mut self, with: &RunWith<'_>, line: &dyn RunLine) -> Option<RunEnd> {
        let origin = self.ask.origin.as_ref()?;
        let text = match with.store.answer_to(&self.ask.session, origin).await {
            Ok(Some((text, Outcome::Answered))) => text,
            Ok(_) => return None,
            Err(error) => {
                // Better an answer twice than none.
                tracing::warn!(session = %self.ask.session, "earlier answers are not read: {error}");
                return None;
            }
        };
        match line.answered() {
            // Words came meanwhile that the answer does not know: the model has to be asked.
            AfterAnswer::GoOn => None,
            AfterAnswer::Stopped => Some(RunEnd::Stopped),
            AfterAnswer::Over => {
                self.is_repeated = true;
                if !text.is_empty() {
                    self.say(text).await;
                }
                Some(RunEnd::Answered)
            }
        }
    }

    /// What the answer to a request is kept by, and found again.
    fn key(
        &self,
        with: &RunWith<'_>,
        chain: &[ModelRef],
        request: &ModelRequest,
    ) -> Option<CacheKey> {
        let (_, model) = with.known.zip(chain.first())?;
        let ask = &self.ask;
        Some(CacheKey::of(&ask.session, ask.by.user, &model.to_string(), request))
    }

    /// Tells the answer that is still known, if there is one.
    async fn recall(
        &mut self,
        with: &RunWith<'_>,
        line: &dyn RunLine,
        chain: &[ModelRef],
        key: Option<&CacheKey>,
    ) -> Option<RunEnd> {
        let answer = with.known?.find(key?)?;
        let model = chain.first()?;
        match line.answered() {
            // Words came meanwhile that the answer does not know.
            AfterAnswer::GoOn => None,
            AfterAnswer::Stopped => Some(RunEnd::Stopped),
            AfterAnswer::Over => {
                self.model = Some(model.clone());
                self.charges.push(Charge {
                    model: model.to_string(),
                    spent: Spent::default(),
                    is_priced: true,
                    is_from_cache: true,
                });
                self.say(answer).await;
                Some(RunEnd::Answered)
            }
        }
    }

    /// The turn's own model, then the agent's.
    fn chain(&self, own: &[ModelRef]) -> Result<Vec<ModelRef>, RunFailure> {
        let mut chain = Vec::with_capacity(own.len() + 1);
        if let Some(model) = &self.ask.model {
            chain.push(model.parse()?);
        }
        for model in own {
            if !chain.contains(model) {
                chain.push(model.clone());
            }
        }
        Ok(chain)
    }

    async fn first_request(&mut self, with: &RunWith<'_>) -> ModelRequest {
        let mut messages = match with.store.window(&self.ask.session).await {
            Ok(window) => {
                self.generation = Some(window.generation());
                window.messages()
            }
            Err(error) => {
                // Better an answer without memory than none.
                tracing::warn!(session = %self.ask.session, "history is not read: {error}");
                Vec::new()
            }
        };
        let contexts = [&with.surroundings, &self.ask.context];
        messages.extend(contexts.into_iter().flatten().cloned().map(Message::Context));
        if !self.ask.images.is_empty() {
            messages.push(Message::Images(self.ask.images.clone()));
        }
        let by = &self.ask.by;
        let by = Some(Speaker { user: by.user, label: by.label.clone() });
        messages.push(Message::User { by, text: self.ask.message.clone() });
        let mut system = with.system_prompt.to_owned();
        if let Some(instructions) = &self.ask.instructions {
            if !system.is_empty() {
                system.push_str("\n\n");
            }
            system.push_str(instructions);
        }
        let tools = with.tools.offered(&self.ask.tools, &self.ask.by);
        ModelRequest { system, messages, tools }
    }

    async fn call(
        &mut self,
        with: &RunWith<'_>,
        line: &dyn RunLine,
        chain: &[ModelRef],
        request: &ModelRequest,
    ) -> Result<(ModelRef, ModelAnswer), RunFailure> {
        let sent = tokens_of(request);
        let mut answer = with.brain.open(chain, request).await?;
        let model = answer.model.clone();
        self.model = Some(model.clone());
        let mut begins = true;
        self.open_call = Some((model.clone(), sent, self.text.len()));
        loop {
            let event = answer.next().await;
            match event.map_err(|failure| RunFailure::Model(model.clone(), failure))? {
                Some(ModelEvent::Text(piece)) => {
                    if std::mem::take(&mut begins) {
                        line.activity(RunActivity::Working);
                        if !self.text.is_empty() {
                            self.say(SEPARATOR.to_owned()).await;
                        }
                    }
                    self.say(piece).await;
                }
                Some(ModelEvent::Done(answer)) => {
                    self.open_call = None;
                    let guess =
                        Usage { input: sent, cached: 0, output: estimated_tokens(&answer.text) };
                    let usage = answer.usage.unwrap_or(guess);
                    self.pay(with.brain, &model, usage, answer.usage.is_none());
                    return Ok((model, answer));
                }
                // The stream gives `Done` before it ends.
                None => return Err(RunFailure::Model(model, ModelFailure::BrokeOff)),
            }
        }
    }

    async fn say(&mut self, piece: String) {
        self.text.push_str(&piece);
        self.report(AgentEvent::Text(piece)).await;
    }

    fn pay(&mut self, brain: &Brain, model: &ModelRef, usage: Usage, estimated: bool) {
        let (name, price) = (model.to_string(), brain.price(model));
        let nano_dollars = price.map_or(0, |price| price.nano_dollars(usage));
        let spent = Spent { usage, estimated, nano_dollars };
        match self.charges.iter_mut().find(|charge| charge.model == name) {
            Some(charge) => charge.spent.add(&spent),
            None => self.charges.push(Charge {
                model: name,
                spent,
                is_priced: price.is_some(),
                is_from_cache: false,
            }),
        }
    }

    /// Carries out the calls of one answer side by side. Every call gets a result, in the order of
    /// the calls.
    async fn call_tools(
        &self,
        with: &RunWith<'_>,
        line: &dyn RunLine,
        calls: Vec<ToolCall>,
    ) -> Vec<Message> {
        if let Some(first) = calls.first() {
            line.activity(RunActivity::Tool(first.name.clone()));
            self.report(AgentEvent::Tool { name: first.name.clone() }).await;
        }
        // Tasks, so that a tool that panics ends its own call only. Dropped together with the run.
        let mut running = JoinSet::new();
        let mut outputs: Vec<Option<String>> = vec![None; calls.len()];
        for (index, call) in calls.iter().enumerate() {
            let context =
                ToolContext { session: self.ask.session.clone(), by: self.ask.by.clone() };
            let prepared = with.tools.prepare(&self.ask.tools, &self.ask.by, call);
            let deadline = with.limits.tool_deadline;
            running.spawn(async move {
                let outcome = match prepared {
                    Err(error) => Err(error),
                    Ok(Prepared { tool, arguments }) => {
                        let calling = tool.call(&context, arguments);
                        timeout(deadline, calling).await.unwrap_or_else(|_| Err(late(deadline)))
                    }
                };
                (index, outcome)
            });
        }
        while let Some(joined) = running.join_next().await {
            // One that panicked leaves its output empty.
            let Ok((index, outcome)) = joined else { continue };
            let output = outcome.map(shortened).unwrap_or_else(|error| error_output(&error));
            if let Some(place) = outputs.get_mut(index) {
                *place = Some(output);
            }
        }
        let crashed = || error_output(&ToolError("the tool crashed".to_owned()));
        let results = calls.into_iter().zip(outputs);
        results
            .map(|(call, output)| Message::Tool {
                call: call.id,
                output: output.unwrap_or_else(crashed),
            })
            .collect()
    }
}

/// Whether an answer that calls no tool may count as one. An answer cut for length is still one;
/// so is one that was finished but for the mark at its end. One that wanted a tool is not.
fn usable(model: &ModelRef, ending: Ending, calls_nothing: bool) -> Result<(), RunFailure> {
    match ending {
        Ending::Whole => Ok(()),
        Ending::OutOfRoom | Ending::Incomplete { finished: true } if calls_nothing => Ok(()),
        Ending::OutOfRoom | Ending::Incomplete { .. } => {
            Err(RunFailure::Model(model.clone(), ModelFailure::BrokeOff))
        }
        Ending::Filtered => Err(RunFailure::Filtered(model.clone())),
    }
}

fn late(deadline: Duration) -> ToolError {
    ToolError(format!("the tool did not answer within {} s", deadline.as_secs_f32()))
}

fn shortened(output: String) -> String {
    match output.char_indices().nth(MAX_OUTPUT) {
        Some((end, _)) => {
            format!("{}\n[cut: the output is longer]", output.get(..end).unwrap_or_default())
        }
        None => output,
    }
}

fn tokens_of(request: &ModelRequest) -> u64 {
    let of = |message: &Message| match message {
        Message::User { text, .. } | Message::Context(text) => estimated_tokens(text),
        Message::Tool { output, .. } => estimated_tokens(output),
        Message::Images(images) => {
            u64::try_from(images.len()).unwrap_or(u64::MAX).saturating_mul(IMAGE_TOKENS)
        }
        Message::Assistant { text, calls } => {
            let calls =
                calls.iter().map(|c| estimated_tokens(&c.name) + estimated_tokens(&c.arguments));
            estimated_tokens(text) + calls.sum::<u64>()
        }
    };
    estimated_tokens(&request.system) + request.messages.iter().map(of).sum::<u64>()
}
