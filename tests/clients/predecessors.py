"""The workflows of mcp-ssh-interactive and mcp-ssh-session through the official Python client, every tool once:
python predecessors.py PROFILE MODE HOST SCRATCH SERVER [ARGUMENT...].

PROFILE is whose; MODE is the client's, as in story.py; HOST is a configured name with notes, SCRATCH an empty directory
on it. What is listed is compared with the tables here, field by field. Waits for nothing without an end; the first thing that is not as it must be ends it.
"""

import asyncio
import json
import os
import re
import sys

from mcp import Client, StdioServerParameters
from strict import Answers, Complaints

# Longer than the longest wait of one call, 50 s.
CALL_SECONDS = 60
# A loaded machine does anything that it does at all in this time.
LONG = 45

# Tools of ours: an error names none that is not listed, for its reader could not call it.
OURS = {
    "list_hosts", "open_session", "list_sessions", "close_session", "execute_command", "get_active_commands",
    "get_command_output", "wait_for", "interrupt_command", "get_terminal_output", "send_input", "read_file", "write_file",
}  # fmt: skip

STRING, INTEGER, BOOLEAN = "string", "integer", "boolean"
NONE = object()


def must(name):
    """A parameter that must be given."""
    return name, STRING, True, NONE


def may(name, kind=STRING, default=NONE):
    """A parameter that may be left out."""
    return name, kind, False, default


# What a call does: looks, opens, ends, acts, as (read-only, destructive, idempotent, open-world).
LOOKS, OPENS = (True, False, True, False), (False, False, True, True)
ENDS, ACTS = (False, True, True, True), (False, True, False, True)
# Looks, at a host.
READS = (True, False, True, True)

INTERACTIVE = [
    ("list_available_configs", LOOKS, []),
    ("open_connection", OPENS, [must("connection_config_name"), must("session_name")]),
    ("list_connections", LOOKS, []),
    ("execute_command", ACTS, [must("session_name"), must("command")]),
    ("get_terminal_output", LOOKS, [must("session_name"), may("num_lines", INTEGER, 200)]),
    ("interrupt_command", ENDS, [must("session_name")]),
    ("close_connection", ENDS, [must("session_name")]),
    ("get_server_info", LOOKS, [must("connection_config_name")]),
]

LOGIN = [may("username"), may("password"), may("key_filename"), may("port", INTEGER)]

SESSION = [
    ("execute_command", ACTS, [
        must("host"), must("command"), *LOGIN, may("enable_password"), may("enable_command", STRING, "enable"),
        may("sudo_password"), may("timeout", INTEGER, 30),
    ]),
    ("interrupt_command", ENDS, [must("host"), may("username"), may("port", INTEGER, 22)]),
    ("get_active_commands", LOOKS, []),
    ("list_sessions", LOOKS, []),
    ("close_session", ENDS, [must("host"), may("username"), may("port", INTEGER, 22)]),
    ("close_all_sessions", ENDS, []),
    ("execute_command_async", ACTS, [must("host"), must("command"), *LOGIN, may("timeout", INTEGER, 300)]),
    ("get_command_status", LOOKS, [must("command_id")]),
    ("interrupt_command_by_id", ENDS, [must("command_id")]),
    ("list_running_commands", LOOKS, []),
    ("list_command_history", LOOKS, [may("limit", INTEGER, 50)]),
    ("send_input", ACTS, [must("command_id"), must("input_text")]),
    ("send_input_by_session", ACTS, [must("host"), must("input_text"), may("username"), may("port", INTEGER)]),
    ("read_screen", LOOKS, [must("host"), may("username"), may("port", INTEGER), may("max_lines", INTEGER, 24)]),
    ("send_keys", ACTS, [must("host"), must("keys"), may("username"), may("port", INTEGER)]),
    ("read_file", READS, [
        must("host"), must("remote_path"), *LOGIN, may("encoding", STRING, "utf-8"), may("errors", STRING, "replace"),
        may("max_bytes", INTEGER), may("sudo_password"), may("use_sudo", BOOLEAN, False),
    ]),
    ("write_file", ACTS, [
        must("host"), must("remote_path"), must("content"), *LOGIN, may("encoding", STRING, "utf-8"),
        may("errors", STRING, "strict"), may("append", BOOLEAN, False), may("make_dirs", BOOLEAN, False),
        may("permissions", INTEGER), may("max_bytes", INTEGER), may("sudo_password"), may("use_sudo", BOOLEAN, False),
    ]),
]  # fmt: skip


