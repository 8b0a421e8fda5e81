"""The rendered plugin in a Node process, called as OpenCode calls it."""

import contextlib
import json
import os
import shutil
import subprocess
from pathlib import Path

from defenseclaw.connectors import opencode, runtime
from defenseclaw.vocabulary import FailMode

GOLDEN = Path(__file__).parent.parent / "golden" / "opencode"
SESSION = "ses_e02ed8c0bffe1ohHP5M5eB6vAw"
PROJECT = "/home/user/project"
HISTORY = "experimental.chat.messages.transform"
HOOKS = ("chat.message", "tool.execute.before", "tool.execute.after", "experimental.text.complete")

DRIVER = """
import readline from "node:readline";

let loads = 0;
async function load() {
  const { DefenseClaw } = await import(`${process.argv[2]}?${loads++}`);
  return DefenseClaw({ directory: "/home/user/project" });
}
let hooks = await load();
let unhandled = 0;
process.on("unhandledRejection", () => { unhandled += 1; });
console.log(JSON.stringify(Object.keys(hooks)));
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { hook, input, output, made, anew } = JSON.parse(line);
  if (anew) hooks = await load();
  const given = made ? new Function(`return ${made}`)() : output;
  let threw = null;
  try {
    await hooks[hook](input, given);
  } catch (error) {
    threw = error.message;
  }
  if (hook === "event") await hooks.dispose();
  await new Promise(setImmediate);
  console.log(JSON.stringify({ threw, output: made ? null : given, unhandled }));
}
"""


def node():
    """Node.js, which these tests cannot do without."""
    found = shutil.which("node")
    if found is None:
        raise RuntimeError("the bridge is JavaScript: its tests need Node.js (`node`) on PATH")
    return found


def golden(name, **changes):
    return json.loads((GOLDEN / f"{name}.json").read_text()) | changes


class Bridge:
    """The rendered plugin, loaded once in a Node process."""

    def __init__(self, host, folder):
        self.host = host
        self.log = host.data_dir / "logs" / "hook-failures.jsonl"
        self.token = runtime.ensure_token(host, "opencode")
        self.fail_mode(FailMode.CLOSED)
        self.folder = folder
        self.plugin = folder / "defenseclaw.mjs"
        self.plugin.write_bytes(opencode.render_plugin(host))
        (folder / "driver.mjs").write_text(DRIVER)
        self.process = None

    def fail_mode(self, mode):
        runtime.write_runtime(self.host, opencode.CONNECTOR, mode)

    def speed_up(self, **constants):
        """Load it with other limits."""
        text = self.plugin.read_text()
        for name, value in constants.items():
            before, _, rest = text.partition(f"const {name} = ")
            text = f"{before}const {name} = {value};{rest.partition(';')[2]}"
        self.plugin.write_text(text)

    def load(self, **env):
        with (self.folder / "stderr").open("wb") as stderr:
            self.process = subprocess.Popen(
                [node(), str(self.folder / "driver.mjs"), self.plugin.as_uri()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env={"PATH": os.environ["PATH"], **env},
            )
        return json.loads(self._line())

    def ask(self, **command):
        if self.process is None:
            self.load()
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return json.loads(self._line())

    def __call__(self, hook, given=None):
        """Call a hook as recorded; return its exception's message and the output as it is afterwards."""
        given = given or golden(hook)
        answer = self.ask(hook=hook, input=given["input"], output=given.get("output"))
        return answer["threw"], answer["output"]

    def event(self, name, **changes):
        given = golden(f"event.{name}")["input"]
        given["event"]["properties"] |= changes
        return self.ask(hook="event", input=given)

    def anew(self, given, hook):
        """Call a hook of the plugin as if it were loaded just now; return also what it says on stderr."""
        if self.process is None:
            self.load()
        before = len(self.stderr())
        answer = self.ask(hook=hook, input=given["input"], output=given.get("output"), anew=True)
        return answer, self.stderr()[before:]

    def failures(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def stderr(self):
        return (self.folder / "stderr").read_text()

    def close(self):
        if self.process is not None:
            self.process.stdin.close()
            self.process.kill()
            self.process.wait(10)
            self.process.stdout.close()

    def _line(self):
        line = self.process.stdout.readline()
        assert line, self.stderr()
        return line


@contextlib.contextmanager
def bridges(folder):
    """Yield a function that renders the plugin for a host; the processes end with the context."""
    with contextlib.ExitStack() as ends:

        def make(host):
            made = folder / f"plugin {len(list(folder.glob('plugin *')))}"
            made.mkdir()
            bridge = Bridge(host, made)
            ends.callback(bridge.close)
            return bridge

        yield make


def sent(gateway, place=-1):
    return json.loads(gateway.requests[place][2])


def deny(gateway, reason="not here"):
    gateway.says(action="block", reason="RULE", hook_output={"decision": "deny", "reason": reason})


def put(gateway, value):
    gateway.says(action="alert", reason="RULE", hook_output={"decision": "replace", "value": value})


def history(*errors):
    """Messages as OpenCode is about to send them to the model."""
    parts = [
        {
            "type": "tool",
            "id": f"prt_{place}",
            "sessionID": SESSION,
            "callID": "call_fake1",
            "tool": "notes_fetch",
            "state": {"status": "error", "input": {"n": place}, "error": error},
        }
        for place, error in enumerate(errors)
    ]
    other = [
        {"type": "text", "text": "x"},
        {"type": "tool", "id": "prt_done", "state": {"status": "completed", "output": "fine"}},
    ]
    return {"input": {}, "output": {"messages": [{"parts": other}, {"parts": parts}, {}, None]}}


def shown(output):
    return [part["state"]["error"] for part in output["messages"][1]["parts"]]
