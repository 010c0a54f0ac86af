//! `CommandService`: running commands, and reading what became of them.

mod execute;
mod follow;
mod interrupt;
mod wait;

use std::{pin::Pin, sync::Arc, time::Duration};

use futures::{Stream, future::join_all};
use sshmcp_proto::{
    error::Fault,
    v1::{
        self, ExecuteEvent, ExecuteRequest, FollowOutputEvent, FollowOutputRequest, GetOutputRequest,
        GetOutputResponse, InterruptRequest, InterruptResponse, ListCommandsRequest, ListCommandsResponse,
        Reason, WaitRequest, WaitResponse, command_service_server::CommandService,
    },
};
use tonic::{Request, Response, Status};

use super::{caller, from_proto, to_proto};
use crate::{
    command::{Command, Status as CommandState},
    output::{View, forward, grep, tail, whole},
    registry::Registry,
};

/// Events of one call that wait for its reader: at 64 KiB a chunk this holds 512 KiB.
const EVENTS_MAX: usize = 8;

/// The service.
pub struct CommandRpc(pub Arc<Registry>);

type Events<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl CommandService for CommandRpc {
    type ExecuteStream = Events<ExecuteEvent>;
    type FollowOutputStream = Events<FollowOutputEvent>;

    async fn execute(
        &self,
        request: Request<ExecuteRequest>,
    ) -> Result<Response<Self::ExecuteStream>, Status> {
        let client = caller(&request);
        let events = execute::execute(self.0.clone(), request.into_inner(), client).await?;
        Ok(Response::new(events))
    }

    async fn list_commands(
        &self,
        request: Request<ListCommandsRequest>,
    ) -> Result<Response<ListCommandsResponse>, Status> {
        let ListCommandsRequest { finished, session } = request.into_inner();
        let all: Vec<Arc<Command>> = self
            .0
            .commands
            .list()
            .into_iter()
            .filter(|command| {
                session
                    .as_ref()
                    .is_none_or(|name| command.session.as_str() == name)
            })
            .collect();
        join_all(all.iter().map(|command| look_now(&self.0, command))).await;
        let (ended, running): (Vec<_>, Vec<_>) =
            all.iter().partition(|command| command.state().status.is_final());
        let ended = ended
            .into_iter()
            .rev()
            .take(usize::try_from(finished).unwrap_or(0));
        let commands = running
            .into_iter()
            .chain(ended)
            .map(|command| told(&self.0, to_proto::command(command, &command.state(), None, false)))
            .collect();
        self.0.config.refresh().await;
        let config = self.0.config.current();
        Ok(Response::new(ListCommandsResponse {
            commands,
            config_problems: config.problems.iter().map(ToString::to_string).collect(),
        }))
    }

    async fn get_output(
        &self,
        request: Request<GetOutputRequest>,
    ) -> Result<Response<GetOutputResponse>, Status> {
        let client = caller(&request);
        let GetOutputRequest {
            command_id,
            offset,
            tail: lines,
            grep: pattern,
            context,
            output_limit,
            raw,
        } = request.into_inner();
        let command = self.0.commands.find(&command_id)?;
        let limit = from_proto::output_limit(output_limit);
        let pattern = pattern
            .map(|text| from_proto::pattern("grep", &text))
            .transpose()?;
        if raw && pattern.is_some() {
            return Err(Fault::new(
                Reason::InvalidArgument,
                "`raw` and `grep` do not go together: lines are searched as they are read, without escape sequences",
            )
            .hint("leave one of them out")
            .into());
        }
        look_now(&self.0, &command).await;
        let mut state = command.state();
        let mut matches = 0;
        let output = &state.output;
        let is_forward = pattern.is_none() && lines.is_none();
        let view = match (pattern, lines, offset) {
            (Some(pattern), ..) => {
                let context = usize::try_from(context).unwrap_or(usize::MAX);
                let (view, found) = grep(output, &pattern, context, limit);
                matches = found;
                view
            }
            (None, Some(lines), _) => tail(output, usize::try_from(lines).unwrap_or(usize::MAX), limit, raw),
            (None, None, offset) => forward(output, offset.unwrap_or(0), limit, raw),
        };
        // Who saw some lines has not seen what is between them.
        if is_forward && offset.unwrap_or(0) <= state.shown_to(&client.id) {
            state.show_to(&client.id, view.offset);
        }
        state.told_running |= !state.status.is_final();
        let command = told(&self.0, to_proto::command(&command, &state, Some(view), raw));
        Ok(Response::new(GetOutputResponse {
            command: Some(command),
            matches,
        }))
    }

    async fn follow_output(
        &self,
        request: Request<FollowOutputRequest>,
    ) -> Result<Response<Self::FollowOutputStream>, Status> {
        let FollowOutputRequest { command_id, offset } = request.into_inner();
        let command = self.0.commands.find(&command_id)?;
        Ok(Response::new(follow::follow(command, offset)))
    }

    async fn wait(&self, request: Request<WaitRequest>) -> Result<Response<WaitResponse>, Status> {
        let client = caller(&request);
        let response = wait::wait(&self.0, request.into_inner(), &client.id).await?;
        Ok(Response::new(response))
    }

    async fn interrupt(
        &self,
        request: Request<InterruptRequest>,
    ) -> Result<Response<InterruptResponse>, Status> {
        let by = super::person_or_agent(&caller(&request));
        let response = interrupt::interrupt(&self.0, request.into_inner(), &by).await?;
        Ok(Response::new(response))
    }
}

/// What is said of a running command is true now: nobody looks at it while nobody asks.
async fn look_now(registry: &Registry, command: &Command) {
    let runs = matches!(
        command.state().status,
        CommandState::Running | CommandState::Awaiting(_)
    );
    if runs && let Ok(session) = registry.session(command.session.as_str()) {
        session.look_now().await;
    }
}

/// A command with a word of its host, where that does not answer.
fn told(registry: &Registry, command: v1::Command) -> v1::Command {
    let session = registry.session(&command.session).ok();
    to_proto::told(command, session.as_deref())
}

/// How long a call may wait.
fn bounded(registry: &Registry, timeout_ms: u64, unbounded: bool) -> Option<Duration> {
    let asked = Duration::from_millis(timeout_ms);
    if unbounded {
        // `sshctl` without a limit sends the largest number there is.
        return (timeout_ms < UNLIMITED_MS).then_some(asked);
    }
    Some(asked.min(registry.config.current().settings.max_wait))
}

/// About a hundred years: more is no limit at all.
const UNLIMITED_MS: u64 = 1000 * 60 * 60 * 24 * 365 * 100;

/// A command as it is now, with all of its output, cut to the limit, and marked as shown.
fn report(command: &Command, client: &str, limit: usize, raw: bool) -> v1::Command {
    let mut state = command.state();
    let view: View = whole(&state.output, limit, raw, &command.id.to_string());
    state.show_to(client, view.offset);
    to_proto::command(command, &state, Some(view), raw)
}

/// The same for who did not wait: nothing is shown of what goes on, or it were chance what a wait for a pattern finds.
fn report_at_once(command: &Command, client: &str, limit: usize, raw: bool) -> v1::Command {
    {
        let state = command.state();
        if !state.status.is_final() {
            return to_proto::command(command, &state, Some(View::default()), raw);
        }
    }
    report(command, client, limit, raw)
}