class Agent:
    """What an agent does with a client."""

    def __init__(self, client, host, scratch):
        self.client = client
        self.host = host
        self.scratch = scratch
        self.used = set()
        self.steps = 0
        self.answers = None

    async def ask(self, tool, **arguments):
        """Calls a tool; gives whether that failed, its text, and its structured content."""
        self.used.add(tool)
        result = await self.client.call_tool(tool, arguments, read_timeout_seconds=CALL_SECONDS)
        self.answers.check(tool, result)
        text = "\n".join(block.text for block in result.content if block.type == "text")
        assert text.strip(), f"{tool}: no text"
        assert text != json.dumps(result.structured_content), f"{tool}: the JSON again"
        if result.is_error:
            named = OURS.intersection(re.findall(r"\w+", text)) - set(self.answers.validators)
            assert not named, f"{tool}: {text}"
        return result.is_error, text, result.structured_content

    async def call(self, tool, **arguments):
        """Calls a tool that must work; gives its text and its structured content."""
        failed, text, structured = await self.ask(tool, **arguments)
        assert not failed, f"{tool} {arguments}: {text}"
        return text, structured

    async def eventually(self, wanted, tool, **arguments):
        """Calls a tool until its text is as wanted."""
        text = None
        try:
            async with asyncio.timeout(LONG):
                while True:
                    text, structured = await self.call(tool, **arguments)
                    if wanted(text):
                        return text, structured
        except TimeoutError:
            raise AssertionError(f"{tool} {arguments}: waited in vain, last {text!r}") from None

    def done(self, step):
        """Tells that a step did what it should."""
        self.steps += 1
        print(f"ok {self.steps}: {step}", flush=True)


async def compare(agent, facts):
    """What is listed is what the table says, and nothing else, in its order."""
    listed = (await agent.client.list_tools()).tools
    agent.answers = Answers(listed)
    assert [tool.name for tool in listed] == [name for name, _, _ in facts], [tool.name for tool in listed]
    for tool, (name, effect, parameters) in zip(listed, facts):
        schema = dict(tool.input_schema)
        properties = schema.pop("properties")
        required = schema.pop("required", [])
        assert schema == {"type": "object", "additionalProperties": False}, f"{name}: {schema}"
        assert sorted(properties) == sorted(parameter for parameter, *_ in parameters), f"{name}: {properties}"
        assert sorted(required) == sorted(one for one, _, must_be, _ in parameters if must_be), f"{name}: {required}"
        for parameter, kind, _, default in parameters:
            told = dict(properties[parameter])
            assert told.pop("description"), f"{name}.{parameter}: no description"
            wanted = {"type": kind} if default is NONE else {"type": kind, "default": default}
            assert told == wanted, f"{name}.{parameter}: {told}"
        hints = tool.annotations
        told = (hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint, hints.open_world_hint)
        assert told == effect, f"{name}: {told}"
        assert tool.title and 0 < len(tool.description) < 600, name
        assert tool.output_schema["type"] == "object" and tool.output_schema["properties"], name
    assert agent.client.instructions, "no instructions"
    agent.done(f"{len(listed)} tools listed as the page has them")


