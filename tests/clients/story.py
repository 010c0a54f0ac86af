"""The main job through the official Python client: python story.py MODE HOST SCRATCH SERVER [ARGUMENT...].

MODE is the client's: `legacy` shakes hands as MCP did until 2025, `auto` asks server/discover first. SCRATCH is an
empty directory on the host. Waits for nothing without an end; the first thing that is not as it must be ends the story
with its words.
"""

import asyncio
import json
import sys

from mcp import Client, MCPError, StdioServerParameters
from strict import Answers, Complaints

TOOLS = [
    "list_hosts", "open_session", "list_sessions", "close_session", "execute_command", "get_active_commands",
    "get_command_output", "wait_for", "interrupt_command", "get_terminal_output", "send_input",
    "read_file", "write_file",
]  # fmt: skip

# Longer than the longest wait of one call, 50 s.
CALL_SECONDS = 60


class Agent:
    """What an agent does with a client."""

    def __init__(self, client, host, scratch):
        self.client = client
        self.host = host
        self.scratch = scratch
        self.steps = 0
        self.answers = None

    async def call(self, tool, **arguments):
        """Calls a tool and gives its structured content, which was checked against the tool's schema."""
        result = await self.client.call_tool(tool, arguments, read_timeout_seconds=CALL_SECONDS)
        self.answers.check(tool, result)
        text = "\n".join(block.text for block in result.content if block.type == "text")
        assert not result.is_error, f"{tool} {arguments}: {text}"
        assert text.strip(), f"{tool}: no text"
        return result.structured_content

    async def run(self, command, **arguments):
        """Runs a command in the host's default session."""
        return await self.call("execute_command", host=self.host, command=command, **arguments)

    def done(self, step):
        """Tells that a step did what it should."""
        self.steps += 1
        print(f"ok {self.steps}: {step}", flush=True)


def expect(got, **wanted):
    """Fails with the whole object where a field is not as it must be."""
    for name, value in wanted.items():
        assert got[name] == value, f"{name} should be {value!r}: {json.dumps(got)}"


