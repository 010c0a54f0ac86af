//! The MCP side: who we are, what is listed, and the way of a call to its tool; what a tool does is in `tools`, and what
//! can be read in `resources`.

use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
        ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
        ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities, ServerConfig, Tool,
    },
    service::RequestContext,
};
use sshmcp_proto::error::Fault;

use crate::{
    arguments,
    call::Call,
    daemon::Daemon,
    profile::{self, Listing, Profile, environment::Environment},
    render::{self, Reply},
    resources,
    tools::{self, Catalog, Effect},
};

/// One MCP server; all it holds is its way to the daemon, and what it was started with.
pub(crate) struct Server {
    daemon: Daemon,
    catalog: Catalog,
    profile: Profile,
    environment: Environment,
}

impl Server {
    /// A server that has not asked for the daemon yet.
    pub(crate) fn new(
        daemon: Daemon,
        profile: Profile,
        environment: Environment,
        exposes_secrets: bool,
    ) -> Self {
        Self {
            daemon,
            catalog: tools::catalog(exposes_secrets),
            profile,
            environment,
        }
    }

    /// The tool as the profile lists it, if it does under this name.
    fn listing(&self, name: &str) -> Option<&'static Listing> {
        self.profile
            .listings()
            .iter()
            .find(|listing| listing.name == name)
    }

    /// Runs one call. The outer error is for names that are no tool; everything else is a tool's own error.
    async fn call(
        &self,
        request: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<Result<Reply, Fault>, ErrorData> {
        let given = request.arguments.unwrap_or_default();
        let listing = self.listing(&request.name);
        let plan = match listing {
            Some(listing) => listing.plan(given),
            None => profile::plan(&request.name, given),
        };
        let Some(entry) = self.catalog.find(plan.tool) else {
            let known = self.catalog.names();
            let advice = arguments::nearest(&request.name, known.iter().copied())
                .map_or_else(String::new, |name| format!("; the nearest is {name}"));
            return Err(ErrorData::invalid_params(
                format!("unknown tool: {}{advice}", render::line(&request.name)),
                None,
            ));
        };
        let only_looks = matches!(entry.tool.effect, Effect::Looks | Effect::Reads);
        let call = Call::new(&self.daemon, context, only_looks);
        let checked = plan
            .arguments
            .and_then(|given| arguments::check(&entry.properties, &entry.required, given));
        let arguments = match checked {
            Ok(arguments) => arguments,
            Err(fault) => return Ok(Err(fault)),
        };
        let mut over = arguments.clone();
        let outcome = match self.environment.over(&arguments) {
            Ok(more) => {
                over.extend(more);
                (entry.tool.run)(&call, over).await
            }
            Err(fault) => Err(fault),
        };
        let mut reply = match outcome {
            Ok(reply) => reply,
            Err(fault) => {
                let fault = self.environment.hide_fault(&arguments, fault);
                return Ok(Err(self.profile.fault(&call, plan.tool, fault).await));
            }
        };
        if let Some(fault) = self.profile.refusal(plan.tool, &reply) {
            return Ok(Err(fault));
        }
        for (hidden, shown) in self.environment.hide(&mut reply.structured) {
            reply.text = reply.text.replace(&hidden, &shown);
        }
        if let Some(listing) = listing {
            reply.text = (listing.told)(&arguments, &reply.structured);
        }
        Ok(Ok(reply))
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(
            ServerCapabilities::builder()
                .enable_tools()
                .enable_resources()
                .build(),
        )
        .with_server_info(
            Implementation::new("ssh", env!("CARGO_PKG_VERSION")).with_title("Persistent SSH sessions"),
        )
        .with_instructions(self.profile.instructions())
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        one_page(request)?;
        let listed = match self.profile.listings() {
            [] => self.catalog.listed(),
            listings => {
                let listings = listings.iter();
                listings.map(|listing| listing.listed(&self.catalog)).collect()
            }
        };
        Ok(ListToolsResult::with_all_items(listed))
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        one_page(request)?;
        let call = Call::new(&self.daemon, &context, true);
        Ok(ListResourcesResult::with_all_items(resources::list(&call).await))
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        one_page(request)?;
        Ok(ListResourceTemplatesResult::with_all_items(resources::templates()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let call = Call::new(&self.daemon, &context, true);
        Ok(resources::read(&call, &request.uri, &self.environment)
            .await?
            .into())
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        match self.listing(name) {
            Some(listing) => Some(listing.listed(&self.catalog)),
            None => self.catalog.find(name).map(|entry| entry.listed.clone()),
        }
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let stop = context.ct.clone();
        let tool = request.name.clone();
        let outcome = tokio::select! {
            outcome = self.call(request, &context) => outcome?,
            // Dropping the call ends the wait; the command goes on. Nobody reads this answer.
            () = stop.cancelled() => return Err(ErrorData::internal_error("cancelled", None)),
        };
        let mut result;
        match outcome {
            Ok(reply) => {
                result = CallToolResult::success(vec![ContentBlock::text(reply.text)]);
                result.structured_content = Some(reply.structured.into());
            }
            Err(fault) => {
                let reply = self.profile.told_fault(&tool, &fault);
                result = CallToolResult::error(vec![ContentBlock::text(reply.text)]);
                result.structured_content = Some(reply.structured.into());
            }
        }
        Ok(result.into())
    }
}

/// Each list is one page, so no cursor was ever given out (MCP: an invalid one is refused as invalid parameters). Some
/// clients send an empty one for none.
fn one_page(request: Option<PaginatedRequestParams>) -> Result<(), ErrorData> {
    match request.and_then(|request| request.cursor) {
        Some(cursor) if !cursor.is_empty() => Err(ErrorData::invalid_params(
            "no such cursor: this list is one page; ask for it without",
            None,
        )),
        _ => Ok(()),
    }
}