async def interactive(agent):
    text, _ = await agent.call("list_available_configs")
    configs = {config["name"]: config for config in json.loads(text)["configs"]}
    config = configs[agent.host]
    assert config["host"] == "127.0.0.1" and config["port"] and config["user"], config
    assert config["description"] == "The shop", config
    agent.done("the configured servers are listed")

    text, structured = await agent.call("open_connection", connection_config_name=agent.host, session_name="main")
    opened = json.loads(text)
    assert opened["success"] is True and opened["session_name"] == "main", opened
    wanted = {"host": config["host"], "user": config["user"], "port": config["port"]}
    assert opened["connection_info"] == wanted, opened
    assert opened["has_server_info"] is True and agent.host in opened["info_hint"], opened
    assert structured["keeper"] == opened["keeper"] == "local-tmux", structured
    agent.done("a connection is open, in a local tmux")

    text, _ = await agent.call("get_server_info", connection_config_name=agent.host)
    info = json.loads(text)
    assert info["success"] is True and info["info_content"] == "# The shop\nDeploy with care.\n", info
    assert info["info_file"].endswith("/.mcp-ssh-interactive/info/shop.md"), info
    agent.done("the server's information is read")

    text, _ = await agent.call("list_connections")
    connections = json.loads(text)
    assert connections["total"] == 1, connections
    (main,) = connections["sessions"]
    assert main["session_name"] == "main" and main["connection_config"] == agent.host, main
    assert main["status"] == "active" and main["host"] == config["host"] and main["user"] == config["user"], main
    assert main["log_file"].endswith("/logs/main.log"), main
    assert os.path.isdir(connections["state_directory"]), connections
    agent.done("the connection is listed, with its log and where it is remembered")

    gate = f"{agent.scratch}/gate"
    command = f"cd /usr; echo be''gun; until [ -e {gate} ]; do sleep 0.1; done; pwd; echo e''nd"
    text, structured = await agent.call("execute_command", session_name="main", command=command)
    sent = json.loads(text)
    assert sent == {"success": True, "session_name": "main", "command": command, "message": "Command sent"}, sent
    text, _ = await agent.eventually(
        lambda text: "\nbegun" in json.loads(text)["output"], "get_terminal_output", session_name="main"
    )
    assert "\nend" not in json.loads(text)["output"], text
    agent.done("a command is typed, and what it says is looked at while it runs")

    await agent.call("open_connection", connection_name=agent.host, session_name="second")
    await agent.call("execute_command", session_name="second", command=f"touch {gate}")
    text, structured = await agent.eventually(
        lambda text: "\n/usr\nend" in json.loads(text)["output"], "get_terminal_output", session_name="main",
        num_lines=200,
    )  # fmt: skip
    shown = json.loads(text)
    assert shown["lines"] == len(shown["output"].splitlines()) == structured["lines"], shown
    agent.done("it is seen to be done, and a second session worked meanwhile")

    await agent.call("execute_command", session_name="main", command="echo go''ing; sleep 1000")
    await agent.eventually(
        lambda text: "\ngoing" in json.loads(text)["output"], "get_terminal_output", session_name="main"
    )
    # A Ctrl-C that comes between a shell and the program that it begins may reach neither, and that is told.
    text, _ = await agent.eventually(
        lambda text: json.loads(text)["ended"] is True, "interrupt_command", session_name="main"
    )
    interrupted = json.loads(text)
    assert interrupted["success"] is True and interrupted["message"], interrupted
    await agent.call("execute_command", session_name="main", command="echo after-$?")
    await agent.eventually(
        lambda text: "\nafter-130" in json.loads(text)["output"], "get_terminal_output", session_name="main"
    )
    agent.done("an endless command is interrupted")

    await agent.call("execute_command", session_name="main", command="echo 'unfinished")
    await agent.eventually(
        lambda text: json.loads(text)["output"].endswith("\n>"), "get_terminal_output", session_name="main"
    )
    await agent.call("interrupt_command", session_name="main")
    await agent.call("execute_command", session_name="main", command="echo who''le")
    await agent.eventually(
        lambda text: "\nwhole\n" in json.loads(text)["output"], "get_terminal_output", session_name="main"
    )
    agent.done("an unfinished line is left")

    failed, text, structured = await agent.ask("execute_command", session_name="nobody", command="true")
    told = json.loads(text)
    assert failed and told["success"] is False and "nobody" in told["error"], told
    assert structured["error"]["code"] == told["code"] == "session_not_found", structured
    failed, text, _ = await agent.ask("get_terminal_output")
    assert failed and "`session_name` is missing" in json.loads(text)["error"], text
    failed, text, _ = await agent.ask("open_connection", connection_config_name=agent.host)
    assert failed and "`session_name` is missing" in json.loads(text)["error"], text
    failed, text, _ = await agent.ask("get_terminal_output", session_name="main", num_lines=-1)
    assert failed and json.loads(text)["error"].startswith("`num_lines` must be"), text
    agent.done("what cannot be is told")

    text, _ = await agent.call("close_connection", session_name="main")
    assert json.loads(text)["success"] is True, text
    assert os.path.getsize(main["log_file"]) > 0, "the log is kept"
    await agent.call("close_connection", session_name="second")
    text, _ = await agent.call("list_connections")
    assert json.loads(text)["total"] == 0, text
    agent.done("closed, and the log is kept")


def command_id(text):
    """The id that an answer names."""
    found = re.search(r"\bID: (c\d+)\b", text)
    assert found, text
    return found.group(1)