async def story(agent):
    listed = await agent.client.list_tools()
    agent.answers = Answers(listed.tools)
    names = sorted(tool.name for tool in listed.tools)
    assert names == sorted(TOOLS), names
    assert agent.client.instructions, "no instructions"
    agent.done(f"tools listed over {agent.client.protocol_version}")

    hosts = await agent.call("list_hosts")
    assert agent.host in [host["name"] for host in hosts["hosts"]], hosts
    agent.done("the host is listed")

    opened = await agent.call("open_session", host=agent.host)
    sessions = await agent.call("list_sessions")
    assert opened["session"] in [session["session"] for session in sessions["sessions"]], sessions
    agent.done("a session is open")

    expect(await agent.run("cd /usr && kept='two words'"), status="completed", exit_code=0, cwd="/usr")
    expect(await agent.run('pwd; echo "$kept"'), exit_code=0, stdout="/usr\ntwo words\n", stderr="")
    agent.done("working directory and variables stay")

    expect(await agent.run("echo out; echo err >&2; (exit 7)"), exit_code=7, stdout="out\n", stderr="err\n")
    agent.done("exit code given, stdout and stderr apart")

    lines = "i=0; while [ $i -lt 4000 ]; do echo line $i; i=$((i+1)); done"
    cut = await agent.run(lines)
    assert cut["omitted_bytes"] > 0 and cut["stdout"].startswith("line 0\n"), cut
    whole, offset = "", 0
    while offset < cut["total_bytes"]:
        part = await agent.call(
            "get_command_output", command_id=cut["command_id"], offset=offset, output_limit=40000
        )
        assert part["offset"] > offset, part
        whole, offset = whole + part["stdout"], part["offset"]
    assert whole == "".join(f"line {i}\n" for i in range(4000)), f"{len(whole)} characters"
    found = await agent.call("get_command_output", command_id=cut["command_id"], grep="^line 3999$")
    assert "line 3999" in found["stdout"] and "line 3998" not in found["stdout"], found
    agent.done("long output cut, and read whole by offset and by pattern")

    # It goes on until the file is there, so nothing here depends on who is faster.
    gate = f"{agent.scratch}/gate"
    going = await agent.run(f"until [ -e {gate} ]; do sleep 0.1; done; echo opened", timeout=0)
    expect(going, status="running", exit_code=None)
    running = await agent.call("get_active_commands")
    assert going["command_id"] in [command["command_id"] for command in running["commands"]], running
    expect(await agent.run(f"touch {gate}", session="second"), exit_code=0, session="second")
    waited = await agent.call("wait_for", commands=[going["command_id"]], timeout=30)
    expect(waited["commands"][0], status="completed", exit_code=0, stdout="opened\n")
    agent.done("a running command waited for, another session meanwhile")

    asking = await agent.run('printf "name? "; read -r name; echo "hello $name"', timeout=20)
    expect(asking, status="awaiting_input", exit_code=None)
    await agent.call("send_input", command_id=asking["command_id"], text="Ada")
    answered = await agent.call("wait_for", commands=[asking["command_id"]], timeout=30)
    expect(answered["commands"][0], status="completed", exit_code=0)
    # The wait leaves out what the answer to send_input has shown; here is all of it.
    whole = await agent.call("get_command_output", command_id=asking["command_id"])
    expect(whole, stdout="name? hello Ada\n", stderr="")
    agent.done("a question answered")

    endless = await agent.run("sleep 1000", timeout=0)
    expect(endless, status="running")
    await agent.call("interrupt_command", command_id=endless["command_id"])
    ended = await agent.call("wait_for", commands=[endless["command_id"]], timeout=30)
    expect(ended["commands"][0], status="interrupted", exit_code=130)
    expect(await agent.run("pwd"), exit_code=0, stdout="/usr\n")
    agent.done("an endless command interrupted, the session as it was")

    terminal = await agent.call("get_terminal_output", session=opened["session"])
    assert terminal, "no terminal"
    name = opened["session"]
    resources = {str(resource.uri) for resource in (await agent.client.list_resources()).resources}
    assert {"ssh://sessions", f"ssh://session/{name}/screen", f"ssh://session/{name}/log"} <= resources, resources
    templates = (await agent.client.list_resource_templates()).resource_templates
    assert [template.uri_template for template in templates] == [
        "ssh://session/{name}/screen", "ssh://session/{name}/log",
    ], templates  # fmt: skip
    listed = json.loads((await agent.client.read_resource("ssh://sessions")).contents[0].text)
    assert name in [session["session"] for session in listed["sessions"]], listed
    screen = (await agent.client.read_resource(f"ssh://session/{name}/screen")).contents[0].text
    assert screen == terminal["text"], screen
    log = (await agent.client.read_resource(f"ssh://session/{name}/log")).contents[0].text
    assert "pwd\n/usr\n" in log, log
    try:
        await agent.client.read_resource("ssh://session/nobody/screen")
    except MCPError as error:
        assert "no resource" in str(error), error
    else:
        raise AssertionError("a resource of nobody")
    agent.done("sessions, screen and log as resources")

    path = f"{agent.scratch}/notes"
    written = await agent.call("write_file", host=agent.host, path=path, content="one\ntwo\n", mode="create")
    expect(written, created=True, size=8)
    edited = await agent.call(
        "write_file", host=agent.host, path=path, old_text="two", new_text="2", if_sha256=written["sha256"]
    )
    expect(edited, replacements=1, diff="@@ -1,2 +1,2 @@\n one\n-two\n+2\n")
    read = await agent.call("read_file", host=agent.host, path=path)
    expect(read, content="one\n2\n", encoding="utf-8", eof=True, sha256=edited["sha256"])
    agent.done("a file written, edited and read")

    await agent.call("close_session", all=True)
    left = await agent.call("list_sessions")
    expect(left, sessions=[])
    agent.done("closed")


async def main():
    mode, host, scratch, command, *arguments = sys.argv[1:]
    server = StdioServerParameters(command=command, args=arguments)
    complaints = Complaints()
    async with Client(server, mode=mode) as client:
        await story(Agent(client, host, scratch))
        complaints.none()


asyncio.run(main())