async def session(agent):
    host = agent.host

    async def run(command, **more):
        return await agent.call("execute_command", host=host, command=command, **more)

    text, _ = await run("cd /usr && kept='two words'")
    assert text.startswith("Exit Status: 0\n"), text
    text, structured = await run('pwd; echo "$kept"')
    assert text == "Exit Status: 0\n\nSTDOUT:\n/usr\ntwo words\n", text
    assert structured["exit_code"] == 0 and structured["stdout"] == "/usr\ntwo words\n", structured
    text, _ = await run("echo out; echo err >&2; (exit 7)")
    assert text == "Exit Status: 7\n\nSTDOUT:\nout\nSTDERR:\nerr\n", text
    agent.done("commands in one shell, with exit status, stdout and stderr")

    text, structured = await agent.call("list_sessions")
    target = structured["sessions"][0]["target"]
    assert re.fullmatch(r"[\w-]+@127\.0\.0\.1:\d+", target) and f"\n- {target} (" in text, text
    username, port = target.split("@")[0], int(target.rsplit(":", 1)[1])
    explicit = {"host": "127.0.0.1", "username": username, "port": port}
    text, _ = await agent.call("execute_command", command='echo "$kept"', **explicit)
    assert text == "Exit Status: 0\n\nSTDOUT:\ntwo words\n", text
    text, _ = await agent.call("execute_command", command='echo "$kept"', host=target)
    assert text == "Exit Status: 0\n\nSTDOUT:\ntwo words\n", text
    agent.done("one shell for user@host:port, however it is named")

    gate = f"{agent.scratch}/gate"
    text, _ = await run(f"echo begun; until [ -e {gate} ]; do sleep 0.1; done; echo end", timeout=1)
    assert "Exit Status" not in text and "get_command_status(" in text and "STDOUT:\nbegun" in text, text
    going = command_id(text)
    for listing, title in ("get_active_commands", "Active"), ("list_running_commands", "Running"):
        text, _ = await agent.call(listing)
        assert text.startswith(f"{title} Commands:\n"), text
        assert f"- ID: {going}\n" in text and "Status: running" in text, text
    text, _ = await agent.call("execute_command_async", host=host, command=f"touch {gate}", timeout=300)
    touching = command_id(text)
    await agent.eventually(lambda text: "Status: completed" in text, "get_command_status", command_id=touching)
    text, _ = await agent.eventually(
        lambda text: "Status: completed" in text, "get_command_status", command_id=going
    )
    assert text.startswith(f"Command ID: {going}\n") and "Exit Code: 0\n" in text, text
    assert text.endswith("STDOUT:\nbegun\nend\n"), text
    agent.done("a command that outlives its timeout has an id, and its status and output by that")

    text, _ = await agent.call(
        "execute_command_async", host=host, command='printf "name? "; read -r name; echo "hello $name"'
    )
    asking = command_id(text)
    await agent.eventually(lambda text: "Status: awaiting_input" in text, "get_command_status", command_id=asking)
    # Enter is what is spelled so.
    await agent.call("send_input", command_id=asking, input_text="A")
    text, _ = await agent.call("get_command_status", command_id=asking)
    assert "Status: awaiting_input" in text, text
    text, _ = await agent.call("send_input", command_id=asking, input_text="da\\n")
    assert text.startswith("Input sent successfully\n"), text
    text, _ = await agent.eventually(
        lambda text: "Status: completed" in text, "get_command_status", command_id=asking
    )
    assert text.endswith("STDOUT:\nname? hello Ada\n"), text
    agent.done("a question is answered")

    async def interrupted(endless, tool, **arguments):
        """Interrupts a command until it has ended: one Ctrl-C may come between a shell and what it begins."""
        text, _ = await agent.call(tool, **arguments)
        assert endless in text, text
        async with asyncio.timeout(LONG):
            while "Status: interrupted" not in (await agent.call("get_command_status", command_id=endless))[0]:
                await agent.call(tool, **arguments)

    text, _ = await agent.call("execute_command_async", host=host, command="sleep 1000")
    endless = command_id(text)
    await interrupted(endless, "interrupt_command_by_id", command_id=endless)
    text, _ = await agent.call("execute_command_async", host=host, command="sleep 1000")
    endless = command_id(text)
    # The listed default is not the host's port, and means it all the same.
    await interrupted(endless, "interrupt_command", host=host, port=22)
    text, _ = await run("sleep 1000", timeout=1)
    endless = command_id(text)
    text, structured = await run("echo beside")
    assert "STDOUT:\nbeside\n" in text and structured["session"] != host, text
    # It runs in a session that is not the host's default any more.
    await interrupted(endless, "interrupt_command", host=host)
    text, _ = await agent.call("list_command_history", limit=50)
    assert text.startswith("Command History (last ") and f"- ID: {endless}\n" in text, text
    assert "Status: interrupted\n  Exit Code: 130\n" in text, text
    agent.done("commands are interrupted by id and by host, and are in the history")

    text, _ = await agent.call("send_keys", host=host, keys="echo by''<space>keyz")
    assert text.startswith(f"Successfully sent keys to {host}\n"), text
    await agent.eventually(
        lambda text: json.loads(text)["lines"][-1].endswith("echo by'' keyz"), "read_screen", host=host
    )
    # bash itself may lose keys around a Ctrl-C that comes while it takes others.
    await agent.call("send_keys", host=host, keys="<ctrl-c>")

    def left(text):
        """The line that Ctrl-C left is above the next prompt."""
        *above, last = json.loads(text)["lines"]
        return last and any(line.endswith("keyz^C") for line in above)

    await agent.eventually(left, "read_screen", host=host)
    await agent.call("send_keys", host=host, keys="echo by''keys<enter>")
    await agent.eventually(lambda text: "bykeys" in json.loads(text)["lines"], "read_screen", host=host, max_lines=24)
    text, _ = await agent.call("send_input_by_session", input_text="echo by''session\\n", **explicit)
    assert text.startswith("Input sent successfully\n\nOutput:\n"), text
    text, structured = await agent.eventually(
        lambda text: "bysession" in json.loads(text)["lines"], "read_screen", host=host
    )
    screen = json.loads(text)
    assert (screen["cursor_y"], screen["cursor_x"]) == (structured["row"], structured["column"]), screen
    assert (screen["height"], screen["width"]) == (structured["rows"], structured["cols"]), screen
    assert "by keyz" not in screen["lines"] and screen["cursor_y"] < len(screen["lines"]) <= 24, screen
    agent.done("keys and text are typed, and the screen is read")

    path = f"{agent.scratch}/made/notes"
    text, _ = await agent.call(
        "write_file", remote_path=path, content="gr\u00fcn\n", encoding="latin-1", make_dirs=True, permissions=384, **explicit
    )
    assert text == f"Exit Status: 0\n\nMESSAGE:\nWrote 5 bytes to {path}\n", text
    text, structured = await agent.call("write_file", host=host, remote_path=path, content="more\n", append=True)
    assert structured["mode"] == "0600", structured
    text, _ = await agent.call("read_file", host=host, remote_path=path)
    assert text == "Exit Status: 0\n\nCONTENT:\ngr\ufffdn\nmore\n\n", text
    text, _ = await agent.call("read_file", host=host, remote_path=path, encoding="latin-1", max_bytes=4)
    assert text.startswith("Exit Status: 0\n\nCONTENT:\ngr\u00fcn\nSTDERR:\nContent truncated"), text
    assert "the first 4 of 10 bytes" in text, text
    failed, text, structured = await agent.ask("read_file", host=host, remote_path=f"{path}/none", use_sudo=False)
    assert failed and structured["error"]["code"] == "not_found", text
    assert text.startswith("Exit Status: 1\n\nSTDERR:\n"), text
    failed, text, _ = await agent.ask("read_file", host=host, remote_path="")
    assert failed and "`remote_path` is empty" in text, text
    failed, text, _ = await agent.ask("get_command_status", command_id="c999999")
    assert failed and text.startswith("Error: ") and "list_command_history lists" in text, text
    failed, text, _ = await agent.ask("list_command_history", limit=-1)
    assert failed and text.startswith("Error: `limit` must be"), text
    failed, text, _ = await agent.ask("close_session", host=host, other=1)
    assert failed and "its parameters are host, username, port." in text, text
    agent.done("a file is written, added to and read")

    text, _ = await agent.call("close_session", host=host, port=22)
    assert f"Closed session: {target} (" in text, text
    text, _ = await agent.call("list_sessions")
    assert text == "No active SSH sessions", text
    await run("true")
    text, _ = await agent.call("close_all_sessions")
    assert text.startswith("All SSH sessions closed"), text
    text, _ = await agent.call("list_sessions")
    assert text == "No active SSH sessions", text
    failed, text, structured = await agent.ask("close_session", host=host)
    assert failed and structured["error"]["code"] == "session_not_found" and text.startswith("Error: "), text
    agent.done("closed")


async def main():
    profile, mode, host, scratch, command, *arguments = sys.argv[1:]
    server = StdioServerParameters(command=command, args=[*arguments, "--profile", profile])
    facts, story = {"interactive": (INTERACTIVE, interactive), "session": (SESSION, session)}[profile]
    complaints = Complaints()
    async with Client(server, mode=mode) as client:
        agent = Agent(client, host, scratch)
        await compare(agent, facts)
        await story(agent)
        complaints.none()
        unused = {name for name, _, _ in facts} - agent.used
        assert not unused, f"not played: {unused}"
        agent.done("every tool was used")


asyncio.run(main())
